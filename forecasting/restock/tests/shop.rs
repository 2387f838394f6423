//! A small shop: two warehouses, three communities, a fresh and a lasting SKU.

use chrono::NaiveDate;
use linli_restock::books::{Books, OnHand, Sku, Supplier};
use linli_restock::history::{HISTORY_DAYS, History, Sale};

pub const TOMATO: i64 = 10;
pub const RICE: i64 = 11;

/// A Monday.
pub fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date")
}

pub fn sku(sku_id: i64, shelf_days: Option<u32>) -> Sku {
    Sku {
        sku_id,
        supplier_id: 501,
        category_id: 1,
        title: format!("SKU {sku_id}"),
        price: 1000,
        cost: Some(700),
        shelf_days,
        pack: 1,
        min_order: 0,
        service_level: None,
    }
}

pub fn books() -> Books {
    let supplier = Supplier { email: Some("orders@supplier.example".to_owned()), ..Supplier::every_day(501, 1) };
    Books {
        suppliers: [(501, supplier)].into(),
        skus: [(TOMATO, sku(TOMATO, Some(3))), (RICE, sku(RICE, None))].into(),
        warehouse_of: [(1, 1), (2, 1), (3, 2)].into(),
        stock: [((1, TOMATO), OnHand::default()), ((1, RICE), OnHand::default()), ((2, RICE), OnHand::default())]
            .into(),
        ..Books::default()
    }
}

/// Communities 1 and 2 of warehouse 1 buy `tomatoes` and 2 × `tomatoes` a day, all communities one bag of rice.
pub fn history(tomatoes: i64) -> History {
    let mut history = History { date: today(), ..History::default() };
    for days in 0..u64::from(HISTORY_DAYS) {
        let date = today() - chrono::Days::new(days);
        let mut sell = |community_id, sku_id, pieces| {
            history.sales.push(Sale { community_id, sku_id, date, pieces });
        };
        sell(1, TOMATO, tomatoes);
        sell(2, TOMATO, 2 * tomatoes);
        (1..=3).for_each(|community| sell(community, RICE, 1));
    }
    history
}
