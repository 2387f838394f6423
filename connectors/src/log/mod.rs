//! The event log port: topics of partitions of ordered records that stay.
//!
//! Implementations: `kafka://HOST:PORT[,HOST:PORT]` (rdkafka), `file://DIR` (durable), `memory://` (with faults).

mod batch;
mod blocking;
#[cfg(feature = "conformance")]
pub mod conformance;
mod file;
mod kafka;
mod memory;
mod open;
mod topics;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

pub use batch::{Batch, Fetched};
pub use memory::{LogFaults, MemoryLog};
pub use open::{OpenOptions, open};

use batch::Stored;

/// The longest record, key and value together. A longer one is refused with kind `Reject`.
///
/// A request to Kafka may have 100 MiB where its brokers are left as they come (`socket.request.max.bytes`).
pub const RECORD_BYTES_MAX: usize = 96 << 20;
/// Room that was needed for a long record is given back behind it, down to this.
const KEPT_BYTES: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: u32,
    /// The log may drop all but the newest record of a key.
    pub compacted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: u32,
}

/// A record to append. The caller has chosen the partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    pub topic: Arc<str>,
    pub partition: u32,
    pub timestamp_ms: i64,
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

#[async_trait]
pub trait EventLog: Send + Sync {
    /// Makes the topics that are missing. A topic that exists with another partition count is an error of kind `Config`.
    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<()>;

    /// How many partitions a topic has; `None` where there is no such topic.
    async fn partition_count(&self, topic: &str) -> Result<Option<u32>>;

    /// Appends in order, per partition; returns once all of it is durable. After an error any prefix of each
    /// partition's records may have been appended; appending the same again is the caller's right.
    async fn append(&self, records: Vec<NewRecord>) -> Result<()>;

    /// The offset after the last record of each partition.
    async fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>>;

    /// Reads partitions from given offsets. `Fetched::source` is the index into `from`.
    async fn reader(&self, from: Vec<(TopicPartition, u64)>) -> Result<Box<dyn LogReader>>;

    /// Joins a consumer group over the partition numbers of `leading_topic`.
    async fn join(&self, group: &str, leading_topic: &str) -> Result<Box<dyn Membership>>;
}

pub type SharedLog = Arc<dyn EventLog>;

#[async_trait]
pub trait LogReader: Send {
    /// Clears `batch` and fills it with up to about `records_max` records. Waits up to `wait` for the first.
    /// An empty batch is no error.
    async fn poll(&mut self, batch: &mut Batch, records_max: usize, wait: Duration) -> Result<()>;
}

#[async_trait]
pub trait Membership: Send {
    /// Waits until the set of partition numbers that are this member's changes, and returns the whole new set.
    async fn changed(&mut self) -> Result<BTreeSet<u32>>;

    /// Leaves the group, so that the others need not wait for a time-out.
    async fn leave(self: Box<Self>) -> Result<()>;
}
