//! Who was seen when on one local day, at 12 bytes for each hour in which an actor was active in a community.
//!
//! An actor has a list of pairs (actor, community), nearly always one; a pair has a chain of hours, newest first, each
//! a mask of its minutes. Clicks come nearly in order, so the head of the chain answers at once. Whether an actor is
//! new in all is asked of its few other pairs; an actor of many communities gets a chain of its own for that.

use hashbrown::HashTable;
use linli_schemas::event::ActorId;

use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::mix;
use crate::table::{Slot, Table};

/// The end of a list or a chain.
const NONE: u32 = (1 << 31) - 1;
/// In an empty slot of the actors.
const VACANT: u32 = u32::MAX;
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
    /// Quarters, lower first: an `u128` would align to 16 bytes.
    id: [u32; 4],
    /// The first of its pairs.
    first: u32,
    /// Its place in `totals`.
    total: u32,
}

impl Slot for Actor {
    const EMPTY: Actor = Actor { id: [0; 4], first: VACANT, total: NONE };
    fn is_empty(&self) -> bool {
        self.first == VACANT
    }
    fn hash(&self) -> u64 {
        let [a, b, c, d] = self.id.map(u64::from);
        mix((a | b << 32) ^ (c | d << 32).rotate_left(32))
    }
    fn same_key(&self, other: &Actor) -> bool {
        self.id == other.id
    }
}

impl Actor {
    fn new(ActorId(id): ActorId) -> Actor {
        Actor { id: [0, 32, 64, 96].map(|shift| (id >> shift) as u32), first: NONE, total: NONE }
    }

    fn id(&self) -> u128 {
        self.id.iter().rev().fold(0, |id, quarter| id << 32 | u128::from(*quarter))
    }
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    community: [u32; 2],
    /// The place in `totals` of an actor of many communities.
    total: u32,
    /// The actor's next pair.
    next: u32,
    /// Its newest hour, which is followed by the older ones.
    newest: Hour,
}

/// An hour of a chain in 96 bits: 60 of minutes, 5 of the hour, 31 of the next hour's place.
#[derive(Clone, Copy, Debug)]
struct Hour([u32; 3]);

impl Hour {
    /// Of a chain that has none yet.
    const NONE: Hour = Hour([0, 0, NONE]);

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
    actors: Table<Actor>,
    pairs: Vec<Pair>,
    /// The pairs of the actors that have more than [`PAIRS_SCAN_MAX`].
    pair_index: HashTable<u32>,
    /// All hours but the newest of each chain.
    hours: Vec<Hour>,
    /// Chains over all communities of the actors that have many.
    totals: Vec<Hour>,
}

fn halves(value: i64) -> [u32; 2] {
    [value as u32, (value as u64 >> 32) as u32]
}

fn hash_pair(total: u32, community: [u32; 2]) -> u64 {
    mix(u64::from(community[0]) << 32 | u64::from(total ^ community[1].rotate_left(16)))
}

impl Visits {
    pub(super) fn visit(&mut self, actor: ActorId, community: i64, at: HourAt) -> Fresh {
        let (actor, day_total) = {
            let (slot, new) = self.actors.insert(Actor::new(actor));
            (*slot, new)
        };
        let (pair, day, Actor { first, total, .. }) = self.pair(actor, halves(community));
        let bit = 1 << at.minute;
        let (minute, hour) = touch(&mut self.hours, &mut self.pairs[pair as usize].newest, at.hour, bit);
        let mut fresh = Fresh { minute, hour, day, day_total, ..Fresh::default() };
        if !minute {
            return fresh;
        }
        if total != NONE {
            let newest = &mut self.totals[total as usize];
            (fresh.minute_total, fresh.hour_total) = touch(&mut self.hours, newest, at.hour, bit);
            return fresh;
        }
        let others = self.pairs_of(first).filter(|(place, _)| *place != pair);
        let elsewhere = others.fold(0, |minutes, (_, other)| minutes | self.minutes_in(other.newest, at.hour));
        fresh.minute_total = elsewhere & bit == 0;
        fresh.hour_total = hour && elsewhere == 0;
        fresh
    }

    pub(super) fn pair_seen_in(&self, actor: ActorId, community: i64, hour: u32) -> bool {
        let Some(actor) = self.actors.get(&Actor::new(actor)) else { return false };
        let mut pairs = self.pairs_of(actor.first);
        pairs.any(|(_, pair)| pair.community == halves(community) && self.minutes_in(pair.newest, hour) != 0)
    }

    pub(super) fn actor_seen_in(&self, actor: ActorId, hour: u32) -> bool {
        let Some(actor) = self.actors.get(&Actor::new(actor)) else { return false };
        self.pairs_of(actor.first).any(|(_, pair)| self.minutes_in(pair.newest, hour) != 0)
    }

    /// The pairs of an actor with their places, newest first.
    fn pairs_of(&self, first: u32) -> impl Iterator<Item = (u32, &Pair)> {
        let place = |place: u32| (place != NONE).then(|| (place, &self.pairs[place as usize]));
        std::iter::successors(place(first), move |(_, pair)| place(pair.next))
    }

    /// The pair's place, whether it is new, and the actor with it.
    fn pair(&mut self, mut actor: Actor, community: [u32; 2]) -> (u32, bool, Actor) {
        let mut count = 0;
        if actor.total != NONE {
            let same = |pair: &Pair| pair.community == community && pair.total == actor.total;
            let hash = hash_pair(actor.total, community);
            if let Some(place) = self.pair_index.find(hash, |place| same(&self.pairs[*place as usize])) {
                return (*place, false, actor);
            }
        } else {
            for (place, pair) in self.pairs_of(actor.first) {
                if pair.community == community {
                    return (place, false, actor);
                }
                count += 1;
            }
        }
        let place = self.pairs.len() as u32;
        push(&mut self.pairs, Pair { community, total: actor.total, next: actor.first, newest: Hour::NONE });
        actor.first = place;
        if count == PAIRS_SCAN_MAX {
            actor.total = self.index_actor(place);
        } else if actor.total != NONE {
            self.index_pair(place);
        }
        if let Some(slot) = self.actors.get_mut(&actor) {
            *slot = actor;
        }
        (place, true, actor)
    }

    fn index_pair(&mut self, place: u32) {
        let pairs = &self.pairs;
        let hash = |place: &u32| hash_pair(pairs[*place as usize].total, pairs[*place as usize].community);
        self.pair_index.insert_unique(hash(&place), place, hash);
    }

    /// The actor has come to many communities: its total becomes a chain, its pairs are found by the index.
    fn index_actor(&mut self, first: u32) -> u32 {
        let pairs: Vec<(u32, Hour)> = self.pairs_of(first).map(|(place, pair)| (place, pair.newest)).collect();
        let number = self.totals.len() as u32;
        let mut total = Hour::NONE;
        for (place, newest) in pairs {
            self.pairs[place as usize].total = number;
            self.index_pair(place);
            for hour in self.chain(newest) {
                touch(&mut self.hours, &mut total, hour.hour(), hour.minutes());
            }
        }
        self.totals.push(total);
        number
    }

    /// The hours of a chain, newest first; none of a chain that has none.
    fn chain(&self, newest: Hour) -> Vec<Hour> {
        let next = |hour: &Hour| (hour.next() != NONE).then(|| self.hours[hour.next() as usize]);
        std::iter::successors((newest.minutes() != 0).then_some(newest), next).collect()
    }

    fn minutes_in(&self, newest: Hour, hour: u32) -> u64 {
        let mut node = newest;
        while node.hour() > hour && node.next() != NONE {
            node = self.hours[node.next() as usize];
        }
        if node.hour() == hour { node.minutes() } else { 0 }
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.len(self.actors.len());
        for actor in self.actors.iter() {
            out.u64(actor.id() as u64);
            out.u64((actor.id() >> 64) as u64);
            // Oldest first, so that reading them makes the same list again.
            let mut pairs: Vec<&Pair> = self.pairs_of(actor.first).map(|(_, pair)| pair).collect();
            pairs.reverse();
            out.len(pairs.len());
            for pair in pairs {
                out.words(&pair.community);
                let chain = self.chain(pair.newest);
                out.len(chain.len());
                for hour in chain.iter().rev() {
                    out.byte(hour.hour() as u8);
                    out.u64(hour.minutes());
                }
            }
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Visits, Damaged> {
        let mut visits = Visits::default();
        for _ in 0..reader.len()? {
            let id = ActorId(u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64);
            let (slot, new) = visits.actors.insert(Actor::new(id));
            let mut actor = *slot;
            if !new {
                return Err(Damaged::Invalid("actor"));
            }
            for _ in 0..reader.len()? {
                let community = reader.words()?;
                let pair;
                (pair, _, actor) = visits.pair(actor, community);
                for _ in 0..reader.len()? {
                    let (hour, minutes) = (u32::from(reader.byte()?), reader.u64()?);
                    if hour > 25 || minutes > MINUTES || minutes == 0 {
                        return Err(Damaged::Invalid("hour"));
                    }
                    touch(&mut visits.hours, &mut visits.pairs[pair as usize].newest, hour, minutes);
                    if actor.total != NONE {
                        touch(&mut visits.hours, &mut visits.totals[actor.total as usize], hour, minutes);
                    }
                }
            }
        }
        Ok(visits)
    }
}

/// Adds minutes to an hour of a chain, which is ordered by hour, newest first.
/// Whether any of the minutes, and whether the hour, is new.
fn touch(hours: &mut Vec<Hour>, newest: &mut Hour, hour: u32, minutes: u64) -> (bool, bool) {
    if newest.minutes() == 0 {
        *newest = Hour::new(hour, minutes, NONE);
        return (true, true);
    }
    if newest.hour() < hour {
        *newest = Hour::new(hour, minutes, keep(hours, *newest));
        return (true, true);
    }
    // The hour itself or the one it comes after, with its place in `hours`; the newest lies outside of them.
    let (mut node, mut at) = (*newest, NONE);
    while node.hour() > hour && node.next() != NONE && hours[node.next() as usize].hour() >= hour {
        at = node.next();
        node = hours[at as usize];
    }
    let fresh = minutes & !node.minutes() != 0;
    let (changed, new) = if node.hour() == hour {
        (Hour::new(hour, node.minutes() | minutes, node.next()), false)
    } else {
        let place = keep(hours, Hour::new(hour, minutes, node.next()));
        (Hour::new(node.hour(), node.minutes(), place), true)
    };
    match at {
        NONE => *newest = changed,
        _ => hours[at as usize] = changed,
    }
    (fresh || new, new)
}

fn keep(hours: &mut Vec<Hour>, hour: Hour) -> u32 {
    let place = hours.len() as u32;
    // 2^31 hours of activity of one shard and day are two hundred times what the shop's ten million users make.
    assert!(place < NONE, "a shard's day holds fewer than 2^31 hours of activity");
    push(hours, hour);
    place
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
