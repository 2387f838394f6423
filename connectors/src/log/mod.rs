//! The event log port: topics of partitions of ordered records that stay.
//!
//! Implementations: `kafka://HOST:PORT[,HOST:PORT]` (rdkafka), `file://DIR` (durable), `memory://` (with faults).

#[cfg(feature = "conformance")]
pub mod conformance;
mod memory;
mod open;
mod topics;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

pub use memory::{LogFaults, MemoryLog};
pub use open::{OpenOptions, open};

/// The longest record, key and value together. A longer one is refused with kind `Reject`.
pub const RECORD_BYTES_MAX: usize = 8 << 20;

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

/// Records fetched together, their bytes in one arena that is used again.
#[derive(Debug, Default)]
pub struct Batch {
    arena: Vec<u8>,
    records: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    source: u32,
    offset: u64,
    timestamp_ms: i64,
    start: usize,
    key_len: u32,
    /// `u32::MAX` for a tombstone.
    value_len: u32,
}

/// One record of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched<'a> {
    /// Index into the partitions that the reader was opened with.
    pub source: usize,
    pub offset: u64,
    pub timestamp_ms: i64,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

impl Batch {
    pub fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The bytes of keys and values held.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Copies a record in.
    ///
    /// # Panics
    /// If a key or value is 4 GiB or longer: every log refuses such before.
    pub fn push(&mut self, record: Fetched<'_>) {
        let start = self.arena.len();
        self.arena.extend_from_slice(record.key);
        if let Some(value) = record.value {
            self.arena.extend_from_slice(value);
        }
        let len = |n: usize| u32::try_from(n).expect("records are shorter than 4 GiB");
        self.records.push(Span {
            source: len(record.source),
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            start,
            key_len: len(record.key.len()),
            value_len: record.value.map_or(u32::MAX, |value| len(value.len())),
        });
    }

    pub fn iter(&self) -> impl Iterator<Item = Fetched<'_>> {
        self.records.iter().map(|span| {
            let value_start = span.start + span.key_len as usize;
            Fetched {
                source: span.source as usize,
                offset: span.offset,
                timestamp_ms: span.timestamp_ms,
                key: &self.arena[span.start..value_start],
                value: (span.value_len != u32::MAX)
                    .then(|| &self.arena[value_start..value_start + span.value_len as usize]),
            }
        })
    }
}
