//! The true answers, computed naively from the changes themselves: what tests hold the pipeline to.
//!
//! Nothing here knows of lateness, partitions or windows that close: every change counts, once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use linli_schemas::EventTime;
use linli_schemas::zone::{HOUR_MS, MINUTE_MS, Zone};

use crate::table::{Row, Value};
use crate::{Body, Change, ClickChange, RowChange, Table};

/// How long the lists are.
const TOP: usize = 100;
const HOP_MINUTES: i64 = 60;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sales {
    /// Fen.
    pub gmv: i64,
    pub orders: i64,
}

/// A window by the epoch ms of its start, and a community.
pub type Cell = (i64, i64);

/// Exact answers over all changes observed.
#[derive(Debug)]
pub struct Truth {
    zone: Zone,
    baskets: HashMap<u64, Vec<(i64, i64)>>,
    pub sales_min: BTreeMap<Cell, Sales>,
    pub sales_day: BTreeMap<Cell, Sales>,
    pub refunds_min: BTreeMap<Cell, Sales>,
    pub refunds_day: BTreeMap<Cell, Sales>,
    pub buyers_day: BTreeMap<Cell, BTreeSet<i64>>,
    pub users_min: BTreeMap<Cell, BTreeSet<String>>,
    pub users_hour: BTreeMap<Cell, BTreeSet<String>>,
    pub users_day: BTreeMap<Cell, BTreeSet<String>>,
    /// (day, community, sku) → pieces.
    pub pieces_day: BTreeMap<(i64, i64, i64), i64>,
    /// (minute, sku) → pieces.
    pub pieces_min: BTreeMap<(i64, i64), i64>,
    /// (warehouse, sku) → (on hand, reserved).
    pub stock: BTreeMap<(i64, i64), (i64, i64)>,
}

impl Truth {
    pub fn new(zone: Zone) -> Truth {
        Truth {
            zone,
            baskets: HashMap::new(),
            sales_min: BTreeMap::new(),
            sales_day: BTreeMap::new(),
            refunds_min: BTreeMap::new(),
            refunds_day: BTreeMap::new(),
            buyers_day: BTreeMap::new(),
            users_min: BTreeMap::new(),
            users_hour: BTreeMap::new(),
            users_day: BTreeMap::new(),
            pieces_day: BTreeMap::new(),
            pieces_min: BTreeMap::new(),
            stock: BTreeMap::new(),
        }
    }

    /// Takes in a change. Each change of the stream is to be shown once.
    pub fn observe(&mut self, change: &Change) {
        match &change.body {
            Body::Click(click) => self.click(click),
            Body::Transaction(transaction) => {
                for row in &transaction.rows {
                    self.row(row);
                }
            }
        }
    }

    fn day(&self, at: i64) -> i64 {
        self.zone.day_of(EventTime(at)).0.0
    }

    fn row(&mut self, changed: &RowChange) {
        let number = |name: &str| column(changed.table, &changed.after, name);
        match changed.table {
            Table::OrderItems if changed.before.is_none() => {
                let (Some(order), Some(sku), Some(qty)) = (number("order_id"), number("sku_id"), number("qty")) else {
                    return;
                };
                self.baskets.entry(order as u64).or_default().push((sku, qty));
            }
            Table::Orders => self.order(changed),
            Table::Refunds => {
                let first = changed.before.as_ref().is_none_or(|b| column(changed.table, b, "refunded_at").is_none());
                let (Some(at), Some(community), Some(amount)) =
                    (number("refunded_at").filter(|_| first), number("community_id"), number("amount"))
                else {
                    return;
                };
                let day = self.day(at);
                add(&mut self.refunds_min, (minute(at), community), amount);
                add(&mut self.refunds_day, (day, community), amount);
            }
            Table::Stock => {
                let (Some(warehouse), Some(sku), Some(on_hand), Some(reserved)) =
                    (number("warehouse_id"), number("sku_id"), number("on_hand"), number("reserved"))
                else {
                    return;
                };
                self.stock.insert((warehouse, sku), (on_hand, reserved));
            }
            _ => {}
        }
    }

    /// An order counts when its `paid_at` is first set.
    fn order(&mut self, changed: &RowChange) {
        let number = |name: &str| column(changed.table, &changed.after, name);
        let paid_before = changed.before.as_ref().is_some_and(|b| column(changed.table, b, "paid_at").is_some());
        let (Some(at), Some(order), Some(community), Some(user), Some(amount)) = (
            number("paid_at").filter(|_| !paid_before),
            number("order_id"),
            number("community_id"),
            number("user_id"),
            number("pay_amount"),
        ) else {
            return;
        };
        let day = self.day(at);
        add(&mut self.sales_min, (minute(at), community), amount);
        add(&mut self.sales_day, (day, community), amount);
        self.buyers_day.entry((day, community)).or_default().insert(user);
        for (sku, qty) in self.baskets.remove(&(order as u64)).unwrap_or_default() {
            *self.pieces_day.entry((day, community, sku)).or_default() += qty;
            *self.pieces_min.entry((minute(at), sku)).or_default() += qty;
        }
    }

    fn click(&mut self, click: &ClickChange) {
        let actor = click.user_id.map_or_else(|| click.anonymous_id.clone(), |user| format!("user {user}"));
        let (at, community) = (click.ts.0, click.community_id);
        let day = self.day(at);
        self.users_min.entry((minute(at), community)).or_default().insert(actor.clone());
        self.users_hour.entry((at.div_euclid(HOUR_MS) * HOUR_MS, community)).or_default().insert(actor.clone());
        self.users_day.entry((day, community)).or_default().insert(actor);
    }

    /// The tables of an import's results: (file name, CSV), each in the order that `linli backfill --out` writes.
    pub fn tables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("gmv_min.csv", cells("minute_ms,community_id,gmv", &self.sales_min, |s| s.gmv)),
            ("gmv_min_total.csv", totals("minute_ms,gmv", &self.sales_min)),
            ("gmv_day.csv", cells("day_ms,community_id,gmv", &self.sales_day, |s| s.gmv)),
            ("gmv_day_total.csv", totals("day_ms,gmv", &self.sales_day)),
            ("uv_min.csv", cells("w_ms,community_id,uv", &self.users_min, |u| u.len() as i64)),
            ("uv_hour.csv", cells("w_ms,community_id,uv", &self.users_hour, |u| u.len() as i64)),
            ("uv_day.csv", cells("w_ms,community_id,uv", &self.users_day, |u| u.len() as i64)),
            ("uv_day_total.csv", distinct("w_ms,uv", &self.users_day)),
            ("buyers_day.csv", cells("day_ms,community_id,buyers", &self.buyers_day, |u| u.len() as i64)),
            ("buyers_day_total.csv", distinct("day_ms,buyers", &self.buyers_day)),
            ("top_day.csv", self.top_day()),
            ("top_hop.csv", self.top_hop()),
        ]
    }

    fn top_day(&self) -> String {
        let mut lists: BTreeMap<Cell, Vec<(i64, i64)>> = BTreeMap::new();
        for ((day, community, sku), qty) in &self.pieces_day {
            lists.entry((*day, *community)).or_default().push((*sku, *qty));
        }
        let mut out = String::from("d,community_id,rn,sku_id,q\n");
        for ((day, community), list) in lists {
            for (i, (sku, qty)) in top(list).iter().enumerate() {
                let _ = writeln!(out, "{day},{community},{},{sku},{qty}", i + 1);
            }
        }
        out
    }

    /// Every window of an hour, hopping by a minute, that holds a sale.
    fn top_hop(&self) -> String {
        let mut out = String::from("window_end_ms,rn,sku_id,qty\n");
        let minutes: BTreeSet<i64> = self.pieces_min.keys().map(|(minute, _)| *minute).collect();
        let ends: BTreeSet<i64> =
            minutes.iter().flat_map(|m| (1..=HOP_MINUTES).map(move |hop| m + hop * MINUTE_MS)).collect();
        for end in ends {
            let mut pieces: BTreeMap<i64, i64> = BTreeMap::new();
            let window = (end - HOP_MINUTES * MINUTE_MS, i64::MIN)..(end, i64::MIN);
            for ((_, sku), qty) in self.pieces_min.range(window) {
                *pieces.entry(*sku).or_default() += qty;
            }
            for (i, (sku, qty)) in top(pieces.into_iter().collect()).iter().enumerate() {
                let _ = writeln!(out, "{end},{},{sku},{qty}", i + 1);
            }
        }
        out
    }
}

fn column(table: Table, row: &Row, name: &str) -> Option<i64> {
    table.column(name).and_then(|i| row.get(i)).and_then(Value::int)
}

fn minute(at: i64) -> i64 {
    at.div_euclid(MINUTE_MS) * MINUTE_MS
}

fn add(sales: &mut BTreeMap<Cell, Sales>, cell: Cell, amount: i64) {
    let sum = sales.entry(cell).or_default();
    sum.gmv += amount;
    sum.orders += 1;
}

/// Most pieces first, ties by the lower SKU.
fn top(mut list: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    list.sort_by_key(|(sku, qty)| (-qty, *sku));
    list.truncate(TOP);
    list
}

fn cells<V>(head: &str, map: &BTreeMap<Cell, V>, value: impl Fn(&V) -> i64) -> String {
    let mut out = format!("{head}\n");
    for ((window, community), v) in map {
        let _ = writeln!(out, "{window},{community},{}", value(v));
    }
    out
}

fn totals(head: &str, map: &BTreeMap<Cell, Sales>) -> String {
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for ((window, _), sales) in map {
        *sums.entry(*window).or_default() += sales.gmv;
    }
    lines(head, sums)
}

fn distinct<T: Ord + Clone>(head: &str, map: &BTreeMap<Cell, BTreeSet<T>>) -> String {
    let mut sets: BTreeMap<i64, BTreeSet<T>> = BTreeMap::new();
    for ((window, _), set) in map {
        sets.entry(*window).or_default().extend(set.iter().cloned());
    }
    lines(head, sets.into_iter().map(|(window, set)| (window, set.len() as i64)).collect())
}

fn lines(head: &str, values: BTreeMap<i64, i64>) -> String {
    let mut out = format!("{head}\n");
    for (window, value) in values {
        let _ = writeln!(out, "{window},{value}");
    }
    out
}
