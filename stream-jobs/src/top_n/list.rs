//! A community's quantities of a day, with the first hundred kept in order.

use linli_schemas::metric::TOP_N;

use crate::cells::Cells;
use crate::codec::{Damaged, Reader, Writer};
use crate::names::Names;

/// Quantity and SKU id, in the order of a TOP list: more first, ties by the lower id.
pub(super) type Ranked = (i64, i64);

fn rank(entry: &Ranked) -> (std::cmp::Reverse<i64>, i64) {
    (std::cmp::Reverse(entry.0), entry.1)
}

/// The first [`TOP_N`] of what has a quantity.
pub(super) fn first_of(mut entries: Vec<Ranked>) -> Vec<Ranked> {
    entries.retain(|(quantity, _)| *quantity > 0);
    if entries.len() > TOP_N {
        entries.select_nth_unstable_by_key(TOP_N, rank);
        entries.truncate(TOP_N);
    }
    entries.sort_unstable_by_key(rank);
    entries
}

#[derive(Debug, Default)]
pub(super) struct CommunityDay {
    /// By the number of the SKU.
    quantities: Cells<u32, i64>,
    first: Vec<Ranked>,
    /// A quantity of the list fell: one that is not in it may come up.
    stale: bool,
}

impl CommunityDay {
    /// Whether the list may have changed.
    pub(super) fn add(&mut self, sku: u32, quantity: i64, names: &Names) -> bool {
        let cell = self.quantities.cell(sku);
        let old = *cell;
        *cell += quantity;
        let (old, new) = ((old, names.skus.id(sku)), (old + quantity, names.skus.id(sku)));
        if self.stale {
            return true;
        }
        let held = (old.0 > 0).then(|| self.first.binary_search_by_key(&rank(&old), rank).ok()).flatten();
        if quantity < 0 {
            self.stale = held.is_some();
            return self.stale;
        }
        if let Some(place) = held {
            self.first.remove(place);
        }
        let place = self.first.binary_search_by_key(&rank(&new), rank).unwrap_or_else(|place| place);
        if place >= TOP_N || new.0 <= 0 {
            return false;
        }
        self.first.truncate(TOP_N - 1);
        self.first.insert(place, new);
        true
    }

    pub(super) fn first(&mut self, names: &Names) -> &[Ranked] {
        if self.stale {
            self.stale = false;
            self.first = self.compute(names);
        }
        &self.first
    }

    fn compute(&self, names: &Names) -> Vec<Ranked> {
        first_of(self.quantities.iter().map(|(sku, quantity)| (quantity, names.skus.id(sku))).collect())
    }

    pub(super) fn save(&self, out: &mut Writer) {
        self.quantities.save(out);
    }

    pub(super) fn load(reader: &mut Reader<'_>, names: &Names) -> Result<CommunityDay, Damaged> {
        let quantities: Cells<u32, i64> = Cells::load(reader)?;
        if quantities.iter().any(|(sku, _)| sku as usize >= names.skus.len()) {
            return Err(Damaged::Invalid("sku"));
        }
        Ok(CommunityDay { quantities, first: Vec::new(), stale: true })
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
        fn kept_equals_computed(sales: Vec<(u8, i8, bool)>) {
            let mut names = Names::default();
            let numbers: Vec<u32> = (0..=255)
                .map(|sku| { let good = names.good(Good { category: 0, sku: 1000 - sku }); names.sku_of(good) })
                .collect();
            let mut day = CommunityDay::default();
            for (sku, quantity, look) in sales {
                let before = day.compute(&names);
                let changed = day.add(numbers[usize::from(sku)], i64::from(quantity), &names);
                prop_assert!(changed || before == day.compute(&names));
                if look {
                    let computed = day.compute(&names);
                    prop_assert_eq!(day.first(&names), computed.as_slice());
                }
            }
        }
    }
}
