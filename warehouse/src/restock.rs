//! What the nightly run writes: forecasts, order lines, batches at risk, and how good the last ones were.
//!
//! Rows are replaced by those of the same key and a higher version: a run that is started again writes the same.

use clickhouse::{Row, RowOwned, RowWrite};
use serde::{Deserialize, Serialize};

use crate::query::{self, FORECAST_OF_DAY, FORECAST_OF_EVE, RESTOCK_VALUE_DAYS, date};
use crate::{Result, Warehouse};

/// Rows that are sent at a time.
const ROWS_AT_ONCE: usize = 100_000;

/// What a run expects of a day. Dates are days since 1970-01-01.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
pub struct ForecastRow {
    pub run: String,
    pub business_date: u16,
    pub warehouse_id: i64,
    pub community_id: i64,
    pub sku_id: i64,
    pub step_on: u16,
    pub model: String,
    pub mean: f64,
    pub q10: f64,
    pub q25: f64,
    pub q50: f64,
    pub q75: f64,
    pub q80: f64,
    pub q90: f64,
    pub q95: f64,
    pub q99: f64,
    pub version: u64,
}

/// What a run suggests to order.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
pub struct LineRow {
    pub run: String,
    pub business_date: u16,
    pub supplier_id: i64,
    pub warehouse_id: i64,
    pub community_id: i64,
    pub sku_id: i64,
    pub quantity: i64,
    /// 1: ready, 2: held.
    pub status: i8,
    /// Epoch ms.
    pub must_order_by: i64,
    pub needed_by: u16,
    pub reason: String,
    pub version: u64,
}

/// A run that is there whole.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
pub struct RunRow {
    pub run: String,
    pub business_date: u16,
    pub policy: String,
    pub series: u64,
    pub lines: u64,
    /// When readers were shown it, epoch ms.
    pub named_at: i64,
    pub version: u64,
}

/// A batch of which some will be left when it expires. Money in fen.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
pub struct NearExpiryRow {
    pub business_date: u16,
    pub warehouse_id: i64,
    pub sku_id: i64,
    pub batch_id: u64,
    pub expires_on: u16,
    pub days_left: u32,
    pub quantity: i64,
    pub sellable: i64,
    pub at_risk: i64,
    pub loss: i64,
    pub actions: String,
    pub version: u64,
}

/// How good forecasts and orders of a day were, of a supplier and category at a place.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct ValueRow {
    pub event_date: u16,
    pub supplier_id: i64,
    pub category_id: i64,
    pub warehouse_id: i64,
    pub community_id: i64,
    pub series: u64,
    pub sold: i64,
    pub forecast: f64,
    pub error: f64,
    pub error_document: f64,
    pub error_naive: f64,
    pub compared_sold: i64,
    pub compared_forecast: f64,
    pub ordered: i64,
    pub lost: f64,
    pub sold_out: u64,
    pub thrown_away: i64,
    pub thrown_away_cost: i64,
    pub version: u64,
}

/// What the newest run before a day expected of it, pieces.
#[derive(Clone, Copy, Debug, PartialEq, Row, Deserialize)]
pub struct Expected {
    pub warehouse_id: i64,
    pub community_id: i64,
    pub sku_id: i64,
    pub mean: f64,
}

/// What the run of the evening before expected of a day, with its quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Row, Deserialize)]
pub struct Eve {
    pub warehouse_id: i64,
    pub community_id: i64,
    pub sku_id: i64,
    pub mean: f64,
    pub q10: f64,
    pub q25: f64,
    pub q50: f64,
    pub q75: f64,
    pub q90: f64,
    pub q95: f64,
    pub q99: f64,
}

/// What was forecast and sold of a category on a day.
#[derive(Clone, Copy, Debug, PartialEq, Row, Deserialize)]
pub struct CategoryDay {
    pub category_id: i64,
    pub event_date: u16,
    pub forecast: f64,
    pub sold: f64,
}

/// Rows that have a table.
pub trait Stored: RowOwned + RowWrite + Send + Sync {
    const TABLE: &'static str;
}

macro_rules! stored {
    ($($row:ident in $table:literal),*) => {$(
        impl Stored for $row {
            const TABLE: &'static str = $table;
        }
    )*};
}

stored!(
    ForecastRow in "demand_forecasts",
    LineRow in "restock_lines",
    RunRow in "restock_runs",
    NearExpiryRow in "ads_near_expiry",
    ValueRow in "ads_restock_value"
);

/// Writes rows, a bounded number at a time.
pub async fn put<R>(warehouse: &Warehouse, rows: impl IntoIterator<Item = R>) -> Result<u64>
where
    for<'a> R: Stored + Row<Value<'a> = R>,
{
    let failed = |error| {
        let mut failure = warehouse.failure(error);
        failure.object = format!("table \"{}\" of {}", R::TABLE, failure.object);
        failure
    };
    let (mut written, mut rows) = (0, rows.into_iter().peekable());
    while rows.peek().is_some() {
        let mut insert = warehouse.client().insert::<R>(R::TABLE).await.map_err(failed)?;
        for row in rows.by_ref().take(ROWS_AT_ONCE) {
            insert.write(&row).await.map_err(failed)?;
            written += 1;
        }
        insert.end().await.map_err(failed)?;
    }
    Ok(written)
}

/// What the newest run before a day (days since 1970-01-01) expected of it.
pub async fn expected(warehouse: &Warehouse, day: u16) -> Result<Vec<Expected>> {
    let query = warehouse.query(FORECAST_OF_DAY.sql).param("day", date(day));
    query::all(warehouse, FORECAST_OF_DAY, query).await
}

/// Shelves that are asked for at once: they travel in the address of the request.
const SHELVES_AT_ONCE: usize = 2_000;

/// What the run of the evening before a day (days since 1970-01-01) expected of it on some shelves (warehouse, SKU).
pub async fn eve(warehouse: &Warehouse, day: u16, shelves: &[(i64, i64)]) -> Result<Vec<Eve>> {
    let mut found = Vec::new();
    for shelves in shelves.chunks(SHELVES_AT_ONCE) {
        let query = warehouse
            .query(FORECAST_OF_EVE.sql)
            .param("eve", date(day.saturating_sub(1)))
            .param("day", date(day))
            .param("shelves", shelves);
        found.extend(query::all::<Eve>(warehouse, FORECAST_OF_EVE, query).await?);
    }
    Ok(found)
}

/// What was forecast and sold on the days `from..=to`, by category.
pub async fn category_days(warehouse: &Warehouse, from: u16, to: u16) -> Result<Vec<CategoryDay>> {
    let query = warehouse.query(RESTOCK_VALUE_DAYS.sql).param("from", date(from)).param("to", date(to));
    query::all(warehouse, RESTOCK_VALUE_DAYS, query).await
}
