//! The serving store port: hashes of versioned values for dashboards and services.
//!
//! Implementations: `redis://HOST:PORT[/DB]`, `memory://`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// One value to set: replaces what stands at `key`/`field` unless that is of a newer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upsert {
    pub key: String,
    pub field: String,
    pub version: u64,
    pub value: Bytes,
    /// From now; renewed by each write to the key.
    pub expire_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub field: String,
    pub version: u64,
    pub value: Bytes,
}

#[async_trait]
pub trait ServingStore: Send + Sync {
    /// Sets values; an older version never replaces a newer one, the same version replaces (it is the same value).
    /// Returns the store's incarnation after the writing: when it differs from the one a caller saw before,
    /// the store lost data in between (flushed, restarted empty) and everything must be delivered again.
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation>;

    /// All fields of each key, in the order of `keys`; a key that is not there is empty.
    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>>;

    /// The named fields of one key, in the order asked; `None` where there is none.
    /// A store that can fetch single fields should: dashboards ask each second for the newest windows of a large hash.
    async fn read_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Stored>>> {
        let stored = self.read(&[key.to_owned()]).await?.into_iter().next().unwrap_or_default();
        let mut by_field: std::collections::HashMap<String, Stored> =
            stored.into_iter().map(|value| (value.field.clone(), value)).collect();
        Ok(fields.iter().map(|field| by_field.remove(field)).collect())
    }

    /// The keys that begin with `prefix`, sorted.
    async fn keys(&self, prefix: &str) -> Result<Vec<String>>;

    /// The store's incarnation; makes one where the store has none.
    async fn incarnation(&self) -> Result<Incarnation>;
}

/// A random mark that lives and dies with the store's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation(pub String);

pub type SharedServing = Arc<dyn ServingStore>;
