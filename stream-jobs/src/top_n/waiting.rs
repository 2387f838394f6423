//! Communities whose list waits to be written.

use crate::job::Delivery;

/// A set of small numbers that is asked with every sale: a bit for each number, and those that are in it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bits: Vec<u64>,
    list: Vec<u32>,
}

impl Waiting {
    pub(super) fn insert(&mut self, number: u32) {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.list.push(number);
        }
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        self.bits.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In no order.
    pub(super) fn list(&self) -> &[u32] {
        &self.list
    }

    /// Takes out those whose turn it is, in the order of their ids from a place that moves with the epochs.
    pub(super) fn take_turns(&mut self, turn_max: usize, out: &Delivery<'_>) -> Vec<u32> {
        let mut chosen = std::mem::take(&mut self.list);
        chosen.sort_unstable_by_key(|community| out.names.communities.id(*community));
        let count = out.pace.share(chosen.len(), turn_max);
        if count < chosen.len() {
            let first = (out.version.epoch as usize).wrapping_mul(turn_max) % chosen.len();
            chosen.rotate_left(first);
            self.list = chosen.split_off(count);
        }
        for number in &chosen {
            self.bits[(number / 64) as usize] &= !(1 << (number % 64));
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;

    #[test]
    fn holds_each_number_once() {
        let mut waiting = Waiting::default();
        for number in [3, 200, 3, 64, 200] {
            waiting.insert(number);
        }
        assert_eq!(waiting.list(), [3, 200, 64]);
        assert!(waiting.contains(200) && !waiting.contains(201) && !waiting.contains(100_000));
        assert!(!waiting.is_empty());
    }
}
