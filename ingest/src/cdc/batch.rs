//! Records on their way to the log: written into one buffer, cut when it is handed over.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use linli_connectors::log::NewRecord;
use linli_schemas::partition::partition_of;

/// A buffer that grew over this for a long record is given back after it.
const KEEP_BYTES: usize = 16 << 20;

#[derive(Default)]
pub struct Batch {
    pub buffer: Vec<u8>,
    entries: Vec<Entry>,
    /// The bytes of the batch before: written over once nobody holds them any more.
    lent: Option<Bytes>,
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

    /// Where it ends now.
    pub fn mark(&self) -> (usize, usize) {
        (self.entries.len(), self.buffer.len())
    }

    /// Gives up what came behind a mark.
    pub fn rewind(&mut self, (entries, bytes): (usize, usize)) {
        self.entries.truncate(entries);
        self.buffer.truncate(bytes);
    }

    /// A record that was made elsewhere.
    pub fn push_record(&mut self, record: NewRecord) {
        let NewRecord { topic, partition, timestamp_ms, key, value } = record;
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&key);
        let middle = self.buffer.len();
        self.buffer.extend_from_slice(&value.unwrap_or_default());
        let (key, value) = (start..middle, middle..self.buffer.len());
        self.entries.push(Entry { topic, partition, timestamp_ms, key, value });
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
        let next = self.lent.take().map_or_else(Vec::new, emptied);
        let bytes = Bytes::from(std::mem::replace(&mut self.buffer, next));
        self.lent = (bytes.len() <= KEEP_BYTES).then(|| bytes.clone());
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

/// The memory of bytes that nobody else holds, without its content.
fn emptied(bytes: Bytes) -> Vec<u8> {
    let mut room = bytes.try_into_mut().map_or_else(|_| Vec::new(), |bytes: BytesMut| Vec::from(bytes));
    room.clear();
    if room.capacity() > KEEP_BYTES { Vec::new() } else { room }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(batch: &mut Batch, byte: u8) -> Vec<NewRecord> {
        let topic: Arc<str> = "t".into();
        batch.buffer.extend_from_slice(&[byte; 1000]);
        batch.push(&topic, 4, 1, 0..10, 10..1000);
        batch.take()
    }

    #[test]
    fn memory_is_used_again_once_the_batch_before_is_gone_and_not_earlier() {
        let mut batch = Batch::default();
        let first = fill(&mut batch, 1);
        let kept = first[0].value.clone();
        drop(first);
        let second = fill(&mut batch, 2);
        let room = batch.buffer.capacity();
        assert_eq!(room, 0, "the first is still held");
        assert_eq!(kept.as_deref(), Some(&[1u8; 990][..]));
        let place = second[0].key.as_ptr();
        drop(second);
        let third = fill(&mut batch, 3);
        assert_eq!(batch.buffer.as_ptr(), place, "the second is gone: its memory is written again");
        assert_eq!(third[0].key, vec![3u8; 10]);
    }
}
