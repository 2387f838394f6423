//! JSON values and what can be done to them.

use linli_schemas::Topic;
use linli_schemas::alert::Alert;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::event::decode;
use linli_schemas::forecast::{DemandRecord, RestockRecord, SupplierAnswer};
use linli_schemas::metric::MetricRecord;
use linli_schemas::named;
use linli_schemas::stock;
use linli_schemas::zone::Zone;
use serde_json::Value;

/// The samples of `events/samples/v1`: topic and text. Every old sample stays.
pub const SAMPLES: [(&str, &str); 38] = [
    ("alerts", include_str!("../../events/samples/v1/alerts.firing.json")),
    ("alerts", include_str!("../../events/samples/v1/alerts.resolved.json")),
    ("clicks", include_str!("../../events/samples/v1/clicks.view.json")),
    ("clicks", include_str!("../../events/samples/v1/clicks.visitor.json")),
    ("dead-letter", include_str!("../../events/samples/v1/dead-letter.imported.json")),
    ("dead-letter", include_str!("../../events/samples/v1/dead-letter.late.json")),
    ("forecast.demand", include_str!("../../events/samples/v1/forecast.demand.step.json")),
    ("forecast.demand", include_str!("../../events/samples/v1/forecast.demand.end.json")),
    ("forecast.demand", include_str!("../../events/samples/v1/forecast.demand.withdrawn.json")),
    ("forecast.restock", include_str!("../../events/samples/v1/forecast.restock.line.json")),
    ("forecast.restock", include_str!("../../events/samples/v1/forecast.restock.held.json")),
    ("forecast.restock", include_str!("../../events/samples/v1/forecast.restock.end.json")),
    ("forecast.restock", include_str!("../../events/samples/v1/forecast.restock.end-orders.json")),
    ("forecast.restock", include_str!("../../events/samples/v1/forecast.restock.withdrawn.json")),
    ("forecast.answers", include_str!("../../events/samples/v1/forecast.answers.changed.json")),
    ("forecast.answers", include_str!("../../events/samples/v1/forecast.answers.accepted.json")),
    ("gmv.buyers-repartition", include_str!("../../events/samples/v1/gmv.buyers-repartition.part.json")),
    ("gmv.buyers-repartition", include_str!("../../events/samples/v1/gmv.buyers-repartition.idle.json")),
    ("metrics.activity", include_str!("../../events/samples/v1/metrics.activity.day_total.json")),
    ("metrics.buyers", include_str!("../../events/samples/v1/metrics.buyers.day.json")),
    ("metrics.gmv", include_str!("../../events/samples/v1/metrics.gmv.minute.json")),
    ("metrics.top_n", include_str!("../../events/samples/v1/metrics.top_n.community.json")),
    ("shop.communities", include_str!("../../events/samples/v1/shop.communities.created.json")),
    ("shop.categories", include_str!("../../events/samples/v1/shop.categories.created.json")),
    ("shop.skus", include_str!("../../events/samples/v1/shop.skus.created.json")),
    ("shop.stock", include_str!("../../events/samples/v1/shop.stock.created.json")),
    ("shop.stock", include_str!("../../events/samples/v1/shop.stock.updated.json")),
    ("shop.order_items", include_str!("../../events/samples/v1/shop.order_items.created.json")),
    ("shop.order_items", include_str!("../../events/samples/v1/shop.order_items.deleted.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.created.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.deleted.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.imported.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.moved.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.paid.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.snapshot.json")),
    ("shop.orders", include_str!("../../events/samples/v1/shop.orders.truncated.json")),
    ("shop.other", include_str!("../../events/samples/v1/shop.other.stock.json")),
    ("shop.refunds", include_str!("../../events/samples/v1/shop.refunds.refunded.json")),
];

/// Whether the typed decoder takes it, or why not.
pub fn decoded(topic: Topic, text: &[u8]) -> Result<(), String> {
    match topic {
        Topic::Stock => stock::parse_stock(text).map(drop).map_err(|e| e.to_string()),
        Topic::Communities | Topic::Categories | Topic::Skus => {
            named::parse_named(topic, text).map(drop).map_err(|e| e.to_string())
        }
        Topic::Alerts => Alert::decode(text).map(drop).map_err(|e| e.to_string()),
        Topic::ForecastDemand => DemandRecord::decode(text).map(drop).map_err(|e| e.to_string()),
        Topic::ForecastRestock => RestockRecord::decode(text).map(drop).map_err(|e| e.to_string()),
        Topic::ForecastAnswers => SupplierAnswer::decode(text).map(drop).map_err(|e| e.to_string()),
        Topic::DeadLetter => DeadLetter::decode(text).map(drop).map_err(|e| e.to_string()),
        Topic::MetricsGmv | Topic::MetricsActivity | Topic::MetricsTopN | Topic::MetricsBuyers => {
            let record = MetricRecord::decode(text).map_err(|e| e.to_string())?;
            let own = record.key.metric.topic();
            if own == topic { Ok(()) } else { Err(format!("a metric of {}", own.name())) }
        }
        _ => decode(topic, text, Zone::SHANGHAI).map(drop).map_err(|e| e.to_string()),
    }
}

/// Values at and beyond every edge that the schemas draw.
pub fn edges() -> Vec<Value> {
    let numbers = "0 -1 1 1.0 -0.0 1e0 1.5 -1e-3 127 2147483647 2147483648 -2147483648 -2147483649 4294967295 4294967296 \
        9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615 \
        18446744073709551616 9.2e18 1e300 -1e300 253402300799999 253402300800000 100000000000000 -100000000000001 \
        253402300799999999 253402300800000000 -62135596800000000 -62135596800000001 1793491200000 1793491200000.0";
    let texts = [
        "",
        "0",
        "12",
        "12.5",
        "12.50",
        "12.500",
        "12.505",
        "12.",
        ".5",
        "-1",
        "-",
        "--1",
        "+1",
        "1e3",
        "00",
        "-0.05",
        "1 ",
        "9999999999999.99",
        "10000000000000",
        "-9999999999999.9000",
        "１２",
        "12.5\n",
        "2026-11-01",
        "2026-02-29",
        "2024-02-29",
        "+026-11-01",
        "2026-1-001",
        "2026-3-2",
        "2026-11-01\n",
        ".run",
        "run_1.2-x",
        "0123456789012345678901234567890123456789",
        "01234567890123456789012345678901234567890",
        "step",
        "line",
        "end",
        "withdrawn",
        "held",
        "refused",
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:00:00.1Z",
        "2026-11-01T00:00:00.Z",
        "2026-11-01T00:00:00.123456789Z",
        "2026-11-01T00:00:00.1234567890Z",
        "2026-02-29T00:00:00Z",
        "2024-02-29T23:59:59.123456Z",
        "1900-02-29T00:00:00Z",
        "2000-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T23:60:00Z",
        "2026-11-01T23:59:60Z",
        "2026-11-01 00:00:00Z",
        "2026-11-01T00:00:00",
        "2026-11-01T00:00:00+08:00",
        "2026-11-01t00:00:00z",
        "2026-11-01T00:00:00ZZ",
        "0000-01-01T00:00:00Z",
        "２026-11-01T00:00:00Z",
        "c",
        "u",
        "d",
        "r",
        "t",
        "C",
        "true",
        "false",
        "first",
        "view",
        "login",
        "gmv_min",
        "gmv_day",
        "uv_day",
        "top_min",
        "buyers_day_total",
        "QQ==",
        "QR==",
        "QUI=",
        "QUJ=",
        "QUJD",
        "Q",
        "QQ",
        "Q===",
        "QUJD\n",
        "a:1",
        "a-1",
        "x.000001",
    ];
    let others = [
        "null",
        "true",
        "false",
        "[]",
        "[1]",
        "[1,2,3]",
        "[1,2,3,4]",
        "[[1]]",
        "[[1],[2],[3]]",
        "[[1],[2],[3],[4]]",
        "[[1,2],[3]]",
        "{}",
        r#"{"c":null}"#,
        r#"{"line":null}"#,
        r#"{"term":"level","pieces":1}"#,
        r#"["level",1]"#,
        r#"[{"term":"level","pieces":1.5}]"#,
        r#"{"terms":{},"sum":[],"conflicts":[],"holds":[]}"#,
        r#"{"view":null}"#,
        r#"{"gmv_min":null}"#,
        r#"[1,2,3,4,5,"1.00",null,null]"#,
        r#"[null,null,"t"]"#,
        r#"{"order_id":1}"#,
        r#"{"order_id":1,"paid_at":5}"#,
        r#"{"order_id":1,"paid_at":5,"pay_amount":"1"}"#,
        r#"{"order_id":1,"item_id":2}"#,
        r#"{"refund_id":1}"#,
        r#"{"server":"s","ts_ms":1}"#,
        r#"["s","t",null,null,null,null,1]"#,
    ];
    let parse = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let numbers = numbers.split_whitespace().map(parse);
    numbers.chain(texts.into_iter().map(Value::from)).chain(others.into_iter().map(parse)).collect()
}

/// The pointers of a value and everything in it.
pub fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut next = 0;
    while next < found.len() {
        let pointer = found[next].clone();
        match value.pointer(&pointer) {
            Some(Value::Object(fields)) => found.extend(fields.keys().map(|name| format!("{pointer}/{name}"))),
            Some(Value::Array(items)) => found.extend((0..items.len()).map(|i| format!("{pointer}/{i}"))),
            _ => {}
        }
        next += 1;
    }
    found
}

/// Takes out what a pointer points to.
pub fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.remove(name)),
        Some(Value::Array(items)) => {
            if let Ok(i) = name.parse::<usize>() {
                items.remove(i);
            }
        }
        _ => {}
    }
}
