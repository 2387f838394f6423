//! The live feed: the shop's changes onto an event log, caught up to the clock and then as they fall due.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, SharedLog};
use linli_schemas::EventTime;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::records::Records;
use crate::shop::date;
use crate::sql::{Applied, SqlShop};
use crate::{Body, Changes, Error, Position, Result, Shop, ShopOptions, Transaction};

/// Where the position lies in the blob store.
pub const POSITION_KEY: &str = "simulator/position";
/// Pause before a passing failure is tried again; doubles up to the greatest.
const BACKOFF: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Between two writings of the position while the feed follows the clock.
const STORE_EVERY_MS: i64 = 1_000;
/// Between two lines that say how far behind the clock the shop is.
const TELL_EVERY_MS: i64 = 10_000;

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
    /// What servers committed, where they hold the shop.
    pub applied: Applied,
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
    let names = |shop: &ShopOptions| shop.fingerprint();
    let found = resume(&positions, &options.shop, names).await?;
    let opened_on = found.as_ref().map_or(options.shop.opened_on, |found| date(found.opened_on));
    let shop = Shop::new(ShopOptions { opened_on, ..options.shop.clone() })?;
    let started = found.unwrap_or_else(|| FeedPosition {
        shop: names(shop.options()),
        opened_on: shop.start().day,
        position: shop.start(),
        at: clock.now_ms(),
    });
    Feed::open(log, clock, options, positions, shutdown, started, Home::Log).await?.follow(&shop).await
}

/// Commits the shop's transactions on servers, and feeds the log with what its pages track alone: change data capture
/// reads the rest from the servers' binlogs. Otherwise as [`run`]. `sql` must have been opened with `shutdown`.
///
/// How far the transactions are is known to the servers, and how far the clicks are to the blob store. A new log for
/// an old shop is told the clicks since the last midnight.
pub async fn run_on_servers(
    log: SharedLog,
    clock: SharedClock,
    options: FeedOptions,
    positions: SharedBlobs,
    sql: SqlShop,
    shutdown: CancellationToken,
) -> Result<FeedReport> {
    let shop = sql.shop().clone();
    let started = resume(&positions, shop.options(), |_| sql.name()).await?.unwrap_or_else(|| FeedPosition {
        shop: sql.name(),
        opened_on: shop.start().day,
        position: shop.start_of_day(EventTime(clock.now_ms())).max(shop.start()),
        at: clock.now_ms(),
    });
    let home = Home::Servers(Box::new(sql));
    Feed::open(log, clock, options, positions, shutdown, started, home).await?.follow(&shop).await
}

/// The stored position, if it is that of the shop that `name` names.
async fn resume(
    positions: &SharedBlobs,
    asked: &ShopOptions,
    name: impl Fn(&ShopOptions) -> String,
) -> Result<Option<FeedPosition>> {
    let Some(bytes) = positions.get(POSITION_KEY).await? else { return Ok(None) };
    let stored: FeedPosition = serde_json::from_slice(&bytes)
        .map_err(|source| Error::CorruptPosition { key: POSITION_KEY.to_owned(), source })?;
    let asked = name(&ShopOptions { opened_on: date(stored.opened_on), ..asked.clone() });
    if stored.shop != asked {
        return Err(Error::OtherShop { key: POSITION_KEY.to_owned(), found: stored.shop, asked });
    }
    Ok(Some(stored))
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

/// Where the shop's transactions go; its clicks go to the log in any case.
enum Home {
    Log,
    Servers(Box<SqlShop>),
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
    home: Home,
}

impl Feed {
    async fn open(
        log: SharedLog,
        clock: SharedClock,
        options: FeedOptions,
        positions: SharedBlobs,
        shutdown: CancellationToken,
        started: FeedPosition,
        home: Home,
    ) -> Result<Feed> {
        let records = Arc::new(Records::new(options.shop.zone, options.partitions));
        let specs = records.topics();
        retrying(&clock, &shutdown, || log.create_topics(&specs)).await?;
        let pace = Pace { real: clock.now_ms(), shop: started.at.max(clock.now_ms()), speed: options.speed };
        let (position, at) = (started.position, started.at);
        let mut feed = Feed { log, clock, options, positions, shutdown, records, pace, stored: started, home };
        // before the first append: a restart on another day must not take the shop for a new one
        feed.store(position, at).await?;
        Ok(feed)
    }

    async fn follow(mut self, shop: &Shop) -> Result<FeedReport> {
        let start = match &self.home {
            Home::Log => self.stored.position,
            Home::Servers(sql) => sql.position().min(self.stored.position),
        };
        tracing::info!(day = start.day, index = start.index, "the simulated shop opens");
        let shop = shop.clone();
        let mut changes = tokio::task::spawn_blocking(move || shop.changes(start)).await?;
        let mut report = FeedReport::default();
        let (mut stored_at, mut told_at) = (i64::MIN, self.clock.now_ms());
        let mut caught_up = false;
        while !self.shutdown.is_cancelled() {
            let now = self.pace.now(self.clock.now_ms());
            let batch;
            (changes, batch) = self.due(changes, now).await?;
            let (position, full) = (changes.position(), batch.full);
            let counts = (batch.changes, batch.records.len() as u64);
            if !self.publish(batch).await? {
                // told to stop while somebody did not answer: the position stays before this batch
                break;
            }
            report.changes += counts.0;
            report.records += counts.1;
            let real = self.clock.now_ms();
            let pausing = self.shutdown.is_cancelled() || real >= stored_at.saturating_add(STORE_EVERY_MS);
            if position > self.stored.position && pausing {
                self.store(position, now).await?;
                stored_at = real;
            }
            if full {
                if real >= told_at + TELL_EVERY_MS {
                    let behind_s = (now - changes.next_at().0) / 1000;
                    tracing::info!(changes = report.changes, behind_s, "the simulated shop catches up with the clock");
                    told_at = real;
                }
                continue;
            }
            if !caught_up {
                caught_up = true;
                tracing::info!(changes = report.changes, records = report.records, "caught up with the clock");
            }
            tokio::select! {
                () = self.clock.sleep(self.options.tick) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
        if let Home::Servers(sql) = self.home {
            report.applied = sql.close().await?;
        }
        Ok(report)
    }

    /// What is due at `now`, up to a batch of it. Planning a day takes a while, so it is done aside.
    async fn due(&self, mut changes: Changes, now: i64) -> Result<(Changes, Batch)> {
        let (records, most) = (self.records.clone(), self.options.batch_changes);
        // where servers hold the shop, they may be behind the clicks
        let clicks_from = self.stored.position;
        let on_servers = matches!(self.home, Home::Servers(_));
        let made = tokio::task::spawn_blocking(move || {
            let mut batch = Batch::default();
            while !batch.full && changes.next_at().0 <= now {
                let Some(change) = changes.next() else { break };
                batch.changes += 1;
                batch.full = batch.changes >= most as u64;
                match change.body {
                    Body::Transaction(transaction) if on_servers => {
                        batch.transactions.push((change.position, transaction));
                    }
                    Body::Click(_) if change.position < clicks_from => {}
                    _ => records.write(&change, &mut batch.records),
                }
            }
            (changes, batch)
        });
        Ok(made.await?)
    }

    /// Says whether it was done before shutdown.
    async fn publish(&mut self, batch: Batch) -> Result<bool> {
        if !batch.records.is_empty() && !self.append(batch.records).await? {
            return Ok(false);
        }
        let Home::Servers(sql) = &mut self.home else { return Ok(true) };
        for (position, transaction) in batch.transactions {
            tokio::select! {
                committed = sql.commit(position, transaction) => committed?,
                () = self.shutdown.cancelled() => return Ok(false),
            }
        }
        Ok(true)
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

#[derive(Default)]
struct Batch {
    changes: u64,
    /// More may be due.
    full: bool,
    records: Vec<NewRecord>,
    /// What servers commit, where they hold the shop.
    transactions: Vec<(Position, Transaction)>,
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
