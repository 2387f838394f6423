//! `community_sales`: the touched days counted again from the facts.

use crate::query::{self, SALES_DAYS, SALES_REFRESH, SERVER_TIME};
use crate::{Result, Warehouse};

/// Days counted in one statement, so that its memory stays bounded.
const DAYS_AT_ONCE: u16 = 7;

/// Counts every day again of which an order or item was loaded since `since_ms` of the server's clock.
/// Returns the server's time before it looked: what to give the next time.
///
/// Nothing may be loading by the same loader meanwhile; another loader counts its own.
pub(super) async fn count_again(warehouse: &Warehouse, since_ms: i64) -> Result<i64> {
    #[derive(clickhouse::Row, serde::Deserialize)]
    struct Now {
        now_ms: i64,
    }
    #[derive(clickhouse::Row, serde::Deserialize)]
    struct Day {
        day: u16,
    }
    let now: Now = query::one(warehouse, SERVER_TIME, warehouse.query(SERVER_TIME.sql)).await?;
    let days = warehouse.query(SALES_DAYS.sql).param("since_ms", since_ms);
    let days: Vec<Day> = query::all(warehouse, SALES_DAYS, days).await?;
    let days: Vec<u16> = days.into_iter().map(|day| day.day).collect();
    for (first, last) in ranges(&days) {
        warehouse
            .query(SALES_REFRESH.sql)
            .param("first", query::date(first))
            .param("last", query::date(last))
            .execute()
            .await
            .map_err(|error| query::named_failure(warehouse, SALES_REFRESH, error))?;
    }
    Ok(now.now_ms)
}

/// Sorted days as closed ranges without gaps, none longer than [`DAYS_AT_ONCE`].
fn ranges(days: &[u16]) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &day in days {
        match ranges.last_mut() {
            Some((first, last)) if day == *last + 1 && day - *first < DAYS_AT_ONCE => *last = day,
            _ => ranges.push((day, day)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn days_form_short_ranges_without_gaps() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[3, 4, 7]), [(3, 4), (7, 7)]);
        let days: Vec<u16> = (0..15).collect();
        assert_eq!(ranges(&days), [(0, 6), (7, 13), (14, 14)]);
    }
}
