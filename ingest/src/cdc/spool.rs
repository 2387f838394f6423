//! Raw events put aside until it is known what becomes of them: bounded parts to be stored apart, and what follows on them.

use std::collections::HashSet;

use bytes::Bytes;
use linli_binlog::{DecodeError, HEADER_LEN, Header};

/// A part is cut when it is this long.
const PART_BYTES: usize = 4 << 20;
const LENGTH: usize = 4;

/// Events of one transaction, each with its header and without its checksum.
#[derive(Default)]
pub struct Spool {
    buffer: Vec<u8>,
    parts: u32,
    bytes: u64,
    /// Table ids whose events are kept.
    tables: HashSet<u64>,
}

impl Spool {
    /// Whether rows of this table id are kept.
    pub fn follows(&self, table_id: u64) -> bool {
        self.tables.contains(&table_id)
    }

    pub fn follow(&mut self, table_id: u64, follows: bool) {
        if follows {
            self.tables.insert(table_id);
        } else {
            self.tables.remove(&table_id);
        }
    }

    /// Keeps an event. Gives a part, and its number, when one is full.
    pub fn push(&mut self, event: &[u8]) -> Option<(u32, Bytes)> {
        let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(event);
        self.bytes += event.len() as u64;
        if self.buffer.len() >= PART_BYTES { self.cut() } else { None }
    }

    /// Makes a part of what is left; `None` where nothing is.
    pub fn cut(&mut self) -> Option<(u32, Bytes)> {
        if self.buffer.is_empty() {
            return None;
        }
        let part = (self.parts, Bytes::from(std::mem::take(&mut self.buffer)));
        self.parts += 1;
        Some(part)
    }

    /// What no part holds yet.
    pub fn rest_len(&self) -> usize {
        self.buffer.len()
    }

    /// The parts that were given, what follows on them, and the bytes of all events.
    pub fn finish(self) -> (u32, Bytes, u64) {
        (self.parts, Bytes::from(self.buffer), self.bytes)
    }
}

/// The next event of a part; `None` behind the last.
pub fn next_event(part: &mut Bytes) -> Option<Result<Bytes, DecodeError>> {
    if part.is_empty() {
        return None;
    }
    let broken = |needed| Err(DecodeError::Truncated { what: "event put aside", needed, left: part.len() });
    let Some(length) = part.first_chunk::<LENGTH>().map(|bytes| u32::from_le_bytes(*bytes) as usize) else {
        return Some(broken(LENGTH));
    };
    if length < HEADER_LEN || part.len() - LENGTH < length {
        return Some(broken(length));
    }
    let _ = part.split_to(LENGTH);
    Some(Ok(part.split_to(length)))
}

/// Header and body of an event that was put aside.
pub fn frame(event: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
    Ok((Header::parse(event)?, event.get(HEADER_LEN..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_in_order_from_bounded_parts() {
        let event = |i: usize| vec![i as u8; HEADER_LEN + (i * 7919) % 300_000];
        let (mut spool, mut parts) = (Spool::default(), Vec::new());
        for i in 0..200 {
            if let Some((number, part)) = spool.push(&event(i)) {
                assert_eq!(number as usize, parts.len());
                assert!(part.len() < PART_BYTES + 300_000 + HEADER_LEN + LENGTH);
                parts.push(part);
            }
        }
        let (count, rest, bytes) = spool.finish();
        assert!(count > 3 && count as usize == parts.len() && !rest.is_empty());
        assert_eq!(bytes, (0..200).map(|i| event(i).len() as u64).sum::<u64>());
        let mut found = 0;
        for mut part in parts.into_iter().chain([rest]) {
            while let Some(read) = next_event(&mut part) {
                assert!(read.unwrap() == event(found), "event {found}");
                found += 1;
            }
        }
        assert_eq!(found, 200);
    }

    #[test]
    fn damaged_parts_are_errors() {
        let mut spool = Spool::default();
        spool.push(&[7; HEADER_LEN]);
        let (_, whole, _) = spool.finish();
        for length in 1..whole.len() {
            assert!(next_event(&mut whole.slice(..length)).unwrap().is_err(), "{length}");
        }
        assert!(
            next_event(&mut Bytes::from_static(&[3, 0, 0, 0, 1, 2, 3])).unwrap().is_err(),
            "too short for a header"
        );
    }
}
