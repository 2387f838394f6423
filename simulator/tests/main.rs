//! The simulated shop: that it repeats itself, and that what it tells is possible.

mod feed;
mod possible;
mod records;
mod repeatable;
mod shape;
mod truthful;

use chrono::NaiveDate;
use linli_schemas::zone::Zone;
use linli_simulator::{Body, Change, Row, RowChange, Shop, ShopOptions, Table};

/// A Thursday.
const OPENED: (i32, u32, u32) = (2026, 11, 19);

fn options(seed: u64) -> ShopOptions {
    ShopOptions {
        seed,
        communities: 12,
        users: 900,
        skus: 60,
        orders_per_day: 800,
        zone: Zone::SHANGHAI,
        opened_on: NaiveDate::from_ymd_opt(OPENED.0, OPENED.1, OPENED.2).expect("a date"),
    }
}

fn shop(seed: u64) -> Shop {
    Shop::new(options(seed)).expect("sound options")
}

/// All changes of the shop's first days.
fn first_days(shop: &Shop, days: i32) -> Vec<Change> {
    let end = shop.start().day + days;
    shop.changes(shop.start()).take_while(|change| change.position.day < end).collect()
}

fn rows(changes: &[Change]) -> impl Iterator<Item = (&Change, u8, &RowChange)> {
    changes
        .iter()
        .filter_map(|change| match &change.body {
            Body::Transaction(transaction) => Some((change, transaction)),
            Body::Click(_) => None,
        })
        .flat_map(|(change, transaction)| transaction.rows.iter().map(move |row| (change, transaction.server, row)))
}

fn number(table: Table, row: &Row, column: &str) -> Option<i64> {
    row[table.column(column).expect("a column of the table")].int()
}
