//! The serving store in memory: the twin for one process and for simulation.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Incarnation, OpenOptions, ServingStore, Stored, Upsert, check, expiry_ms};
use crate::Result;
use crate::clock::SharedClock;
use crate::random::SharedRandom;

/// Deterministic for a given clock and randomness.
pub struct MemoryServing {
    clock: SharedClock,
    random: SharedRandom,
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    incarnation: Option<Incarnation>,
    hashes: BTreeMap<String, Hash>,
}

#[derive(Default)]
struct Hash {
    fields: BTreeMap<String, (u64, Bytes)>,
    expires_at_ms: Option<i64>,
}

impl MemoryServing {
    pub fn new(options: OpenOptions) -> MemoryServing {
        MemoryServing { clock: options.clock, random: options.random, data: Mutex::default() }
    }

    /// Loses everything, as a Redis that was flushed or restarted empty does. The next call begins a new incarnation.
    pub fn flush(&self) {
        *self.data.lock().unwrap_or_else(PoisonError::into_inner) = Data::default();
    }

    /// Runs `act` on what has not expired.
    fn with<R>(&self, act: impl FnOnce(&mut Data, i64) -> R) -> R {
        let now_ms = self.clock.now_ms();
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        data.hashes.retain(|_, hash| hash.expires_at_ms.is_none_or(|expires_at_ms| now_ms < expires_at_ms));
        act(&mut data, now_ms)
    }

    fn mark(&self, data: &mut Data) -> Incarnation {
        data.incarnation.get_or_insert_with(|| Incarnation(self.random.token())).clone()
    }
}

#[async_trait]
impl ServingStore for MemoryServing {
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation> {
        values.iter().try_for_each(check)?;
        Ok(self.with(|data, now_ms| {
            for value in values {
                let hash = data.hashes.entry(value.key.clone()).or_default();
                match hash.fields.get_mut(&value.field) {
                    Some((version, _)) if *version > value.version => {}
                    Some(stored) => *stored = (value.version, value.value.clone()),
                    None => {
                        hash.fields.insert(value.field.clone(), (value.version, value.value.clone()));
                    }
                }
                if let Some(expire_after) = value.expire_after {
                    hash.expires_at_ms = Some(now_ms.saturating_add(expiry_ms(expire_after)));
                }
            }
            self.mark(data)
        }))
    }

    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>> {
        let stored = |(field, (version, value)): (&String, &(u64, Bytes))| Stored {
            field: field.clone(),
            version: *version,
            value: value.clone(),
        };
        Ok(self.with(|data, _| {
            keys.iter()
                .map(|key| data.hashes.get(key).map_or_else(Vec::new, |hash| hash.fields.iter().map(stored).collect()))
                .collect()
        }))
    }

    async fn read_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Stored>>> {
        Ok(self.with(|data, _| {
            let hash = data.hashes.get(key);
            let stored = |field: &String| {
                let (version, value) = hash?.fields.get(field)?;
                Some(Stored { field: field.clone(), version: *version, value: value.clone() })
            };
            fields.iter().map(stored).collect()
        }))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.with(|data, _| {
            let from = data.hashes.range(prefix.to_owned()..);
            from.map(|(key, _)| key).take_while(|key| key.starts_with(prefix)).cloned().collect()
        }))
    }

    async fn incarnation(&self) -> Result<Incarnation> {
        Ok(self.with(|data, _| self.mark(data)))
    }
}
