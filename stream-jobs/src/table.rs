//! A hash table without per-slot overhead, for the millions of keys that the horizon holds.
//!
//! Open addressing with linear probing over slots that know themselves when they are empty. It grows by two fifths,
//! so that it is 57 to 80 % full, where doubling would leave it 44 % full half of the time.

/// A slot of a [`Table`].
pub(crate) trait Slot: Copy {
    const EMPTY: Self;
    fn is_empty(&self) -> bool;
    /// Well mixed: its upper bits pick the slot.
    fn hash(&self) -> u64;
    fn same_key(&self, other: &Self) -> bool;
}

#[derive(Debug, Clone)]
pub(crate) struct Table<S> {
    slots: Vec<S>,
    len: usize,
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Table { slots: Vec::new(), len: 0 }
    }
}

impl<S: Slot> Table<S> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().filter(|slot| !slot.is_empty())
    }

    pub(crate) fn get(&self, probe: &S) -> Option<&S> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = &self.slots[self.place(probe)];
        (!slot.is_empty()).then_some(slot)
    }

    pub(crate) fn get_mut(&mut self, probe: &S) -> Option<&mut S> {
        if self.slots.is_empty() {
            return None;
        }
        let place = self.place(probe);
        let slot = &mut self.slots[place];
        (!slot.is_empty()).then_some(slot)
    }

    /// The slot with the key of `fresh`, which becomes it if there was none; and whether it is new.
    pub(crate) fn insert(&mut self, fresh: S) -> (&mut S, bool) {
        debug_assert!(!fresh.is_empty());
        if self.len * 5 >= self.slots.len() * 4 {
            self.grow();
        }
        let place = self.place(&fresh);
        let slot = &mut self.slots[place];
        let new = slot.is_empty();
        if new {
            *slot = fresh;
            self.len += 1;
        }
        (slot, new)
    }

    /// Where the key of `probe` is, or the empty slot where it belongs. One slot at least is empty.
    fn place(&self, probe: &S) -> usize {
        let mut place = ((u128::from(probe.hash()) * self.slots.len() as u128) >> 64) as usize;
        loop {
            let slot = &self.slots[place];
            if slot.is_empty() || slot.same_key(probe) {
                return place;
            }
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
    }

    fn grow(&mut self) {
        let capacity = (self.slots.len() * 7 / 5).max(16);
        let old = std::mem::replace(&mut self.slots, vec![S::EMPTY; capacity]);
        for slot in old.into_iter().filter(|slot| !slot.is_empty()) {
            let place = self.place(&slot);
            self.slots[place] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Slot, Table};
    use crate::hashing::mix;

    impl Slot for u64 {
        const EMPTY: u64 = 0;
        fn is_empty(&self) -> bool {
            *self == 0
        }
        fn hash(&self) -> u64 {
            mix(*self >> 8)
        }
        fn same_key(&self, other: &u64) -> bool {
            self == other
        }
    }

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let mut table = Table::<u64>::default();
        assert!(table.get(&3).is_none());
        for key in 1..5_000u64 {
            assert!(table.insert(key * 3).1);
            assert!(!table.insert(key * 3).1);
        }
        assert_eq!(table.len(), 4_999);
        for key in 1..15_000u64 {
            assert_eq!(table.get(&key).is_some(), key % 3 == 0 && key < 15_000);
        }
        assert_eq!(table.iter().count(), 4_999);
    }
}
