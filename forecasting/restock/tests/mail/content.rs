//! What is written: the sorting, the workbook as calamine reads it, the mail as mail-parser reads it.

use std::io::Cursor;

use calamine::{Data, Range, Reader, Xlsx};
use linli_restock::mail::{
    Kind, Language, Name, OrderLine, Problem, Sender, SupplierOrder, letter, message_id, sort, workbook,
};
use linli_schemas::forecast::RunId;
use linli_schemas::zone::Zone;
use mail_parser::{Message, MessageParser, MimeHeaders};
use proptest::prelude::*;

use crate::sample::{AT, CUT_OFF, day, line, order, sender, writing};

fn sheets(bytes: &[u8]) -> Vec<(String, Range<Data>)> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).expect("a workbook");
    book.sheet_names().into_iter().map(|name| (name.clone(), book.worksheet_range(&name).expect("a sheet"))).collect()
}

fn formulas(bytes: &[u8]) -> usize {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).expect("a workbook");
    let names = book.sheet_names();
    names.iter().map(|name| book.worksheet_formula(name).expect("formulas").used_cells().count()).sum()
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).expect("a mail")
}

fn written(order: &SupplierOrder, kind: Kind, link: Option<&str>) -> Vec<u8> {
    letter(order, &writing(kind, &sender(), link)).expect("a letter").bytes
}

#[test]
fn a_sheet_holds_every_line_with_dates_and_exact_amounts() {
    let mut other = line(7_000_000_000_000_000_001);
    other.community_id = 9;
    other.community = Name::new("水岸小区", "Riverside");
    (other.quantity, other.pack, other.cost_fen, other.needed_by) = (7, 7, Some(1), day(5));
    let bytes = workbook(&order(3, vec![line(1), other]), Zone::SHANGHAI).expect("written");
    let sheets = sheets(&bytes);
    assert_eq!(sheets.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["订货明细", "汇总"]);
    let cells = &sheets[0].1;
    let text = |row: u32, column: u32| cells.get_value((row, column)).map(ToString::to_string).unwrap_or_default();
    let number = |row: u32, column: u32| cells.get_value((row, column)).and_then(calamine::DataType::as_f64);
    assert_eq!(text(0, 0), "贵方编码");
    assert_eq!([text(1, 0), text(1, 1), text(1, 2), text(1, 3)], ["A-1", "1", "苹果1", "500g"]);
    assert_eq!([text(1, 4), text(1, 5)], ["武汉一仓", ""]);
    let Some(Data::DateTime(date)) = cells.get_value((1, 6)) else { panic!("no date: {:?}", cells.get_value((1, 6))) };
    let (year, month, day, ..) = date.to_ymd_hms_milli();
    assert_eq!((year, month, day), (2026, 3, 4));
    assert_eq!([7, 8, 9, 10, 11].map(|column| number(1, column)), [12.0, 2.0, 24.0, 3.35, 80.40].map(Some));
    // an id of 19 digits is not rounded, a fen not lost
    assert_eq!([text(2, 1), text(2, 5)], ["7000000000000000001", "水岸小区"]);
    assert_eq!([7, 8, 9, 10, 11].map(|column| number(2, column)), [7.0, 1.0, 7.0, 0.01, 0.07].map(Some));
    assert_eq!((text(3, 0), number(3, 9), number(3, 11)), ("合计".to_owned(), Some(31.0), Some(80.47)));
}

#[test]
fn a_summary_adds_up_and_has_charts_of_its_own() {
    let mut lines: Vec<OrderLine> = (1..=20).map(line).collect();
    lines[4].quantity = 48;
    lines[5].needed_by = day(5);
    let mut order = order(3, lines);
    order.language = Language::En;
    let bytes = workbook(&order, Zone::SHANGHAI).expect("written");
    let (name, cells) = &sheets(&bytes)[1];
    assert_eq!(name, "Summary");
    let text = |row: u32, column: u32| cells.get_value((row, column)).map(ToString::to_string).unwrap_or_default();
    assert_eq!([text(0, 1), text(2, 1)], ["Supplier 3", "2026-03-02 22:00"]);
    assert_eq!([text(4, 1), text(5, 1), text(6, 1)], ["20", "504", "1688.4"]);
    // by day: two of them, 21 and 1 lots
    assert_eq!([text(9, 1), text(9, 2), text(10, 1), text(10, 2)], ["19", "480", "1", "24"]);
    // the item wanted most comes first
    assert_eq!([text(13, 0), text(13, 1), text(14, 0)], ["Apples 5 500g", "48", "Apples 1 500g"]);
    let raw = String::from_utf8_lossy(&bytes);
    assert!(raw.contains("xl/charts/chart1.xml") && raw.contains("xl/charts/chart2.xml"), "no charts");
    assert_eq!(workbook(&order, Zone::SHANGHAI).expect("written"), bytes, "the same order is the same file");
}

#[test]
fn text_that_begins_like_a_formula_stays_text() {
    let mut bad = line(1);
    bad.supplier_code = "=1+1".to_owned();
    bad.title = Name::new("+HYPERLINK(\"http://evil\")", "@SUM(A1)");
    bad.spec = "-2+3".to_owned();
    let bytes = workbook(&order(1, vec![bad]), Zone::SHANGHAI).expect("written");
    let cells = &sheets(&bytes)[0].1;
    assert_eq!(cells.get_value((1, 0)), Some(&Data::String("=1+1".to_owned())));
    assert_eq!(cells.get_value((1, 2)), Some(&Data::String("+HYPERLINK(\"http://evil\")".to_owned())));
    assert_eq!(cells.get_value((1, 3)), Some(&Data::String("-2+3".to_owned())));
    assert_eq!(formulas(&bytes), 0);
}

#[test]
fn a_mail_says_the_same_in_text_html_and_file() {
    let order = order(3, (1..=60).map(line).collect());
    let link = "https://linli.example/answers/t?a=1&b=\"2\"";
    let bytes = written(&order, Kind::Order, Some(link));
    let mail = parsed(&bytes);
    assert_eq!(mail.subject(), Some("订货单 2026-03-02：60 行，请于 2026-03-02 22:00 前确认"));
    let from = mail.from().and_then(|list| list.first()).expect("from");
    assert_eq!((from.name(), from.address()), (Some("邻里 Linli"), Some("orders@linli.example")));
    let to = mail.to().and_then(|list| list.first()).expect("to");
    assert_eq!((to.name(), to.address()), (Some("供应商3"), Some("s3@example.com")));
    assert_eq!(mail.date().map(|date| date.to_timestamp()), Some(AT / 1000));
    assert_eq!(mail.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    let text = mail.body_text(0).expect("text");
    assert!(text.contains(link) && text.contains("A-40") && !text.contains("A-41 "), "{text}");
    assert!(text.contains("其余 20 行"), "{text}");
    let html = mail.body_html(0).expect("html");
    assert!(html.contains("t?a=1&amp;b=&quot;2&quot;") && html.contains("width=\"100%\" bgcolor"), "{html}");
    for remote in ["<img", "<script", "<link", "url(", "@import"] {
        assert!(!html.contains(remote), "the mail loads something: {remote}");
    }
    let file = mail.attachment(0).expect("an attachment");
    assert_eq!(file.attachment_name(), Some("订货单-2026-03-02-3.xlsx"));
    assert_eq!(file.contents(), workbook(&order, Zone::SHANGHAI).expect("written"));
    assert_eq!(written(&order, Kind::Order, Some(link)), bytes, "the same order is the same mail");
}

#[test]
fn a_specification_that_the_title_says_is_not_said_again() {
    let mut told = line(1);
    told.title = Name::new("上海青 500g", "Greens 500g");
    let mail = written(&order(3, vec![told, line(2)]), Kind::Order, None);
    let mail = parsed(&mail);
    let text = mail.body_text(0).expect("a text");
    assert!(text.contains("上海青 500g ") && !text.contains("500g 500g"), "{text}");
    assert!(text.contains("苹果2 500g"), "{text}");
}

#[test]
fn the_language_is_the_suppliers() {
    let mut order = order(3, vec![line(1)]);
    order.language = Language::En;
    let bytes = written(&order, Kind::Order, None);
    let mail = parsed(&bytes);
    assert_eq!(mail.subject(), Some("Order of 2026-03-02: 1 lines, please confirm by 2026-03-02 22:00"));
    for body in [mail.body_text(0).expect("text"), mail.body_html(0).expect("html")] {
        assert!(body.contains("Dear Supplier 3,") && body.contains("Apples 1 500g"), "{body}");
        assert!(body.chars().all(|c| c < '\u{2e80}'), "Chinese in {body}");
    }
}

#[test]
fn an_id_is_one_of_namespace_run_supplier_and_kind() {
    let sender = sender();
    let (order, other) = (order(3, vec![line(1)]), order(4, vec![line(1)]));
    let first = writing(Kind::Order, &sender, None);
    let id = message_id(&first, &order);
    let later = linli_restock::mail::Writing { at: AT + 5, link: Some("x"), ..first };
    assert_eq!(message_id(&later, &order), id);
    assert!(id.starts_with('<') && id.ends_with("@linli.example>"), "{id}");
    let mut next_run = order.clone();
    next_run.run = RunId::parse("2026-03-03-1a2b3c4d5e6f").expect("a run");
    let reminder = writing(Kind::Reminder, &sender, None);
    let elsewhere = linli_restock::mail::Writing { namespace: "b", ..first };
    for different in [
        message_id(&first, &other),
        message_id(&first, &next_run),
        message_id(&reminder, &order),
        message_id(&elsewhere, &order),
    ] {
        assert_ne!(different, id);
    }
    let bytes = written(&order, Kind::Reminder, None);
    let mail = parsed(&bytes);
    assert_eq!(mail.in_reply_to().as_text().map(|text| format!("<{text}>")), Some(id.clone()));
    assert_ne!(mail.message_id().map(|text| format!("<{text}>")), Some(id));
}

#[test]
fn a_withdrawal_says_so_and_holds_nothing_that_could_be_delivered() {
    for (language, subject, words) in [
        (Language::Zh, "作废：订货单 2026-03-02，请勿送货", "已作废，请勿按其送货"),
        (
            Language::En,
            "Withdrawn: order of 2026-03-02, please do not deliver",
            "is withdrawn: please do not deliver it",
        ),
    ] {
        let mut order = order(3, vec![line(1)]);
        order.language = language;
        let bytes = written(&order, Kind::Withdrawal, Some("https://linli.example/answers/x"));
        let mail = parsed(&bytes);
        assert_eq!((mail.subject(), mail.attachment_count()), (Some(subject), 0));
        for body in [mail.body_text(0).expect("text"), mail.body_html(0).expect("html")] {
            assert!(body.contains(words) && body.contains(order.run.as_str()), "{body}");
            assert!(!body.contains("A-1") && !body.contains("linli.example/answers"), "{body}");
        }
        let id = message_id(&writing(Kind::Order, &sender(), None), &order);
        assert_eq!(mail.in_reply_to().as_text().map(|text| format!("<{text}>")), Some(id));
    }
}

#[test]
fn names_cannot_add_headers() {
    let mut order = order(3, vec![line(1)]);
    order.name = Name::new("坏\r\nBcc: all@evil.example\r\n\r\nbody", "Bad\nX-Evil: 1");
    for language in [Language::Zh, Language::En] {
        order.language = language;
        let bytes = written(&order, Kind::Order, None);
        let mail = parsed(&bytes);
        assert!(mail.bcc().is_none() && mail.header("X-Evil").is_none());
        assert_eq!(mail.to().map(|list| list.clone().into_list().len()), Some(1));
        assert_eq!(mail.attachment_count(), 1);
    }
    for from in ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "nobody", ""] {
        assert!(Sender::parse(from, "").is_err(), "{from:?}");
    }
    let injected = Sender::parse("\"A\r\nBcc: x@y.example\" <a@b.example>", "");
    if let Ok(sender) = injected {
        let bytes = letter(&order, &writing(Kind::Order, &sender, None)).expect("a letter").bytes;
        assert!(parsed(&bytes).bcc().is_none());
    }
}

#[test]
fn what_is_not_mailed_is_listed() {
    let (mut missing, mut bad, mut held) = (order(1, vec![line(1)]), order(2, vec![line(1)]), order(3, vec![line(1)]));
    missing.email = Some(" ".to_owned());
    bad.email = Some("a@b.example\r\nBcc: c@d.example".to_owned());
    held.held = 4;
    let mut nothing = line(9);
    nothing.quantity = 0;
    let empty = order(4, vec![nothing]);
    let mut lines = vec![line(1), line(2), line(3), line(4)];
    lines[0].cost_fen = None;
    lines[1].quantity = 13;
    lines[2].quantity = -1;
    lines[3].cost_fen = Some(i64::MAX);
    let odd = order(5, lines);
    let sorted = sort(vec![missing, bad, held, empty, odd, order(5, vec![line(1)])]);
    let mailed: Vec<(i64, Vec<i64>)> = sorted
        .mails
        .iter()
        .map(|order| (order.supplier_id, order.lines.iter().map(|line| line.sku_id).collect()))
        .collect();
    assert_eq!(mailed, [(3, vec![1]), (5, vec![1, 2])]);
    assert_eq!(sorted.empty, [4]);
    assert_eq!(
        sorted.problems,
        [
            Problem::NoAddress { supplier_id: 1, name: "供应商1".to_owned(), lines: 1 },
            Problem::BadAddress {
                supplier_id: 2,
                name: "供应商2".to_owned(),
                lines: 1,
                address: "a@b.example Bcc: c@d.example".to_owned()
            },
            Problem::HeldLines { supplier_id: 3, lines: 4 },
            Problem::UnsoundLines { supplier_id: 5, lines: 2, sku_ids: vec![3, 4] },
            Problem::NoCost { supplier_id: 5, lines: 1, sku_ids: vec![1] },
            Problem::BrokenPacks { supplier_id: 5, lines: 1, sku_ids: vec![2] },
            Problem::RepeatedSupplier { supplier_id: 5, lines: 1 },
        ]
    );
    assert!(sorted.mails.iter().all(|order| order.must_order_by == CUT_OFF));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the shop's texts hold, the file opens with these cells and the mail with this one recipient.
    #[test]
    fn any_text_survives(title in "\\PC{0,40}|[=+@-].{0,20}|\r\n[A-Z]{3}: x", spec in ".{0,12}") {
        let mut strange = line(1);
        strange.title = Name::new(title.clone(), "");
        strange.spec = spec;
        let mut order = order(3, vec![strange]);
        order.name = Name::new(title.clone(), "");
        let bytes = workbook(&order, Zone::SHANGHAI).expect("written");
        let expected: String = title.chars().filter(|c| !c.is_control()).collect();
        let cell = sheets(&bytes)[0].1.get_value((1, 2)).map(ToString::to_string).unwrap_or_default();
        prop_assert_eq!(cell, expected);
        prop_assert_eq!(formulas(&bytes), 0);
        let mail = written(&order, Kind::Order, None);
        let mail = parsed(&mail);
        prop_assert_eq!(mail.to().map(|list| list.clone().into_list().len()), Some(1));
        prop_assert_eq!(mail.to().and_then(|list| list.first()).and_then(|to| to.address()), Some("s3@example.com"));
        prop_assert_eq!(mail.attachment_count(), 1);
    }
}
