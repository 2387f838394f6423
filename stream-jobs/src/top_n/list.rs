//! A community's quantities of a day, with the first hundred kept in order.

use linli_schemas::metric::TOP_N;

use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::mix;
use crate::names::{Names, Sku};
use crate::table::{Slot, Table};

/// Quantity and SKU id, in the order of a TOP list: more first, ties by the lower id.
pub(super) type Ranked = (i64, i64);

fn rank(entry: &Ranked) -> (std::cmp::Reverse<i64>, i64) {
    (std::cmp::Reverse(entry.0), entry.1)
}

/// The first [`TOP_N`]. What was given back whole or in part stands in its place too.
pub(super) fn first_of(mut entries: Vec<Ranked>) -> Vec<Ranked> {
    if entries.len() > TOP_N {
        entries.select_nth_unstable_by_key(TOP_N, rank);
        entries.truncate(TOP_N);
    }
    entries.sort_unstable_by_key(rank);
    entries
}

/// The quantity and the lines of a SKU by its number.
#[derive(Clone, Copy, Debug)]
struct Quantity {
    sku: u32,
    halves: [u32; 2],
    /// Without lines it is not sold; with some it is, though they may add up to nothing.
    lines: u32,
}

impl Quantity {
    fn get(&self) -> i64 {
        (u64::from(self.halves[1]) << 32 | u64::from(self.halves[0])) as i64
    }
    fn set(&mut self, quantity: i64) {
        self.halves = [quantity as u32, (quantity as u64 >> 32) as u32];
    }
}

impl Slot for Quantity {
    const EMPTY: Quantity = Quantity { sku: u32::MAX, halves: [0; 2], lines: 0 };
    fn is_empty(&self) -> bool {
        self.sku == u32::MAX
    }
    fn hash(&self) -> u64 {
        mix(u64::from(self.sku))
    }
    fn same_key(&self, other: &Quantity) -> bool {
        self.sku == other.sku
    }
}

#[derive(Debug, Default)]
pub(super) struct CommunityDay {
    quantities: Table<Quantity>,
    first: Vec<Ranked>,
    /// A quantity of the list fell: one that is not in it may come up.
    stale: bool,
}

impl CommunityDay {
    /// Whether the list may have changed.
    pub(super) fn add(&mut self, sku: Sku, quantity: i64, lines: i32) -> bool {
        let (cell, _) = self.quantities.insert(Quantity { sku: sku.number, halves: [0; 2], lines: 0 });
        let (old, sold_before) = ((cell.get(), sku.id), cell.lines > 0);
        let new = (old.0 + quantity, sku.id);
        cell.set(new.0);
        cell.lines = cell.lines.saturating_add_signed(lines);
        let (sold, rose) = (cell.lines > 0, !sold_before || quantity >= 0);
        if self.stale {
            return true;
        }
        if sold && rose && self.first.len() == TOP_N && self.first.last().is_some_and(|last| rank(&new) > rank(last)) {
            return false;
        }
        let held = sold_before.then(|| self.first.binary_search_by_key(&rank(&old), rank).ok()).flatten();
        if !sold || !rose {
            self.stale = held.is_some();
            return self.stale;
        }
        if let Some(place) = held {
            self.first.remove(place);
        }
        let place = self.first.binary_search_by_key(&rank(&new), rank).unwrap_or_else(|place| place);
        if place >= TOP_N {
            return false;
        }
        self.first.truncate(TOP_N - 1);
        self.first.insert(place, new);
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.quantities.len() == 0
    }

    pub(super) fn first(&mut self, names: &Names) -> &[Ranked] {
        if self.stale {
            self.stale = false;
            self.first = self.compute(names);
        }
        &self.first
    }

    fn compute(&self, names: &Names) -> Vec<Ranked> {
        first_of(
            self.quantities
                .iter()
                .filter(|cell| cell.lines > 0)
                .map(|cell| (cell.get(), names.skus.id(cell.sku)))
                .collect(),
        )
    }

    pub(super) fn save(&self, out: &mut Writer) {
        out.len(self.quantities.len());
        for cell in self.quantities.iter() {
            out.u32(cell.sku);
            out.i64(cell.get());
            out.u32(cell.lines);
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>, names: &Names) -> Result<CommunityDay, Damaged> {
        let mut day = CommunityDay { stale: true, ..CommunityDay::default() };
        for _ in 0..reader.len()? {
            let sku = names.load_sku(reader)?;
            let quantity = reader.i64()?;
            let lines = reader.u32()?;
            day.quantities.insert(Quantity { sku, halves: [0; 2], lines }).0.set(quantity);
        }
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::Good;

    proptest! {
        /// The list kept step by step is the one computed from all quantities, whatever rises and falls.
        #[test]
        fn kept_equals_computed(sales: Vec<(u8, i8, i32, bool)>) {
            let mut names = Names::default();
            let skus: Vec<Sku> = (0..=255)
                .map(|sku| { let good = names.good(Good { category: 0, sku: 1000 - sku }); names.sku_of(good) })
                .collect();
            let mut day = CommunityDay::default();
            for (sku, quantity, lines, look) in sales {
                let before = day.compute(&names);
                let changed = day.add(skus[usize::from(sku)], i64::from(quantity), lines.signum());
                prop_assert!(changed || before == day.compute(&names));
                if look {
                    let computed = day.compute(&names);
                    prop_assert_eq!(day.first(&names), computed.as_slice());
                }
            }
        }
    }
}
