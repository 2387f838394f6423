//! Quantities of SKUs in paid orders: by minute and day every SKU, by community the first of the day and of the hour.

mod hop;
mod list;
mod waiting;

use linli_schemas::Topic;
use linli_schemas::metric::{Metric, TOP_DAY_BUCKETS};
use linli_schemas::zone::MINUTE_MS;

use crate::admission::marks::Marks;
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::IdMap;
use crate::job::{Context, Delivery, Job, Pace};
use crate::names::Names;
use crate::orders::Sale;
use crate::window::{Windows, columns, transpose};
use hop::Hop;
use list::CommunityDay;
use waiting::Waiting;

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
    /// By the number of the good.
    goods: Vec<i64>,
    /// A bit for each bucket that changed since it was written.
    buckets: u64,
    /// By the number of the community.
    communities: Vec<CommunityDay>,
    /// Communities whose list changed since it was written.
    waiting: Waiting,
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
        let sku = context.names.sku_of(sale.good);
        *place(&mut day.goods, sale.good) += sale.quantity;
        day.buckets |= 1 << sku.bucket;
        if place(&mut day.communities, sale.community).add(sku, sale.quantity, sale.lines) {
            day.waiting.insert(sale.community);
        }
    }

    fn deliver(&mut self, out: &mut Delivery<'_>) {
        let names = out.names;
        self.minutes.each_dirty(|start, window| {
            out.metric((Metric::TopMin, start, 0), window.end, quantities(window.rows().into_iter(), names));
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
            let known = day.communities.iter().enumerate().filter(|(_, list)| !list.is_empty());
            known.for_each(|(community, _)| day.waiting.insert(community as u32));
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
            let goods = day.goods.iter().enumerate().filter(|(_, quantity)| **quantity != 0);
            out.len(goods.clone().count());
            for (good, quantity) in goods {
                out.u32(good as u32);
                out.i64(*quantity);
            }
            let communities = day.communities.iter().enumerate().filter(|(_, list)| !list.is_empty());
            out.len(communities.clone().count());
            for (community, list) in communities {
                out.u32(community as u32);
                out.byte(u8::from(day.waiting.contains(community as u32)));
                list.save(out);
            }
        }
    }

    fn load(reader: &mut Reader<'_>, names: &Names) -> Result<TopN, Damaged> {
        let mut top_n = TopN {
            minutes: Windows::load(reader, |good| (good as usize) < names.goods.len())?,
            closed_before: reader.option()?,
            hop: Hop::load(reader, names)?,
            days: IdMap::default(),
        };
        for _ in 0..reader.len()? {
            let start = reader.i64()?;
            let mut day = Day { end: reader.i64()?, buckets: reader.u64()?, ..Day::default() };
            for _ in 0..reader.len()? {
                let good = names.load_good(reader)?;
                *place(&mut day.goods, good) = reader.i64()?;
            }
            for _ in 0..reader.len()? {
                let community = names.load_community(reader)?;
                if reader.flag()? {
                    day.waiting.insert(community);
                }
                *place(&mut day.communities, community) = CommunityDay::load(reader, names)?;
            }
            top_n.days.insert(start, day);
        }
        Ok(top_n)
    }
}

/// The place of a number, with room made for it.
fn place<T: Default>(column: &mut Vec<T>, number: u32) -> &mut T {
    let number = number as usize;
    if number >= column.len() {
        column.resize_with(number + 1, T::default);
    }
    &mut column[number]
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
        let first =
            waiting.partition_point(|bucket| u64::from(*bucket) < out.version.epoch * BUCKETS_A_TURN as u64 % 64);
        let names = out.names;
        let mut rows: Vec<Vec<(u32, i64)>> = vec![Vec::new(); TOP_DAY_BUCKETS as usize];
        let chosen = (0..count).map(|i| waiting[(first + i) % waiting.len()]).fold(0u64, |mask, b| mask | 1 << b);
        for (good, quantity) in (0..).zip(&self.goods).filter(|(_, quantity)| **quantity != 0) {
            let bucket = names.sku_of(good).bucket;
            if chosen >> bucket & 1 == 1 {
                rows[bucket as usize].push((good, *quantity));
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
        for community in self.waiting.take_turns(LISTS_A_TURN, out) {
            let list = place(&mut self.communities, community);
            let id = names.communities.id(community);
            let rows: Vec<[i64; 2]> = list.first(names).iter().map(|(quantity, sku)| [*sku, *quantity]).collect();
            out.metric((Metric::TopDayCommunity, start, id), self.end, transpose(&rows));
        }
    }
}
