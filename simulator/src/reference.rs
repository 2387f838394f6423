//! The rows that are there when the shop opens: who it works with and what it sells.

use std::sync::Arc;

use linli_schemas::EventTime;

use crate::catalog::SPECS;
use crate::city::{self, WAREHOUSES};
use crate::ledger::Ledger;
use crate::orders::{COUPONS, HOUR};
use crate::rng::Rng;
use crate::table::{Row, Value};
use crate::{RowChange, Table, World};

/// Rows in a transaction.
const CHUNK: usize = 50;
const COORDINATES: &str = "GCJ02";
const CITY: (&str, &str) = ("邻江市", "Linjiang");

/// The tables that are filled, in an order in which no row names one that is not there yet.
const TABLES: [Table; 11] = [
    Table::Categories,
    Table::Brands,
    Table::Suppliers,
    Table::Warehouses,
    Table::Leaders,
    Table::Communities,
    Table::Products,
    Table::Skus,
    Table::Users,
    Table::Coupons,
    Table::Stock,
];

fn rows_of(world: &World, table: Table) -> usize {
    match table {
        Table::Categories => world.catalog.categories.len(),
        Table::Brands => world.catalog.brands.len(),
        Table::Suppliers => world.city.suppliers.len(),
        Table::Warehouses => WAREHOUSES,
        Table::Leaders => world.city.leaders.len(),
        Table::Communities => world.city.communities.len(),
        Table::Products => world.catalog.skus.len().div_ceil(SPECS),
        Table::Skus => world.catalog.skus.len(),
        Table::Users => world.options.users as usize,
        Table::Coupons => COUPONS.len(),
        Table::Stock => world.catalog.skus.len() * WAREHOUSES,
        _ => 0,
    }
}

/// How many transactions it takes.
pub fn count(world: &World) -> usize {
    TABLES.iter().map(|table| rows_of(world, *table).div_ceil(CHUNK)).sum()
}

/// Transaction `number` of [`count`].
pub fn transaction(world: &World, ledger: &Ledger, number: usize, at: i64) -> Vec<RowChange> {
    let mut left = number;
    for table in TABLES {
        let rows = rows_of(world, table);
        let chunks = rows.div_ceil(CHUNK);
        if left < chunks {
            let range = left * CHUNK..rows.min((left + 1) * CHUNK);
            return range
                .map(|i| RowChange { table, shard: None, before: None, after: row(world, ledger, table, i, at) })
                .collect();
        }
        left -= chunks;
    }
    Vec::new()
}

fn row(world: &World, ledger: &Ledger, table: Table, i: usize, at: i64) -> Row {
    let text = |t: &Arc<str>| Value::Text(t.clone());
    let degrees = |d: f64| Value::Micro((d * 1e6).round() as i64);
    match table {
        Table::Categories => {
            let c = &world.catalog.categories[i];
            vec![
                Value::Int(c.category_id),
                Value::Word(c.code),
                Value::Word(c.name),
                Value::Word(c.name_en),
                Value::Null,
            ]
        }
        Table::Brands => {
            let b = &world.catalog.brands[i];
            vec![Value::Int(b.brand_id), Value::Word(b.name), Value::Word(b.name_en)]
        }
        Table::Suppliers => {
            let s = &world.city.suppliers[i];
            vec![Value::Int(s.supplier_id), text(&s.name), text(&s.name_en), text(&s.email), Value::Int(s.lead_days)]
        }
        Table::Warehouses => {
            let w = &world.city.warehouses[i];
            vec![
                Value::Int(w.warehouse_id),
                Value::Word(w.name),
                Value::Word(w.name_en),
                degrees(w.latitude),
                degrees(w.longitude),
                Value::Word(COORDINATES),
            ]
        }
        Table::Leaders => {
            let l = &world.city.leaders[i];
            let community = world.city.communities[i].community_id;
            vec![Value::Int(l.leader_id), Value::Int(community), text(&l.name), text(&l.name_en), text(&l.phone)]
        }
        Table::Communities => community(world, i),
        Table::Products => product(world, i, at),
        Table::Users => user(world, i as u32 + 1, at),
        Table::Skus => {
            let s = &world.catalog.skus[i];
            vec![
                Value::Int(s.sku_id),
                Value::Int(s.product_id),
                Value::Int(s.category_id),
                s.brand_id.map_or(Value::Null, Value::Int),
                Value::Int(s.supplier_id),
                text(&s.title),
                text(&s.title_en),
                text(&s.spec),
                Value::Fen(s.price),
                Value::Fen(s.cost),
                Value::Int(s.shelf_days),
                Value::Instant(EventTime(at)),
            ]
        }
        Table::Coupons => {
            let (name, name_en, threshold, discount) = COUPONS[i];
            vec![
                Value::Int(i as i64 + 1),
                Value::Word(name),
                Value::Word(name_en),
                Value::Fen(threshold),
                Value::Fen(discount),
                Value::Int(7),
            ]
        }
        _ => ledger.row(world, i % WAREHOUSES, i / WAREHOUSES),
    }
}

fn product(world: &World, i: usize, at: i64) -> Row {
    let s = &world.catalog.skus[i * SPECS];
    let bare = |title: &str| Value::Text(title.strip_suffix(&*s.spec).unwrap_or(title).trim_end().into());
    vec![
        Value::Int(s.product_id),
        Value::Int(s.category_id),
        s.brand_id.map_or(Value::Null, Value::Int),
        bare(&s.title),
        bare(&s.title_en),
        Value::Instant(EventTime(at)),
    ]
}

/// A user who had joined before the shop's databases came into being.
fn user(world: &World, user: u32, at: i64) -> Row {
    let seed = world.options.seed;
    let mut rng = Rng::of(&[seed, 73, u64::from(user)]);
    let home = city::home_of(seed, user, &world.city.demand);
    let joined = at - (rng.unit() * 700.0 * 24.0 * HOUR as f64) as i64;
    let level = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3][rng.below(10) as usize];
    vec![
        Value::Int(i64::from(user)),
        Value::Int(world.city.communities[home].community_id),
        Value::Text(city::person(rng.next() >> 8).0.into()),
        Value::Text(city::phone_of(seed, user)),
        Value::Int(level),
        Value::Int(level * 500 + rng.below(480) as i64),
        Value::Instant(EventTime(joined)),
        Value::Instant(EventTime(at)),
    ]
}

fn community(world: &World, i: usize) -> Row {
    let c = &world.city.communities[i];
    vec![
        Value::Int(c.community_id),
        Value::Text(c.name.clone()),
        Value::Text(c.name_en.clone()),
        Value::Word(CITY.0),
        Value::Word(CITY.1),
        Value::Text(c.district.clone()),
        Value::Text(c.district_en.clone()),
        Value::Micro((c.latitude * 1e6).round() as i64),
        Value::Micro((c.longitude * 1e6).round() as i64),
        Value::Word(COORDINATES),
        Value::Int(c.households),
        Value::Int(c.leader_id),
        Value::Int(world.city.warehouses[c.warehouse].warehouse_id),
    ]
}
