//! The blob port: whole objects under slash-separated keys, with one conditional put.
//!
//! Implementations by the crate `object_store`: `file://DIR`, `memory://`, `s3://BUCKET/PREFIX` (feature `s3`).

#[cfg(feature = "conformance")]
pub mod conformance;
mod faulty;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

pub use faulty::{BlobFaults, FaultyBlobs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    Created,
    /// The key is taken. After an unclear failure that may be by the caller's own earlier put: read it to know.
    Exists,
}

#[async_trait]
pub trait Blobs: Send + Sync {
    /// Creates the object if the key is free. Durable when it returns. At most one of any number of racing callers gets `Created`.
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome>;

    /// Creates or replaces the object. Durable when it returns.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()>;

    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    /// The keys that begin with `prefix` (whole path segments), sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// Deletes the object; no error when it is not there.
    async fn delete(&self, key: &str) -> Result<()>;
}

pub type SharedBlobs = Arc<dyn Blobs>;

/// How to open a blob store.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// All keys stand under `NAMESPACE/` inside the store; empty for none. Callers use bare keys.
    pub namespace: String,
    /// Where `file://` without a path keeps its objects: `DATA_DIR/blobs`.
    pub data_dir: Option<PathBuf>,
}

/// Opens `file:///ABSOLUTE/DIR` (durable when a put returns), `file://` (under `data_dir`), `memory://` (new and empty)
/// or, with feature `s3`, `s3://BUCKET[/PREFIX][?region=…&endpoint=…&allow_http=true&…]` (credentials from the
/// environment as AWS names them). A file store's directory is made when it is missing.
pub async fn open(url: &str, options: OpenOptions) -> Result<SharedBlobs> {
    Ok(Arc::new(store::StoreBlobs::open(url, &options)?))
}
