//! The serving store port: hashes of versioned values for dashboards and services.
//!
//! Implementations: `redis://[[USER:]PASSWORD@]HOST[:PORT][/DB]`, `memory://`.

#[cfg(feature = "conformance")]
pub mod conformance;
mod faulty;
mod memory;
mod redis_store;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::{SharedClock, SystemClock};
use crate::random::{SharedRandom, SystemRandom};
use crate::{Error, ErrorKind, Result, namespace};

pub use faulty::{FaultyServing, ServingFaults};
pub use memory::MemoryServing;

/// One value to set: replaces what stands at `key`/`field` unless that is of a newer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upsert {
    pub key: String,
    pub field: String,
    pub version: u64,
    pub value: Bytes,
    /// From now, in whole milliseconds (at least one); renewed by each write to the key. `None` leaves the key's
    /// expiry as it is.
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
    /// After an error any of the values may have been set; setting the same again is the caller's right.
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation>;

    /// All fields of each key, sorted by field, in the order of `keys`; a key that is not there is empty.
    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>>;

    /// The named fields of one key, in the order asked; `None` where there is none. For readers that come back each second
    /// for the newest fields of a large hash.
    async fn read_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Stored>>> {
        let stored = self.read(&[key.to_owned()]).await?.into_iter().next().unwrap_or_default();
        let found = |field: &String| stored.binary_search_by(|s| s.field.cmp(field)).ok().map(|i| stored[i].clone());
        Ok(fields.iter().map(found).collect())
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

/// The key that holds the incarnation; no caller may use it.
const INCARNATION_KEY: &str = "incarnation";

/// A value longer than this is refused: Redis works on one thread, and a long value stops it for everybody.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// How to open a serving store.
#[derive(Clone)]
pub struct OpenOptions {
    /// All keys stand under `NAMESPACE:` inside the store; empty for none. Callers use bare keys.
    pub namespace: String,
    /// What the memory store expires by.
    pub clock: SharedClock,
    /// What the marks of incarnations are drawn from.
    pub random: SharedRandom,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions { namespace: String::new(), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom::new()) }
    }
}

/// Opens `redis://HOST[:PORT][/DB]` (asked once, within five seconds; an error of kind `Retry` when nobody answers) or
/// `memory://` (new and empty).
pub async fn open(url: &str, options: OpenOptions) -> Result<SharedServing> {
    namespace::check(&options.namespace)?;
    match url.split_once("://") {
        Some(("memory", _)) => Ok(Arc::new(MemoryServing::new(options))),
        Some(("redis", _)) => Ok(Arc::new(redis_store::RedisServing::open(url, options).await?)),
        _ => Err(Error::new(ErrorKind::Config, "serving store", "the URL has a scheme that is not known")
            .hint("use redis://HOST:PORT[/DB] or memory://")),
    }
}

/// Refuses what a store could not keep.
fn check(value: &Upsert) -> Result<()> {
    let refuse = |cause: &str| Err(Error::new(ErrorKind::Reject, format!("serving key {:?}", value.key), cause));
    if value.key == INCARNATION_KEY {
        return refuse("is the store's own key");
    }
    if value.value.len() > VALUE_BYTES_MAX {
        return refuse("has a value longer than 16 MiB");
    }
    Ok(())
}

/// Whole milliseconds; an expiry of nothing at all would delete what was just written.
fn expiry_ms(expire_after: Duration) -> i64 {
    i64::try_from(expire_after.as_millis()).unwrap_or(i64::MAX / 4).clamp(1, i64::MAX / 4)
}
