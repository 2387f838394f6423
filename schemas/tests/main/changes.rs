//! Amounts, times and identities as the shop's servers write them.

use linli_schemas::Topic;
use linli_schemas::change::{Decimal, parse_utc};
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::event::{Event, Record, decode};
use linli_schemas::identity::{BinlogPlace, Identity};
use linli_schemas::zone::Zone;
use proptest::prelude::*;
use serde_json::{Value, json};

fn order(source: Value, op: &str, paid_at: Value, zone: Zone) -> Record {
    let mut source = source;
    source["ts_ms"] = json!(1_793_491_200_000_i64);
    if source.get("server").is_none() {
        source["server"] = json!("shop-0");
    }
    let row = json!({"order_id": 1, "pay_amount": "1.00", "paid_at": paid_at});
    let value =
        json!({"before": if op == "d" { row.clone() } else { Value::Null }, "after": row, "op": op, "source": source});
    decode(Topic::Orders, value.to_string().as_bytes(), zone).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn paid_at(value: Value, zone: Zone) -> Option<i64> {
    match order(json!({}), "c", value, zone).event {
        Event::Order(order) => order.paid_at.map(|at| at.0),
        other => panic!("{other:?}"),
    }
}

fn utc(text: &str) -> i64 {
    parse_utc(text).unwrap_or_else(|| panic!("{text}")).0
}

#[test]
fn decimals_become_fen() {
    for (text, fen) in [
        ("12.50", 1250),
        ("12.5", 1250),
        ("12", 1200),
        ("-0.05", -5),
        ("0.00", 0),
        ("1.5000", 150),
        ("9999999999999.99", 999_999_999_999_999),
    ] {
        assert_eq!(Decimal::parse(text).map(|d| d.0.0), Some(fen), "{text}");
    }
    for text in ["", "-", ".5", "5.", "1.005", "1e3", "+1", " 1", "1,0", "10000000000000.00", "NaN"] {
        assert_eq!(Decimal::parse(text), None, "{text}");
    }
}

#[test]
fn timestamps_know_the_calendar() {
    assert_eq!(utc("1970-01-01T00:00:00Z"), 0);
    assert_eq!(utc("2024-02-29T23:59:59.999999Z"), 1_709_251_199_999);
    assert_eq!(utc("2000-02-29T00:00:00Z"), 951_782_400_000);
    assert_eq!(utc("2026-11-01T00:00:00.5Z") - utc("2026-11-01T00:00:00Z"), 500);
    for text in [
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-06-31T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-1-01T00:00:00Z",
        "2026-01-01T00:00:00+08:00",
        "2026-01-01",
        "",
        "é026-01-01T00:00:00Z",
    ] {
        assert_eq!(parse_utc(text), None, "{text}");
    }
}

#[test]
fn a_datetime_is_wall_time_of_the_shop() {
    let wall = utc("2026-11-01T00:01:00Z");
    assert_eq!(paid_at(json!(wall), Zone::SHANGHAI), Some(wall - 8 * 3_600_000));
    assert_eq!(
        paid_at(json!(wall * 1000 + 999), Zone::SHANGHAI),
        Some(wall - 8 * 3_600_000),
        "DATETIME(6) comes in µs"
    );
    assert_eq!(paid_at(json!(wall), Zone::UTC), Some(wall));
    assert_eq!(paid_at(json!("2026-11-01T00:01:00.000000Z"), Zone::SHANGHAI), Some(wall), "a TIMESTAMP is an instant");
    assert_eq!(paid_at(Value::Null, Zone::SHANGHAI), None);
}

#[test]
fn a_datetime_where_clocks_change_is_the_earlier_of_two_or_the_first_after_the_gap() {
    let berlin = Zone::parse("Europe/Berlin").expect("a zone");
    let at = |wall: &str| paid_at(json!(utc(wall)), berlin);
    // 2026-03-29 02:00 to 03:00 does not exist; 2026-10-25 02:00 to 03:00 comes twice.
    assert_eq!(at("2026-03-29T01:59:59Z"), Some(utc("2026-03-29T00:59:59Z")));
    assert_eq!(at("2026-03-29T02:30:00Z"), Some(utc("2026-03-29T01:00:00Z")));
    assert_eq!(at("2026-03-29T03:00:00Z"), Some(utc("2026-03-29T01:00:00Z")));
    assert_eq!(at("2026-10-25T02:30:00Z"), Some(utc("2026-10-25T00:30:00Z")));
    assert_eq!(at("2026-10-25T03:00:00Z"), Some(utc("2026-10-25T02:00:00Z")));
    let (start, end) = berlin.day_of(linli_schemas::EventTime(utc("2026-10-25T12:00:00Z")));
    assert_eq!(end.0 - start.0, 25 * 3_600_000);
}

#[test]
fn snapshot_rows_are_known_by_op_or_flag() {
    let snapshot = |source: Value, op: &str| order(source, op, Value::Null, Zone::UTC).snapshot_at.is_some();
    for flag in [json!(true), json!("true"), json!("first"), json!("last"), json!("incremental")] {
        assert!(snapshot(json!({"snapshot": flag}), "c"), "{flag}");
    }
    for flag in [json!(false), json!("false"), Value::Null] {
        assert!(!snapshot(json!({"snapshot": flag}), "c"), "{flag}");
    }
    assert!(snapshot(json!({}), "r"));
    assert!(!snapshot(json!({}), "u"));
}

#[test]
fn identities_are_of_gtid_or_file_or_event() {
    let identity = |source: Value| order(source, "c", Value::Null, Zone::UTC).identity;
    let place = |source: Value| match identity(source) {
        Some(Identity::Binlog { server, place }) => (server, place),
        other => panic!("{other:?}"),
    };
    let mysql =
        json!({"gtid": "3e11fa47-71ca-11e1-9e33-c80aa9429562:23", "row": 2, "file": "binlog.000007", "pos": 99});
    let (server, at) = place(mysql.clone());
    assert_eq!(at, BinlogPlace { file: 23, pos: 0, row: 2 });
    // The same server's GTID, whichever replica it is read from; another server's is another.
    let mut replica = mysql.clone();
    (replica["server"], replica["file"], replica["pos"]) = (json!("replica"), json!("relay.000001"), json!(4));
    assert_eq!(place(replica), (server, at));
    assert_ne!(place(json!({"gtid": "3e11fa47-71ca-11e1-9e33-c80aa9429563:23", "row": 2})).0, server);
    let (_, maria) = place(json!({"gtid": "0-1-77"}));
    assert_eq!(maria, BinlogPlace { file: 77, pos: 0, row: 0 });
    assert_ne!(place(json!({"gtid": "0-1-77"})).0, place(json!({"gtid": "0-2-77"})).0);
    let (_, file) = place(json!({"file": "mysql-bin.000012", "pos": 4_000_000_000_u64, "row": 1}));
    assert_eq!(file, BinlogPlace { file: 12, pos: 4_000_000_000, row: 1 });
    assert!(place(json!({"file": "b.2", "pos": 4})).1 > place(json!({"file": "b.1", "pos": 9})).1);
    let imported = |id: &str, row: u64| identity(json!({"event_id": id, "row": row}));
    assert_eq!(imported("o-1", 0), imported("o-1", 0));
    assert_ne!(imported("o-1", 0), imported("o-1", 1));
    assert_ne!(imported("o-1", 0), imported("o-2", 0));
    for source in [
        json!({}),
        json!({"gtid": "nonsense"}),
        json!({"gtid": "a:-"}),
        json!({"file": "binlog", "pos": 1}),
        json!({"file": "b.1"}),
    ] {
        assert_eq!(identity(source.clone()), None, "{source}");
    }
}

#[test]
fn errors_name_the_topic_and_hold_nothing_of_the_record() {
    let error = decode(Topic::Orders, br#"{"op":"c","after":{"phone":"13900000000","order_id":"x"}}"#, Zone::UTC)
        .expect_err("no order");
    let text = error.to_string();
    assert!(
        text.starts_with("not a valid record of topic \"shop.orders\"")
            && !text.contains("139")
            && !text.contains('\n'),
        "{text}"
    );
    let unpaid = decode(
        Topic::Orders,
        br#"{"op":"c","after":{"order_id":5,"paid_at":1},"source":{"server":"s","ts_ms":1}}"#,
        Zone::UTC,
    );
    assert!(unpaid.expect_err("no amount").to_string().contains("order 5 is paid but has no pay_amount"));
    assert!(
        decode(Topic::MetricsGmv, b"{}", Zone::UTC)
            .expect_err("no input")
            .to_string()
            .contains("no job reads this topic")
    );
}

proptest! {
    #[test]
    fn a_dead_letter_is_read_as_it_was_written(key in any::<Vec<u8>>(), value in any::<Vec<u8>>(), offset in any::<Option<u64>>(), reason in ".*") {
        let letter = DeadLetter {
            topic: "clicks".to_owned(),
            partition: offset.map(|_| 3),
            offset,
            code: "late".to_owned(),
            reason,
            at: 1,
            key: DeadLetter::encode_bytes(&key),
            value: DeadLetter::encode_bytes(&value),
        };
        let back = DeadLetter::decode(&letter.encode()).expect("decodes");
        prop_assert_eq!(&back, &letter);
        prop_assert_eq!(DeadLetter::decode_bytes(&back.value).expect("base64"), value);
    }

    #[test]
    fn timestamps_agree_with_chrono(seconds in -62_135_596_800_i64..253_402_300_800, ms in 0..1000_i64) {
        let at = seconds * 1000 + ms;
        let text = chrono::DateTime::from_timestamp_millis(at).expect("in range").format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        prop_assert_eq!(parse_utc(&text).map(|t| t.0), Some(at), "{}", text);
    }
}
