//! A small shop: records to publish, some more than once, and the plain fold over the distinct ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::log::NewRecord;
use linli_connectors::random::SharedRandom;
use linli_schemas::Topic;
use linli_schemas::metric::TOP_N;
use linli_schemas::partition::partition_of;
use linli_schemas::zone::{DAY_MS, HOUR_MS, MINUTE_MS};

/// What a cell of a result says: by metric, window and dimensions, summed over shards.
pub type Cells = BTreeMap<(&'static str, i64, Vec<i64>), Vec<i64>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Applied,
    Late,
    DeadLettered,
}

#[derive(Clone, Debug)]
pub struct Planned {
    pub at_ms: i64,
    pub record: NewRecord,
    pub topic: Topic,
    pub outcome: Outcome,
    pub repetition: bool,
}

#[derive(Default)]
pub struct Shop {
    pub planned: Vec<Planned>,
    sums: Cells,
    actors: BTreeMap<(&'static str, i64, Vec<i64>), BTreeSet<i64>>,
    sold: BTreeMap<(i64, i64), BTreeMap<i64, i64>>,
}

struct Draw<'a> {
    random: &'a SharedRandom,
    partitions: u32,
}

impl Draw<'_> {
    fn below(&self, bound: u64) -> i64 {
        self.random.below(bound) as i64
    }

    fn record(&self, topic: Topic, at_ms: i64, key: i64, value: String) -> NewRecord {
        let key = key.to_string();
        NewRecord {
            topic: Arc::from(topic.name()),
            partition: partition_of(key.as_bytes(), self.partitions),
            timestamp_ms: at_ms,
            key: Bytes::from(key),
            value: Some(Bytes::from(value)),
        }
    }
}

const COMMUNITIES: u64 = 5;
const USERS: u64 = 9;
const SKUS: u64 = 6;

impl Shop {
    /// `events` orders, refunds and clicks over `length_ms` from `start_ms`; about one in eight is published again.
    pub fn plan(random: &SharedRandom, partitions: u32, start_ms: i64, length_ms: i64, events: u64) -> Shop {
        let draw = Draw { random, partitions };
        let mut shop = Shop::default();
        for id in 1..=events as i64 {
            let at_ms = start_ms + draw.below(length_ms as u64);
            match draw.below(10) {
                0..=3 => shop.order(&draw, id, at_ms),
                4 => shop.refund(&draw, id, at_ms),
                5 if draw.below(4) == 0 => shop.malformed(&draw, id, at_ms),
                _ => shop.click(&draw, id, at_ms),
            }
        }
        let repeated: Vec<Planned> = shop.planned.iter().filter(|_| draw.below(8) == 0).cloned().collect();
        for planned in repeated {
            let at_ms = planned.at_ms + 1 + draw.below(20_000);
            shop.planned.push(Planned { at_ms, repetition: true, ..planned });
        }
        shop.late_clicks(&draw, start_ms + length_ms + 30_000);
        // In order of time; what came first among equals stays first.
        shop.planned.sort_by_key(|planned| planned.at_ms);
        shop
    }

    fn push(&mut self, topic: Topic, at_ms: i64, record: NewRecord, outcome: Outcome) {
        self.planned.push(Planned { at_ms, record, topic, outcome, repetition: false });
    }

    fn order(&mut self, draw: &Draw<'_>, id: i64, at_ms: i64) {
        let community = 1 + draw.below(COMMUNITIES);
        let user = 1 + draw.below(USERS);
        let paid_at = at_ms - draw.below(3_000);
        let paid = draw.below(5) > 0;
        let lines = 1 + draw.below(3);
        let mut amount = 0;
        for line in 1..=lines {
            let (sku, qty) = (1 + draw.below(SKUS), 1 + draw.below(4));
            amount += qty * 100 * sku;
            let row = format!(
                r#"{{"item_id":{line},"order_id":{id},"community_id":{community},"sku_id":{sku},"category_id":{},"qty":{qty}}}"#,
                sku % 2
            );
            let when = at_ms + draw.below(4_000);
            let value = envelope("order_items", &row, id, line, at_ms);
            self.push(
                Topic::OrderItems,
                when,
                draw.record(Topic::OrderItems, when, community, value),
                Outcome::Applied,
            );
            if paid {
                let (minute, day) = (start(paid_at, MINUTE_MS), start(paid_at, DAY_MS));
                add(&mut self.sums, "top_min", minute, vec![sku % 2, sku], &[qty]);
                add(&mut self.sums, "top_day", day, vec![sku % 2, sku], &[qty]);
                *self.sold.entry((day, community)).or_default().entry(sku).or_default() += qty;
            }
        }
        let paid_text = if paid { paid_at.to_string() } else { "null".to_owned() };
        let row = format!(
            r#"{{"order_id":{id},"user_id":{user},"community_id":{community},"status":1,"pay_amount":"{}.{:02}","paid_at":{paid_text}}}"#,
            amount / 100,
            amount % 100
        );
        let value = envelope("orders", &row, id, 0, at_ms);
        self.push(Topic::Orders, at_ms, draw.record(Topic::Orders, at_ms, community, value), Outcome::Applied);
        if paid {
            let (minute, day) = (start(paid_at, MINUTE_MS), start(paid_at, DAY_MS));
            add(&mut self.sums, "gmv_min", minute, vec![community], &[amount, 1]);
            add(&mut self.sums, "gmv_day", day, vec![community], &[amount, 1]);
            self.actor("buyers", day, vec![community], user);
            self.actor("buyers_day_total", day, vec![], user);
        }
    }

    fn refund(&mut self, draw: &Draw<'_>, id: i64, at_ms: i64) {
        let community = 1 + draw.below(COMMUNITIES);
        let amount = 100 * (1 + draw.below(50));
        let row = format!(
            r#"{{"refund_id":{id},"order_id":{id},"community_id":{community},"amount":"{}","refunded_at":{at_ms}}}"#,
            amount / 100
        );
        let value = envelope("refunds", &row, id, 0, at_ms);
        self.push(Topic::Refunds, at_ms, draw.record(Topic::Refunds, at_ms, community, value), Outcome::Applied);
        add(&mut self.sums, "refund_min", start(at_ms, MINUTE_MS), vec![community], &[amount, 1]);
        add(&mut self.sums, "refund_day", start(at_ms, DAY_MS), vec![community], &[amount, 1]);
    }

    fn click(&mut self, draw: &Draw<'_>, id: i64, at_ms: i64) {
        let community = 1 + draw.below(COMMUNITIES);
        let user = 1 + draw.below(USERS);
        let ts = at_ms - draw.below(3_000);
        let value = click(id, user, community, ts, at_ms);
        self.push(Topic::Clicks, at_ms, draw.record(Topic::Clicks, at_ms, user, value), Outcome::Applied);
        for (name, total, width) in [
            ("uv_min", "uv_min_total", MINUTE_MS),
            ("uv_hour", "uv_hour_total", HOUR_MS),
            ("uv_day", "uv_day_total", DAY_MS),
        ] {
            self.actor(name, start(ts, width), vec![community], user);
            self.actor(total, start(ts, width), vec![], user);
        }
    }

    fn malformed(&mut self, draw: &Draw<'_>, id: i64, at_ms: i64) {
        let record = draw.record(Topic::Clicks, at_ms, id, format!("{{\"event_id\":\"m{id}\","));
        self.push(Topic::Clicks, at_ms, record, Outcome::DeadLettered);
    }

    /// A click of three days ago, in each partition where a click of today came before it.
    fn late_clicks(&mut self, draw: &Draw<'_>, at_ms: i64) {
        let clicked: BTreeSet<i64> = self
            .planned
            .iter()
            .filter(|planned| planned.topic == Topic::Clicks && planned.outcome == Outcome::Applied)
            .filter_map(|planned| std::str::from_utf8(&planned.record.key).ok()?.parse().ok())
            .collect();
        for (i, user) in clicked.into_iter().take(2).enumerate() {
            let value = click(1_000_000 + i as i64, user, 1, at_ms - 3 * DAY_MS, at_ms);
            self.push(Topic::Clicks, at_ms, draw.record(Topic::Clicks, at_ms, user, value), Outcome::Late);
        }
    }

    fn actor(&mut self, name: &'static str, window: i64, dimensions: Vec<i64>, user: i64) {
        self.actors.entry((name, window, dimensions)).or_default().insert(user);
    }

    /// The answers: sums and distinct users, no windows, no shards, no epochs.
    pub fn expected(&self) -> Cells {
        let mut cells = self.sums.clone();
        for ((name, window, dimensions), users) in &self.actors {
            let count = users.len() as i64;
            if *name == "buyers" {
                if let Some(day) = cells.get_mut(&("gmv_day", *window, dimensions.clone())) {
                    day.push(count);
                }
            } else {
                cells.insert((name, *window, dimensions.clone()), vec![count]);
            }
        }
        for ((day, community), sold) in &self.sold {
            let mut list: Vec<(i64, i64)> = sold.iter().map(|(sku, qty)| (*sku, *qty)).collect();
            list.sort_by_key(|(sku, qty)| (-qty, *sku));
            for (sku, qty) in list.into_iter().take(TOP_N) {
                cells.insert(("top_day_community", *day, vec![*community, sku]), vec![qty]);
            }
        }
        cells
    }
}

fn start(at_ms: i64, width_ms: i64) -> i64 {
    at_ms.div_euclid(width_ms) * width_ms
}

fn add(cells: &mut Cells, metric: &'static str, window: i64, dimensions: Vec<i64>, values: &[i64]) {
    let cell = cells.entry((metric, window, dimensions)).or_insert_with(|| vec![0; values.len()]);
    for (sum, value) in cell.iter_mut().zip(values) {
        *sum += value;
    }
}

fn click(id: i64, user: i64, community: i64, ts: i64, received_at: i64) -> String {
    format!(
        r#"{{"event_id":"c{id}","type":"view","user_id":{user},"community_id":{community},"ts":{ts},"received_at":{received_at}}}"#
    )
}

fn envelope(table: &str, row: &str, event: i64, place: i64, ts_ms: i64) -> String {
    format!(
        r#"{{"before":null,"after":{row},"op":"c","ts_ms":{ts_ms},"source":{{"server":"import","table":"{table}","event_id":"{table}{event}","row":{place},"ts_ms":{ts_ms}}}}}"#
    )
}
