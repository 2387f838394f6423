//! What is on hand and reserved of a SKU in a warehouse, as it changes.

use serde::Deserialize;

use crate::Topic;
use crate::change::{Envelope, Op, parse, row};
use crate::event::Reject;
use crate::strict::int;

/// A change of a level of stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockLevel {
    pub warehouse_id: i64,
    pub sku_id: i64,
    /// Pieces that can be sold: on hand less reserved; 0 where the row went away.
    pub available: i64,
    /// When it was committed, epoch ms.
    pub written_ms: i64,
    /// When the change was published, epoch ms.
    pub published_ms: i64,
}

#[derive(Deserialize)]
struct StockRow {
    #[serde(deserialize_with = "int")]
    warehouse_id: i64,
    #[serde(deserialize_with = "int")]
    sku_id: i64,
    #[serde(deserialize_with = "int")]
    on_hand: i64,
    #[serde(deserialize_with = "int")]
    reserved: i64,
}

/// Reads a record of [`Topic::Stock`]; `None` where it leaves no row.
pub fn parse_stock(value: &[u8]) -> Result<Option<StockLevel>, Reject> {
    let envelope: Envelope<'_, StockRow> = parse(Topic::Stock, value)?;
    let Some(row) = row(Topic::Stock, &envelope)? else { return Ok(None) };
    let gone = envelope.op == Op::Delete;
    Ok(Some(StockLevel {
        warehouse_id: row.warehouse_id,
        sku_id: row.sku_id,
        available: if gone { 0 } else { row.on_hand.saturating_sub(row.reserved) },
        written_ms: envelope.source.ts_ms,
        published_ms: envelope.ts_ms.unwrap_or(envelope.source.ts_ms),
    }))
}
