//! The named queries: one file each in `queries/`, with bound parameters and typed rows.

use std::time::Duration;

use clickhouse::query::Query;
use clickhouse::{Row, RowOwned, RowRead};
use linli_schemas::{CategoryId, CommunityId, EventTime};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result, Warehouse};

/// After this time the warehouse gives up on a query of a report.
pub const LIMIT: Duration = Duration::from_secs(3);

/// One question with its SQL.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    pub name: &'static str,
    pub sql: &'static str,
}

impl Named {
    /// The question that the query answers: its first line.
    pub fn question(&self) -> &'static str {
        self.sql.lines().next().unwrap_or_default().trim_start_matches("--").trim()
    }
}

macro_rules! queries {
    ($($constant:ident $name:literal),* $(,)?) => {
        $(pub const $constant: Named = Named { name: $name, sql: include_str!(concat!("../queries/", $name, ".sql")) };)*

        /// All of them.
        pub const ALL: &[Named] = &[$($constant),*];
    };
}

queries![
    GMV_MIN "gmv_min",
    GMV_MIN_TOTAL "gmv_min_total",
    GMV_DAY "gmv_day",
    BUYERS_DAY "buyers_day",
    UV_MIN "uv_min",
    UV_HOUR "uv_hour",
    UV_DAY "uv_day",
    TOP_DAY "top_day",
    TOP_MIN "top_min",
    DAY_PARTS "day_parts",
    LIVE_GMV "live_gmv",
    LIVE_REFUNDS "live_refunds",
    LIVE_UV "live_uv",
    LIVE_UV_TOTAL "live_uv_total",
    LIVE_BUYERS_TOTAL "live_buyers_total",
    GMV_BY_MINUTE "gmv_by_minute",
    TOP_OF_RANGE "top_of_range",
    TOP_OF_DAY "top_of_day",
    TOP_OF_COMMUNITY "top_of_community",
    TOP_OF_COMMUNITY_DAY "top_of_community_day",
    AS_OF "as_of",
    ORDERS_BY_HOUR "orders_by_hour",
    SALES_DAYS "sales_days",
    SALES_REFRESH "sales_refresh",
    SERVER_TIME "server_time",
    SETTING "setting",
    SETTING_PUT "setting_put",
    KNOWN_COMMUNITIES "known_communities",
    KNOWN_SKUS "known_skus",
    KNOWN_NAMES "known_names",
    DEMAND_SERIES "demand_series",
    DEMAND_DAYS "demand_days",
    SALES_HISTORY "sales_history",
    FORECAST_OF_DAY "forecast_of_day",
    FORECAST_OF_EVE "forecast_of_eve",
    RESTOCK_VALUE "restock_value",
    RESTOCK_VALUE_DAYS "restock_value_days",
    NEAR_EXPIRY "near_expiry",
    SOLD_OUT_DAYS "sold_out_days",
    FILE_ROWS "file_rows",
    FORECAST_FILE "forecast_file",
];

/// The query of that name, as `linli warehouse query NAME` takes it.
pub fn by_name(name: &str) -> Option<Named> {
    ALL.iter().copied().find(|query| query.name == name)
}

/// GMV (fen) and paid orders of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize, Serialize)]
pub struct MinuteGmv {
    pub minute_ms: i64,
    pub gmv: i64,
    pub orders: i64,
}

/// A SKU of a TOP list; its rank is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize, Serialize)]
pub struct SkuQuantity {
    pub sku_id: i64,
    pub qty: i64,
}

/// Paid orders and GMV (fen) of an hour of a local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize, Serialize)]
pub struct HourOrders {
    /// Days since 1970-01-01.
    pub biz_date: u16,
    pub biz_hour: u8,
    pub is_weekend: u8,
    pub orders: u64,
    pub gmv: Option<i64>,
}

/// Pieces of a SKU that a community bought on a local day (days since 1970-01-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct DaySale {
    pub community_id: i64,
    pub sku_id: i64,
    pub event_date: u16,
    pub quantity: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct DayGmv {
    pub gmv: i64,
    pub orders: i64,
    pub buyers: i64,
    pub communities: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct DayRefunds {
    pub refund_amount: i64,
    pub communities: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct Total {
    pub total: i64,
    pub parts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct AsOf {
    pub as_of: i64,
    pub shards: u64,
}

/// What a shard said last of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct DayPart {
    pub day_ms: i64,
    pub shard: u32,
    pub version: u64,
    pub total: i64,
    pub cells: u64,
}

/// All rows of a prepared query. Errors name the query.
pub(crate) async fn all<R: RowOwned + RowRead>(warehouse: &Warehouse, named: Named, query: Query) -> Result<Vec<R>> {
    query.fetch_all().await.map_err(|error| named_failure(warehouse, named, error))
}

/// The only row of a prepared query.
pub(crate) async fn one<R: RowOwned + RowRead>(warehouse: &Warehouse, named: Named, query: Query) -> Result<R> {
    let rows = all(warehouse, named, query).await?;
    rows.into_iter().next().ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, format!("query \"{}\"", named.name), "no row where there is always one")
    })
}

/// The rows of a prepared query as CSV with a header, whatever its columns; NULL is an empty field.
///
/// # Errors
/// [`ErrorKind::Reject`] where there are more than `bytes_max` of them; what the warehouse says otherwise.
pub async fn csv(warehouse: &Warehouse, named: Named, query: Query, bytes_max: usize) -> Result<Vec<u8>> {
    let query = query.with_setting("format_csv_null_representation", "");
    let failed = |error| named_failure(warehouse, named, error);
    let mut cursor = query.fetch_bytes("CSVWithNames").map_err(failed)?;
    let mut rows = Vec::new();
    while let Some(part) = cursor.next().await.map_err(failed)? {
        if rows.len() + part.len() > bytes_max {
            let object = format!("query \"{}\"", named.name);
            return Err(Error::new(ErrorKind::Reject, object, format!("its rows are longer than {bytes_max} bytes")));
        }
        rows.extend_from_slice(&part);
    }
    Ok(rows)
}

/// Writes forecasts of a CSV file to a new Parquet file; both paths are those of the engine.
pub async fn write_forecasts(warehouse: &Warehouse, csv: &str, path: &str) -> Result<()> {
    let query = warehouse.query(FORECAST_FILE.sql).param("csv", csv).param("path", path);
    query.execute().await.map_err(|error| named_failure(warehouse, FORECAST_FILE, error))
}

pub(crate) fn named_failure(warehouse: &Warehouse, named: Named, error: clickhouse::error::Error) -> Error {
    let mut failure = warehouse.failure(error);
    failure.object = format!("query \"{}\" on {}", named.name, failure.object);
    failure
}

/// Binds the filter on one community, or none.
pub(crate) fn for_community(query: Query, community: Option<CommunityId>) -> Query {
    query.param("all", u8::from(community.is_none())).param("community_id", community.map_or(0, |c| c.0))
}

/// Daily sales of the local days `from..=to`, one row after the other to `each`.
pub async fn sales_history(warehouse: &Warehouse, from: u16, to: u16, mut each: impl FnMut(DaySale)) -> Result<()> {
    let query = warehouse.query(SALES_HISTORY.sql).param("from", date(from)).param("to", date(to));
    let failed = |error| named_failure(warehouse, SALES_HISTORY, error);
    let mut cursor = query.fetch::<DaySale>().map_err(failed)?;
    while let Some(sale) = cursor.next().await.map_err(failed)? {
        each(sale);
    }
    Ok(())
}

/// A local day (days since 1970-01-01) on which a shelf was empty for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct SoldOutDay {
    pub warehouse_id: i64,
    pub sku_id: i64,
    pub event_date: u16,
}

/// Hours of the local day in which people buy, half-open.
const OPEN_HOURS: (u8, u8) = (7, 23);
/// Seconds of them for which a shelf must have been empty.
const EMPTY_SECONDS: u32 = 2 * 3600;

/// Days of `from..=to` on which a shelf was empty for two hours of those in which people buy.
pub async fn sold_out_days(warehouse: &Warehouse, zone: &str, from: u16, to: u16) -> Result<Vec<SoldOutDay>> {
    let query = warehouse
        .query(SOLD_OUT_DAYS.sql)
        .param("zone", zone)
        .param("from", date(from))
        .param("to", date(to))
        .param("open_hour", OPEN_HOURS.0)
        .param("close_hour", OPEN_HOURS.1)
        .param("seconds", EMPTY_SECONDS);
    all(warehouse, SOLD_OUT_DAYS, query).await
}

/// GMV by minute of the half-open range; minutes without a paid order are left out.
pub async fn gmv_by_minute(
    warehouse: &Warehouse,
    from: EventTime,
    to: EventTime,
    community: Option<CommunityId>,
    limit: Duration,
) -> Result<Vec<MinuteGmv>> {
    let query = warehouse.query_within(GMV_BY_MINUTE.sql, limit).param("from_ms", from.0).param("to_ms", to.0);
    all(warehouse, GMV_BY_MINUTE, for_community(query, community)).await
}

/// The 100 best-selling SKUs of the minutes of a half-open range.
pub async fn top_of_range(
    warehouse: &Warehouse,
    from: EventTime,
    to: EventTime,
    category: Option<CategoryId>,
    limit: Duration,
) -> Result<Vec<SkuQuantity>> {
    let query = warehouse
        .query_within(TOP_OF_RANGE.sql, limit)
        .param("from_ms", from.0)
        .param("to_ms", to.0)
        .param("all", u8::from(category.is_none()))
        .param("category_id", category.map_or(0, |c| c.0));
    all(warehouse, TOP_OF_RANGE, query).await
}

/// The 100 best-selling SKUs of the local day that starts at `day_start`.
pub async fn top_of_day(
    warehouse: &Warehouse,
    day_start: EventTime,
    category: Option<CategoryId>,
    limit: Duration,
) -> Result<Vec<SkuQuantity>> {
    let query = warehouse
        .query_within(TOP_OF_DAY.sql, limit)
        .param("day_ms", day_start.0)
        .param("all", u8::from(category.is_none()))
        .param("category_id", category.map_or(0, |c| c.0));
    all(warehouse, TOP_OF_DAY, query).await
}

/// The 100 best-selling SKUs of one community among the payments of a half-open range, from the facts.
pub async fn top_of_community(
    warehouse: &Warehouse,
    from: EventTime,
    to: EventTime,
    community: CommunityId,
    limit: Duration,
) -> Result<Vec<SkuQuantity>> {
    let query = warehouse
        .query_within(TOP_OF_COMMUNITY.sql, limit)
        .param("from_ms", from.0)
        .param("to_ms", to.0)
        .param("community_id", community.0);
    all(warehouse, TOP_OF_COMMUNITY, query).await
}

/// Paid orders by hour of the local days `from..=to`, both as days since 1970-01-01.
pub async fn orders_by_hour(warehouse: &Warehouse, from: u16, to: u16, limit: Duration) -> Result<Vec<HourOrders>> {
    let query = warehouse.query_within(ORDERS_BY_HOUR.sql, limit).param("from", date(from)).param("to", date(to));
    all(warehouse, ORDERS_BY_HOUR, query).await
}

/// A date as a parameter takes it.
pub(crate) fn date(days: u16) -> String {
    chrono::NaiveDate::from_epoch_days(i32::from(days)).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_says_its_question_in_lowercase_sql_without_glue() {
        let mut names: Vec<&str> = ALL.iter().map(|query| query.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for query in ALL {
            assert!(query.sql.starts_with("-- "), "{}", query.name);
            assert!(!query.question().is_empty(), "{}", query.name);
            assert!(
                !query.sql.contains('?') || query.sql.matches('?').count() == query.question().matches('?').count()
            );
            assert!(!query.sql.contains("SELECT"), "{}", query.name);
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_registry() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("queries/")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".sql").map(str::to_owned))
            .collect();
        files.sort();
        let mut names: Vec<String> = ALL.iter().map(|query| query.name.to_owned()).collect();
        names.sort();
        assert_eq!(files, names);
    }

    #[test]
    fn dates_are_written_as_the_server_reads_them() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(20_758), "2026-11-01");
    }
}
