//! The answers to a file of lines by a plain fold over its distinct, timely lines: what every pipeline must equal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use linli_schemas::partition::partition_of;
use serde_json::Value;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// CSV rows by table name, without header.
pub type Answers = BTreeMap<&'static str, BTreeSet<String>>;

#[derive(Clone, Copy, Debug)]
pub struct Definitions {
    pub zone_offset_ms: i64,
    pub partitions: u32,
    pub out_of_orderness_ms: i64,
    pub lateness_ms: i64,
}

impl Definitions {
    pub fn of_zone(zone_offset_ms: i64) -> Definitions {
        Definitions { zone_offset_ms, partitions: 1, out_of_orderness_ms: 5_000, lateness_ms: DAY }
    }

    fn day(&self, at: i64) -> i64 {
        (at + self.zone_offset_ms).div_euclid(DAY) * DAY - self.zone_offset_ms
    }
}

#[derive(Default)]
struct Sums {
    gmv_min: BTreeMap<(i64, i64), i64>,
    gmv_day: BTreeMap<(i64, i64), i64>,
    uv: BTreeMap<(&'static str, i64, i64), BTreeSet<i64>>,
    buyers: BTreeMap<(i64, i64), BTreeSet<i64>>,
    top_day: BTreeMap<(i64, i64), BTreeMap<i64, i64>>,
    top_min: BTreeMap<i64, BTreeMap<i64, i64>>,
}

/// Folds lines in order of arrival.
pub fn answers<'a>(lines: impl IntoIterator<Item = &'a str>, definitions: Definitions) -> Answers {
    let mut sums = Sums::default();
    let mut seen = BTreeSet::new();
    let mut highs: BTreeMap<(&'static str, u32), i64> = BTreeMap::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).expect("a line of the generator is JSON");
        let is_order = line["kind"] == "order";
        let at = line[if is_order { "paid_at" } else { "ts" }].as_i64().expect("a time");
        let community = line["community_id"].as_i64().expect("a community");
        let user = line["user_id"].as_i64().expect("a user");
        let paid = is_order && line["status"] == "PAID";
        let mut in_time = |topic: &'static str, key: i64| {
            let partition = partition_of(key.to_string().as_bytes(), definitions.partitions);
            let high = highs.entry((topic, partition)).or_insert(i64::MIN / 2);
            let in_time = at >= *high - definitions.out_of_orderness_ms - definitions.lateness_ms;
            *high = (*high).max(at);
            in_time
        };
        let order_counts = paid && in_time("orders", community);
        let click_counts = in_time("clicks", user);
        let first = seen.insert(line["event_id"].as_str().expect("an event_id").to_owned());
        if !first {
            continue;
        }
        if click_counts {
            sums.active(&definitions, at, community, user);
        }
        if order_counts {
            sums.paid(&definitions, at, community, user, &line["items"]);
        }
    }
    sums.tables()
}

impl Sums {
    fn active(&mut self, definitions: &Definitions, at: i64, community: i64, user: i64) {
        let day = definitions.day(at);
        let windows = [
            ("uv_min", at.div_euclid(MINUTE) * MINUTE, community),
            ("uv_hour", at.div_euclid(HOUR) * HOUR, community),
            ("uv_day", day, community),
            ("uv_day_total", day, 0),
        ];
        for window in windows {
            self.uv.entry(window).or_default().insert(user);
        }
    }

    fn paid(&mut self, definitions: &Definitions, at: i64, community: i64, user: i64, items: &Value) {
        let (minute, day) = (at.div_euclid(MINUTE) * MINUTE, definitions.day(at));
        for item in items.as_array().expect("items") {
            let number = |field: &str| item[field].as_i64().expect("a number");
            let (sku, quantity) = (number("sku_id"), number("qty"));
            let amount = quantity * number("price_cents");
            *self.gmv_min.entry((minute, community)).or_default() += amount;
            *self.gmv_day.entry((day, community)).or_default() += amount;
            *self.top_day.entry((day, community)).or_default().entry(sku).or_default() += quantity;
            *self.top_min.entry(minute).or_default().entry(sku).or_default() += quantity;
        }
        self.buyers.entry((day, community)).or_default().insert(user);
        self.buyers.entry((day, -1)).or_default().insert(user);
    }

    fn tables(self) -> Answers {
        let mut out = Answers::new();
        let mut put = |table: &'static str, row: String| {
            out.entry(table).or_default().insert(row);
        };
        for (by, by_total, cells) in
            [("gmv_min", "gmv_min_total", &self.gmv_min), ("gmv_day", "gmv_day_total", &self.gmv_day)]
        {
            let mut totals: BTreeMap<i64, i64> = BTreeMap::new();
            for ((window, community), gmv) in cells {
                put(by, format!("{window},{community},{gmv}"));
                *totals.entry(*window).or_default() += gmv;
            }
            for (window, gmv) in totals {
                put(by_total, format!("{window},{gmv}"));
            }
        }
        for ((table, window, community), users) in &self.uv {
            match *table {
                "uv_day_total" => put(table, format!("{window},{}", users.len())),
                _ => put(table, format!("{window},{community},{}", users.len())),
            }
        }
        for ((day, community), users) in &self.buyers {
            match *community {
                -1 => put("buyers_day_total", format!("{day},{}", users.len())),
                _ => put("buyers_day", format!("{day},{community},{}", users.len())),
            }
        }
        for ((day, community), quantities) in &self.top_day {
            for (rank, (sku, quantity)) in first_100(quantities).into_iter().enumerate() {
                put("top_day", format!("{day},{community},{},{sku},{quantity}", rank + 1));
            }
        }
        for (end, mut quantities) in hopping(&self.top_min) {
            quantities.retain(|_, quantity| *quantity != 0);
            for (rank, (sku, quantity)) in first_100(&quantities).into_iter().enumerate() {
                put("top_hop", format!("{end},{},{sku},{quantity}", rank + 1));
            }
        }
        out
    }
}

fn first_100(quantities: &BTreeMap<i64, i64>) -> Vec<(i64, i64)> {
    let mut list: Vec<(i64, i64)> = quantities.iter().map(|(sku, quantity)| (*sku, *quantity)).collect();
    list.sort_by_key(|(sku, quantity)| (-quantity, *sku));
    list.truncate(100);
    list
}

/// For the end of every hour-long window, a minute apart, that holds a sale: its quantities.
fn hopping(by_minute: &BTreeMap<i64, BTreeMap<i64, i64>>) -> BTreeMap<i64, BTreeMap<i64, i64>> {
    let mut windows: BTreeMap<i64, BTreeMap<i64, i64>> = BTreeMap::new();
    for (minute, quantities) in by_minute {
        for ahead in 1..=60 {
            let window = windows.entry(minute + ahead * MINUTE).or_default();
            for (sku, quantity) in quantities {
                *window.entry(*sku).or_default() += quantity;
            }
        }
    }
    windows
}

/// Reads what `linli backfill --out` wrote and says where it differs; empty when it is right.
pub fn differences(expected: &Answers, out: &Path) -> Vec<String> {
    let mut found = Vec::new();
    assert_eq!(expected.len(), 12, "the oracle answers every table: {:?}", expected.keys());
    for (table, rows) in expected {
        let path = out.join(format!("{table}.csv"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                found.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let got: Vec<&str> = text.lines().skip(1).collect();
        let set: BTreeSet<String> = got.iter().map(|row| (*row).to_owned()).collect();
        let missing: Vec<&String> = rows.difference(&set).collect();
        let extra: Vec<&String> = set.difference(rows).collect();
        if !missing.is_empty() || !extra.is_empty() || got.len() != set.len() {
            found.push(format!(
                "{table}: {} rows expected, {} got, {} missing such as {:?}, {} extra such as {:?}, {} repeated",
                rows.len(),
                got.len(),
                missing.len(),
                missing.first(),
                extra.len(),
                extra.first(),
                got.len() - set.len(),
            ));
        }
    }
    found
}
