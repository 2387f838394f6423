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
    /// What each shard of `gmv` said last.
    shards: IdMap<u32, Shard>,
    /// How many shards there are; days stay open until each has spoken.
    partitions: u32,
    closed_before: i64,
}

#[derive(Clone, Copy, Debug)]
struct Shard {
    closed_before: i64,
    /// It has had nothing to read for a while.
    idle: bool,
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

    /// The days that end here or before are closed: every shard has said so, or is idle and too far behind the others
    /// to be waited for.
    fn closable_before(&self) -> i64 {
        if (self.shards.len() as u32) < self.partitions {
            return i64::MIN;
        }
        let newest = self.shards.values().map(|shard| shard.closed_before).max().unwrap_or(i64::MIN);
        let behind = newest.saturating_sub(skew_ms_max());
        let bound = |shard: &Shard| if shard.idle { shard.closed_before.max(behind) } else { shard.closed_before };
        self.shards.values().map(bound).min().unwrap_or(i64::MIN)
    }
}

impl Job for Buyers {
    const NAME: &'static str = "buyers";
    const TOPICS: &'static [Topic] = &[Topic::Buyers];
    type Input<'a> = &'a BuyersPart;

    fn apply(&mut self, part: &BuyersPart, _context: &mut Context<'_>) {
        let shard = self.shards.entry(part.shard).or_insert(Shard { closed_before: i64::MIN, idle: false });
        shard.closed_before = shard.closed_before.max(part.closed_before.0);
        shard.idle = part.idle;
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
        for (number, shard) in &self.shards {
            out.u32(*number);
            out.i64(shard.closed_before);
            out.byte(u8::from(shard.idle));
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
            let number = reader.u32()?;
            buyers.shards.insert(number, Shard { closed_before: reader.i64()?, idle: reader.flag()? });
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

#[cfg(test)]
mod tests {
    use linli_schemas::{EventTime, UserId};

    use super::*;
    use crate::admission::marks::Bounds;
    use crate::window::Days;
    use linli_schemas::zone::Zone;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn part(shard: u32, closed_before: i64, idle: bool, day: i64) -> BuyersPart {
        BuyersPart {
            shard,
            closed_before: EventTime(closed_before * DAY),
            idle,
            day_start: EventTime(day * DAY),
            day_end: EventTime((day + 1) * DAY),
            users: vec![UserId(1)],
        }
    }

    #[test]
    fn a_day_is_open_until_every_shard_is_past_it_or_idle() {
        let mut buyers = Buyers::new(3);
        let (names, mut days) = (Names::default(), Days::new(Zone::UTC));
        let marks = Marks::new(Bounds { out_of_orderness_ms: 0, lateness_ms: 0 });
        let mut say = |part: BuyersPart| {
            buyers.apply(&part, &mut Context { names: &names, days: &mut days });
            buyers.close(&marks);
            [10, 60, 95].map(|day| buyers.late_by(&part_of(day)).is_some())
        };
        fn part_of(day: i64) -> BuyersPart {
            part(0, 0, false, day)
        }
        assert_eq!(say(part(0, 100, false, 100)), [false; 3]);
        assert_eq!(say(part(1, 50, false, 50)), [false; 3], "one has not spoken");
        assert_eq!(say(part(2, 0, false, 0)), [false; 3], "one is far behind");
        assert_eq!(say(part(2, 0, true, 0)), [true, false, false], "the second is at its day 50");
        assert_eq!(say(part(1, 100, false, 100)), [true, true, false], "an idle one is waited for a week");
    }
}
