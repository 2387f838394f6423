//! How one record lies in a segment.
//!
//! `[len u32][crc32 u32][offset u64][timestamp_ms i64][key_len u32][value_len u32][key][value]`, little endian. `len`
//! counts the bytes after the checksum, the checksum covers them; `value_len` of a tombstone is `u32::MAX`.

use crate::log::{NewRecord, RECORD_BYTES_MAX};

/// The bytes of a frame before its key.
pub(super) const HEADER: usize = 32;
/// The bytes of the header that the checksum covers.
const CHECKED: usize = 24;
const TOMBSTONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) offset: u64,
    pub(super) timestamp_ms: i64,
    pub(super) key_len: u32,
    pub(super) value_len: Option<u32>,
    /// Of the whole frame.
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Whole(Frame),
    /// The frame seems to need this many bytes in all.
    Cut(usize),
    Broken,
}

/// # Panics
/// If the record is over `RECORD_BYTES_MAX`: the log refuses such before.
pub(super) fn encode(buffer: &mut Vec<u8>, offset: u64, record: &NewRecord) {
    let value = record.value.as_deref();
    let content = record.key.len() + value.map_or(0, <[u8]>::len);
    assert!(content <= RECORD_BYTES_MAX, "an over-long record is refused before");
    let start = buffer.len();
    buffer.extend_from_slice(&((CHECKED + content) as u32).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&offset.to_le_bytes());
    buffer.extend_from_slice(&record.timestamp_ms.to_le_bytes());
    buffer.extend_from_slice(&(record.key.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&value.map_or(TOMBSTONE, |value| value.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&record.key);
    buffer.extend_from_slice(value.unwrap_or_default());
    let checksum = crc32fast::hash(&buffer[start + 8..]);
    buffer[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// The frame at the start of `bytes`. Never panics, whatever the bytes are.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Parsed::Cut(HEADER);
    };
    let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let len = u32_at(0) as usize;
    if !(CHECKED..=CHECKED + RECORD_BYTES_MAX).contains(&len) {
        return Parsed::Broken;
    }
    let Some(checked) = bytes.get(8..8 + len) else {
        return Parsed::Cut(8 + len);
    };
    let (key_len, value_len) = (u32_at(24), u32_at(28));
    let value_len = (value_len != TOMBSTONE).then_some(value_len);
    let adds_up = key_len as usize + value_len.unwrap_or(0) as usize == len - CHECKED;
    if !adds_up || crc32fast::hash(checked) != u32_at(4) {
        return Parsed::Broken;
    }
    Parsed::Whole(Frame { offset: u64_at(8), timestamp_ms: u64_at(16) as i64, key_len, value_len, bytes: 8 + len })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_parsed(offset: u64, timestamp_ms: i64, key: Vec<u8>, value: Option<Vec<u8>>) {
            let record = NewRecord {
                topic: "t".into(), partition: 0, timestamp_ms, key: Bytes::from(key), value: value.map(Bytes::from),
            };
            let mut bytes = Vec::new();
            encode(&mut bytes, offset, &record);
            let expected = Frame {
                offset, timestamp_ms, key_len: record.key.len() as u32,
                value_len: record.value.as_ref().map(|v| v.len() as u32), bytes: bytes.len(),
            };
            prop_assert_eq!(parse(&bytes), Parsed::Whole(expected));
            prop_assert!(matches!(parse(&bytes[..bytes.len() - 1]), Parsed::Cut(_)));
        }

        #[test]
        fn outside_bytes_never_panic(bytes: Vec<u8>) {
            prop_assert!(!matches!(parse(&bytes), Parsed::Whole(_)));
        }

        #[test]
        fn a_flipped_bit_is_seen(at in 8_usize..60, bit in 0_u8..8) {
            let record = NewRecord {
                topic: "t".into(), partition: 0, timestamp_ms: 5, key: "key".into(), value: Some("a value of 25 bytes, say".into()),
            };
            let mut bytes = Vec::new();
            encode(&mut bytes, 9, &record);
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(parse(&bytes), Parsed::Whole(_)));
        }
    }
}
