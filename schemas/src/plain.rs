//! The rows that the jobs know, read from plain JSON without serde.

use std::borrow::Cow;

use serde::Deserialize;

use crate::Topic;
use crate::change::{Decimal, Envelope, Instant, ItemRow, Op, OrderRow, RefundRow, Source, parse, parse_utc, wall_ms};
use crate::event::Reject;
use crate::scan::{Scan, once};
use crate::strict::TIME_MS_MAX;

/// Reads an envelope of a row that the jobs know, in a third of the time of [`parse`].
pub fn parse_known<'a, R: KnownRow>(topic: Topic, value: &'a [u8]) -> Result<Envelope<'a, R>, Reject> {
    match scan_envelope(value) {
        Some(envelope) => Ok(envelope),
        None => parse(topic, value),
    }
}

/// A row that reads itself from plain JSON; `None` leaves it to serde.
pub trait KnownRow: for<'a> Deserialize<'a> {
    #[doc(hidden)]
    fn scan(scan: &mut PlainJson<'_>) -> Option<Self>;
}

/// The reader that a [`KnownRow`] reads from.
pub struct PlainJson<'a>(Scan<'a>);

fn scan_envelope<'a, R: KnownRow>(value: &'a [u8]) -> Option<Envelope<'a, R>> {
    let mut json = Scan::new(value)?;
    let (mut before, mut after, mut op, mut ts_ms, mut source, mut moved) = (None, None, None, None, None, None);
    let row = |json: &mut Scan<'a>| {
        json.option(|json| {
            let mut plain = PlainJson(*json);
            let row = R::scan(&mut plain)?;
            *json = plain.0;
            Some(row)
        })
    };
    json.object(|key, json| match key {
        "before" => once(&mut before, row(json)),
        "after" => once(&mut after, row(json)),
        "op" => once(&mut op, json.string().and_then(op_of)),
        "ts_ms" => once(&mut ts_ms, json.option(scan_time)),
        "source" => once(&mut source, scan_source(json)),
        "moved" => once(&mut moved, json.bool()),
        _ => json.skip(),
    })?;
    json.end()?;
    Some(Envelope {
        before: before.flatten(),
        after: after.flatten(),
        op: op?,
        ts_ms: ts_ms.flatten(),
        source: source?,
        moved: moved.unwrap_or(false),
    })
}

fn op_of(text: &str) -> Option<Op> {
    match text {
        "c" => Some(Op::Create),
        "u" => Some(Op::Update),
        "d" => Some(Op::Delete),
        "r" => Some(Op::Read),
        _ => None,
    }
}

fn scan_source<'a>(json: &mut Scan<'a>) -> Option<Source<'a>> {
    let (mut server, mut table, mut file, mut pos, mut row) = (None, None, None, None, None);
    let (mut gtid, mut ts_ms, mut snapshot, mut event_id) = (None, None, None, None);
    json.object(|key, json| match key {
        "server" => once(&mut server, json.string()),
        "table" => once(&mut table, json.string()),
        "file" => once(&mut file, json.option(Scan::string)),
        "pos" => once(&mut pos, json.option(Scan::u64)),
        "row" => once(&mut row, json.option(Scan::u64)),
        "gtid" => once(&mut gtid, json.option(Scan::string)),
        "ts_ms" => once(&mut ts_ms, scan_time(json)),
        "snapshot" => once(
            &mut snapshot,
            json.option(|json| match json.at_string() {
                true => json.string().map(|word| word != "false"),
                false => json.bool(),
            }),
        ),
        "event_id" => once(&mut event_id, json.option(|json| json.string().filter(|id| !id.is_empty()))),
        _ => json.skip(),
    })?;
    Some(Source {
        server: Cow::Borrowed(server?),
        table: Cow::Borrowed(table.unwrap_or("")),
        file: file.flatten().map(Cow::Borrowed),
        pos: pos.flatten(),
        row: row.flatten(),
        gtid: gtid.flatten().map(Cow::Borrowed),
        ts_ms: ts_ms?,
        snapshot: snapshot.flatten().unwrap_or(false),
        event_id: event_id.flatten().map(Cow::Borrowed),
    })
}

/// Epoch milliseconds, 1970 to 9999.
pub(crate) fn scan_time(json: &mut Scan<'_>) -> Option<i64> {
    json.i64().filter(|ms| (0..=TIME_MS_MAX).contains(ms))
}

fn scan_decimal(json: &mut Scan<'_>) -> Option<Decimal> {
    json.string().and_then(Decimal::parse)
}

fn scan_instant(json: &mut Scan<'_>) -> Option<Instant> {
    match json.at_string() {
        true => json.string().and_then(parse_utc).map(Instant::Utc),
        false => json.i64().and_then(wall_ms).map(Instant::WallMs),
    }
}

impl KnownRow for OrderRow {
    fn scan(PlainJson(json): &mut PlainJson<'_>) -> Option<OrderRow> {
        let (mut order_id, mut user_id, mut community_id, mut leader_id) = (None, None, None, None);
        let (mut status, mut pay_amount, mut created_at, mut paid_at) = (None, None, None, None);
        json.object(|key, json| match key {
            "order_id" => once(&mut order_id, json.u64()),
            "user_id" => once(&mut user_id, json.i64()),
            "community_id" => once(&mut community_id, json.i64()),
            "leader_id" => once(&mut leader_id, json.option(Scan::i64)),
            "status" => once(&mut status, json.option(Scan::i64)),
            "pay_amount" => once(&mut pay_amount, json.option(scan_decimal)),
            "created_at" => once(&mut created_at, json.option(scan_instant)),
            "paid_at" => once(&mut paid_at, json.option(scan_instant)),
            _ => json.skip(),
        })?;
        Some(OrderRow {
            order_id: order_id?,
            user_id: user_id.unwrap_or(0),
            community_id: community_id.unwrap_or(0),
            leader_id: leader_id.flatten(),
            status: status.flatten(),
            pay_amount: pay_amount.flatten(),
            created_at: created_at.flatten(),
            paid_at: paid_at.flatten(),
        })
    }
}

impl KnownRow for ItemRow {
    fn scan(PlainJson(json): &mut PlainJson<'_>) -> Option<ItemRow> {
        let (mut item_id, mut order_id, mut community_id, mut sku_id, mut qty) = (None, None, None, None, None);
        let (mut category_id, mut supplier_id, mut price, mut amount) = (None, None, None, None);
        json.object(|key, json| match key {
            "item_id" => once(&mut item_id, json.u64()),
            "order_id" => once(&mut order_id, json.u64()),
            "community_id" => once(&mut community_id, json.i64()),
            "sku_id" => once(&mut sku_id, json.i64()),
            "category_id" => once(&mut category_id, json.option(Scan::i64)),
            "supplier_id" => once(&mut supplier_id, json.option(Scan::i64)),
            "qty" => once(&mut qty, json.i64().filter(|qty| i32::try_from(*qty).is_ok())),
            "price" => once(&mut price, json.option(scan_decimal)),
            "amount" => once(&mut amount, json.option(scan_decimal)),
            _ => json.skip(),
        })?;
        Some(ItemRow {
            item_id: item_id?,
            order_id: order_id?,
            community_id: community_id.unwrap_or(0),
            sku_id: sku_id.unwrap_or(0),
            category_id: category_id.flatten(),
            supplier_id: supplier_id.flatten(),
            qty: qty.unwrap_or(0),
            price: price.flatten(),
            amount: amount.flatten(),
        })
    }
}

impl KnownRow for RefundRow {
    fn scan(PlainJson(json): &mut PlainJson<'_>) -> Option<RefundRow> {
        let (mut refund_id, mut order_id, mut community_id) = (None, None, None);
        let (mut amount, mut refunded_at) = (None, None);
        json.object(|key, json| match key {
            "refund_id" => once(&mut refund_id, json.u64()),
            "order_id" => once(&mut order_id, json.u64()),
            "community_id" => once(&mut community_id, json.i64()),
            "amount" => once(&mut amount, json.option(scan_decimal)),
            "refunded_at" => once(&mut refunded_at, json.option(scan_instant)),
            _ => json.skip(),
        })?;
        Some(RefundRow {
            refund_id: refund_id?,
            order_id: order_id.unwrap_or(0),
            community_id: community_id.unwrap_or(0),
            amount: amount.flatten(),
            refunded_at: refunded_at.flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLES: [&str; 4] = [
        r#"{"before":null,"after":{"order_id":9223372036854775809,"user_id":5,"community_id":-7,"leader_id":null,"status":2,"pay_amount":"12.50","created_at":1793491200000,"paid_at":"2026-11-01T00:00:00.123Z"},"op":"c","ts_ms":1,"source":{"server":"s","table":"orders","event_id":"o-1","row":0,"ts_ms":3},"transaction":null}"#,
        r#"{"before":{"order_id":1,"item_id":2,"qty":3,"note":[1,{"a":true}]},"after":null,"op":"d","ts_ms":null,"moved":true,"source":{"server":"s","file":"b.7","pos":4,"row":1,"gtid":null,"snapshot":"false","ts_ms":3}}"#,
        r#"{ "after" : {"refund_id":1,"item_id":4,"order_id":9,"amount":"0.5","refunded_at":1793491200000000} , "op":"r","source":{"server":"s","snapshot":true,"gtid":"u:7","ts_ms":3},"ts_ms":8}"#,
        r#"{"op":"t","source":{"server":"s","ts_ms":3,"snapshot":"last","shard":"1"}}"#,
    ];

    fn agree<'a, R: KnownRow + std::fmt::Debug>(bytes: &'a [u8]) -> bool {
        let scanned: Option<Envelope<'a, R>> = scan_envelope(bytes);
        let parsed = parse::<R>(Topic::Orders, bytes);
        scanned.is_none_or(|scanned| parsed.is_ok_and(|parsed| format!("{parsed:?}") == format!("{scanned:?}")))
    }

    #[test]
    fn plain_records_are_read_here() {
        assert!(scan_envelope::<OrderRow>(SAMPLES[0].as_bytes()).is_some());
        assert!(scan_envelope::<ItemRow>(SAMPLES[1].as_bytes()).is_some());
        assert!(scan_envelope::<RefundRow>(SAMPLES[2].as_bytes()).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        /// However the bytes are damaged: what is read here, serde reads too, and to the same end.
        #[test]
        fn never_differs_from_serde(
            sample in 0..SAMPLES.len(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..4),
        ) {
            let mut bytes = SAMPLES[sample].as_bytes().to_vec();
            for (index, byte, kind) in damage {
                let at = index.index(bytes.len());
                let syntax = b"{}[]\":,0123456789-.enul \\t"[usize::from(byte) % 26];
                match kind {
                    0 => bytes[at] = syntax,
                    1 => bytes.insert(at, syntax),
                    2 => bytes[at] = byte,
                    _ => drop(bytes.remove(at)),
                }
            }
            prop_assert!(agree::<OrderRow>(&bytes), "{}", String::from_utf8_lossy(&bytes));
            prop_assert!(agree::<ItemRow>(&bytes), "{}", String::from_utf8_lossy(&bytes));
            prop_assert!(agree::<RefundRow>(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
