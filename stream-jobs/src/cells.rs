//! The values of one window by key: two dense columns with an index, or a few bytes a cell when they are saved.

use hashbrown::HashTable;

use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::mix;

/// A window this small is searched, not indexed.
const SCAN_MAX: usize = 12;

pub(crate) trait CellKey: Copy + Ord {
    fn to_wide(self) -> i64;
    fn from_wide(wide: i64) -> Option<Self>;
    fn hash(self) -> u64 {
        mix(self.to_wide() as u64)
    }
}

pub(crate) trait CellValue: Copy + Default {
    fn save(self, out: &mut Writer);
    fn load(reader: &mut Reader<'_>) -> Result<Self, Damaged>;
}

#[derive(Debug)]
pub(crate) struct Cells<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    /// Places in the columns by key. Absent while there are few.
    index: Option<HashTable<u32>>,
}

impl<K, V> Default for Cells<K, V> {
    fn default() -> Self {
        Cells { keys: Vec::new(), values: Vec::new(), index: None }
    }
}

impl<K: CellKey, V: CellValue> Cells<K, V> {
    pub(crate) fn cell(&mut self, key: K) -> &mut V {
        let place = self.place(key);
        &mut self.values[place]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        self.keys.iter().copied().zip(self.values.iter().copied())
    }

    fn place(&mut self, key: K) -> usize {
        let keys = &mut self.keys;
        if keys.len() <= SCAN_MAX {
            if let Some(place) = keys.iter().position(|k| *k == key) {
                return place;
            }
            keys.push(key);
            self.values.push(V::default());
            return keys.len() - 1;
        }
        let index = self.index.get_or_insert_with(|| {
            let mut index = HashTable::with_capacity(keys.len() * 2);
            for (place, key) in keys.iter().enumerate() {
                index.insert_unique(key.hash(), place as u32, |p| keys[*p as usize].hash());
            }
            index
        });
        if let Some(place) = index.find(key.hash(), |place| keys[*place as usize] == key) {
            return *place as usize;
        }
        keys.push(key);
        self.values.push(V::default());
        index.insert_unique(key.hash(), keys.len() as u32 - 1, |p| keys[*p as usize].hash());
        keys.len() - 1
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        let mut cells: Vec<(K, V)> = self.iter().collect();
        cells.sort_unstable_by_key(|(key, _)| *key);
        out.len(cells.len());
        let mut last = 0;
        for (key, value) in cells {
            out.i64(key.to_wide().wrapping_sub(last));
            last = key.to_wide();
            value.save(out);
        }
    }

    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        let len = reader.len()?;
        let mut cells = Cells { keys: Vec::with_capacity(len), values: Vec::with_capacity(len), index: None };
        let mut last = 0i64;
        for _ in 0..len {
            last = last.wrapping_add(reader.i64()?);
            cells.keys.push(K::from_wide(last).ok_or(Damaged::Invalid("key"))?);
            cells.values.push(V::load(reader)?);
        }
        Ok(cells)
    }
}

impl CellKey for i64 {
    fn to_wide(self) -> i64 {
        self
    }
    fn from_wide(wide: i64) -> Option<i64> {
        Some(wide)
    }
}

impl CellKey for u32 {
    fn to_wide(self) -> i64 {
        i64::from(self)
    }
    fn from_wide(wide: i64) -> Option<u32> {
        u32::try_from(wide).ok()
    }
}

impl CellValue for i64 {
    fn save(self, out: &mut Writer) {
        out.i64(self);
    }
    fn load(reader: &mut Reader<'_>) -> Result<i64, Damaged> {
        reader.i64()
    }
}

impl CellValue for u32 {
    fn save(self, out: &mut Writer) {
        out.u32(self);
    }
    fn load(reader: &mut Reader<'_>) -> Result<u32, Damaged> {
        reader.u32()
    }
}

/// An amount in fen and how many records it is the sum of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) amount: i64,
    pub(crate) count: u32,
}

impl CellValue for Sum {
    fn save(self, out: &mut Writer) {
        out.i64(self.amount);
        out.u32(self.count);
    }
    fn load(reader: &mut Reader<'_>) -> Result<Sum, Damaged> {
        Ok(Sum { amount: reader.i64()?, count: reader.u32()? })
    }
}
