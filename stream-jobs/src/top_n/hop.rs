//! The last 60 minutes by community, hopping by one minute: of each community the newest list only.

use std::collections::BTreeMap;

use linli_schemas::Topic;
use linli_schemas::metric::Metric;
use linli_schemas::zone::MINUTE_MS;

use super::LISTS_A_TURN;
use super::list::first_of;
use super::waiting::Waiting;
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::IdMap;
use crate::job::Delivery;
use crate::names::Names;
use crate::orders::{Sale, minute_of};
use crate::window::transpose;

/// How many minutes a list is over.
const MINUTES: u32 = 60;

/// Community, SKU's number, quantity.
type Sold = (u32, u32, i64);

/// Sums are made when a list is written, not with each sale: an hour's sales are few, and most change no list that is
/// written before the next one does.
#[derive(Debug, Default)]
pub(super) struct Hop {
    /// What was sold in each minute that the window can still hold.
    minutes: BTreeMap<u32, Vec<Sold>>,
    /// Communities whose list changed, or whose window slid, since it was written.
    waiting: Waiting,
    /// The newest minute of the window.
    newest: u32,
}

impl Hop {
    pub(super) fn add(&mut self, sale: &Sale, names: &Names) {
        if sale.minute + MINUTES <= self.newest {
            return;
        }
        let sold = (sale.community, names.sku_of(sale.good).number, sale.quantity);
        self.minutes.entry(sale.minute).or_default().push(sold);
        self.waiting.insert(sale.community);
    }

    pub(super) fn deliver(&mut self, out: &mut Delivery<'_>) {
        let high = out.marks.of(Topic::Orders).high.and_then(minute_of);
        let sold = self.minutes.last_key_value().map(|(minute, _)| *minute);
        self.slide(high.max(sold).unwrap_or(0));
        let end = (i64::from(self.newest) + 1) * MINUTE_MS;
        let names = out.names;
        let turn = self.waiting.take_turns(LISTS_A_TURN, out);
        let mut quantities: IdMap<u32, IdMap<u32, i64>> = turn.iter().map(|c| (*c, IdMap::default())).collect();
        if !turn.is_empty() {
            for (community, sku, quantity) in self.minutes.values().flatten() {
                if let Some(quantities) = quantities.get_mut(community) {
                    *quantities.entry(*sku).or_insert(0) += quantity;
                }
            }
        }
        for community in turn {
            let quantities = quantities.remove(&community).unwrap_or_default();
            let sums = quantities.iter().filter(|(_, quantity)| **quantity != 0);
            let entries = sums.map(|(sku, quantity)| (*quantity, names.skus.id(*sku)));
            let rows: Vec<[i64; 2]> = first_of(entries.collect()).iter().map(|(q, sku)| [*sku, *q]).collect();
            let id = names.communities.id(community);
            out.metric((Metric::TopHopCommunity, 0, id), end, transpose(&rows));
        }
    }

    /// A new minute changes every list: minutes leave them, or only their window's end moves on.
    fn slide(&mut self, newest: u32) {
        if newest > self.newest {
            self.newest = newest;
            self.redeliver();
            self.minutes = self.minutes.split_off(&(newest + 1).saturating_sub(MINUTES));
        }
    }

    pub(super) fn redeliver(&mut self) {
        for (community, ..) in self.minutes.values().flatten() {
            self.waiting.insert(*community);
        }
    }

    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.u32(self.newest);
        out.len(self.waiting.list().len());
        for community in self.waiting.list() {
            out.u32(*community);
        }
        out.len(self.minutes.len());
        for (minute, sales) in &self.minutes {
            out.u32(*minute);
            out.len(sales.len());
            for (community, sku, quantity) in sales {
                out.u32(*community);
                out.u32(*sku);
                out.i64(*quantity);
            }
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>, names: &Names) -> Result<Hop, Damaged> {
        let mut hop = Hop { newest: reader.u32()?, ..Hop::default() };
        for _ in 0..reader.len()? {
            hop.waiting.insert(names.load_community(reader)?);
        }
        for _ in 0..reader.len()? {
            let minute = reader.u32()?;
            for _ in 0..reader.len()? {
                let sale = (names.load_community(reader)?, names.load_sku(reader)?, reader.i64()?);
                hop.minutes.entry(minute).or_default().push(sale);
            }
        }
        Ok(hop)
    }
}
