//! Series that share labels, numbered densely.

use super::Labels;

/// For every series the number of its group, from 0; numbers follow the labels, not the order of series.
#[derive(Clone, Debug)]
pub struct Grouping {
    of_series: Vec<u32>,
    groups: usize,
}

impl Grouping {
    pub fn by<K: Ord>(labels: &[Labels], key: impl Fn(&Labels) -> K) -> Grouping {
        let mut keys: Vec<K> = labels.iter().map(&key).collect();
        keys.sort_unstable();
        keys.dedup();
        let number = |labels| keys.binary_search(&key(labels)).unwrap_or(0) as u32;
        Grouping { of_series: labels.iter().map(number).collect(), groups: keys.len() }
    }

    pub fn of(&self, series: usize) -> usize {
        self.of_series[series] as usize
    }

    /// Series.
    pub fn len(&self) -> usize {
        self.of_series.len()
    }

    pub fn is_empty(&self) -> bool {
        self.of_series.is_empty()
    }

    pub fn groups(&self) -> usize {
        self.groups
    }
}
