//! Facts: orders, their items, and clicks, row by row.

use linli_connectors::log::Fetched;
use linli_schemas::change::{self, Envelope, ItemRow, Op, OrderRow};
use linli_schemas::click::ClickRow;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::event::{ClickType, Reject};
use linli_schemas::named::parse_named;
use linli_schemas::stock::parse_stock;
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, Local};
use super::version::{self, PartitionClock};
use super::{Outcome, Place, Sink};
use crate::row_binary::Rows;
use crate::sql::Block;

const ORDERS: (&str, &str) = (
    "orders",
    "order_id, user_id, community_id, leader_id, status, pay_amount, created_at, paid_at, written_at, \
     biz_date, biz_hour, is_weekend, deleted, version",
);
const ITEMS: (&str, &str) = (
    "order_items",
    "order_id, item_id, community_id, sku_id, category_id, supplier_id, quantity, price, amount, written_at, \
     deleted, version",
);
const CLICKS: (&str, &str) = (
    "clicks",
    "event_key, event_type, user_id, anonymous_id, session_id, community_id, sku_id, platform, ts, received_at, \
     biz_date, biz_hour, is_weekend, version",
);
const SALE_DATES: (&str, &str) = ("order_sale_dates", "order_id, biz_date");
const LETTERS: (&str, &str) =
    ("dead_letters", "topic, partition, offset, body_key, code, reason, at, key, value, version");

const NAMES: (&str, &str) = ("names", "kind, id, name, deleted, version");
const STOCK: (&str, &str) = ("stock_levels", "warehouse_id, sku_id, written_at, available, version");
/// The topics of the facts.
pub const FACTS: [Topic; 8] = [
    Topic::Orders,
    Topic::OrderItems,
    Topic::Communities,
    Topic::Categories,
    Topic::Skus,
    Topic::Stock,
    Topic::Clicks,
    Topic::DeadLetter,
];

/// Rows gathered for the next load.
pub(super) struct Facts {
    zone: Zone,
    calendar: Calendar,
    /// By partition number, for the topics of the shop.
    order_clocks: Vec<PartitionClock>,
    item_clocks: Vec<PartitionClock>,
    /// One topic of [`Topic::NAMING`] after the other.
    name_clocks: Vec<PartitionClock>,
    stock_clocks: Vec<PartitionClock>,
    names: Rows,
    stock: Rows,
    orders: Rows,
    items: Rows,
    clicks: Rows,
    sale_dates: Rows,
    letters: Rows,
}

/// What must be remembered with the positions.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    order_clocks: Vec<PartitionClock>,
    item_clocks: Vec<PartitionClock>,
    #[serde(default)]
    name_clocks: Vec<PartitionClock>,
    #[serde(default)]
    stock_clocks: Vec<PartitionClock>,
}

impl Facts {
    pub fn new(zone: Zone, partitions: u32) -> Facts {
        let clocks = vec![PartitionClock::default(); partitions as usize];
        Facts {
            zone,
            calendar: Calendar::new(zone),
            order_clocks: clocks.clone(),
            name_clocks: vec![PartitionClock::default(); partitions as usize * Topic::NAMING.len()],
            names: Rows::default(),
            stock_clocks: clocks.clone(),
            stock: Rows::default(),
            item_clocks: clocks,
            orders: Rows::default(),
            items: Rows::default(),
            clicks: Rows::default(),
            sale_dates: Rows::default(),
            letters: Rows::default(),
        }
    }

    fn order(&mut self, place: Place, value: &[u8]) -> Result<Outcome, Reject> {
        let envelope: Envelope<'_, OrderRow> = change::parse_known(Topic::Orders, value)?;
        let Some((row, deleted)) = row_of(Topic::Orders, &envelope)? else { return Ok(Outcome::Ignored) };
        let paid_at = row.paid_at.map(|at| at.event_time(self.zone));
        let created_at = row.created_at.map(|at| at.event_time(self.zone));
        if paid_at.is_some() && row.pay_amount.is_none() && !deleted {
            let cause = format!("order {} is paid but has no pay_amount", row.order_id);
            return Err(Reject::Malformed { topic: Topic::Orders.name(), cause });
        }
        let written_at = EventTime(envelope.source.ts_ms);
        let local = self.local(Topic::Orders, paid_at.or(created_at).unwrap_or(written_at))?;
        let sale_dates = [paid_at, paid_before(&envelope, self.zone)];
        for (i, at) in sale_dates.into_iter().enumerate() {
            let Some(at) = at else { continue };
            let date = if i == 0 { local.date } else { self.local(Topic::Orders, at)?.date };
            self.sale_dates.u64(row.order_id);
            self.sale_dates.u16(date);
            self.sale_dates.end();
        }
        let version = version_of(&envelope, clock(&mut self.order_clocks, place));
        let rows = &mut self.orders;
        rows.u64(row.order_id);
        rows.i64(row.user_id);
        rows.i64(row.community_id);
        rows.optional_i64(row.leader_id);
        rows.optional_i64(row.status);
        rows.optional_i64(row.pay_amount.map(|amount| amount.0.0));
        rows.optional_i64(created_at.map(|at| at.0));
        rows.optional_i64(paid_at.map(|at| at.0));
        rows.i64(written_at.0);
        put_local(rows, local);
        rows.u8(u8::from(deleted));
        rows.u64(version);
        rows.end();
        Ok(Outcome::Taken)
    }

    fn item(&mut self, place: Place, value: &[u8]) -> Result<Outcome, Reject> {
        let envelope: Envelope<'_, ItemRow> = change::parse_known(Topic::OrderItems, value)?;
        let Some((row, deleted)) = row_of(Topic::OrderItems, &envelope)? else { return Ok(Outcome::Ignored) };
        let price = row.price.map(|price| price.0.0);
        let amount = match row.amount {
            Some(amount) => Some(amount.0.0),
            None => match price {
                Some(price) => Some(price.checked_mul(row.qty).ok_or_else(|| Reject::Malformed {
                    topic: Topic::OrderItems.name(),
                    cause: format!("amount of item {} of order {} overflows", row.item_id, row.order_id),
                })?),
                None => None,
            },
        };
        let version = version_of(&envelope, clock(&mut self.item_clocks, place));
        let rows = &mut self.items;
        rows.u64(row.order_id);
        rows.u64(row.item_id);
        rows.i64(row.community_id);
        rows.i64(row.sku_id);
        rows.optional_i64(row.category_id);
        rows.optional_i64(row.supplier_id);
        rows.i64(row.qty);
        rows.optional_i64(price);
        rows.optional_i64(amount);
        rows.i64(envelope.source.ts_ms);
        rows.u8(u8::from(deleted));
        rows.u64(version);
        rows.end();
        Ok(Outcome::Taken)
    }

    fn click(&mut self, value: &[u8]) -> Result<Outcome, Reject> {
        let row = ClickRow::parse(value)?;
        row.actor()?;
        let local = self.local(Topic::Clicks, EventTime(row.ts))?;
        let received_at = row.received_at.unwrap_or(row.ts);
        let rows = &mut self.clicks;
        rows.u128(xxhash_rust::xxh3::xxh3_128(row.event_id.as_bytes()));
        rows.u8(click_type(row.click_type));
        rows.optional_i64(row.user_id);
        rows.text(row.anonymous_id.as_deref().unwrap_or_default().as_bytes());
        rows.text(row.session_id.as_deref().unwrap_or_default().as_bytes());
        rows.i64(row.community_id);
        rows.optional_i64(row.sku_id);
        rows.text(row.platform.as_deref().unwrap_or_default().as_bytes());
        rows.i64(row.ts);
        rows.i64(received_at);
        put_local(rows, local);
        rows.u64(version::of_click(received_at));
        rows.end();
        Ok(Outcome::Taken)
    }

    fn name(&mut self, place: Place, value: &[u8]) -> Result<Outcome, Reject> {
        let Some(named) = parse_named(place.topic, value)? else { return Ok(Outcome::Ignored) };
        let kind = Topic::NAMING.iter().position(|topic| *topic == place.topic).unwrap_or_default();
        let partitions = self.name_clocks.len() / Topic::NAMING.len();
        let version = self.name_clocks[kind * partitions + place.partition as usize].next(named.published_ms);
        let rows = &mut self.names;
        rows.u8(kind as u8 + 1);
        rows.i64(named.id);
        rows.text(named.name.unwrap_or_default().as_bytes());
        rows.u8(u8::from(named.deleted));
        rows.u64(version);
        rows.end();
        Ok(Outcome::Taken)
    }

    fn stock(&mut self, place: Place, value: &[u8]) -> Result<Outcome, Reject> {
        let Some(level) = parse_stock(value)? else { return Ok(Outcome::Ignored) };
        let version = clock(&mut self.stock_clocks, place).next(level.published_ms);
        let rows = &mut self.stock;
        rows.i64(level.warehouse_id);
        rows.i64(level.sku_id);
        rows.i64(level.written_ms);
        rows.i64(level.available);
        rows.u64(version);
        rows.end();
        Ok(Outcome::Taken)
    }

    /// A letter that cannot be read itself becomes one about it: there is nowhere further to send it.
    fn letter(&mut self, place: Place, record: &Fetched<'_>, value: &[u8]) {
        let unreadable = |cause: String| DeadLetter {
            topic: Topic::DeadLetter.name().to_owned(),
            partition: Some(place.partition),
            offset: Some(record.offset),
            code: "malformed".to_owned(),
            reason: cause,
            at: record.timestamp_ms,
            key: DeadLetter::encode_bytes(record.key),
            value: DeadLetter::encode_bytes(value),
        };
        let letter = DeadLetter::decode(value).unwrap_or_else(|error| unreadable(error.to_string()));
        // Decoded letters hold base64.
        let bytes = |text: &str| DeadLetter::decode_bytes(text).unwrap_or_default();
        let (key, body) = (bytes(&letter.key), bytes(&letter.value));
        let offset = letter.offset.and_then(|offset| i64::try_from(offset).ok());
        let rows = &mut self.letters;
        rows.text(letter.topic.as_bytes());
        rows.i32(letter.partition.and_then(|p| i32::try_from(p).ok()).unwrap_or(-1));
        rows.i64(offset.unwrap_or(-1));
        rows.u64(if offset.is_some() { 0 } else { xxhash_rust::xxh3::xxh3_64(&body) });
        rows.text(letter.code.as_bytes());
        rows.text(letter.reason.as_bytes());
        rows.i64(letter.at);
        rows.text(&key);
        rows.text(&body);
        rows.u64(letter.at.max(0) as u64);
        rows.end();
    }

    fn local(&mut self, topic: Topic, at: EventTime) -> Result<Local, Reject> {
        self.calendar.local(at).ok_or_else(|| Reject::Malformed {
            topic: topic.name(),
            cause: format!("time {} ms lies outside 1970 to 2149", at.0),
        })
    }

    fn blocks(&mut self) -> [(&mut Rows, (&'static str, &'static str)); 7] {
        [
            // The dates first: a load cut off before the orders must not lose which days to count again.
            (&mut self.sale_dates, SALE_DATES),
            (&mut self.orders, ORDERS),
            (&mut self.items, ITEMS),
            (&mut self.clicks, CLICKS),
            (&mut self.letters, LETTERS),
            (&mut self.names, NAMES),
            (&mut self.stock, STOCK),
        ]
    }
}

impl Sink for Facts {
    const TOPICS: &'static [Topic] = &FACTS;
    const FEEDS_SALES: bool = true;

    fn accept(&mut self, place: Place, record: &Fetched<'_>) -> Result<Outcome, Reject> {
        let Some(value) = record.value else { return Ok(Outcome::Ignored) };
        match place.topic {
            Topic::Orders => self.order(place, value),
            Topic::OrderItems => self.item(place, value),
            Topic::Clicks => self.click(value),
            Topic::Stock => self.stock(place, value),
            Topic::DeadLetter => {
                self.letter(place, record, value);
                Ok(Outcome::Taken)
            }
            _ => self.name(place, value),
        }
    }

    fn rows(&self) -> u64 {
        let rows = [&self.orders, &self.items, &self.clicks, &self.letters, &self.names, &self.stock];
        rows.iter().map(|rows| rows.count).sum()
    }

    fn bytes(&self) -> usize {
        let rows = [&self.orders, &self.items, &self.clicks, &self.letters, &self.names, &self.stock];
        rows.iter().map(|rows| rows.bytes.len()).sum()
    }

    fn touches_sales(&self) -> bool {
        self.orders.count + self.items.count > 0
    }

    fn take(&mut self) -> Vec<Block> {
        let mut taken = Vec::new();
        for (rows, (table, columns)) in self.blocks() {
            if rows.count > 0 {
                // The next batch is about as large.
                let room = Vec::with_capacity(rows.bytes.len() / 4);
                let bytes = std::mem::replace(&mut rows.bytes, room).into();
                taken.push(Block { table, columns, bytes, rows: std::mem::take(&mut rows.count) });
            }
        }
        taken
    }

    fn memory(&self) -> serde_json::Value {
        let memory = Memory {
            order_clocks: self.order_clocks.clone(),
            item_clocks: self.item_clocks.clone(),
            name_clocks: self.name_clocks.clone(),
            stock_clocks: self.stock_clocks.clone(),
        };
        serde_json::to_value(memory).unwrap_or_default()
    }

    fn remember(&mut self, memory: serde_json::Value) -> Result<(), serde_json::Error> {
        let memory: Memory = serde_json::from_value(memory)?;
        for (clocks, kept) in [
            (&mut self.order_clocks, memory.order_clocks),
            (&mut self.item_clocks, memory.item_clocks),
            (&mut self.name_clocks, memory.name_clocks),
            (&mut self.stock_clocks, memory.stock_clocks),
        ] {
            for (clock, kept) in clocks.iter_mut().zip(kept) {
                *clock = kept;
            }
        }
        Ok(())
    }
}

/// The row that a change leaves, and whether it was deleted. `None` where the change leaves nothing to write:
/// a truncate, and the old half of a move, whose new half writes the whole row.
fn row_of<'e, R>(topic: Topic, envelope: &'e Envelope<'_, R>) -> Result<Option<(&'e R, bool)>, Reject> {
    let missing = |which: &str| Reject::Malformed { topic: topic.name(), cause: format!("a change without {which}") };
    match envelope.op {
        Op::Truncate => Ok(None),
        Op::Delete if envelope.moved => Ok(None),
        Op::Delete => envelope.before.as_ref().map(|row| Some((row, true))).ok_or_else(|| missing("before")),
        _ => envelope.after.as_ref().map(|row| Some((row, false))).ok_or_else(|| missing("after")),
    }
}

/// When the order was paid before this change, if that differs from now.
fn paid_before(envelope: &Envelope<'_, OrderRow>, zone: Zone) -> Option<EventTime> {
    let before = envelope.before.as_ref()?.paid_at?;
    let after = envelope.after.as_ref().and_then(|row| row.paid_at);
    (after != Some(before)).then(|| before.event_time(zone))
}

fn version_of<R>(envelope: &Envelope<'_, R>, clock: &mut PartitionClock) -> u64 {
    match &envelope.source.event_id {
        Some(event_id) => version::of_line(envelope.source.ts_ms, event_id),
        None => clock.next(envelope.ts_ms.unwrap_or(envelope.source.ts_ms)),
    }
}

/// The reader was opened with the same partitions that the clocks were made for.
fn clock(clocks: &mut [PartitionClock], place: Place) -> &mut PartitionClock {
    &mut clocks[place.partition as usize]
}

fn put_local(rows: &mut Rows, local: Local) {
    rows.u16(local.date);
    rows.u8(local.hour);
    rows.u8(u8::from(local.weekend));
}

/// The number of the type in the table's enumeration.
fn click_type(click_type: ClickType) -> u8 {
    match click_type {
        ClickType::View => 1,
        ClickType::Cart => 2,
        ClickType::Order => 3,
        ClickType::Pay => 4,
        ClickType::Search => 5,
        ClickType::Share => 6,
        ClickType::Login => 7,
    }
}
