//! What the shop emits: committed transactions of its databases and tracked events of its pages.

use linli_schemas::EventTime;
use linli_schemas::event::ClickType;
use serde::{Deserialize, Serialize};

use crate::{Row, Table};

/// A place in the stream: the next change is number `index` of local day `day` (days since 1970-01-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    pub day: i32,
    pub index: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub position: Position,
    /// When it was committed, or received by the collector. Never decreases along the stream.
    pub at: EventTime,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Transaction(Transaction),
    Click(ClickChange),
}

/// What one server commits at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// `shop-0`, `shop-1`: the number.
    pub server: u8,
    pub strand: Strand,
    pub rows: Vec<RowChange>,
}

/// What a transaction goes on with. Those of one strand change the same rows, so they are committed in order;
/// those of two strands change different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strand {
    /// What is there when the shop opens: all else goes on from it.
    Opening,
    Promotion(i64),
    /// The goods of a warehouse, by its number.
    Warehouse(u64),
    /// By its id.
    Order(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Create,
    Update,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    pub table: Table,
    /// The number of the physical table where the logical one is split.
    pub shard: Option<u8>,
    pub before: Option<Row>,
    pub after: Row,
}

impl RowChange {
    pub fn op(&self) -> Op {
        if self.before.is_some() { Op::Update } else { Op::Create }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClickChange {
    pub event_id: String,
    pub click_type: ClickType,
    pub user_id: Option<i64>,
    pub anonymous_id: String,
    pub session_id: String,
    pub community_id: i64,
    pub sku_id: Option<i64>,
    /// When it happened on the visitor's device.
    pub ts: EventTime,
    pub received_at: EventTime,
    pub platform: &'static str,
    pub page: &'static str,
    pub referrer: &'static str,
    /// A search's words, an order's number.
    pub properties: Vec<(&'static str, String)>,
}
