//! The loaders: from the event log into the tables of the warehouse, in batches.
//!
//! [`run_results`] loads `metrics.*` into `metric_parts`; [`run_facts`] loads orders, items, clicks and dead letters into
//! the facts, and counts the touched days of `community_sales` again. Both go on where they stopped: positions are put to
//! the blob store after the rows are in, so a crash repeats at most the last batch, and every table drops the repetition
//! by the identity and version of its rows. A record that cannot be read goes to the dead letter and is counted.
//! Errors that pass are tried again for ever, with a warning each time; others end the loader.

mod calendar;
mod delivery;
mod facts;
mod positions;
mod results;
mod run;
mod sales;
mod status;
mod version;

use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{Fetched, SharedLog};
use linli_schemas::Topic;
use linli_schemas::event::Reject;
use linli_schemas::zone::Zone;
use tokio_util::sync::CancellationToken;

pub use facts::FACTS;
pub use status::{LoaderHandle, LoaderStatus, Stopped};

use crate::sql::Block;
use crate::{Result, Warehouse};

/// How a loader batches.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Names the positions: `loader/<name>/positions`. One running loader a name; two would repeat each other's work, no more.
    pub name: String,
    /// Days begin at this zone's midnight. It belongs to the database: another one than it was filled with is refused.
    pub zone: Zone,
    /// Partitions of every topic.
    pub partitions: u32,
    /// A batch is loaded when it has this many rows,
    pub rows_max: u64,
    /// or this many bytes,
    pub bytes_max: usize,
    /// or is this old.
    pub interval_ms: i64,
    /// The days of `community_sales` are counted again no sooner than this after the last time,
    /// nor sooner than twenty times as long as that took.
    pub sales_interval_ms: i64,
}

impl LoaderOptions {
    pub fn results(zone: Zone, partitions: u32) -> LoaderOptions {
        LoaderOptions::named("results", zone, partitions)
    }

    pub fn facts(zone: Zone, partitions: u32) -> LoaderOptions {
        LoaderOptions::named("facts", zone, partitions)
    }

    fn named(name: &str, zone: Zone, partitions: u32) -> LoaderOptions {
        LoaderOptions {
            name: name.to_owned(),
            zone,
            partitions,
            rows_max: 200_000,
            bytes_max: 64 << 20,
            interval_ms: 1_000,
            sales_interval_ms: 5_000,
        }
    }
}

/// What a loader works with.
#[derive(Clone)]
pub struct Endpoints {
    pub log: SharedLog,
    pub warehouse: Warehouse,
    pub blobs: SharedBlobs,
    pub clock: SharedClock,
}

/// Loads results until `shutdown`. The database must have been migrated.
pub async fn run_results(
    endpoints: Endpoints,
    options: LoaderOptions,
    handle: LoaderHandle,
    shutdown: CancellationToken,
) -> Result<()> {
    let sink = results::Results::new(options.zone);
    run::run(endpoints, options, sink, handle, shutdown).await
}

/// Loads facts until `shutdown`. The database must have been migrated.
pub async fn run_facts(
    endpoints: Endpoints,
    options: LoaderOptions,
    handle: LoaderHandle,
    shutdown: CancellationToken,
) -> Result<()> {
    let sink = facts::Facts::new(options.zone, options.partitions);
    run::run(endpoints, options, sink, handle, shutdown).await
}

/// Where a record was read.
#[derive(Clone, Copy, Debug)]
struct Place {
    topic: Topic,
    partition: u32,
}

/// What became of a record that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// Nothing to write: a tombstone, a truncate, the old half of a move.
    Ignored,
}

/// Gathers records of some topics as blocks of rows. Does no I/O.
trait Sink: Send + 'static {
    const TOPICS: &'static [Topic];
    /// Whether its rows change `community_sales`.
    const FEEDS_SALES: bool;

    fn accept(&mut self, place: Place, record: &Fetched<'_>) -> Result<Outcome, Reject>;

    fn rows(&self) -> u64;

    fn bytes(&self) -> usize;

    /// Whether the gathered rows change `community_sales`.
    fn touches_sales(&self) -> bool {
        false
    }

    /// The gathered rows; the sink is empty after.
    fn take(&mut self) -> Vec<Block>;

    /// What must be kept with the positions, so that a repetition gives the same rows.
    fn memory(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn remember(&mut self, _memory: serde_json::Value) -> Result<(), serde_json::Error> {
        Ok(())
    }
}
