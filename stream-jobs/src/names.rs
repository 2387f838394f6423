//! Small numbers for the ids of the shop's catalogue, so that the big tables hold 4 bytes instead of 8 or 16.
//!
//! It grows with the communities and goods that the shop ever sold in, not with traffic. What anyone can make up
//! (a click's community, a visitor) is not kept here.

use std::hash::Hash;

use linli_schemas::metric::TOP_DAY_BUCKETS;

use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::IdMap;

#[derive(Debug)]
pub(crate) struct Interner<T> {
    numbers: IdMap<T, u32>,
    ids: Vec<T>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { numbers: IdMap::default(), ids: Vec::new() }
    }
}

impl<T: Copy + Eq + Hash> Interner<T> {
    pub(crate) fn number(&mut self, id: T) -> u32 {
        let ids = &mut self.ids;
        *self.numbers.entry(id).or_insert_with(|| {
            ids.push(id);
            ids.len() as u32 - 1
        })
    }

    pub(crate) fn known(&self, id: T) -> Option<u32> {
        self.numbers.get(&id).copied()
    }

    /// The id behind a number that [`Interner::number`] gave.
    pub(crate) fn id(&self, number: u32) -> T {
        self.ids[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// What is sold: a SKU in the category it had as of the sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Good {
    pub(crate) category: i64,
    pub(crate) sku: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) communities: Interner<i64>,
    pub(crate) goods: Interner<Good>,
    pub(crate) skus: Interner<i64>,
    /// The SKU of each good.
    sku_of: Vec<Sku>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sku {
    pub(crate) id: i64,
    pub(crate) number: u32,
    /// Of [`TOP_DAY_BUCKETS`].
    pub(crate) bucket: u32,
}

impl Names {
    pub(crate) fn good(&mut self, good: Good) -> u32 {
        let number = self.goods.number(good);
        if number as usize == self.sku_of.len() {
            let bucket = good.sku.rem_euclid(TOP_DAY_BUCKETS) as u32;
            self.sku_of.push(Sku { id: good.sku, number: self.skus.number(good.sku), bucket });
        }
        number
    }

    pub(crate) fn sku_of(&self, good: u32) -> Sku {
        self.sku_of[good as usize]
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.len(self.communities.len());
        for id in &self.communities.ids {
            out.i64(*id);
        }
        out.len(self.goods.len());
        for good in &self.goods.ids {
            out.i64(good.category);
            out.i64(good.sku);
        }
    }

    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Names, Damaged> {
        let mut names = Names::default();
        for _ in 0..reader.len()? {
            names.communities.number(reader.i64()?);
        }
        for _ in 0..reader.len()? {
            names.good(Good { category: reader.i64()?, sku: reader.i64()? });
        }
        Ok(names)
    }

    /// Reads the number of a community and checks that it is one.
    pub(crate) fn load_community(&self, reader: &mut Reader<'_>) -> Result<u32, Damaged> {
        let number = reader.u32()?;
        if (number as usize) < self.communities.len() { Ok(number) } else { Err(Damaged::Invalid("community")) }
    }

    pub(crate) fn load_good(&self, reader: &mut Reader<'_>) -> Result<u32, Damaged> {
        let number = reader.u32()?;
        if (number as usize) < self.goods.len() { Ok(number) } else { Err(Damaged::Invalid("good")) }
    }

    pub(crate) fn load_sku(&self, reader: &mut Reader<'_>) -> Result<u32, Damaged> {
        let number = reader.u32()?;
        if (number as usize) < self.skus.len() { Ok(number) } else { Err(Damaged::Invalid("sku")) }
    }
}
