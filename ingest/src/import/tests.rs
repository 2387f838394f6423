//! Lines in, records out; files in, lines out.

use std::io::Write as _;

use linli_schemas::event::{Event, decode};
use linli_schemas::zone::Zone;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000_000;

fn importer() -> Importer {
    Importer::new(ImportOptions { partitions: 8, received_at_ms: NOW, ahead_ms: 600_000 })
}

fn import(line: &str) -> Result<Vec<NewRecord>, LineError> {
    let mut out = Vec::new();
    importer().line(line.as_bytes(), &mut out).map(|_| out)
}

fn value(record: &NewRecord) -> &[u8] {
    record.value.as_deref().expect("no tombstones")
}

const ORDER: &str = r#"{"event_id":"o-1","kind":"order","order_id":18446744073709551615,"user_id":7,"community_id":12,"leader_id":null,"items":[{"sku_id":5,"qty":2,"price_cents":105},{"sku_id":5,"qty":1,"price_cents":0}],"paid_at":1793491200207,"status":"PAID"}"#;
const CLICK: &str =
    r#"{"event_id":"c-1","kind":"click","user_id":7,"community_id":12,"type":"view","sku_id":5,"ts":1793491200207}"#;

#[test]
fn an_order_becomes_its_row_its_items_and_a_click() {
    let records = import(ORDER).expect("a good line");
    let text: Vec<String> = records
        .iter()
        .map(|r| {
            let key = String::from_utf8_lossy(&r.key);
            format!("{} {} {key} {} {}", r.topic, r.partition, r.timestamp_ms, String::from_utf8_lossy(value(r)))
        })
        .collect();
    expect_test::expect![[r#"
        shop.orders 6 12 1793491200207 {"before":null,"after":{"order_id":18446744073709551615,"user_id":7,"community_id":12,"leader_id":null,"status":1,"pay_amount":"2.10","created_at":"2026-11-01T00:00:00.207Z","paid_at":"2026-11-01T00:00:00.207Z"},"op":"c","ts_ms":1800000000000,"source":{"server":"import","table":"orders","event_id":"o-1","row":0,"ts_ms":1793491200207}}
        shop.order_items 6 12 1793491200207 {"before":null,"after":{"item_id":1,"order_id":18446744073709551615,"community_id":12,"sku_id":5,"qty":2,"price":"1.05","amount":"2.10"},"op":"c","ts_ms":1800000000000,"source":{"server":"import","table":"order_items","event_id":"o-1","row":1,"ts_ms":1793491200207}}
        shop.order_items 6 12 1793491200207 {"before":null,"after":{"item_id":2,"order_id":18446744073709551615,"community_id":12,"sku_id":5,"qty":1,"price":"0.00","amount":"0.00"},"op":"c","ts_ms":1800000000000,"source":{"server":"import","table":"order_items","event_id":"o-1","row":2,"ts_ms":1793491200207}}
        clicks 3 7 1793491200207 {"event_id":"o-1:order","type":"order","user_id":7,"community_id":12,"ts":1793491200207,"received_at":1800000000000,"platform":"import"}"#]]
    .assert_eq(&text.join("\n"));
    for record in &records {
        let topic = Topic::from_name(&record.topic).expect("a known topic");
        let decoded = decode(topic, value(record), Zone::SHANGHAI).expect("what is written can be read");
        assert_eq!(decoded.received_at.0, NOW);
        assert!(decoded.identity.is_some() && decoded.snapshot_at.is_none());
        if let Event::Order(order) = decoded.event {
            assert_eq!((order.pay_amount.0, decoded.event_time.expect("paid").0), (210, 1_793_491_200_207));
        }
    }
}

#[test]
fn a_cancelled_order_is_not_paid_and_still_a_click() {
    let records = import(&ORDER.replace("PAID", "CANCELED")).expect("a good line");
    assert_eq!(records.len(), 4);
    let order = decode(Topic::Orders, value(&records[0]), Zone::UTC).expect("a row");
    assert_eq!(order.event_time, None);
    assert!(String::from_utf8_lossy(value(&records[0])).contains(r#""status":6"#));
}

#[test]
fn a_click_is_of_a_user_or_of_a_visitor() {
    let by_user = import(CLICK).expect("a good line");
    assert_eq!(by_user[0].key.as_ref(), b"7");
    let by_visitor = import(&CLICK.replace(r#""user_id":7"#, r#""anonymous_id":"v\"9\n""#)).expect("a good line");
    assert_eq!(by_visitor[0].key.as_ref(), b"v\"9\n");
    assert!(decode(Topic::Clicks, value(&by_visitor[0]), Zone::UTC).is_ok());
    let nobody = import(&CLICK.replace(r#""user_id":7,"#, "")).expect_err("nobody acted");
    assert_eq!(nobody.to_string(), r#"field "user_id" is missing, and there is no anonymous_id"#);
}

#[test]
fn bad_lines_name_what_is_wrong() {
    let cases = [
        ("", "", "EOF"),
        (ORDER, "{\"event_id\":\"o-1\"", "EOF"),
        (r#""o-1""#, r#""""#, r#"field "event_id" is empty"#),
        (r#""o-1""#, "1", "invalid type"),
        (r#""event_id":"o-1","#, "", "missing field `event_id`"),
        (r#""kind":"order""#, r#""kind":"refund""#, "unknown variant `refund`"),
        (r#""kind":"order""#, r#""kind":"click""#, r#"field "ts" is missing"#),
        ("18446744073709551615", "18446744073709551616", "invalid type"),
        ("18446744073709551615", "-1", "invalid value"),
        ("18446744073709551615", "1.5", "invalid type"),
        ("18446744073709551615", "null", r#"field "order_id" is missing"#),
        (r#""user_id":7,"#, "", r#"field "user_id" is missing"#),
        (r#""user_id":7"#, r#""user_id":"7""#, "invalid type"),
        (r#""user_id":7"#, r#""user_id":7,"user_id":8"#, "duplicate field"),
        (r#""qty":2"#, r#""qty":2147483648"#, "has qty 2147483648 in item 0"),
        (r#""qty":2"#, r#""qty":-2147483649"#, "has qty -2147483649 in item 0"),
        (r#""price_cents":105"#, r#""price_cents":-600000000000000"#, "adds up to more than"),
        (r#""price_cents":105"#, r#""price_cents":9223372036854775807"#, "adds up to more than"),
        (r#""price_cents":105"#, r#""price_cents":600000000000000"#, "adds up to more than"),
        (r#","paid_at":1793491200207"#, "", r#"field "paid_at" is missing"#),
        ("1793491200207", "1793491200", "not milliseconds"),
        ("1793491200207", "4070908800000", "ahead of the import"),
        ("PAID", "REFUNDED", "unknown variant `REFUNDED`"),
        (r#","status":"PAID""#, "", r#"field "status" is missing"#),
    ];
    for (from, to, expected) in cases {
        let line = if from.is_empty() { to.to_owned() } else { ORDER.replace(from, to) };
        let error = import(&line).expect_err(&line).to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{line}\n{error}");
    }
    assert!(import(&ORDER.replace("\"o-1\"", &format!("\"{}\"", "x".repeat(513)))).is_err());
    assert!(import(CLICK.trim_end_matches('}')).is_err());
    assert!(importer().line(b"{\"event_id\":\"\xff\"}", &mut Vec::new()).is_err());
    let bought_nothing = r#"{"event_id":"o","kind":"order","order_id":1,"user_id":1,"community_id":1,"items":[],"paid_at":1793491200207,"status":"PAID"}"#;
    assert!(import(bought_nothing).expect_err("no items").to_string().contains("is empty"));
    assert_eq!(import(&bought_nothing.replace("PAID", "CANCELED")).expect("no money").len(), 2);
}

#[test]
fn what_is_given_back_counts_below_zero() {
    let line = ORDER.replace(r#""qty":2"#, r#""qty":-3"#).replace(r#""price_cents":0"#, r#""price_cents":-7"#);
    let records = import(&line).expect("a return");
    let text = |i: usize| String::from_utf8_lossy(value(&records[i])).into_owned();
    assert!(text(0).contains(r#""pay_amount":"-3.22""#), "{}", text(0));
    assert!(text(1).contains(r#""qty":-3,"price":"1.05","amount":"-3.15""#), "{}", text(1));
    assert!(text(2).contains(r#""qty":1,"price":"-0.07","amount":"-0.07""#), "{}", text(2));
}

#[test]
fn a_dead_letter_keeps_the_line_and_why() {
    let importer = importer();
    let error = import("{").expect_err("no line");
    let record = importer.dead_letter(&error, b"{", "abc:17");
    assert_eq!((record.topic.as_ref(), record.key.as_ref()), ("dead-letter", b"abc:17".as_slice()));
    let letter = DeadLetter::decode(value(&record)).expect("a dead letter");
    assert_eq!((letter.topic.as_str(), letter.code.as_str()), ("import", "malformed"));
    assert_eq!(DeadLetter::decode_bytes(&letter.value).expect("base64"), b"{");

    let long = vec![b'x'; DEAD_LETTER_BYTES_MAX + 1];
    let error = LineError::TooLong { bytes: long.len() as u64 };
    let record = importer.dead_letter(&error, &long, "abc:18");
    assert!(value(&record).len() < linli_connectors::log::RECORD_BYTES_MAX);
    assert!(DeadLetter::decode(value(&record)).expect("a dead letter").reason.contains("are kept"));
}

#[test]
fn times_are_written_as_they_are_read() {
    for at in [31_536_000_000, 951_782_400_123, 1_709_164_799_999, 4_102_444_800_000, 253_402_300_799_999] {
        let text = write::utc_text(at);
        let text = std::str::from_utf8(&text).expect("ascii");
        assert_eq!(linli_schemas::change::parse_utc(text).expect(text).0, at, "{text}");
    }
}

proptest! {
    #[test]
    fn any_id_survives(id in "\\PC{1,40}|[\\x00-\\x7f]{1,20}", at in 31_536_000_000_i64..NOW) {
        let line = serde_json::json!({"event_id": id, "kind": "click", "anonymous_id": id, "community_id": -1, "type": "login", "ts": at});
        let records = import(&line.to_string()).expect("a good line");
        let back: serde_json::Value = serde_json::from_slice(value(&records[0])).expect("JSON");
        prop_assert_eq!(back["event_id"].as_str(), Some(id.as_str()));
        prop_assert_eq!(back["anonymous_id"].as_str(), Some(id.as_str()));
        prop_assert!(decode(Topic::Clicks, value(&records[0]), Zone::UTC).is_ok());
    }

    #[test]
    fn no_bytes_panic(line in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..ORDER.len(), byte in any::<u8>()) {
        let mut out = Vec::new();
        let _ = importer().line(&line, &mut out);
        let mut mutated = ORDER.as_bytes().to_vec();
        mutated[cut] = byte;
        let _ = importer().line(&mutated, &mut out);
        for record in &out {
            let topic = Topic::from_name(&record.topic).expect("a known topic");
            prop_assert!(decode(topic, value(record), Zone::UTC).is_ok());
        }
    }
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(content).expect("written");
    file
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("written");
    encoder.finish().expect("finished")
}

fn read_all(path: &std::path::Path, from: u64, chunk: usize) -> Vec<(u64, u64, String)> {
    let mut lines = Lines::open(path, from, chunk).expect("opens");
    let mut all = Vec::new();
    while let Some(chunk) = lines.next_chunk().expect("reads") {
        for line in chunk.lines() {
            assert_eq!(line.len, line.bytes.len() as u64);
            all.push((line.start, line.end, String::from_utf8_lossy(line.bytes).into_owned()));
        }
    }
    all
}

#[test]
fn lines_come_with_their_bytes_and_reading_goes_on_from_any_of_them() {
    let content = b"\xef\xbb\xbfone\n\ntwo two\r\n  \nthree\n\nfour without end".to_vec();
    let expected: Vec<(u64, u64, String)> =
        [(0, 7, "one"), (8, 17, "two two"), (20, 26, "three"), (27, 43, "four without end")]
            .into_iter()
            .map(|(start, end, text)| (start, end, text.to_owned()))
            .collect();
    let mut two_members = gzip(&content[..10]);
    two_members.extend(gzip(&content[10..]));
    let (plain, packed) = (file(&content), file(&two_members));
    for path in [plain.path(), packed.path()] {
        for chunk in [1, 3, 7, 16, 4096] {
            assert_eq!(read_all(path, 0, chunk), expected, "chunks of {chunk}");
            for (i, (_, end, _)) in expected.iter().enumerate() {
                assert_eq!(read_all(path, *end, chunk), expected[i + 1..], "from {end}");
            }
        }
        assert!(matches!(Lines::open(path, 44, 10), Err(SourceError::Shorter { at: 44, len: 43, .. })));
    }
    let mut told = Vec::new();
    let identity = identify(plain.path(), |bytes| told.push(bytes)).expect("read");
    assert_eq!(identity, identify(packed.path(), |_| ()).expect("read"));
    assert_eq!((identity.bytes, told), (43, vec![43]));
    assert_eq!(identity.sha256.len(), 64);
}

#[test]
fn a_line_that_is_too_long_is_passed_over() {
    let mut content = b"one\n".to_vec();
    let long = LINE_BYTES_MAX + (3 << 20);
    content.extend(vec![b'x'; long]);
    content.extend(b"\nthree\n");
    let file = file(&content);
    let mut lines = Lines::open(file.path(), 0, 1 << 20).expect("opens");
    let mut seen = Vec::new();
    while let Some(chunk) = lines.next_chunk().expect("reads") {
        for line in chunk.lines() {
            let refused = importer().raw_line(&line, &mut Vec::new()).expect_err("no JSON");
            assert_eq!(matches!(refused, LineError::TooLong { .. }), line.start == 4);
            seen.push((line.start, line.end, line.len, line.bytes.len()));
        }
    }
    let long = long as u64;
    assert_eq!(seen, [(0, 4, 3, 3), (4, 5 + long, long, DEAD_LETTER_BYTES_MAX), (5 + long, 11 + long, 5, 5)]);
}

#[test]
fn an_input_that_cannot_be_read_is_named() {
    let missing = identify(std::path::Path::new("/nowhere/x.ndjson"), |_| ()).expect_err("no file");
    assert!(missing.to_string().starts_with("input \"/nowhere/x.ndjson\" cannot be opened"), "{missing}");
    let mut cut = gzip(&[b'x'; 10_000]);
    cut.truncate(cut.len() / 2);
    let file = file(&cut);
    assert!(matches!(identify(file.path(), |_| ()), Err(SourceError::Read { .. })));
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(identify(folder.path(), |_| ()), Err(SourceError::Open { .. })));
}
