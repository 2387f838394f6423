//! Random tables and values: the image gives the values back, and a SELECT's row the same JSON.

use linli_binlog::{
    Charset, Checksum, ColumnType, Event, RowDecoder, SqlText, Table, TableLayout, TextRows, Warning, frame, kind,
    parse,
};
use proptest::prelude::*;

use crate::build::{self, decimal, varchar, with_fraction};
use crate::table;

/// A column with a value: as the log has it, as a SELECT has it, and the JSON of both.
#[derive(Debug, Clone)]
struct Sample {
    kind: ColumnType,
    log: Vec<u8>,
    text: Vec<u8>,
    json: String,
}

fn sample(kind: ColumnType, log: Vec<u8>, text: impl Into<Vec<u8>>, json: impl ToString) -> Sample {
    Sample { kind, log, text: text.into(), json: json.to_string() }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

fn integers() -> impl Strategy<Value = Sample> {
    (prop::sample::select(vec![1u8, 2, 3, 4, 8]), any::<bool>(), any::<i64>()).prop_map(|(bytes, unsigned, value)| {
        let unused = 64 - 8 * u32::from(bytes);
        let log = value.to_le_bytes()[..usize::from(bytes)].to_vec();
        let text = if unsigned {
            ((value as u64) << unused >> unused).to_string()
        } else {
            (value << unused >> unused).to_string()
        };
        sample(ColumnType::Integer { bytes, unsigned }, log, text.clone(), text)
    })
}

fn floats() -> impl Strategy<Value = Sample> {
    let finite = any::<f64>().prop_filter("finite", |value| value.is_finite());
    let double = finite.prop_map(|value| {
        let text = format!("{value:e}");
        let json = serde_json::to_string(&value).expect("number").replace("e+", "e");
        sample(ColumnType::Double, value.to_le_bytes().to_vec(), text, json)
    });
    let single = any::<f32>().prop_filter("finite", |value| value.is_finite() && *value != 0.0).prop_map(|value| {
        // A SELECT with +0e0 shows the DOUBLE of the same value.
        let text = format!("{:e}", f64::from(value));
        let json = serde_json::to_string(&value).expect("number").replace("e+", "e");
        sample(ColumnType::Float, value.to_le_bytes().to_vec(), text, json)
    });
    prop_oneof![double, single]
}

fn decimals() -> impl Strategy<Value = Sample> {
    let shape = (1u8..=65).prop_flat_map(|precision| (Just(precision), 0..=precision.min(30)));
    let digits = |count: u8| prop::collection::vec(0u8..10, usize::from(count));
    let number = shape.prop_flat_map(move |(precision, scale)| {
        (Just((precision, scale)), digits(precision - scale), digits(scale), any::<bool>())
    });
    number.prop_map(|((precision, scale), whole, fraction, negative)| {
        let text = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
        let (whole, fraction) = (text(&whole), text(&fraction));
        let is_zero = whole.bytes().chain(fraction.bytes()).all(|digit| digit == b'0');
        let negative = negative && !is_zero;
        let shown = whole.trim_start_matches('0');
        let sign = if negative { "-" } else { "" };
        let mut number = format!("{sign}{}", if shown.is_empty() { "0" } else { shown });
        if scale > 0 {
            number = format!("{number}.{fraction}");
        }
        let log = decimal(negative, &whole, &fraction);
        sample(ColumnType::Decimal { precision, scale }, log, number.clone(), quoted(&number))
    })
}

/// Truncates microseconds to what a column of `fsp` digits keeps, and prints them.
fn fraction(micros: i64, fsp: u8) -> (i64, String) {
    let unit = 10i64.pow(6 - u32::from(fsp));
    let kept = micros / unit * unit;
    let text = if fsp == 0 { String::new() } else { format!(".{:06}", kept)[..=usize::from(fsp)].to_owned() };
    (kept, text)
}

fn times() -> impl Strategy<Value = Sample> {
    (0u8..=6, 0i64..839, 0i64..60, 0i64..60, 0i64..1_000_000, any::<bool>()).prop_map(
        |(fsp, h, m, s, micros, negative)| {
            let (micros, digits) = fraction(micros, fsp);
            let total = (h * 3600 + m * 60 + s) * 1_000_000 + micros;
            let log = with_fraction(h << 12 | m << 6 | s, micros, fsp, 3, negative);
            let sign = if negative { "-" } else { "" };
            let text = format!("{sign}{h:02}:{m:02}:{s:02}{digits}");
            sample(ColumnType::Time { fsp }, log, text, if negative { -total } else { total })
        },
    )
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// By counting years and months: slow and plain, to be compared with.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if year < 1 || !(1..=12).contains(&month) || day < 1 || day > lengths[month as usize - 1] {
        return None;
    }
    let years: i64 = if year >= 1970 {
        (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum()
    } else {
        -(year..1970).map(|year| if is_leap(year) { 366 } else { 365 }).sum::<i64>()
    };
    Some(years + lengths[..month as usize - 1].iter().sum::<i64>() + day - 1)
}

fn dates() -> impl Strategy<Value = Sample> {
    (0i64..10_000, 0i64..13, 0i64..32).prop_map(|(y, m, d)| {
        let json = days(y, m, d).map_or("null".to_owned(), |days| days.to_string());
        let log = ((y << 9 | m << 5 | d) as u32).to_le_bytes()[..3].to_vec();
        sample(ColumnType::Date, log, format!("{y:04}-{m:02}-{d:02}"), json)
    })
}

fn datetimes() -> impl Strategy<Value = Sample> {
    let clock = (0i64..24, 0i64..60, 0i64..60, 0i64..1_000_000);
    (0u8..=6, (0i64..10_000, 0i64..13, 0i64..32), clock).prop_map(|(fsp, (y, mo, d), (h, mi, s, micros))| {
        let (micros, digits) = fraction(micros, fsp);
        let packed = ((y * 13 + mo) << 5 | d) << 17 | h << 12 | mi << 6 | s;
        let text = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}{digits}");
        let total = days(y, mo, d).map(|days| (days * 86_400 + h * 3600 + mi * 60 + s) * 1_000_000 + micros);
        let total = total.map(|total| if fsp <= 3 { total.div_euclid(1000) } else { total });
        let json = total.map_or("null".to_owned(), |total| total.to_string());
        sample(ColumnType::DateTime { fsp }, with_fraction(packed, micros, fsp, 5, false), text, json)
    })
}

fn timestamps() -> impl Strategy<Value = Sample> {
    let day = (1970i64..2038, 1i64..13, 1i64..29);
    (0u8..=6, day, 0i64..86_400, 0i64..1_000_000).prop_map(|(fsp, (y, mo, d), second, micros)| {
        let (micros, digits) = fraction(micros, fsp);
        let second = second.max(1);
        let seconds = (days(y, mo, d).expect("a day") * 86_400 + second) as u32;
        let mut log = seconds.to_be_bytes().to_vec();
        log.extend_from_slice(&with_fraction(0, micros, fsp, 1, false)[1..]);
        let (h, mi, s) = (second / 3600, second / 60 % 60, second % 60);
        let text = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}{digits}");
        let json = quoted(&format!("{}Z", text.replace(' ', "T")));
        sample(ColumnType::Timestamp { fsp }, log, text, json)
    })
}

fn strings() -> impl Strategy<Value = Sample> {
    let unicode = "\\PC{0,40}".prop_map(|text| {
        let json = quoted(&text);
        sample(ColumnType::Text { charset: Charset::Utf8mb4 }, varchar(text.as_bytes()), text, json)
    });
    let control = prop::collection::vec(any::<char>(), 0..40).prop_map(|chars| {
        let text: String = chars.into_iter().collect();
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let json = quoted(&text);
        sample(ColumnType::Text { charset: Charset::Utf16 }, varchar(&units), text, json)
    });
    let gbk = prop::sample::select(vec!["团购", "鲜果—粤", "a中文\"", ""]).prop_map(|text| {
        let bytes = encoding_rs::GBK.encode(text).0.into_owned();
        sample(ColumnType::Text { charset: Charset::Gbk }, varchar(&bytes), text, quoted(text))
    });
    let enums = (0usize..3).prop_map(|index| {
        let values = vec!["甲".to_owned(), "b,c".to_owned()];
        let text = if index == 0 { String::new() } else { values[index - 1].clone() };
        let json = quoted(&text);
        sample(ColumnType::Enum { values }, vec![index as u8], text, json)
    });
    let sets = (0u16..1 << 10).prop_map(|bits| {
        let values: Vec<String> = (0..10).map(|index| format!("v{index}")).collect();
        let members: Vec<&str> =
            (0..10).filter(|index| bits >> index & 1 == 1).map(|index| values[index].as_str()).collect();
        let text = members.join(",");
        let json = quoted(&text);
        sample(ColumnType::Set { values }, bits.to_le_bytes().to_vec(), text, json)
    });
    prop_oneof![unicode, control, gbk, enums, sets]
}

fn bytes() -> impl Strategy<Value = Sample> {
    let blob = prop::collection::vec(any::<u8>(), 0..50).prop_map(|bytes| {
        let json = quoted(&base64(&bytes));
        sample(ColumnType::Bytes, varchar(&bytes), bytes, json)
    });
    let padded = prop::collection::vec(any::<u8>(), 1..100).prop_map(|bytes| {
        let cut = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |index| index + 1);
        let json = quoted(&base64(&bytes));
        let log = [&[cut as u8], &bytes[..cut]].concat();
        sample(ColumnType::Binary { length: bytes.len() as u16 }, log, bytes, json)
    });
    let bits = (1u8..=64, any::<u64>()).prop_map(|(length, value)| {
        let value = value & (u64::MAX >> (64 - length));
        let log = value.to_be_bytes()[8 - usize::from(length.div_ceil(8))..].to_vec();
        let little: Vec<u8> = log.iter().rev().copied().collect();
        let json = if length == 1 { (value == 1).to_string() } else { quoted(&base64(&little)) };
        sample(ColumnType::Bit { length }, log.clone(), log, json)
    });
    let geometry = (any::<u32>(), prop::collection::vec(any::<u8>(), 0..30)).prop_map(|(srid, wkb)| {
        let bytes = [&srid.to_le_bytes()[..], &wkb].concat();
        let srid = if srid == 0 { "null".to_owned() } else { srid.to_string() };
        let json = format!("{{\"wkb\":{},\"srid\":{srid}}}", quoted(&base64(&wkb)));
        sample(ColumnType::Geometry, build::blob(&bytes), bytes, json)
    });
    let year = (0u8..=255).prop_map(|year| {
        let shown = if year == 0 { 0 } else { 1900 + u32::from(year) };
        sample(ColumnType::Year, vec![year], format!("{shown:04}"), shown)
    });
    let document = ("[a-z\"\\\\\n中]{0,9}", any::<i16>()).prop_map(|(text, number)| {
        let log =
            build::json_object(&[("n", build::JsonMember::Int(number)), ("键\"", build::JsonMember::Text(&text))]);
        let shown = format!("{{\"n\": {number}, \"键\\\"\": {}}}", quoted(&text));
        let json = quoted(&shown);
        sample(ColumnType::Json, build::blob(&log), shown, json)
    });
    prop_oneof![blob, padded, bits, geometry, year, document]
}

fn any_sample() -> impl Strategy<Value = Sample> {
    prop_oneof![integers(), floats(), decimals(), times(), dates(), datetimes(), timestamps(), strings(), bytes()]
}

pub fn layout(table: &Table) -> TableLayout {
    let bytes = build::event(kind::TABLE_MAP, &build::table_map(table), Checksum::Crc32);
    let (header, body) = frame(&bytes, Checksum::Crc32).expect("a frame");
    match parse(&header, body, &build::format()).expect("an event") {
        Event::TableMap(map) => map.layout().expect("a layout"),
        other => panic!("{other:?}"),
    }
}

/// JSON of the images of an event's rows: before and after.
pub fn images(decoder: &RowDecoder, kind: u8, body: &[u8]) -> Vec<[Option<String>; 2]> {
    let bytes = build::event(kind, body, Checksum::None);
    let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
    let Event::Rows(rows) = parse(&header, body, &build::format()).expect("an event") else { panic!("no rows") };
    let mut cursor = decoder.rows(&rows).expect("rows");
    let mut found = Vec::new();
    while let Some(images) = cursor.next_row() {
        let images = images.expect("images");
        found.push([images.before, images.after].map(|image| {
            image.map(|image| {
                let mut out = Vec::new();
                image.write_json(&mut out, &mut Vec::new()).expect("JSON");
                String::from_utf8(out).expect("UTF-8")
            })
        }));
    }
    found
}

/// What the first row's columns are as texts.
fn sql_texts(decoder: &RowDecoder, body: &[u8], columns: usize) -> Vec<Vec<u8>> {
    let event = build::event(kind::WRITE_ROWS, body, Checksum::None);
    let (header, body) = frame(&event, Checksum::None).expect("a frame");
    let Ok(Event::Rows(rows)) = parse(&header, body, &build::format()) else { panic!("no rows") };
    let mut cursor = decoder.rows(&rows).expect("rows");
    let image = cursor.next_row().expect("a row").expect("images").after.expect("an image");
    let text = |column| {
        let mut text = Vec::new();
        image.sql_text(column, &mut text).expect("a text");
        text
    };
    (0..columns).map(text).collect()
}

/// Rows of an event by its table map alone, held to those that are decoded.
fn count(layout: &TableLayout, decoder: &RowDecoder, kind: u8, body: &[u8]) -> Option<u64> {
    let bytes = build::event(kind, body, Checksum::None);
    let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
    let Ok(Event::Rows(rows)) = parse(&header, body, &build::format()) else { return None };
    let counted = layout.count_rows(&rows);
    let mut decoded = Some(0);
    let mut cursor = decoder.rows(&rows).expect("rows");
    while let Some(images) = cursor.next_row() {
        match images {
            Ok(_) => decoded = decoded.map(|rows| rows + 1),
            Err(_) => {
                decoded = None;
                break;
            }
        }
    }
    assert_eq!(counted, decoded, "counted by the table map, and decoded");
    counted
}

fn object(columns: &[(usize, String)]) -> String {
    let members: Vec<String> = columns.iter().map(|(index, json)| format!("\"c{index}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_and_selects_give_the_values_that_were_written(
        samples in prop::collection::vec((any_sample(), any::<bool>()), 1..20),
    ) {
        let table = table(samples.iter().map(|(sample, _)| sample.kind.clone()).collect());
        let layout = layout(&table);
        let decoder = RowDecoder::new(&layout, &table, &[]).expect("a decoder");
        let cells: Vec<_> = samples.iter().map(|(sample, null)| Some((!null).then(|| sample.log.clone()))).collect();
        let mut body = build::rows_head(cells.len(), &[build::bitmap(&cells)]);
        body.extend(build::image(&cells));
        body.extend(build::image(&cells));

        let json = |(sample, null): &(Sample, bool)| if *null { "null".to_owned() } else { sample.json.clone() };
        let want = object(&samples.iter().map(json).enumerate().collect::<Vec<_>>());
        prop_assert_eq!(
            images(&decoder, kind::WRITE_ROWS, &body),
            vec![[None, Some(want.clone())], [None, Some(want.clone())]]
        );
        prop_assert_eq!(images(&decoder, kind::DELETE_ROWS, &body), vec![[Some(want.clone()), None], [Some(want.clone()), None]]);

        for kind in [kind::WRITE_ROWS, kind::DELETE_ROWS] {
            prop_assert_eq!(count(&layout, &decoder, kind, &body), Some(2));
        }
        // Cut anywhere within the rows there are fewer, or none can be told.
        for end in (body.len() / 2..body.len()).step_by(5) {
            prop_assert!(count(&layout, &decoder, kind::WRITE_ROWS, &body[..end]) < Some(2));
        }

        let texts: Vec<_> = samples.iter().map(|(sample, null)| (!null).then_some(sample.text.as_slice())).collect();
        let (mut out, mut warnings) = (Vec::new(), Vec::<Warning>::new());
        TextRows::new(&table, &[]).expect("rules").write_json(texts.iter().copied(), &mut out, &mut warnings).expect("JSON");
        prop_assert_eq!(String::from_utf8(out).expect("UTF-8"), want);

        // And the same text, which is that of the SELECT where it is one.
        let rows = TextRows::new(&table, &[]).expect("rules");
        let from_log = sql_texts(&decoder, &body, samples.len());
        for (index, (sample, null)) in samples.iter().enumerate() {
            let mut text = Vec::new();
            let told = rows.sql_text(index, texts[index], &mut text).expect("a text");
            prop_assert_eq!(told, if *null { SqlText::Null } else { SqlText::Text });
            prop_assert_eq!(String::from_utf8(text.clone()), String::from_utf8(from_log[index].clone()));
            if !null && matches!(sample.kind, ColumnType::Date | ColumnType::Time { .. } | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. }) {
                prop_assert_eq!(&text, &sample.text);
            }
        }
    }

    #[test]
    fn partial_images_hold_what_is_present_and_an_update_keeps_what_it_leaves_out(
        samples in prop::collection::vec((any_sample(), any_sample(), any::<bool>(), any::<bool>()), 1..12),
    ) {
        // Before and after have to be of one type: the second sample is used where it is.
        let second = |a: &Sample, b: &Sample| if a.kind == b.kind { b.clone() } else { a.clone() };
        let table = table(samples.iter().map(|(sample, ..)| sample.kind.clone()).collect());
        let layout = layout(&table);
        let decoder = RowDecoder::new(&layout, &table, &[]).expect("a decoder");
        let before: Vec<_> = samples.iter().map(|(a, _, here, _)| here.then(|| Some(a.log.clone()))).collect();
        let after: Vec<_> = samples.iter().map(|(a, b, _, here)| here.then(|| Some(second(a, b).log))).collect();
        let (old, new) = (build::image(&before), build::image(&after));
        prop_assume!(!old.is_empty() || !new.is_empty());
        let mut body = build::rows_head(samples.len(), &[build::bitmap(&before), build::bitmap(&after)]);
        body.extend([old, new].concat());

        let (mut want_before, mut want_after) = (Vec::new(), Vec::new());
        for (index, (a, b, in_before, in_after)) in samples.iter().enumerate() {
            if *in_before {
                want_before.push((index, a.json.clone()));
            }
            if *in_after {
                want_after.push((index, second(a, b).json));
            } else if *in_before {
                want_after.push((index, a.json.clone()));
            }
        }
        prop_assert_eq!(
            images(&decoder, kind::UPDATE_ROWS, &body),
            vec![[Some(object(&want_before)), Some(object(&want_after))]]
        );
        prop_assert_eq!(count(&layout, &decoder, kind::UPDATE_ROWS, &body), Some(1));
    }
}

/// With MINIMAL images an insert of defaults alone holds no column and no byte, and is a row all the same.
#[test]
fn an_insert_of_defaults_alone_is_a_row() {
    let table = table(vec![ColumnType::Year, ColumnType::Double]);
    let decoder = RowDecoder::new(&layout(&table), &table, &[]).expect("a decoder");
    let body = build::rows_head(2, &[vec![0]]);
    assert_eq!(images(&decoder, kind::WRITE_ROWS, &body), [[None, Some("{}".to_owned())]]);
    assert_eq!(count(&layout(&table), &decoder, kind::WRITE_ROWS, &body), Some(1));
    let body = build::rows_head(2, &[vec![3]]);
    assert!(images(&decoder, kind::WRITE_ROWS, &body).is_empty());
    assert_eq!(count(&layout(&table), &decoder, kind::WRITE_ROWS, &body), Some(0));
}
