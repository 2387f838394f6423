//! The I/O around the stream jobs: polling, epochs, delivery, takeover.
//!
//! # Why every effect counts exactly once
//!
//! 1. A [task](linli_stream_jobs::task::Task) is a pure function of the records of one partition number. Its state, its
//!    positions and its pending effects (the outbox) are published together, in one object, by one conditional put:
//!    an [epoch]. Either all three are durable or none.
//! 2. Epochs form one line per task. Number n + 1 is written once, by whoever puts it first. The line is the truth;
//!    group offsets and compacted topics are never asked.
//! 3. An owner publishes n + 1 only after the outbox of n is delivered and marked. So of all epochs only the newest may
//!    have undelivered effects, and recovery needs to look at no other.
//! 4. A takeover reads the newest epoch n and first of all publishes n + 1 under a higher generation, with the state as it
//!    was and, unless n is marked, with the outbox of n. This fences: the old owner's next put finds n + 1 taken
//!    by another and stops. Nothing is applied or delivered before the takeover's epoch stands and is the newest.
//! 5. A put that fails unclearly is repeated. When the key is then taken, the object tells by generation and nonce
//!    whether the earlier put had succeeded ([`recovery::publish_decision`]).
//! 6. Delivery happens at least once: after a crash the newest outbox goes out again, byte for byte. Once and many times
//!    are the same, because an effect is a whole record under a key with a version (generation, epoch): stores keep the
//!    highest version, forwards and dead letters are idempotent by content and by identity.
//! 7. An old owner that still delivers after it was fenced delivers what it had published before: an older version, which
//!    replaces nothing newer. A number freed by the collection of garbage misleads nobody (`epoch/store.rs`).
//! 8. Records read twice are cut by the positions (`offset < position` is skipped); records *written* twice upstream are
//!    cut by their identity, in the task.
//! 9. Stores may lose their data. They answer each write with their incarnation; where it differs from the one that
//!    the newest epoch names, the next epoch delivers every open window again.
//!
//! # What is not promised
//!
//! - Results lag by up to one epoch. A crash costs one epoch's work.
//! - A reader of `metrics.*` must compare versions: a fenced owner may append an older version after a newer one.
//!   Where such a topic is compacted to its last record before the loader has read it, that older version is what is left
//!   until the window changes again: keep `min.compaction.lag.ms` above the loader's longest outage.
//! - Windows that have closed are not delivered again to a serving store that lost them; the warehouse has them.

pub mod epoch;
pub mod error;
pub mod meters;
pub mod options;
pub mod progress;
pub mod recovery;
pub mod status;

mod backoff;
mod control;
mod delivery;
mod idle;
mod runner;
mod skew;
mod takeover;
mod task_runner;

use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_connectors::random::SharedRandom;
use linli_connectors::serving::SharedServing;

pub use control::end_of_import;
pub use error::{Error, Result};
pub use meters::Meters;
pub use options::{Assignment, JobsOptions};
pub use runner::{Report, run, topics};
pub use status::StatusBoard;

/// The endpoints that the jobs work on, and where time and chance come from.
#[derive(Clone)]
pub struct Ports {
    pub log: SharedLog,
    pub serving: SharedServing,
    pub blobs: SharedBlobs,
    pub clock: SharedClock,
    pub random: SharedRandom,
}
