//! The same snapshot from the warehouse: for days that the serving store does not hold.

use linli_schemas::zone::{DAY_MS, HOUR_MS, MINUTE_MS};
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId};

use super::{
    KNOWN_DAYS, Known, LiveOptions, LiveQuery, LiveSnapshot, MinutePoint, Source, TopEntry, TopScope, TopWindow,
};
use crate::query::{self, SkuQuantity};
use crate::{Result, Warehouse};

/// A question to the warehouse, as a key of remembered answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    day_start: i64,
    community: Option<i64>,
    last_hour: bool,
    category: Option<i64>,
    top_community: Option<i64>,
}

impl Asked {
    pub fn new(query: &LiveQuery, day_start: EventTime) -> Asked {
        let (category, top_community) = match query.top_scope {
            TopScope::All => (None, None),
            TopScope::Category(category) => (Some(category.0), None),
            TopScope::Community(community) => (None, Some(community.0)),
        };
        Asked {
            day_start: day_start.0,
            community: query.community.map(|c| c.0),
            last_hour: query.top_window == TopWindow::LastHour,
            category,
            top_community,
        }
    }
}

pub(super) async fn snapshot(
    warehouse: &Warehouse,
    options: &LiveOptions,
    asked: &LiveQuery,
    day_start: EventTime,
    day_end: EventTime,
) -> Result<LiveSnapshot> {
    let limit = options.query_limit;
    let of_day = |named: query::Named| {
        query::for_community(warehouse.query_within(named.sql, limit).param("day_ms", day_start.0), asked.community)
    };
    let counts: query::DayGmv = query::one(warehouse, query::LIVE_GMV, of_day(query::LIVE_GMV)).await?;
    let refunds: query::DayRefunds = query::one(warehouse, query::LIVE_REFUNDS, of_day(query::LIVE_REFUNDS)).await?;
    let uv_query = if asked.community.is_some() { query::LIVE_UV } else { query::LIVE_UV_TOTAL };
    let uv: query::Total = query::one(warehouse, uv_query, of_day(uv_query)).await?;
    let buyers = match asked.community {
        Some(_) => sum_of(counts.buyers, counts.communities),
        None => {
            let total: query::Total =
                query::one(warehouse, query::LIVE_BUYERS_TOTAL, of_day(query::LIVE_BUYERS_TOTAL)).await?;
            sum_of(total.total, total.parts)
        }
    };
    let as_of: query::AsOf = query::one(warehouse, query::AS_OF, of_day(query::AS_OF)).await?;
    let as_of = (as_of.shards > 0).then_some(EventTime(as_of.as_of));
    let by_minute = query::gmv_by_minute(warehouse, day_start, day_end, asked.community, limit).await?;
    let (top_start, top_end) = match asked.top_window {
        TopWindow::Today => (day_start, day_end),
        TopWindow::LastHour => {
            let at = as_of.or(asked.at).unwrap_or(day_start).min(EventTime(day_end.0 - 1));
            let end = at.0.div_euclid(MINUTE_MS) * MINUTE_MS + MINUTE_MS;
            (EventTime(end - HOUR_MS), EventTime(end))
        }
    };
    let top = top(warehouse, options, asked, day_start, top_start, top_end).await?;
    Ok(LiveSnapshot {
        day_start,
        day_end,
        as_of,
        gmv: sum_of(counts.gmv, counts.communities).map(Money),
        refund_amount: sum_of(refunds.refund_amount, refunds.communities).map(Money),
        orders: sum_of(counts.orders, counts.communities),
        buyers,
        uv: sum_of(uv.total, uv.parts),
        online: None,
        by_minute: by_minute
            .into_iter()
            .map(|m| MinutePoint { minute: EventTime(m.minute_ms), gmv: Money(m.gmv), orders: m.orders })
            .collect(),
        top,
        top_start,
        top_end,
        source: Source::Warehouse,
    })
}

/// Communities and SKUs of the last days; the categories are left to the caller.
pub(super) async fn known(warehouse: &Warehouse, options: &LiveOptions, day_start: EventTime) -> Result<Known> {
    #[derive(clickhouse::Row, serde::Deserialize)]
    struct Community {
        community_id: i64,
    }
    #[derive(clickhouse::Row, serde::Deserialize)]
    struct Sku {
        sku_id: i64,
        category_id: i64,
    }
    #[derive(clickhouse::Row, serde::Deserialize)]
    struct Name {
        kind_number: i8,
        id: i64,
        name: String,
    }
    let since = day_start.0 - KNOWN_DAYS * DAY_MS;
    let of = |named: query::Named| warehouse.query_within(named.sql, options.query_limit).param("day_ms", since);
    let communities: Vec<Community> =
        query::all(warehouse, query::KNOWN_COMMUNITIES, of(query::KNOWN_COMMUNITIES)).await?;
    let skus: Vec<Sku> = query::all(warehouse, query::KNOWN_SKUS, of(query::KNOWN_SKUS)).await?;
    let names: Vec<Name> = query::all(warehouse, query::KNOWN_NAMES, of(query::KNOWN_NAMES)).await?;
    let mut known = Known::default();
    for Name { kind_number, id, name } in names {
        match kind_number {
            1 => drop(known.community_names.insert(CommunityId(id), name)),
            2 => drop(known.category_names.insert(CategoryId(id), name)),
            _ => drop(known.sku_names.insert(SkuId(id), name)),
        }
    }
    Ok(Known {
        communities: communities.into_iter().map(|row| CommunityId(row.community_id)).collect(),
        categories: Vec::new(),
        skus: skus.into_iter().map(|row| (SkuId(row.sku_id), CategoryId(row.category_id))).collect(),
        ..known
    })
}

async fn top(
    warehouse: &Warehouse,
    options: &LiveOptions,
    asked: &LiveQuery,
    day_start: EventTime,
    top_start: EventTime,
    top_end: EventTime,
) -> Result<Vec<TopEntry>> {
    let limit = options.query_limit;
    let category = match asked.top_scope {
        TopScope::Category(category) => Some(category),
        _ => None,
    };
    let rows: Vec<SkuQuantity> = match (asked.top_window, asked.top_scope) {
        (TopWindow::Today, TopScope::Community(community)) => {
            let named = query::TOP_OF_COMMUNITY_DAY;
            let prepared = warehouse
                .query_within(named.sql, limit)
                .param("day_ms", day_start.0)
                .param("community_id", community.0);
            query::all(warehouse, named, prepared).await?
        }
        (TopWindow::LastHour, TopScope::Community(community)) => {
            query::top_of_community(warehouse, top_start, top_end, community, limit).await?
        }
        (TopWindow::Today, _) => query::top_of_day(warehouse, day_start, category, limit).await?,
        (TopWindow::LastHour, _) => query::top_of_range(warehouse, top_start, top_end, category, limit).await?,
    };
    Ok((1..).zip(rows).map(|(rank, row)| TopEntry { rank, sku_id: SkuId(row.sku_id), quantity: row.qty }).collect())
}

/// A sum of no rows is unknown, not zero.
fn sum_of(sum: i64, rows: u64) -> Option<i64> {
    (rows > 0).then_some(sum)
}
