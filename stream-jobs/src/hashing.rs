//! Hashing of ids that are already well spread or small: one multiplication, the same in every process.

use std::hash::{BuildHasherDefault, Hasher};

const FOLD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Folds the 128 bit product, so that both ends of the result depend on all of the input.
pub(crate) fn mix(value: u64) -> u64 {
    let product = u128::from(value ^ 0x2545_F491_4F6C_DD1D) * u128::from(FOLD);
    (product >> 64) as u64 ^ product as u64
}

#[derive(Clone, Copy, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0.rotate_left(23) ^ value);
    }
    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

pub(crate) type IdMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<IdHasher>>;
pub(crate) type IdSet<K> = hashbrown::HashSet<K, BuildHasherDefault<IdHasher>>;
