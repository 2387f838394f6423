//! What the page asks for: one view of today, as typed rows.

use std::collections::HashMap;

use async_trait::async_trait;
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId};

/// Where the numbers come from. Each answer is whole: the server merges and sums nothing.
#[async_trait]
pub trait LiveSource: Send + Sync + 'static {
    /// What can be chosen, and the names of what has one. Asked for now and then, not every second.
    async fn names(&self) -> Result<Names, SourceError>;

    /// The state of today, as the view wants it.
    async fn snapshot(&self, view: View) -> Result<Snapshot, SourceError>;
}

/// The source could not answer. Shown to operators in the log, never to readers of the page.
#[derive(Debug, thiserror::Error)]
#[error("{question}: {cause}")]
pub struct SourceError {
    /// What was asked: `snapshot`, `names`.
    pub question: &'static str,
    pub cause: String,
}

impl SourceError {
    pub fn new(question: &'static str, cause: impl std::fmt::Display) -> SourceError {
        SourceError { question, cause: cause.to_string() }
    }
}

/// What is known by id. A `None` name is shown as the id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub communities: Vec<(CommunityId, Option<String>)>,
    pub categories: Vec<(CategoryId, Option<String>)>,
    pub skus: HashMap<SkuId, SkuName>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkuName {
    pub name: Option<String>,
    pub category: Option<CategoryId>,
}

/// All that a tab shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// Totals and minutes of this community only.
    pub community: Option<CommunityId>,
    pub top: TopQuery,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TopQuery {
    pub window: TopWindow,
    pub scope: TopScope,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TopWindow {
    /// The local day so far.
    #[default]
    Day,
    /// The last 60 minutes, hopping by one.
    Hour,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TopScope {
    #[default]
    All,
    Category(CategoryId),
    Community(CommunityId),
}

/// Today so far. `None` is unknown, which is not zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The half-open local day.
    pub day_start: EventTime,
    pub day_end: EventTime,
    /// How far the results have come: the lowest watermark of the shards.
    pub as_of: Option<EventTime>,
    pub totals: Totals,
    /// In order. A minute of which nothing is known is left out; a minute known to be without a sale holds zero.
    pub minutes: Vec<Minute>,
    pub top: Top,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub gmv: Option<Money>,
    pub orders: Option<i64>,
    pub buyers: Option<i64>,
    pub active_users: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    pub start: EventTime,
    pub gmv: Money,
    pub orders: i64,
}

/// At most 100 products, best first, and the half-open window they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    pub window_start: EventTime,
    pub window_end: EventTime,
    pub rows: Vec<TopRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopRow {
    pub sku: SkuId,
    pub qty: i64,
}
