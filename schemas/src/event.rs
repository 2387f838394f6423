//! A record as the jobs see it: decoded once, small, without text.

use crate::identity::Identity;
use crate::strict::{Object, int, named};
use crate::zone::Zone;
use crate::{CategoryId, CommunityId, EventTime, Money, OrderId, SkuId, Topic, UserId};

/// A decoded record of one of [`Topic::INPUTS`].
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub event: Event,
    /// The event time that the metrics name (`paid_at`, `ts`, …); it alone moves the watermark.
    /// Absent where a record names none: an unpaid order, an item, a delete.
    pub event_time: Option<EventTime>,
    /// When the source wrote it: how far the reading of a topic has come, for joins.
    pub source_time: EventTime,
    /// When Linli received it: no event time may be more than a bound ahead of it.
    pub received_at: EventTime,
    pub identity: Option<Identity>,
    /// The instant of the snapshot that this row is part of: it is history, not a change.
    pub snapshot_at: Option<EventTime>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Order(OrderChange),
    Item(ItemChange),
    Refund(RefundChange),
    Click(Click),
    Buyers(BuyersPart),
    /// A change of a known table that no job counts: a truncate, a tombstone.
    Ignored,
}

/// What a row change means to those who count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A row that appeared or changed.
    Written,
    /// A row that went away.
    Deleted,
    /// A row that left its old key, or came to its new one: nothing is newly paid by it.
    Moved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderChange {
    pub kind: Kind,
    pub order_id: OrderId,
    pub user_id: UserId,
    pub community_id: CommunityId,
    pub pay_amount: Money,
    pub paid_at: Option<EventTime>,
    /// The row before the change was already paid.
    pub was_paid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemChange {
    pub kind: Kind,
    pub order_id: OrderId,
    /// Unique within its order.
    pub item_id: u64,
    pub community_id: CommunityId,
    pub sku_id: SkuId,
    /// As of the sale; 0 where the row names none.
    pub category_id: CategoryId,
    pub quantity: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundChange {
    pub kind: Kind,
    pub refund_id: u64,
    pub order_id: OrderId,
    pub community_id: CommunityId,
    pub amount: Money,
    pub refunded_at: Option<EventTime>,
    /// The row before the change was already refunded.
    pub was_refunded: bool,
}

/// Who acted: a registered user, else an anonymous visitor. The two never coincide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub u128);

impl ActorId {
    pub fn user(user: UserId) -> ActorId {
        ActorId(u128::from(user.0 as u64))
    }

    pub fn anonymous(id: &str) -> ActorId {
        ActorId(xxhash_rust::xxh3::xxh3_128(id.as_bytes()) | 1 << 127)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClickType {
    View,
    Cart,
    Order,
    Pay,
    Search,
    Share,
    Login,
}

named!(ClickType {
    "view" => ClickType::View,
    "cart" => ClickType::Cart,
    "order" => ClickType::Order,
    "pay" => ClickType::Pay,
    "search" => ClickType::Search,
    "share" => ClickType::Share,
    "login" => ClickType::Login,
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Click {
    pub actor: ActorId,
    pub community_id: CommunityId,
    pub click_type: ClickType,
    pub sku_id: Option<SkuId>,
}

/// What one shard of `gmv` tells the partition of a user: who bought for the first time on a day.
/// Adding a user to a day's set twice is adding it once, so a repetition changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BuyersPart {
    #[serde(deserialize_with = "int")]
    pub shard: u32,
    /// No paid order of this shard will come with an earlier event time and still be in time.
    pub closed_before: EventTime,
    /// The shard has had no order to read for a while.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
    pub day_start: EventTime,
    pub day_end: EventTime,
    pub users: Vec<UserId>,
}

/// Why a record cannot be used. It goes to the dead letter with these words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    #[error("not a valid record of topic \"{topic}\": {cause}")]
    Malformed { topic: &'static str, cause: String },
    #[error("event time {event_time} is more than {bound_ms} ms ahead of the time it was received, {received_at}")]
    Future { event_time: i64, received_at: i64, bound_ms: i64 },
    #[error("late by {by_ms} ms past the allowed lateness")]
    Late { by_ms: i64 },
}

impl Reject {
    /// The stable word for counters and filters.
    pub const fn code(&self) -> &'static str {
        match self {
            Reject::Malformed { .. } => "malformed",
            Reject::Future { .. } => "future",
            Reject::Late { .. } => "late",
        }
    }
}

/// Decodes the value of a record of an input topic.
///
/// `zone` is the one in which the shop writes its DATETIMEs.
/// Never panics: bytes come from outside.
pub fn decode(topic: Topic, value: &[u8], zone: Zone) -> Result<Record, Reject> {
    match topic {
        Topic::Orders => crate::change::decode_order(value, zone),
        Topic::OrderItems => crate::change::decode_item(value, zone),
        Topic::Refunds => crate::change::decode_refund(value, zone),
        Topic::Clicks => crate::click::decode_click(value),
        Topic::Buyers => decode_buyers(value),
        other => Err(Reject::Malformed { topic: other.name(), cause: "no job reads this topic".to_owned() }),
    }
}

fn decode_buyers(value: &[u8]) -> Result<Record, Reject> {
    let Object(part) = sonic_rs::from_slice::<Object<BuyersPart>>(value)
        .map_err(|error| Reject::Malformed { topic: Topic::Buyers.name(), cause: cause_of(&error) })?;
    Ok(Record {
        event_time: None,
        source_time: part.closed_before,
        received_at: part.closed_before,
        identity: None,
        snapshot_at: None,
        event: Event::Buyers(part),
    })
}

/// The parser's words without the excerpt of the input that follows them.
pub(crate) fn cause_of(error: &sonic_rs::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
