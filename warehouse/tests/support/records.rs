//! Records as ingest, the import and the jobs write them.

use linli_schemas::metric::{Metric, MetricRecord, PartKey, Version};
use serde_json::{Value, json};

/// A change of a table of the shop, as ingest writes it.
pub fn change(op: &str, ts_ms: i64, before: Value, after: Value) -> String {
    json!({
        "before": before, "after": after, "op": op, "ts_ms": ts_ms,
        "source": {"server": "shop-0", "db": "shop", "table": "orders", "file": "binlog.000001", "pos": ts_ms % 1_000_000, "row": 0, "ts_ms": ts_ms},
    })
    .to_string()
}

/// The same of an imported line.
pub fn imported(table: &str, event_id: &str, row: u32, ts_ms: i64, after: Value) -> String {
    json!({
        "before": null, "after": after, "op": "c", "ts_ms": 1_800_000_000_000_i64,
        "source": {"server": "import", "table": table, "event_id": event_id, "row": row, "ts_ms": ts_ms},
    })
    .to_string()
}

pub fn utc(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).expect("a time").format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

pub fn order(order_id: u64, community: i64, fen: i64, paid_at: Option<i64>) -> Value {
    json!({
        "order_id": order_id, "user_id": 7, "community_id": community, "leader_id": 3, "status": 2,
        "pay_amount": yuan(fen), "created_at": utc(paid_at.unwrap_or(super::DAY) - 60_000), "paid_at": paid_at.map(utc),
    })
}

pub fn item(order_id: u64, item_id: u64, community: i64, sku: i64, qty: i64, price: i64) -> Value {
    json!({
        "item_id": item_id, "order_id": order_id, "community_id": community, "sku_id": sku, "category_id": 1,
        "supplier_id": 9, "qty": qty, "price": yuan(price), "amount": yuan(qty * price),
    })
}

pub fn click(event_id: &str, user: i64, community: i64, ts: i64, received_at: i64) -> String {
    json!({
        "event_id": event_id, "type": "view", "user_id": user, "community_id": community, "sku_id": 5,
        "ts": ts, "received_at": received_at, "platform": "web",
    })
    .to_string()
}

pub fn part(
    metric: Metric,
    window_start: i64,
    dimension: i64,
    shard: u32,
    epoch: u64,
    columns: &[&[i64]],
) -> MetricRecord {
    MetricRecord {
        key: PartKey { metric, window_start, dimension, shard },
        version: Version { generation: 1, epoch, sequence: 0 },
        as_of: window_start + 1_000 * i64::from(shard) + 5_000,
        window_end: window_start + 60_000,
        columns: columns.iter().map(|column| column.to_vec()).collect(),
    }
}

/// A record of `metrics.*` with its key.
pub fn on_log(record: &MetricRecord) -> (String, String) {
    (record.key.log_key(), String::from_utf8(record.encode()).expect("JSON"))
}
