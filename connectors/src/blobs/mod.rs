//! The blob port: whole objects under slash-separated keys, with one conditional put.
//!
//! Implementations by the crate `object_store`: `file://DIR`, `memory://`, `s3://BUCKET/PREFIX` (feature `s3`).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

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
