//! Sums over the shards of a day, from the serving store where it has the day whole, else from the warehouse.

use std::collections::BTreeMap;
use std::time::Duration;

use linli_connectors::serving::SharedServing;
use linli_schemas::metric::{Metric, MetricRecord};

use crate::query::{self, DAY_PARTS, DayPart};
use crate::{Error, ErrorKind, Result, Warehouse};

/// By shard: version, total, cells.
type Shards = BTreeMap<u32, (u64, i64, u64)>;

/// `(day_ms, total)` of every local day that any shard wrote something of, in order.
///
/// The serving store has a day whole when it holds every shard that the warehouse knows, none older than there.
pub(super) async fn by_day(
    warehouse: &Warehouse,
    serving: &SharedServing,
    metric: Metric,
    column: usize,
    limit: Duration,
) -> Result<Vec<(i64, i64)>> {
    let kept = in_warehouse(warehouse, metric, column, limit).await?;
    let served = in_serving(serving, metric, column).await?;
    let mut days: BTreeMap<i64, Shards> = kept.clone();
    for (day, shards) in served {
        let whole = kept.get(&day).is_none_or(|kept| {
            kept.iter().all(|(shard, (version, ..))| shards.get(shard).is_some_and(|(served, ..)| served >= version))
        });
        if whole {
            days.insert(day, shards);
        }
    }
    Ok(days
        .into_iter()
        .filter(|(_, shards)| shards.values().any(|(_, total, cells)| shown(metric, *total, *cells)))
        .map(|(day, shards)| (day, shards.values().map(|(_, total, _)| total).sum()))
        .collect())
}

/// A day without a paid order has no row, as in the files by community; one whose orders cost nothing has.
fn shown(metric: Metric, total: i64, cells: u64) -> bool {
    match metric {
        Metric::GmvDay => cells > 0,
        _ => total > 0,
    }
}

async fn in_warehouse(
    warehouse: &Warehouse,
    metric: Metric,
    column: usize,
    limit: Duration,
) -> Result<BTreeMap<i64, Shards>> {
    let prepared =
        warehouse.query_within(DAY_PARTS.sql, limit).param("metric", metric.name()).param("column", column as u8);
    let parts: Vec<DayPart> = query::all(warehouse, DAY_PARTS, prepared).await?;
    let mut days: BTreeMap<i64, Shards> = BTreeMap::new();
    for part in parts {
        days.entry(part.day_ms).or_default().insert(part.shard, (part.version, part.total, part.cells));
    }
    Ok(days)
}

async fn in_serving(serving: &SharedServing, metric: Metric, column: usize) -> Result<BTreeMap<i64, Shards>> {
    let keys = serving.keys(&format!("{}:", metric.name())).await?;
    let mut days: BTreeMap<i64, Shards> = BTreeMap::new();
    for (key, stored) in keys.iter().zip(serving.read(&keys).await?) {
        for value in stored {
            let record = MetricRecord::decode(&value.value).map_err(|error| {
                let object = format!("field \"{}\" of \"{key}\" in the serving store", value.field);
                Error::new(ErrorKind::Corrupt, object, error.to_string())
            })?;
            let total = record.columns.get(column).map_or(0, |cells| cells.iter().sum());
            let entry = (record.version.as_u64(), total, record.rows() as u64);
            days.entry(record.key.window_start).or_default().insert(record.key.shard, entry);
        }
    }
    Ok(days)
}
