//! Records fetched together.

use std::io;
use std::ops::Range;

use super::KEPT_BYTES;

/// Records fetched together, their bytes in one arena that is used again.
#[derive(Debug, Default)]
pub struct Batch {
    /// As long as it had to be of late: bytes past `used` are of before.
    arena: Vec<u8>,
    used: usize,
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

/// A record whose bytes are in the arena already, the value behind the key.
pub(super) struct Stored {
    pub(super) source: usize,
    pub(super) offset: u64,
    pub(super) timestamp_ms: i64,
    pub(super) start: usize,
    pub(super) key_len: u32,
    pub(super) value_len: Option<u32>,
}

impl Batch {
    pub fn clear(&mut self) {
        if self.arena.len() > KEPT_BYTES {
            self.arena.truncate(KEPT_BYTES);
            self.arena.shrink_to(KEPT_BYTES);
        }
        self.used = 0;
        self.records.clear();
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The bytes of keys and values held, and of what a log keeps between them.
    pub fn bytes(&self) -> usize {
        self.used
    }

    /// Copies a record in.
    ///
    /// # Panics
    /// If a key or value is 4 GiB or longer: every log refuses such before.
    pub fn push(&mut self, record: Fetched<'_>) {
        let start = self.used;
        let len = |n: usize| u32::try_from(n).expect("records are shorter than 4 GiB");
        self.copy_in(record.key);
        self.copy_in(record.value.unwrap_or_default());
        self.push_stored(Stored {
            source: record.source,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            start,
            key_len: len(record.key.len()),
            value_len: record.value.map(|value| len(value.len())),
        });
    }

    fn copy_in(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if self.arena.len() >= end {
            self.arena[self.used..end].copy_from_slice(bytes);
        } else {
            self.arena.truncate(self.used);
            self.arena.extend_from_slice(bytes);
        }
        self.used = end;
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

    /// Lets `read` fill up to `length` bytes at the end of the arena; returns where they begin and end.
    pub(super) fn fill_arena(
        &mut self,
        length: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<(usize, usize)> {
        let start = self.used;
        if self.arena.len() < start + length {
            self.arena.resize(start + length, 0);
        }
        let read = read(&mut self.arena[start..start + length])?.min(length);
        self.used = start + read;
        Ok((start, self.used))
    }

    pub(super) fn arena(&self, range: Range<usize>) -> &[u8] {
        &self.arena[range]
    }

    /// Gives the arena's end back from `until` on.
    pub(super) fn cut_arena(&mut self, until: usize) {
        self.used = self.used.min(until);
    }

    /// Adds a record whose bytes were filled in.
    pub(super) fn push_stored(&mut self, record: Stored) {
        self.records.push(Span {
            source: u32::try_from(record.source).unwrap_or(u32::MAX),
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            start: record.start,
            key_len: record.key_len,
            value_len: record.value_len.unwrap_or(u32::MAX),
        });
    }
}
