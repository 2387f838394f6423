//! Quantities of SKUs in paid orders: by minute and day every SKU, by community the first of the day and of the hour.

mod hop;
mod list;

use linli_schemas::Topic;
use linli_schemas::metric::{Metric, TOP_DAY_BUCKETS};
use linli_schemas::zone::MINUTE_MS;

use crate::admission::marks::Marks;
use crate::cells::Cells;
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::{IdMap, IdSet};
use crate::job::{Context, Delivery, Job, Pace};
use crate::names::Names;
use crate::orders::Sale;
use crate::window::{Windows, columns, transpose};
use hop::Hop;
use list::CommunityDay;

/// How many buckets of a day, and how many lists of a kind, are written in an epoch of catching up.
const BUCKETS_A_TURN: usize = 8;
const LISTS_A_TURN: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct TopN {
    minutes: Windows<u32, i64>,
    days: IdMap<i64, Day>,
    hop: Hop,
    closed_before: Option<i64>,
}

/// A local day's quantities by good and by community.
#[derive(Debug, Default)]
struct Day {
    end: i64,
    goods: Cells<u32, i64>,
    /// A bit for each bucket that changed since it was written.
    buckets: u64,
    communities: IdMap<u32, CommunityDay>,
    /// Communities whose list changed since it was written.
    waiting: IdSet<u32>,
}

impl Job for TopN {
    const NAME: &'static str = "top_n";
    const TOPICS: &'static [Topic] = &[Topic::Orders, Topic::OrderItems];
    type Input<'a> = &'a Sale;

    fn apply(&mut self, sale: &Sale, context: &mut Context<'_>) {
        let minute = sale.paid_at();
        if let Some(quantity) = self.minutes.cell(minute, minute + MINUTE_MS, sale.good) {
            *quantity += sale.quantity;
        }
        self.hop.add(sale, context.names);
        let (start, end) = context.days.of(minute);
        if self.closed_before.is_some_and(|before| end <= before) {
            return;
        }
        let day = self.days.entry(start).or_default();
        day.end = end;
        *day.goods.cell(sale.good) += sale.quantity;
        day.buckets |= 1 << bucket_of(context.names.goods.id(sale.good).sku);
        let sku = context.names.sku_of(sale.good);
        let list = day.communities.entry(sale.community).or_default();
        if list.add(sku, sale.quantity, context.names) {
            day.waiting.insert(sale.community);
        }
    }

    fn deliver(&mut self, out: &mut Delivery<'_>) {
        let names = out.names;
        self.minutes.each_dirty(|start, window| {
            out.metric((Metric::TopMin, start, 0), window.end, quantities(window.cells.iter(), names));
        });
        let mut days: Vec<(&i64, &mut Day)> = self.days.iter_mut().collect();
        days.sort_unstable_by_key(|(start, _)| **start);
        // A day that is about to be dropped has no later turn.
        let (pace, closed_before) = (out.pace, out.marks.join_closed_before());
        for (start, day) in days {
            out.pace = if day.end <= closed_before { Pace::Live } else { pace };
            day.deliver_buckets(*start, out);
            day.deliver_lists(*start, out);
        }
        out.pace = pace;
        self.hop.deliver(out);
    }

    fn close(&mut self, marks: &Marks) {
        let before = marks.join_closed_before();
        self.minutes.close(before);
        self.minutes.quieten(marks.watermark(Topic::Orders).unwrap_or(i64::MIN));
        if self.closed_before.is_none_or(|closed| closed < before) {
            self.closed_before = Some(before);
            self.days.retain(|_, day| day.end > before);
        }
    }

    fn redeliver(&mut self) {
        self.minutes.redeliver();
        for day in self.days.values_mut() {
            day.buckets = u64::MAX;
            day.waiting.extend(day.communities.keys().copied());
        }
        self.hop.redeliver();
    }

    fn save(&self, out: &mut Writer) {
        self.minutes.save(out);
        out.option(self.closed_before);
        self.hop.save(out);
        out.len(self.days.len());
        for (start, day) in &self.days {
            out.i64(*start);
            out.i64(day.end);
            out.u64(day.buckets);
            day.goods.save(out);
            out.len(day.communities.len());
            for (community, list) in &day.communities {
                out.u32(*community);
                out.byte(u8::from(day.waiting.contains(community)));
                list.save(out);
            }
        }
    }

    fn load(reader: &mut Reader<'_>, names: &Names) -> Result<TopN, Damaged> {
        let minutes = Windows::load(reader)?;
        check_goods(minutes.keys(), names)?;
        let mut top_n = TopN {
            minutes,
            closed_before: reader.option()?,
            hop: Hop::load(reader, names)?,
            days: IdMap::default(),
        };
        for _ in 0..reader.len()? {
            let start = reader.i64()?;
            let mut day = Day { end: reader.i64()?, buckets: reader.u64()?, ..Day::default() };
            day.goods = Cells::load(reader)?;
            check_goods(day.goods.iter().map(|(good, _)| good), names)?;
            for _ in 0..reader.len()? {
                let community = names.load_community(reader)?;
                if reader.flag()? {
                    day.waiting.insert(community);
                }
                day.communities.insert(community, CommunityDay::load(reader, names)?);
            }
            top_n.days.insert(start, day);
        }
        Ok(top_n)
    }
}

fn check_goods(mut goods: impl Iterator<Item = u32>, names: &Names) -> Result<(), Damaged> {
    let known = goods.all(|good| (good as usize) < names.goods.len());
    if known { Ok(()) } else { Err(Damaged::Invalid("good")) }
}

fn bucket_of(sku: i64) -> u32 {
    sku.rem_euclid(TOP_DAY_BUCKETS) as u32
}

/// `category_id, sku_id, qty` of what has a quantity left.
fn quantities(cells: impl Iterator<Item = (u32, i64)>, names: &Names) -> Vec<Vec<i64>> {
    columns(cells.filter(|(_, quantity)| *quantity != 0).map(|(good, quantity)| {
        let good = names.goods.id(good);
        [good.category, good.sku, quantity]
    }))
}

impl TopN {
    /// Whether results wait for their turn.
    pub(crate) fn waits(&self) -> bool {
        self.hop.waits() || self.days.values().any(|day| day.buckets != 0 || !day.waiting.is_empty())
    }
}

impl Day {
    fn deliver_buckets(&mut self, start: i64, out: &mut Delivery<'_>) {
        let waiting: Vec<u32> = (0..TOP_DAY_BUCKETS as u32).filter(|bucket| self.buckets >> bucket & 1 == 1).collect();
        let count = out.pace.share(waiting.len(), BUCKETS_A_TURN);
        if count == 0 {
            return;
        }
        // Whichever epoch it is, turns go round: the next one begins where the last one ended.
        let first = waiting.partition_point(|bucket| u64::from(*bucket) < out.version.epoch * BUCKETS_A_TURN as u64 % 64);
        let names = out.names;
        let mut rows: Vec<Vec<(u32, i64)>> = vec![Vec::new(); TOP_DAY_BUCKETS as usize];
        let chosen = (0..count).map(|i| waiting[(first + i) % waiting.len()]).fold(0u64, |mask, b| mask | 1 << b);
        for (good, quantity) in self.goods.iter() {
            let bucket = bucket_of(names.goods.id(good).sku);
            if chosen >> bucket & 1 == 1 {
                rows[bucket as usize].push((good, quantity));
            }
        }
        for bucket in (0..TOP_DAY_BUCKETS).filter(|bucket| chosen >> bucket & 1 == 1) {
            let rows = std::mem::take(&mut rows[bucket as usize]);
            out.metric((Metric::TopDay, start, bucket), self.end, quantities(rows.into_iter(), names));
        }
        self.buckets &= !chosen;
    }

    fn deliver_lists(&mut self, start: i64, out: &mut Delivery<'_>) {
        let names = out.names;
        for community in take_turns(&mut self.waiting, LISTS_A_TURN, out) {
            let Some(list) = self.communities.get_mut(&community) else { continue };
            let id = names.communities.id(community);
            let rows: Vec<[i64; 2]> = list.first(names).iter().map(|(quantity, sku)| [*sku, *quantity]).collect();
            out.metric((Metric::TopDayCommunity, start, id), self.end, transpose(&rows));
        }
    }
}

/// Takes those out of `waiting` whose turn it is, in the order of their ids from a place that moves with the epochs.
fn take_turns(waiting: &mut IdSet<u32>, turn_max: usize, out: &Delivery<'_>) -> Vec<u32> {
    let mut chosen: Vec<u32> = waiting.iter().copied().collect();
    chosen.sort_unstable_by_key(|community| out.names.communities.id(*community));
    let count = out.pace.share(chosen.len(), turn_max);
    if count < chosen.len() {
        let first = (out.version.epoch as usize).wrapping_mul(turn_max) % chosen.len();
        chosen.rotate_left(first);
        chosen.truncate(count);
    }
    for community in &chosen {
        waiting.remove(community);
    }
    chosen
}
