//! What operations watch of a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::follow::Counters;
use super::position::Place;

/// Figures of one reader, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct Meters(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    rows: AtomicU64,
    records: AtomicU64,
    transactions: AtomicU64,
    bytes: AtomicU64,
    held: AtomicU64,
    warnings: AtomicU64,
    snapshot_rows: AtomicU64,
    snapshot_expected: AtomicU64,
    snapshot_done: AtomicBool,
    reconnects: AtomicU64,
    lag_ms: AtomicI64,
    read_pos: AtomicU64,
}

impl Meters {
    pub fn published(&self, counters: &Counters, now_ms: i64) {
        self.0.rows.store(counters.rows, Ordering::Relaxed);
        self.0.records.store(counters.records, Ordering::Relaxed);
        self.0.transactions.store(counters.transactions, Ordering::Relaxed);
        self.0.lag_ms.store((now_ms - counters.committed_ms).max(0), Ordering::Relaxed);
    }

    pub fn read(&self, counters: &Counters, end: &Place, bytes: u64) {
        self.0.held.store(counters.held, Ordering::Relaxed);
        self.0.warnings.store(counters.warnings, Ordering::Relaxed);
        self.0.bytes.store(bytes, Ordering::Relaxed);
        self.0.read_pos.store(end.pos, Ordering::Relaxed);
    }

    pub fn snapshot_rows(&self, rows: u64) {
        self.0.snapshot_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// As the server estimates it.
    pub fn expect_snapshot(&self, rows: u64) {
        self.0.snapshot_expected.store(rows, Ordering::Relaxed);
    }

    pub fn snapshot_done(&self) {
        self.0.snapshot_done.store(true, Ordering::Relaxed);
    }

    /// Rows of the first snapshot that are expected; `None` when it is over.
    pub fn expected(&self) -> Option<u64> {
        let done = self.0.snapshot_done.load(Ordering::Relaxed);
        (!done).then(|| self.0.snapshot_expected.load(Ordering::Relaxed))
    }

    pub fn reconnected(&self) {
        self.0.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes of rows published by this process from the binlog.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Records published by this process from the binlog.
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    pub fn snapshot(&self) -> u64 {
        self.0.snapshot_rows.load(Ordering::Relaxed)
    }

    /// Between the commit of the newest acknowledged change and its acknowledgement.
    pub fn lag_ms(&self) -> i64 {
        self.0.lag_ms.load(Ordering::Relaxed)
    }

    /// All figures, for a line of the log and for those who collect them.
    pub fn figures(&self) -> Snapshot {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Snapshot {
            rows: get(&self.0.rows),
            records: get(&self.0.records),
            transactions: get(&self.0.transactions),
            bytes: get(&self.0.bytes),
            held: get(&self.0.held),
            warnings: get(&self.0.warnings),
            snapshot_rows: get(&self.0.snapshot_rows),
            reconnects: get(&self.0.reconnects),
            lag_ms: self.lag_ms(),
        }
    }
}

/// Figures at one moment; counters since the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Changes of rows, and the records they became.
    pub rows: u64,
    pub records: u64,
    pub transactions: u64,
    /// Received from the server.
    pub bytes: u64,
    /// Events put aside in quarantine.
    pub held: u64,
    /// Values that have no equivalent.
    pub warnings: u64,
    pub snapshot_rows: u64,
    pub reconnects: u64,
    /// From commit to acknowledgement, of the newest change.
    pub lag_ms: i64,
}
