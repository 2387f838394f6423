//! The decoded parts of the serving store that a snapshot is summed from.

use std::collections::HashMap;

use linli_connectors::serving::{SharedServing, Stored};
use linli_schemas::metric::{Metric, MetricRecord, PartKey};

use crate::{Error, ErrorKind, Result};

/// Parts by key, the newest version of each that was seen.
#[derive(Default)]
pub(super) struct Parts {
    held: HashMap<PartKey, Part>,
}

pub(super) struct Part {
    pub version: u64,
    pub as_of: i64,
    pub window_end: i64,
    pub columns: Vec<Vec<i64>>,
}

impl Parts {
    /// Fetches the parts of these keys, which lie in one hash of the store.
    ///
    /// A part that the store no longer has is kept: closed windows may expire there while they are still shown.
    pub async fn fetch(&mut self, serving: &SharedServing, keys: &[PartKey]) -> Result<()> {
        let Some(first) = keys.first() else { return Ok(()) };
        let hash = first.serving_key();
        debug_assert!(keys.iter().all(|key| key.serving_key() == hash));
        let fields: Vec<String> = keys.iter().map(PartKey::serving_field).collect();
        let stored = serving.read_fields(&hash, &fields).await?;
        for (key, stored) in keys.iter().zip(stored) {
            if let Some(stored) = stored {
                self.take(*key, &stored)?;
            }
        }
        Ok(())
    }

    /// As [`Parts::fetch`] for keys of several hashes.
    pub async fn fetch_all(&mut self, serving: &SharedServing, keys: impl IntoIterator<Item = PartKey>) -> Result<()> {
        let mut by_hash: HashMap<String, Vec<PartKey>> = HashMap::new();
        for key in keys {
            by_hash.entry(key.serving_key()).or_default().push(key);
        }
        for keys in by_hash.values() {
            self.fetch(serving, keys).await?;
        }
        Ok(())
    }

    fn take(&mut self, key: PartKey, stored: &Stored) -> Result<()> {
        if self.held.get(&key).is_some_and(|part| part.version == stored.version) {
            return Ok(());
        }
        let record = MetricRecord::decode(&stored.value).map_err(|error| {
            Error::new(
                ErrorKind::Corrupt,
                format!("field \"{}\" of \"{}\" in the serving store", stored.field, key.serving_key()),
                error.to_string(),
            )
        })?;
        let part = Part {
            version: stored.version,
            as_of: record.as_of,
            window_end: record.window_end,
            columns: record.columns,
        };
        self.held.insert(key, part);
        Ok(())
    }

    pub fn get(&self, key: &PartKey) -> Option<&Part> {
        self.held.get(key)
    }

    /// Drops the windows that start before `start`, so that the cache stays small.
    pub fn forget(&mut self, start: i64) {
        self.held.retain(|key, _| key.window_start >= start || key.window_start == 0);
    }

    pub fn len(&self) -> usize {
        self.held.len()
    }
}

/// The keys of a metric's window and dimension, one a shard.
pub(super) fn shards(
    metric: Metric,
    window_start: i64,
    dimension: i64,
    partitions: u32,
) -> impl Iterator<Item = PartKey> {
    (0..partitions).map(move |shard| PartKey { metric, window_start, dimension, shard })
}
