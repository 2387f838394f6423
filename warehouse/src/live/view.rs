//! Summing the parts of the shards into a snapshot.

use std::collections::{BTreeSet, HashMap};

use linli_connectors::clock::SharedClock;
use linli_connectors::serving::{Incarnation, SharedServing};
use linli_schemas::metric::{Metric, PartKey, TOP_DAY_BUCKETS, TOP_N};
use linli_schemas::zone::{HOUR_MS, MINUTE_MS};
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId};
use tokio::sync::Mutex;

use super::cache::{Part, Parts, shards};
use super::{
    Known, LiveOptions, LiveQuery, LiveSnapshot, MinutePoint, Source, TopEntry, TopScope, TopWindow, warehouse,
};
use crate::{Result, Warehouse};

/// How many of the newest minutes are asked for at every refresh: the open one, and those that out-of-order records reach.
const FRESH_MINUTES: i64 = 5;
/// How often the other minutes of the day are asked for, for corrections by late records.
const SWEEP_MS: i64 = 30_000;
/// The same while the day counts other orders than its minutes do: they were not all there yet when they were asked for.
const SWEEP_SOON_MS: i64 = 3_000;
/// How often the lists are asked for in whole.
const LISTS_MS: i64 = 2_000;
/// How often the warehouse is asked where the serving store holds nothing.
const FALLBACK_MS: i64 = 5_000;
/// Bound of the parts held: more than a day of minutes of 64 shards, and lists beside. Reached, the cache starts anew.
const PARTS_MAX: usize = 400_000;

/// The Live page's view of the serving store. Shared by all requests of a server.
pub struct LiveView {
    serving: SharedServing,
    warehouse: Warehouse,
    clock: SharedClock,
    options: LiveOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parts: Parts,
    incarnation: Option<Incarnation>,
    day_start: i64,
    refreshed_at: i64,
    swept_at: i64,
    /// When the parts of a list were fetched, by what they are.
    lists_at: HashMap<(Metric, i64), i64>,
    fallback: HashMap<warehouse::Asked, (i64, LiveSnapshot)>,
}

impl LiveView {
    pub fn new(serving: SharedServing, warehouse: Warehouse, clock: SharedClock, options: LiveOptions) -> LiveView {
        LiveView { serving, warehouse, clock, options, state: Mutex::new(State::default()) }
    }

    /// The state of the day of `query.at`.
    pub async fn snapshot(&self, query: &LiveQuery) -> Result<LiveSnapshot> {
        let clock_now = self.clock.now_ms();
        let now = query.at.unwrap_or(EventTime(clock_now));
        let (day_start, day_end) = self.options.zone.day_of(now);
        let mut state = self.state.lock().await;
        self.refresh(&mut state, clock_now, now, day_start).await?;
        let has_data = self.day(&state, Metric::GmvDay, day_start).next().is_some()
            || self.day(&state, Metric::UvDayTotal, day_start).next().is_some();
        if !has_data {
            return self.of_warehouse(&mut state, clock_now, query, day_start, day_end).await;
        }
        let as_of = self.as_of(&state, day_start);
        let (top_start, top_end) = self.top_window(query, as_of, now, day_start, day_end);
        self.refresh_list(&mut state, clock_now, query, day_start, top_start, top_end).await?;
        let gmv_day = |column: usize| self.sum_day(&state, Metric::GmvDay, day_start, column, query.community);
        let uv = match query.community {
            Some(_) => self.sum_day(&state, Metric::UvDay, day_start, 1, query.community),
            None => self.sum_total(&state, Metric::UvDayTotal, day_start),
        };
        let buyers = match query.community {
            Some(_) => gmv_day(3),
            None => self.sum_total(&state, Metric::BuyersDayTotal, day_start),
        };
        Ok(LiveSnapshot {
            day_start,
            day_end,
            as_of,
            gmv: gmv_day(1).map(Money),
            refund_amount: self.sum_day(&state, Metric::RefundDay, day_start, 1, query.community).map(Money),
            orders: gmv_day(2),
            buyers,
            uv,
            online: None,
            by_minute: self.by_minute(&state, day_start, day_end, query.community),
            top: self.top(&state, query, day_start, top_start, top_end),
            top_start,
            top_end,
            source: Source::Serving,
        })
    }

    /// What can be chosen: of the warehouse's last days and of today in the serving store. Asked for now and then.
    pub async fn known(&self) -> Result<Known> {
        let clock_now = self.clock.now_ms();
        let (day_start, day_end) = self.options.zone.day_of(EventTime(clock_now));
        let mut known = warehouse::known(&self.warehouse, &self.options, day_start).await?;
        let mut state = self.state.lock().await;
        self.refresh(&mut state, clock_now, EventTime(clock_now), day_start).await?;
        self.refresh_list(&mut state, clock_now, &LiveQuery::default(), day_start, day_start, day_end).await?;
        let mut communities: BTreeSet<CommunityId> = known.communities.iter().copied().collect();
        for metric in [Metric::GmvDay, Metric::UvDay] {
            communities.extend(
                self.day(&state, metric, day_start).flat_map(|part| &part.columns[0]).map(|id| CommunityId(*id)),
            );
        }
        known.communities = communities.into_iter().collect();
        let (_, keys) = self.list_keys(&LiveQuery::default(), day_start, day_start, day_end);
        for part in keys.iter().filter_map(|key| state.parts.get(key)) {
            let sold = part.columns[1].iter().zip(&part.columns[0]);
            known.skus.extend(sold.map(|(sku, category)| (SkuId(*sku), CategoryId(*category))));
        }
        let categories: BTreeSet<CategoryId> = known.skus.values().copied().filter(|id| id.0 != 0).collect();
        known.categories = categories.into_iter().collect();
        Ok(known)
    }

    async fn refresh(&self, state: &mut State, clock_now: i64, now: EventTime, day_start: EventTime) -> Result<()> {
        let other_day = state.day_start != day_start.0;
        if !other_day && clock_now - state.refreshed_at < self.options.refresh_ms_min && clock_now >= state.refreshed_at
        {
            return Ok(());
        }
        let incarnation = self.serving.incarnation().await?;
        let emptied = state.incarnation.as_ref() != Some(&incarnation);
        if other_day || emptied || state.parts.len() > PARTS_MAX {
            // Set only at the end: a fetch that fails midway is begun again.
            *state = State::default();
        }
        let n = self.options.partitions;
        let day = [Metric::GmvDay, Metric::RefundDay, Metric::UvDay, Metric::UvDayTotal, Metric::BuyersDayTotal]
            .into_iter()
            .flat_map(|metric| shards(metric, day_start.0, 0, n));
        state.parts.fetch_all(&self.serving, day).await?;
        let minute = now.0.div_euclid(MINUTE_MS) * MINUTE_MS;
        let age = clock_now - state.swept_at;
        let sweep =
            !(0..SWEEP_MS).contains(&age) || (age >= SWEEP_SOON_MS && self.minutes_lack_orders(state, day_start));
        let first = if sweep { day_start.0 } else { day_start.0.max(minute - (FRESH_MINUTES - 1) * MINUTE_MS) };
        state.parts.fetch_all(&self.serving, minutes(Metric::GmvMin, first, minute + MINUTE_MS, n)).await?;
        if sweep {
            state.swept_at = clock_now;
        }
        state.day_start = day_start.0;
        state.refreshed_at = clock_now;
        state.incarnation = Some(incarnation);
        Ok(())
    }

    /// Fetches the parts of the asked list, unless they are fresh.
    async fn refresh_list(
        &self,
        state: &mut State,
        clock_now: i64,
        query: &LiveQuery,
        day_start: EventTime,
        top_start: EventTime,
        top_end: EventTime,
    ) -> Result<()> {
        let (id, keys) = self.list_keys(query, day_start, top_start, top_end);
        let fetched_at = state.lists_at.get(&id).copied().unwrap_or(i64::MIN);
        if clock_now.saturating_sub(fetched_at) < LISTS_MS && clock_now >= fetched_at {
            return Ok(());
        }
        if id.0 == Metric::TopMin {
            state.parts.forget(day_start.0.min(top_start.0));
        }
        state.parts.fetch_all(&self.serving, keys).await?;
        state.lists_at.insert(id, clock_now);
        Ok(())
    }

    /// What the asked list is, and the parts that it is summed from.
    fn list_keys(
        &self,
        query: &LiveQuery,
        day_start: EventTime,
        top_start: EventTime,
        top_end: EventTime,
    ) -> ((Metric, i64), Vec<PartKey>) {
        let n = self.options.partitions;
        match (query.top_window, query.top_scope) {
            (TopWindow::Today, TopScope::Community(community)) => (
                (Metric::TopDayCommunity, community.0),
                shards(Metric::TopDayCommunity, day_start.0, community.0, n).collect(),
            ),
            (TopWindow::LastHour, TopScope::Community(community)) => {
                ((Metric::TopHopCommunity, community.0), shards(Metric::TopHopCommunity, 0, community.0, n).collect())
            }
            (TopWindow::Today, _) => (
                (Metric::TopDay, 0),
                (0..TOP_DAY_BUCKETS).flat_map(|bucket| shards(Metric::TopDay, day_start.0, bucket, n)).collect(),
            ),
            (TopWindow::LastHour, _) => {
                ((Metric::TopMin, 0), minutes(Metric::TopMin, top_start.0, top_end.0, n).collect())
            }
        }
    }

    fn day<'s>(&self, state: &'s State, metric: Metric, day_start: EventTime) -> impl Iterator<Item = &'s Part> {
        shards(metric, day_start.0, 0, self.options.partitions).filter_map(move |key| state.parts.get(&key))
    }

    /// Whether the minutes held do not add up to the day.
    fn minutes_lack_orders(&self, state: &State, day_start: EventTime) -> bool {
        let (_, day_end) = self.options.zone.day_of(day_start);
        let by_minute: i64 = self.by_minute(state, day_start, day_end, None).iter().map(|point| point.orders).sum();
        self.sum_day(state, Metric::GmvDay, day_start, 2, None).is_some_and(|orders| orders != by_minute)
    }

    /// The sum of a column over the cells of a community, or over all. `None` where no shard wrote anything.
    fn sum_day(
        &self,
        state: &State,
        metric: Metric,
        day_start: EventTime,
        column: usize,
        community: Option<CommunityId>,
    ) -> Option<i64> {
        let mut parts = self.day(state, metric, day_start).peekable();
        parts.peek()?;
        Some(parts.map(|part| cells(part, column, community)).sum())
    }

    fn sum_total(&self, state: &State, metric: Metric, day_start: EventTime) -> Option<i64> {
        let mut parts = self.day(state, metric, day_start).peekable();
        parts.peek()?;
        Some(parts.map(|part| part.columns[0].iter().sum::<i64>()).sum())
    }

    /// The lowest over the shards of how far each has come; shards without a result of the day are left out.
    fn as_of(&self, state: &State, day_start: EventTime) -> Option<EventTime> {
        let n = self.options.partitions;
        (0..n)
            .filter_map(|shard| {
                [Metric::GmvDay, Metric::UvDay, Metric::UvDayTotal]
                    .into_iter()
                    .filter_map(|metric| {
                        state.parts.get(&PartKey { metric, window_start: day_start.0, dimension: 0, shard })
                    })
                    .map(|part| part.as_of)
                    .max()
            })
            .min()
            .map(EventTime)
    }

    fn top_window(
        &self,
        query: &LiveQuery,
        as_of: Option<EventTime>,
        now: EventTime,
        day_start: EventTime,
        day_end: EventTime,
    ) -> (EventTime, EventTime) {
        match query.top_window {
            TopWindow::Today => (day_start, day_end),
            TopWindow::LastHour => {
                let end = as_of.map_or(now, |at| at.min(now)).0.div_euclid(MINUTE_MS) * MINUTE_MS + MINUTE_MS;
                (EventTime(end - HOUR_MS), EventTime(end))
            }
        }
    }

    fn by_minute(
        &self,
        state: &State,
        day_start: EventTime,
        day_end: EventTime,
        community: Option<CommunityId>,
    ) -> Vec<MinutePoint> {
        let mut points = Vec::new();
        let mut minute = day_start.0;
        while minute < day_end.0 {
            let parts =
                || shards(Metric::GmvMin, minute, 0, self.options.partitions).filter_map(|key| state.parts.get(&key));
            let orders: i64 = parts().map(|part| cells(part, 2, community)).sum();
            if orders > 0 {
                let gmv = parts().map(|part| cells(part, 1, community)).sum();
                points.push(MinutePoint { minute: EventTime(minute), gmv: Money(gmv), orders });
            }
            minute += MINUTE_MS;
        }
        points
    }

    fn top(
        &self,
        state: &State,
        query: &LiveQuery,
        day_start: EventTime,
        top_start: EventTime,
        top_end: EventTime,
    ) -> Vec<TopEntry> {
        let mut sums: HashMap<i64, i64> = HashMap::new();
        let mut add = |part: &Part, category: Option<CategoryId>| {
            // Lists of a community have no column of categories.
            let wide = part.columns.len() == 3;
            let (skus, quantities) = (&part.columns[usize::from(wide)], &part.columns[usize::from(wide) + 1]);
            for (row, (sku, quantity)) in skus.iter().zip(quantities).enumerate() {
                if category.is_none_or(|c| wide && part.columns[0][row] == c.0) {
                    *sums.entry(*sku).or_default() += quantity;
                }
            }
        };
        let category = match query.top_scope {
            TopScope::Category(category) => Some(category),
            _ => None,
        };
        let (_, keys) = self.list_keys(query, day_start, top_start, top_end);
        for part in keys.iter().filter_map(|key| state.parts.get(key)) {
            // The newest list of a quiet community may be of an hour that is over.
            if part.window_end > top_start.0 {
                add(part, category);
            }
        }
        rank(sums)
    }

    async fn of_warehouse(
        &self,
        state: &mut State,
        clock_now: i64,
        query: &LiveQuery,
        day_start: EventTime,
        day_end: EventTime,
    ) -> Result<LiveSnapshot> {
        let asked = warehouse::Asked::new(query, day_start);
        if let Some((at, answer)) = state.fallback.get(&asked)
            && clock_now - at < FALLBACK_MS
            && clock_now >= *at
        {
            return Ok(answer.clone());
        }
        let answer = warehouse::snapshot(&self.warehouse, &self.options, query, day_start, day_end).await?;
        // Bounded: whoever asks for another day or scope after this many starts the cache anew.
        if state.fallback.len() >= 64 {
            state.fallback.clear();
        }
        state.fallback.insert(asked, (clock_now, answer.clone()));
        Ok(answer)
    }
}

/// The keys of the minutes in `[from, to)`, all shards.
fn minutes(metric: Metric, from: i64, to: i64, partitions: u32) -> impl Iterator<Item = PartKey> {
    let count = (to - from).div_euclid(MINUTE_MS).max(0);
    (0..count).flat_map(move |i| shards(metric, from + i * MINUTE_MS, 0, partitions))
}

/// The sum of a column over the cells whose first column is `community`, or over all.
fn cells(part: &Part, column: usize, community: Option<CommunityId>) -> i64 {
    match community {
        None => part.columns[column].iter().sum(),
        Some(community) => part.columns[0]
            .iter()
            .zip(&part.columns[column])
            .filter(|(id, _)| **id == community.0)
            .map(|(_, value)| value)
            .sum(),
    }
}

/// The first [`TOP_N`] by quantity descending, ties by lower SKU id.
pub(super) fn rank(sums: HashMap<i64, i64>) -> Vec<TopEntry> {
    let mut entries: Vec<(i64, i64)> = sums.into_iter().filter(|(_, quantity)| *quantity > 0).collect();
    let order = |(sku, quantity): &(i64, i64)| (std::cmp::Reverse(*quantity), *sku);
    if entries.len() > TOP_N {
        entries.select_nth_unstable_by_key(TOP_N - 1, order);
        entries.truncate(TOP_N);
    }
    entries.sort_unstable_by_key(order);
    (1..).zip(entries).map(|(rank, (sku, quantity))| TopEntry { rank, sku_id: SkuId(sku), quantity }).collect()
}
