//! Distinct buyers of the whole shop: the union, by user, of what every shard of `gmv` saw.

use linli_schemas::Topic;
use linli_schemas::event::BuyersPart;
use linli_schemas::metric::Metric;

use crate::admission::marks::{Marks, skew_ms_max};
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::{IdMap, IdSet};
use crate::job::{Context, Delivery, Job};
use crate::names::Names;

#[derive(Debug, Default)]
pub(crate) struct Buyers {
    days: IdMap<i64, Day>,
    /// Before when each shard of `gmv` is closed.
    shards: IdMap<u32, i64>,
    /// How many shards there are; days stay open until each has spoken.
    partitions: u32,
    closed_before: i64,
}

#[derive(Debug, Default)]
struct Day {
    end: i64,
    users: IdSet<i64>,
    dirty: bool,
}

impl Buyers {
    pub(crate) fn new(partitions: u32) -> Buyers {
        Buyers { partitions, closed_before: i64::MIN, ..Buyers::default() }
    }

    /// By how much a part comes too late for its day. A part that names nobody never does.
    pub(crate) fn late_by(&self, part: &BuyersPart) -> Option<i64> {
        let late = !part.users.is_empty() && part.day_end.0 <= self.closed_before;
        late.then(|| self.closed_before - part.day_end.0)
    }

    /// The days that end here or before are closed: every shard has said so, or is silent for longer than the others
    /// wait for it.
    fn closable_before(&self) -> i64 {
        let newest = self.shards.values().copied().max().unwrap_or(i64::MIN);
        let behind = newest.saturating_sub(skew_ms_max());
        let all = self.shards.len() as u32 >= self.partitions;
        let lowest = self.shards.values().copied().min().filter(|_| all).unwrap_or(i64::MIN);
        lowest.max(behind)
    }
}

impl Job for Buyers {
    const NAME: &'static str = "buyers";
    const TOPICS: &'static [Topic] = &[Topic::Buyers];
    type Input<'a> = &'a BuyersPart;

    fn apply(&mut self, part: &BuyersPart, _context: &mut Context<'_>) {
        let closed = self.shards.entry(part.shard).or_insert(i64::MIN);
        *closed = (*closed).max(part.closed_before.0);
        if part.users.is_empty() || part.day_end.0 <= self.closed_before {
            return;
        }
        let day = self.days.entry(part.day_start.0).or_default();
        day.end = part.day_end.0;
        for user in &part.users {
            day.dirty |= day.users.insert(user.0);
        }
    }

    fn deliver(&mut self, out: &mut Delivery<'_>) {
        let mut dirty: Vec<i64> = self.days.iter().filter(|(_, day)| day.dirty).map(|(start, _)| *start).collect();
        dirty.sort_unstable();
        for start in dirty {
            if let Some(day) = self.days.get_mut(&start) {
                day.dirty = false;
                out.metric((Metric::BuyersDayTotal, start, 0), day.end, vec![vec![day.users.len() as i64]]);
            }
        }
    }

    fn close(&mut self, _marks: &Marks) {
        let before = self.closable_before();
        if before > self.closed_before {
            self.closed_before = before;
            self.days.retain(|_, day| day.end > before);
        }
    }

    fn redeliver(&mut self) {
        for day in self.days.values_mut() {
            day.dirty = true;
        }
    }

    fn save(&self, out: &mut Writer) {
        out.u32(self.partitions);
        out.i64(self.closed_before);
        out.len(self.shards.len());
        for (shard, closed) in &self.shards {
            out.u32(*shard);
            out.i64(*closed);
        }
        out.len(self.days.len());
        for (start, day) in &self.days {
            out.i64(*start);
            out.i64(day.end);
            out.len(day.users.len());
            for user in &day.users {
                out.i64(*user);
            }
        }
    }

    fn load(reader: &mut Reader<'_>, _names: &Names) -> Result<Buyers, Damaged> {
        let mut buyers = Buyers::new(reader.u32()?);
        buyers.closed_before = reader.i64()?;
        for _ in 0..reader.len()? {
            let shard = reader.u32()?;
            buyers.shards.insert(shard, reader.i64()?);
        }
        for _ in 0..reader.len()? {
            let start = reader.i64()?;
            let mut day = Day { end: reader.i64()?, ..Day::default() };
            for _ in 0..reader.len()? {
                day.users.insert(reader.i64()?);
            }
            buyers.days.insert(start, day);
        }
        Ok(buyers)
    }
}
