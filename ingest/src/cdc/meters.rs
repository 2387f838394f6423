//! What operations watch of a reader. `METRICS.md` says which question each figure answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::follow::Counters;
use super::position::Position;

/// Figures of one reader, shared with whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct Meters(Arc<Figures>);

/// How what was received stands to what is on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Something is on its way to the log.
    Busy,
    /// Everything received is on the log.
    Settled,
    /// And the server said that it has no more.
    Idle,
}

/// Stands for a figure that is not known.
const UNKNOWN: u64 = u64::MAX;

#[derive(Debug, Default)]
struct Figures {
    /// What earlier sessions counted: each session counts from 0.
    before: std::sync::Mutex<Counted>,
    session: std::sync::Mutex<Counted>,
    snapshot_rows: AtomicU64,
    snapshot_expected: AtomicU64,
    snapshot_done: AtomicBool,
    snapshots_open: AtomicU64,
    quarantined: AtomicU64,
    reconnects: AtomicU64,
    connected: AtomicBool,
    /// Between commit and acknowledgement, of the newest change.
    latency_ms: AtomicI64,
    /// Everything committed until then is on the log, epoch ms; 0 before the first.
    fresh_ms: AtomicI64,
    /// The server has nothing more, and all is on the log.
    idle: AtomicBool,
    behind: std::sync::Mutex<Behind>,
    /// What is on the log, for who compares it with the server.
    position: std::sync::Mutex<Option<Position>>,
    watched: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    counters: Counters,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Behind {
    bytes: u64,
    transactions: u64,
}

impl Default for Behind {
    fn default() -> Behind {
        Behind { bytes: UNKNOWN, transactions: UNKNOWN }
    }
}

fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Meters {
    /// A session begins to follow: it counts from 0.
    pub fn begin(&self) {
        let session = std::mem::take(&mut *locked(&self.0.session));
        let mut before = locked(&self.0.before);
        before.counters.add(&session.counters);
        before.bytes += session.bytes;
        self.0.connected.store(true, Ordering::Relaxed);
        self.0.idle.store(false, Ordering::Relaxed);
        self.0.fresh_ms.store(0, Ordering::Relaxed);
    }

    pub fn ended(&self) {
        self.0.connected.store(false, Ordering::Relaxed);
        self.0.idle.store(false, Ordering::Relaxed);
    }

    /// A batch is on the log.
    pub fn published(&self, counters: &Counters, now_ms: i64) {
        let mut session = locked(&self.0.session);
        let Counters { rows, records, transactions, committed_ms, .. } = *counters;
        session.counters = Counters { rows, records, transactions, committed_ms, ..session.counters };
        self.0.latency_ms.store((now_ms - committed_ms).max(0), Ordering::Relaxed);
        // Sessions that live in another time are not believed: neither the future nor the past behind what is known.
        self.0.fresh_ms.fetch_max(committed_ms.min(now_ms), Ordering::Relaxed);
    }

    /// What has been received.
    pub fn received(&self, counters: &Counters, bytes: u64, pace: Pace, now_ms: i64) {
        let mut session = locked(&self.0.session);
        session.bytes = bytes;
        let Counters { held, warnings, ddl, unlogged, events, transactions, .. } = *counters;
        session.counters = Counters { held, warnings, ddl, unlogged, events, ..session.counters };
        self.0.idle.store(pace == Pace::Idle, Ordering::Relaxed);
        let fresh_ms = match pace {
            Pace::Busy => return,
            // transactions of tables that are not followed are on the log by leaving nothing there
            Pace::Settled => counters.committed_ms.min(now_ms),
            Pace::Idle => now_ms,
        };
        session.counters.transactions = transactions;
        self.0.fresh_ms.fetch_max(fresh_ms, Ordering::Relaxed);
    }

    /// What is on the log and written down.
    pub fn state(&self, position: &Position, snapshots_open: usize, quarantined: usize) {
        self.0.snapshots_open.store(snapshots_open as u64, Ordering::Relaxed);
        self.0.quarantined.store(quarantined as u64, Ordering::Relaxed);
        if self.is_watched() {
            let mut known = locked(&self.0.position);
            if known.as_ref() != Some(position) {
                *known = Some(position.clone());
            }
        }
    }

    /// How far the log is behind the server; `None` where it cannot be told.
    pub fn behind(&self, bytes: Option<u64>, transactions: Option<u64>) {
        *locked(&self.0.behind) =
            Behind { bytes: bytes.unwrap_or(UNKNOWN), transactions: transactions.unwrap_or(UNKNOWN) };
    }

    pub fn position(&self) -> Option<Position> {
        locked(&self.0.position).clone()
    }

    /// Somebody looks at the figures that cost questions to the server.
    pub fn watch(&self) {
        self.0.watched.store(true, Ordering::Relaxed);
    }

    pub fn is_watched(&self) -> bool {
        self.0.watched.load(Ordering::Relaxed)
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
        self.counted().counters.rows
    }

    /// Records published by this process from the binlog.
    pub fn records(&self) -> u64 {
        self.counted().counters.records
    }

    pub fn snapshot(&self) -> u64 {
        self.0.snapshot_rows.load(Ordering::Relaxed)
    }

    fn counted(&self) -> Counted {
        let mut all = *locked(&self.0.before);
        let session = *locked(&self.0.session);
        all.counters.add(&session.counters);
        all.bytes += session.bytes;
        all
    }

    /// All figures, for a line of the log and for those who collect them.
    pub fn figures(&self, now_ms: i64) -> Snapshot {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let Counted { counters, bytes } = self.counted();
        let behind = *locked(&self.0.behind);
        let known = |figure: u64| (figure != UNKNOWN).then_some(figure);
        let lag_ms = match self.0.fresh_ms.load(Ordering::Relaxed) {
            _ if self.0.idle.load(Ordering::Relaxed) => Some(0),
            0 => None,
            fresh_ms => Some((now_ms - fresh_ms).max(0)),
        };
        Snapshot {
            rows: counters.rows,
            records: counters.records,
            transactions: counters.transactions,
            bytes,
            held: counters.held,
            warnings: counters.warnings,
            ddl: counters.ddl,
            unlogged: counters.unlogged,
            snapshot_rows: get(&self.0.snapshot_rows),
            snapshot_expected: get(&self.0.snapshot_expected),
            snapshots_open: get(&self.0.snapshots_open),
            quarantined: get(&self.0.quarantined),
            reconnects: get(&self.0.reconnects),
            connected: self.0.connected.load(Ordering::Relaxed),
            latency_ms: self.0.latency_ms.load(Ordering::Relaxed),
            lag_ms,
            behind_bytes: known(behind.bytes),
            behind_transactions: known(behind.transactions),
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
    /// Statements that changed a table that is followed.
    pub ddl: u64,
    pub unlogged: u64,
    pub snapshot_rows: u64,
    pub snapshot_expected: u64,
    pub snapshots_open: u64,
    pub quarantined: u64,
    pub reconnects: u64,
    pub connected: bool,
    /// From commit to acknowledgement, of the newest change.
    pub latency_ms: i64,
    /// How old the oldest committed change may be that is not on the log; `None` before anything is known.
    pub lag_ms: Option<i64>,
    /// As the server was asked last; `None` where it cannot be told.
    pub behind_bytes: Option<u64>,
    pub behind_transactions: Option<u64>,
}
