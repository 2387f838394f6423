//! Who was seen when on one local day, at 12 bytes for each hour in which an actor was active in a community.
//!
//! An actor has a list of pairs (actor, community), nearly always one; a pair has a chain of hours, newest first, each
//! a mask of its minutes. Clicks come nearly in order, so the head of the chain answers at once. Whether an actor is
//! new in all is asked of its few other pairs; an actor of many communities gets a chain of its own for that.

use hashbrown::HashTable;
use linli_schemas::event::ActorId;

use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::mix;

/// The end of a list or a chain.
const NONE: u32 = (1 << 31) - 1;
/// An actor of more communities than this keeps its total apart and finds its pairs by an index.
const PAIRS_SCAN_MAX: usize = 4;
/// The bits of a mask that are minutes.
const MINUTES: u64 = (1 << 60) - 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct HourAt {
    /// Within the day, 0 to 25.
    pub(super) hour: u32,
    /// Within the hour.
    pub(super) minute: u32,
}

/// In which windows a visit is the actor's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fresh {
    pub(super) minute: bool,
    pub(super) hour: bool,
    pub(super) day: bool,
    pub(super) minute_total: bool,
    pub(super) hour_total: bool,
    pub(super) day_total: bool,
}

#[derive(Clone, Copy, Debug)]
struct Actor {
    /// Halves, lower first: an `u128` would align to 16 bytes.
    id: [u64; 2],
    /// The first of its pairs.
    first: u32,
    /// Its place in `totals`.
    total: u32,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    community: [u32; 2],
    actor: u32,
    /// The actor's next pair.
    next: u32,
    /// Its newest hour.
    head: u32,
}

/// An hour of a chain in 96 bits: 60 of minutes, 5 of the hour, 31 of the next hour's place.
#[derive(Clone, Copy, Debug)]
struct Hour([u32; 3]);

impl Hour {
    fn new(hour: u32, minutes: u64, next: u32) -> Hour {
        debug_assert!(hour < 32 && next <= NONE && minutes <= MINUTES);
        let low = minutes | u64::from(hour & 15) << 60;
        Hour([low as u32, (low >> 32) as u32, next | (hour >> 4) << 31])
    }
    fn low(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[0])
    }
    fn minutes(self) -> u64 {
        self.low() & MINUTES
    }
    fn hour(self) -> u32 {
        (self.low() >> 60) as u32 | self.0[2] >> 31 << 4
    }
    fn next(self) -> u32 {
        self.0[2] & NONE
    }
}

#[derive(Debug, Default)]
pub(super) struct Visits {
    actors: Vec<Actor>,
    actor_index: HashTable<u32>,
    pairs: Vec<Pair>,
    /// The pairs of the actors that have more than [`PAIRS_SCAN_MAX`].
    pair_index: HashTable<u32>,
    hours: Vec<Hour>,
    /// Chains over all communities of the actors that have many.
    totals: Vec<u32>,
}

fn halves(value: i64) -> [u32; 2] {
    [value as u32, (value as u64 >> 32) as u32]
}

fn hash_actor(id: [u64; 2]) -> u64 {
    mix(id[0] ^ id[1].rotate_left(32))
}

fn hash_pair(actor: u32, community: [u32; 2]) -> u64 {
    mix(u64::from(community[0]) << 32 | u64::from(actor ^ community[1].rotate_left(16)))
}

impl Visits {
    pub(super) fn visit(&mut self, actor: ActorId, community: i64, at: HourAt) -> Fresh {
        let (actor, day_total) = self.actor(actor);
        let (pair, day) = self.pair(actor, halves(community));
        let (mut head, bit) = (self.pairs[pair as usize].head, 1 << at.minute);
        let (minute, hour) = touch(&mut self.hours, &mut head, at.hour, bit);
        self.pairs[pair as usize].head = head;
        let mut fresh = Fresh { minute, hour, day, day_total, ..Fresh::default() };
        if !minute {
            return fresh;
        }
        let Actor { first, total, .. } = self.actors[actor as usize];
        if total != NONE {
            let head = &mut self.totals[total as usize];
            (fresh.minute_total, fresh.hour_total) = touch(&mut self.hours, head, at.hour, bit);
            return fresh;
        }
        let others = self.pairs_of(first).filter(|(place, _)| *place != pair);
        let elsewhere = others.fold(0, |minutes, (_, other)| minutes | self.minutes_in(other.head, at.hour));
        fresh.minute_total = elsewhere & bit == 0;
        fresh.hour_total = hour && elsewhere == 0;
        fresh
    }

    pub(super) fn pair_seen_in(&self, actor: ActorId, community: i64, hour: u32) -> bool {
        let Some(actor) = self.find_actor(split(actor)) else { return false };
        let first = self.actors[actor as usize].first;
        let mut pairs = self.pairs_of(first);
        pairs.any(|(_, pair)| pair.community == halves(community) && self.minutes_in(pair.head, hour) != 0)
    }

    pub(super) fn actor_seen_in(&self, actor: ActorId, hour: u32) -> bool {
        let Some(actor) = self.find_actor(split(actor)) else { return false };
        let first = self.actors[actor as usize].first;
        self.pairs_of(first).any(|(_, pair)| self.minutes_in(pair.head, hour) != 0)
    }

    fn find_actor(&self, id: [u64; 2]) -> Option<u32> {
        self.actor_index.find(hash_actor(id), |place| self.actors[*place as usize].id == id).copied()
    }

    fn actor(&mut self, actor: ActorId) -> (u32, bool) {
        let id = split(actor);
        if let Some(place) = self.find_actor(id) {
            return (place, false);
        }
        let place = self.actors.len() as u32;
        push(&mut self.actors, Actor { id, first: NONE, total: NONE });
        let actors = &self.actors;
        self.actor_index.insert_unique(hash_actor(id), place, |p| hash_actor(actors[*p as usize].id));
        (place, true)
    }

    /// The pairs of an actor with their places, newest first.
    fn pairs_of(&self, first: u32) -> impl Iterator<Item = (u32, &Pair)> {
        let place = |place: u32| (place != NONE).then(|| (place, &self.pairs[place as usize]));
        std::iter::successors(place(first), move |(_, pair)| place(pair.next))
    }

    /// The pair's place, and whether it is new.
    fn pair(&mut self, actor: u32, community: [u32; 2]) -> (u32, bool) {
        let Actor { first, total, .. } = self.actors[actor as usize];
        let same = |pair: &Pair| pair.community == community && pair.actor == actor;
        let hash = hash_pair(actor, community);
        let mut count = 0;
        if total != NONE {
            if let Some(place) = self.pair_index.find(hash, |place| same(&self.pairs[*place as usize])) {
                return (*place, false);
            }
        } else {
            for (place, pair) in self.pairs_of(first) {
                if same(pair) {
                    return (place, false);
                }
                count += 1;
            }
        }
        let place = self.pairs.len() as u32;
        push(&mut self.pairs, Pair { community, actor, next: first, head: NONE });
        self.actors[actor as usize].first = place;
        if count == PAIRS_SCAN_MAX {
            self.index_actor(actor);
        } else if total != NONE {
            self.index_pair(place);
        }
        (place, true)
    }

    fn index_pair(&mut self, place: u32) {
        let pairs = &self.pairs;
        let hash = |place: &u32| hash_pair(pairs[*place as usize].actor, pairs[*place as usize].community);
        self.pair_index.insert_unique(hash(&place), place, hash);
    }

    /// The actor has come to many communities: its total becomes a chain, its pairs are found by the index.
    fn index_actor(&mut self, actor: u32) {
        let pairs: Vec<(u32, u32)> =
            self.pairs_of(self.actors[actor as usize].first).map(|(place, pair)| (place, pair.head)).collect();
        let mut total = NONE;
        for (place, mut head) in pairs {
            self.index_pair(place);
            while head != NONE {
                let hour = self.hours[head as usize];
                touch(&mut self.hours, &mut total, hour.hour(), hour.minutes());
                head = hour.next();
            }
        }
        self.actors[actor as usize].total = self.totals.len() as u32;
        self.totals.push(total);
    }

    fn minutes_in(&self, head: u32, hour: u32) -> u64 {
        let mut place = head;
        while place != NONE {
            let node = self.hours[place as usize];
            if node.hour() <= hour {
                return if node.hour() == hour { node.minutes() } else { 0 };
            }
            place = node.next();
        }
        0
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.len(self.actors.len());
        for actor in &self.actors {
            out.u64(actor.id[0]);
            out.u64(actor.id[1]);
            // Oldest first, so that reading them makes the same list again.
            let mut pairs: Vec<&Pair> = self.pairs_of(actor.first).map(|(_, pair)| pair).collect();
            pairs.reverse();
            out.len(pairs.len());
            for pair in pairs {
                out.words(&pair.community);
                self.save_chain(pair.head, out);
            }
        }
    }

    fn save_chain(&self, head: u32, out: &mut Writer) {
        let node = |place: u32| (place != NONE).then(|| self.hours[place as usize]);
        let chain: Vec<Hour> = std::iter::successors(node(head), |hour| node(hour.next())).collect();
        out.len(chain.len());
        for hour in chain.iter().rev() {
            out.byte(hour.hour() as u8);
            out.u64(hour.minutes());
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Visits, Damaged> {
        let mut visits = Visits::default();
        for _ in 0..reader.len()? {
            let id = ActorId(u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64);
            let (actor, new) = visits.actor(id);
            if !new {
                return Err(Damaged::Invalid("actor"));
            }
            for _ in 0..reader.len()? {
                let community = reader.words()?;
                let (pair, _) = visits.pair(actor, community);
                for _ in 0..reader.len()? {
                    let (hour, minutes) = (u32::from(reader.byte()?), reader.u64()?);
                    if hour > 25 || minutes > MINUTES {
                        return Err(Damaged::Invalid("hour"));
                    }
                    visits.load_hour(actor, pair, hour, minutes);
                }
            }
        }
        Ok(visits)
    }

    fn load_hour(&mut self, actor: u32, pair: u32, hour: u32, minutes: u64) {
        let mut head = self.pairs[pair as usize].head;
        touch(&mut self.hours, &mut head, hour, minutes);
        self.pairs[pair as usize].head = head;
        let total = self.actors[actor as usize].total;
        if total != NONE {
            touch(&mut self.hours, &mut self.totals[total as usize], hour, minutes);
        }
    }
}

fn split(actor: ActorId) -> [u64; 2] {
    [actor.0 as u64, (actor.0 >> 64) as u64]
}

/// Adds minutes to an hour of a chain, which is ordered by hour, newest first.
/// Whether any of the minutes, and whether the hour, is new.
fn touch(hours: &mut Vec<Hour>, head: &mut u32, hour: u32, minutes: u64) -> (bool, bool) {
    let mut before = NONE;
    let mut place = *head;
    while place != NONE {
        let node = hours[place as usize];
        if node.hour() == hour {
            hours[place as usize] = Hour::new(hour, node.minutes() | minutes, node.next());
            return (minutes & !node.minutes() != 0, false);
        }
        if node.hour() < hour {
            break;
        }
        before = place;
        place = node.next();
    }
    let fresh = hours.len() as u32;
    // 2^31 hours of activity of one shard and day are two hundred times what the shop's ten million users make.
    assert!(fresh < NONE, "a shard's day holds fewer than 2^31 hours of activity");
    push(hours, Hour::new(hour, minutes, place));
    match before {
        NONE => *head = fresh,
        _ => {
            let node = hours[before as usize];
            hours[before as usize] = Hour::new(node.hour(), node.minutes(), fresh);
        }
    }
    (true, true)
}

/// Grows by an eighth: these are the biggest arenas, and doubling would leave half of one unused.
fn push<T>(arena: &mut Vec<T>, value: T) {
    if arena.len() == arena.capacity() {
        arena.reserve_exact((arena.len() / 8).max(64));
    }
    arena.push(value);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use linli_schemas::UserId;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against sets, with actors of one and of many communities, saved and loaded half way.
        #[test]
        fn agrees_with_sets(clicks: Vec<(u8, u8, u8, u8)>) {
            let mut visits = Visits::default();
            let mut seen = BTreeSet::new();
            let half = clicks.len() / 2;
            for (i, (actor, community, hour, minute)) in clicks.into_iter().enumerate() {
                let (actor, community) = (i64::from(actor % 3), i64::from(community % 9) - 4);
                let (hour, minute) = (u32::from(hour % 4) * 8, u32::from(minute % 3) * 29);
                let fresh = visits.visit(ActorId::user(UserId(actor)), community, HourAt { hour, minute });
                let mut first = |window: (u8, u32, u32), community: Option<i64>| seen.insert((window, actor, community));
                let expected = Fresh {
                    minute: first((0, hour, minute), Some(community)),
                    hour: first((1, hour, 0), Some(community)),
                    day: first((2, 0, 0), Some(community)),
                    minute_total: first((0, hour, minute), None),
                    hour_total: first((1, hour, 0), None),
                    day_total: first((2, 0, 0), None),
                };
                prop_assert_eq!(fresh, expected);
                if i == half {
                    let mut out = Writer::default();
                    visits.save(&mut out);
                    let bytes = out.into_bytes();
                    visits = Visits::load(&mut Reader::new(&bytes)).expect("what was saved");
                }
            }
        }
    }
}
