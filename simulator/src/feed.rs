//! The live feed: the shop's changes onto an event log, caught up to the clock and then as they fall due.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, SharedLog};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::records::Records;
use crate::shop::date;
use crate::{Changes, Error, Position, Result, Shop, ShopOptions};

/// Where the position lies in the blob store.
pub const POSITION_KEY: &str = "simulator/position";
/// Pause before a passing failure is tried again; doubles up to the greatest.
const BACKOFF: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Between two writings of the position while the feed follows the clock.
const STORE_EVERY_MS: i64 = 1_000;

#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// `opened_on` counts for a first start alone; later it is what the stored position says.
    pub shop: ShopOptions,
    pub partitions: u32,
    /// How fast the shop's time passes; 1 is real time.
    pub speed: f64,
    /// Changes appended at once, at most.
    pub batch_changes: usize,
    /// How often what is due is appended.
    pub tick: Duration,
}

impl FeedOptions {
    pub fn new(shop: ShopOptions, partitions: u32) -> FeedOptions {
        FeedOptions { shop, partitions, speed: 1.0, batch_changes: 5_000, tick: Duration::from_millis(200) }
    }
}

/// What the blob under [`POSITION_KEY`] holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPosition {
    /// Names the shop that the position belongs to, its opening day included.
    pub shop: String,
    /// The shop's first day, in days since 1970-01-01.
    pub opened_on: i32,
    /// The next change to append.
    pub position: Position,
    /// Epoch ms of the shop's time.
    pub at: i64,
}

/// What a feed did until it was told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedReport {
    pub changes: u64,
    pub records: u64,
}

/// Feeds the log until `shutdown`. Reference data comes first, then the day from its midnight to now, then what falls due.
///
/// The position is stored after the append: after a crash a tail is appended a second time, with the same identities.
pub async fn run(
    log: SharedLog,
    clock: SharedClock,
    options: FeedOptions,
    positions: SharedBlobs,
    shutdown: CancellationToken,
) -> Result<FeedReport> {
    let started = resume(&options, &positions, &clock).await?;
    let shop = Shop::new(ShopOptions { opened_on: date(started.opened_on), ..options.shop.clone() })?;
    let records = Arc::new(Records::new(options.shop.zone, options.partitions));
    let specs = records.topics();
    retrying(&clock, &shutdown, || log.create_topics(&specs)).await?;
    tracing::info!(day = started.position.day, index = started.position.index, "the simulated shop opens");
    let pace = Pace { real: clock.now_ms(), shop: started.at.max(clock.now_ms()), speed: options.speed };
    let (from, started_at) = (started.position, started.at);
    let changes = tokio::task::spawn_blocking(move || shop.changes(from)).await?;
    let mut feed = Feed { log, clock, options, positions, shutdown, records, pace, stored: started };
    // before the first append: a restart on another day must not take the shop for a new one
    feed.store(from, started_at).await?;
    let report = feed.follow(changes).await?;
    Ok(report)
}

/// The stored position, or that of a new shop that opens today.
async fn resume(options: &FeedOptions, positions: &SharedBlobs, clock: &SharedClock) -> Result<FeedPosition> {
    let Some(bytes) = positions.get(POSITION_KEY).await? else {
        let shop = Shop::new(options.shop.clone())?;
        return Ok(FeedPosition {
            shop: options.shop.fingerprint(),
            opened_on: shop.start().day,
            position: shop.start(),
            at: clock.now_ms(),
        });
    };
    let stored: FeedPosition = serde_json::from_slice(&bytes)
        .map_err(|source| Error::CorruptPosition { key: POSITION_KEY.to_owned(), source })?;
    let asked = ShopOptions { opened_on: date(stored.opened_on), ..options.shop.clone() }.fingerprint();
    if stored.shop != asked {
        return Err(Error::OtherShop { key: POSITION_KEY.to_owned(), found: stored.shop, asked });
    }
    Ok(stored)
}

/// The shop's time as the clock's passes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    real: i64,
    shop: i64,
    speed: f64,
}

impl Pace {
    fn now(&self, clock_ms: i64) -> i64 {
        self.shop + ((clock_ms - self.real) as f64 * self.speed) as i64
    }
}

struct Feed {
    log: SharedLog,
    clock: SharedClock,
    options: FeedOptions,
    positions: SharedBlobs,
    shutdown: CancellationToken,
    records: Arc<Records>,
    pace: Pace,
    stored: FeedPosition,
}

impl Feed {
    async fn follow(&mut self, mut changes: Changes) -> Result<FeedReport> {
        let mut report = FeedReport::default();
        let mut stored_at = i64::MIN;
        let mut caught_up = false;
        while !self.shutdown.is_cancelled() {
            let now = self.pace.now(self.clock.now_ms());
            let batch;
            (changes, batch) = due(changes, self.records.clone(), now, self.options.batch_changes).await?;
            let position = changes.position();
            let full = batch.changes >= self.options.batch_changes as u64;
            if batch.changes > 0 {
                let counts = (batch.changes, batch.records.len() as u64);
                if !self.append(batch.records).await? {
                    // told to stop while the log did not answer: the position stays before this batch
                    break;
                }
                report.changes += counts.0;
                report.records += counts.1;
            }
            let real = self.clock.now_ms();
            let pausing = self.shutdown.is_cancelled() || real >= stored_at.saturating_add(STORE_EVERY_MS);
            if position != self.stored.position && pausing {
                self.store(position, now).await?;
                stored_at = real;
            }
            if !full && !caught_up {
                caught_up = true;
                tracing::info!(changes = report.changes, records = report.records, "caught up with the clock");
            }
            if !full {
                tokio::select! {
                    () = self.clock.sleep(self.options.tick) => {}
                    () = self.shutdown.cancelled() => {}
                }
            }
        }
        Ok(report)
    }

    /// Appends, trying again on passing failures. Says whether it was done before shutdown.
    async fn append(&mut self, records: Vec<NewRecord>) -> Result<bool> {
        let log = self.log.clone();
        retrying(&self.clock, &self.shutdown, || log.append(records.clone())).await
    }

    async fn store(&mut self, position: Position, at: i64) -> Result<()> {
        self.stored.position = position;
        self.stored.at = at;
        // a struct of texts and numbers always has a JSON form
        let bytes: Bytes = serde_json::to_vec(&self.stored).unwrap_or_default().into();
        let positions = self.positions.clone();
        retrying(&self.clock, &self.shutdown, || positions.put(POSITION_KEY, bytes.clone())).await?;
        Ok(())
    }
}

struct Batch {
    changes: u64,
    records: Vec<NewRecord>,
}

/// The records of up to `most` changes that are due at `now`. Planning a day takes a while, so it is done aside.
async fn due(mut changes: Changes, records: Arc<Records>, now: i64, most: usize) -> Result<(Changes, Batch)> {
    let made = tokio::task::spawn_blocking(move || {
        let mut batch = Batch { changes: 0, records: Vec::new() };
        while batch.changes < most as u64 && changes.next_at().0 <= now {
            let Some(change) = changes.next() else { break };
            records.write(&change, &mut batch.records);
            batch.changes += 1;
        }
        (changes, batch)
    });
    Ok(made.await?)
}

/// Tries until it succeeds; `false` when shutdown came first. Errors that do not pass are returned.
async fn retrying<'a, F, O>(clock: &SharedClock, shutdown: &CancellationToken, mut action: F) -> Result<bool>
where
    F: FnMut() -> O,
    O: Future<Output = linli_connectors::Result<()>> + Send + 'a,
{
    let mut pause = BACKOFF;
    loop {
        match action().await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_retry() && !shutdown.is_cancelled() => {
                tracing::warn!(error = %error, "the simulated shop's feed waits");
                tokio::select! {
                    () = clock.sleep(pause) => {}
                    () = shutdown.cancelled() => return Ok(false),
                }
                pause = (pause * 2).min(BACKOFF_MAX);
            }
            Err(error) if error.is_retry() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}
