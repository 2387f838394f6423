//! The identity of a record: what stays the same when it is published a second time.

use xxhash_rust::xxh3::xxh3_128;

/// Where a record came from, as far as telling a repetition of it goes (DESIGN: effects exactly once).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A collected click or an imported line: its `event_id`, with the row made from it.
    Event(EventKey),
    /// A change of a server: a hash of its name, and its place in that server's log.
    Binlog { server: u64, place: BinlogPlace },
    /// A row of a snapshot: its table, chunk and primary key.
    Snapshot(EventKey),
}

/// 96 bits of a hash of an `event_id` and a row number.
///
/// At ten million identities held at a time the odds that two different ones meet are below 1e-15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(pub [u32; 3]);

impl EventKey {
    pub fn new(event_id: &[u8], row: u32) -> EventKey {
        let hash = xxh3_128(event_id) ^ (u128::from(row) << 96 | u128::from(row).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        EventKey([hash as u32, (hash >> 32) as u32, (hash >> 64) as u32])
    }
}

/// A place in one server's log: comparable within one server only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BinlogPlace {
    /// The number at the end of the binlog's file name, or the number of the GTID.
    pub file: u64,
    /// The byte in the file; 0 for a GTID.
    pub pos: u64,
    /// The row within the event, or within the transaction.
    pub row: u64,
}
