//! What the Live page shows: today so far, second by second, from the serving store.
//!
//! [`LiveView::snapshot`] may be called for every client and second: it asks the store at most once in
//! [`LiveOptions::refresh_ms_min`], fetches only the windows that can still move fast, and keeps the others decoded.
//! Where the serving store holds nothing of a day, the warehouse answers.

mod cache;
mod view;
mod warehouse;

use std::collections::BTreeMap;
use std::time::Duration;

use linli_schemas::zone::Zone;
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId};

pub use view::LiveView;

#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Days begin at this zone's midnight.
    pub zone: Zone,
    /// Partitions of the topics, which is the number of shards of every result.
    pub partitions: u32,
    /// Younger answers are given again without asking the store.
    pub refresh_ms_min: i64,
    /// After this time the warehouse gives up on a query.
    pub query_limit: Duration,
}

impl LiveOptions {
    pub fn new(zone: Zone, partitions: u32) -> LiveOptions {
        LiveOptions { zone, partitions, refresh_ms_min: 500, query_limit: crate::query::LIMIT }
    }
}

/// What to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveQuery {
    /// Counts and the series of this community only.
    pub community: Option<CommunityId>,
    pub top_window: TopWindow,
    pub top_scope: TopScope,
    /// The instant to take for now; the clock's when absent. Its day is shown.
    pub at: Option<EventTime>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopWindow {
    /// The local day so far.
    #[default]
    Today,
    /// The 60 minutes that end with the minute of [`LiveSnapshot::as_of`].
    LastHour,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopScope {
    #[default]
    All,
    Category(CategoryId),
    Community(CommunityId),
}

/// One answer. `None` means that nothing is known, which is not zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSnapshot {
    pub day_start: EventTime,
    pub day_end: EventTime,
    /// Every shard that ever wrote on this day has come at least this far.
    pub as_of: Option<EventTime>,
    /// Paid today; refunds do not reduce it.
    pub gmv: Option<Money>,
    /// Refunded today.
    pub refund_amount: Option<Money>,
    /// Paid orders.
    pub orders: Option<i64>,
    /// Distinct users among the paid orders.
    pub buyers: Option<i64>,
    /// Distinct active users.
    pub uv: Option<i64>,
    /// Users active in the last 5 minutes: not computed yet, always `None`.
    pub online: Option<i64>,
    /// Minutes of the day with a paid order, in order.
    pub by_minute: Vec<MinutePoint>,
    /// At most 100, by quantity descending, then by lower SKU id.
    pub top: Vec<TopEntry>,
    /// The half-open window of `top`.
    pub top_start: EventTime,
    pub top_end: EventTime,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinutePoint {
    pub minute: EventTime,
    pub gmv: Money,
    pub orders: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopEntry {
    /// From 1.
    pub rank: u32,
    pub sku_id: SkuId,
    pub quantity: i64,
}

/// What can be chosen on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// With a paid order or a visitor today or in the last [`KNOWN_DAYS`] days, in order.
    pub communities: Vec<CommunityId>,
    /// Of the SKUs, in order.
    pub categories: Vec<CategoryId>,
    /// Sold today or in the last [`KNOWN_DAYS`] days, with their category (0: none).
    pub skus: BTreeMap<SkuId, CategoryId>,
    /// What the shop calls them, where it has said so.
    pub community_names: BTreeMap<CommunityId, String>,
    pub category_names: BTreeMap<CategoryId, String>,
    pub sku_names: BTreeMap<SkuId, String>,
}

/// How far back [`Known`] looks.
pub const KNOWN_DAYS: i64 = 7;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Serving,
    /// The serving store holds nothing of the day.
    Warehouse,
}
