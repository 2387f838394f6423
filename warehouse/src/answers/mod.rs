//! The answers of `linli backfill --out`: one CSV file each, by named queries on the warehouse and the serving store.
//!
//! Header, comma, LF, no quotes: every value is a number. A file appears whole or not at all.

mod csv;
mod hop;
mod totals;

use std::path::Path;
use std::time::Duration;

use linli_connectors::serving::SharedServing;
use linli_schemas::metric::Metric;

use crate::query::{self, Named};
use crate::{Result, Warehouse};

pub use hop::Hopping;

/// A file of the warehouse's rows as they come.
const TABLES: [(&str, &str, Named); 8] = [
    ("gmv_min", "minute_ms,community_id,gmv", query::GMV_MIN),
    ("gmv_min_total", "minute_ms,gmv", query::GMV_MIN_TOTAL),
    ("gmv_day", "day_ms,community_id,gmv", query::GMV_DAY),
    ("uv_min", "w_ms,community_id,uv", query::UV_MIN),
    ("uv_hour", "w_ms,community_id,uv", query::UV_HOUR),
    ("uv_day", "w_ms,community_id,uv", query::UV_DAY),
    ("buyers_day", "day_ms,community_id,buyers", query::BUYERS_DAY),
    ("top_day", "d,community_id,rn,sku_id,q", query::TOP_DAY),
];

/// A file of sums over the shards of a day: of the serving store where it has the day whole, else of the warehouse.
const TOTALS: [(&str, &str, Metric, usize); 3] = [
    ("gmv_day_total", "day_ms,gmv", Metric::GmvDay, 1),
    ("uv_day_total", "w_ms,uv", Metric::UvDayTotal, 0),
    ("buyers_day_total", "day_ms,buyers", Metric::BuyersDayTotal, 0),
];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file's name without `.csv`.
    pub name: &'static str,
    pub rows: u64,
}

/// Writes every answer into `folder`, which is made if it is missing. `limit` is for each query.
pub async fn write_all(
    warehouse: &Warehouse,
    serving: &SharedServing,
    folder: &Path,
    limit: Duration,
) -> Result<Vec<Written>> {
    tokio::fs::create_dir_all(folder).await.map_err(|error| csv::file_failure(folder, error))?;
    let mut written = Vec::new();
    for (name, header, named) in TABLES {
        let rows = csv::write_query(warehouse, named, limit, folder, name, header).await?;
        written.push(Written { name, rows });
    }
    for (name, header, metric, column) in TOTALS {
        let days = totals::by_day(warehouse, serving, metric, column, limit).await?;
        let mut file = csv::File::create(folder, name, header).await?;
        for (day, total) in days {
            file.row(&[day, total]).await?;
        }
        written.push(Written { name, rows: file.finish().await? });
    }
    let rows = hop::write(warehouse, limit, folder).await?;
    written.push(Written { name: "top_hop", rows });
    Ok(written)
}
