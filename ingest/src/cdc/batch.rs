//! Records on their way to the log: written into one buffer, cut when it is handed over.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::log::NewRecord;
use linli_schemas::partition::partition_of;

#[derive(Default)]
pub struct Batch {
    pub buffer: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    topic: Arc<str>,
    partition: u32,
    timestamp_ms: i64,
    key: Range<usize>,
    /// Empty for a tombstone.
    value: Range<usize>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// A record whose key and value have been written to the buffer.
    pub fn push(
        &mut self,
        topic: &Arc<str>,
        partitions: u32,
        timestamp_ms: i64,
        key: Range<usize>,
        value: Range<usize>,
    ) {
        let partition = partition_of(self.buffer.get(key.clone()).unwrap_or_default(), partitions);
        self.entries.push(Entry { topic: Arc::clone(topic), partition, timestamp_ms, key, value });
    }

    /// Takes all records; the batch is empty after.
    pub fn take(&mut self) -> Vec<NewRecord> {
        let room = self.buffer.len().min(8 << 20);
        let bytes = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(room)));
        self.entries
            .drain(..)
            .map(|entry| NewRecord {
                topic: entry.topic,
                partition: entry.partition,
                timestamp_ms: entry.timestamp_ms,
                key: bytes.slice(entry.key),
                value: (!entry.value.is_empty()).then(|| bytes.slice(entry.value)),
            })
            .collect()
    }
}
