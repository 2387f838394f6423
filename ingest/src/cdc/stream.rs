//! The loop that follows a server: what was received is decoded, what was decoded is appended, what was acknowledged
//! is written down; each while the next is under way.

use std::sync::Arc;

use linli_connectors::log::NewRecord;
use linli_connectors::{Error, ErrorKind};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use super::cure::Cure;
use super::follow::{Counters, FollowFrom, Follower};
use super::incremental::Incremental;
use super::meters::Pace;
use super::position::{Place, Position};
use super::prepared::PreparedSet;
use super::progress::Progress;
use super::quarantine::Quarantines;
use super::reader::{Reader, State};
use super::server::{Server, connect};
use super::store::{ServerIdentity, Store};
use super::wire::{Wire, WireError};
use super::written::Definitions;

/// Events that are decoded before other work gets its turn.
const EVENTS_A_TURN: u32 = 2_000;
/// Heartbeats that may be missed, and for how long a server may be silent in any case.
const SILENCE_BEATS: u64 = 5;
const SILENCE_S: u64 = 15;
/// Received bytes that count as a sign of life before an event is whole: more than the heartbeats of that time.
const HEARD_BYTES: u64 = 64 << 10;
/// For so many heartbeats a server counts as idle after it said that it has no more.
const IDLE_BEATS: i64 = 3;
/// How often requests from outside are looked for.
const ASK_MS: i64 = 2_000;
/// How often a line tells how it goes.
const TELL_MS: i64 = 30_000;

/// How a session ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Shutdown,
    /// To be begun again at once.
    Again,
}

pub(super) struct Stream<'a> {
    pub(super) reader: &'a Reader,
    identity: ServerIdentity,
    wire: Wire,
    pub(super) follower: Follower,
    /// What is on the log.
    pub(super) state: &'a mut State,
    /// What is held of a table, on its way to the table's topic.
    pub(super) cure: Option<Cure>,
    /// The stream stands still at the next boundary, for held events to be applied.
    pub(super) cure_is_due: bool,
    /// A tick has passed: what is held is written down, however small.
    held_is_due: bool,
    /// The batch under way, and what is on the log once it is.
    pub(super) appending: Option<(JoinHandle<Result<(), Error>>, Mark)>,
    saving: Option<JoinHandle<Result<(), Error>>>,
    saved: Position,
    /// Objects that nobody needs once the next record is written.
    garbage: Vec<String>,
    topics_of: Arc<Catalog>,
    incremental: Incremental,
    /// What ticks have counted: the time of day may jump.
    passed_ms: i64,
    /// When something was received last that is worth it, and all bytes by then.
    heard_ms: i64,
    heard_bytes: u64,
    asked_ms: i64,
    told_ms: i64,
    /// To end here.
    until: Option<Place>,
}

/// What is true once a batch is acknowledged.
pub(super) struct Mark {
    position: Position,
    catalog: Arc<Catalog>,
    prepared: Arc<PreparedSet>,
    pub(super) quarantines: Arc<Quarantines>,
    /// Objects that nobody needs behind the position.
    garbage: Vec<String>,
    counters: Counters,
}

impl<'a> Stream<'a> {
    pub fn new(
        reader: &'a Reader,
        server: Server,
        wire: Wire,
        state: &'a mut State,
        until: Option<Place>,
    ) -> Stream<'a> {
        let follower = Follower::new(
            FollowFrom {
                object: reader.address.object(),
                server: reader.address.name.clone(),
                position: state.position.clone(),
                prepared: Arc::clone(&state.prepared),
                catalog: Arc::clone(&state.catalog),
                changed: std::mem::take(&mut state.changed),
                checksum: server.checksum,
                quarantines: Arc::clone(&state.quarantines),
                run: format!("{:016x}", reader.parts.random.next_u64()),
                maps_tell: server.full_metadata,
            },
            Arc::clone(&reader.router),
            Arc::clone(&reader.options),
        );
        Stream {
            identity: server.identity.clone(),
            incremental: Incremental::new(reader, server),
            wire,
            follower,
            cure: None,
            cure_is_due: false,
            held_is_due: false,
            appending: None,
            saving: None,
            saved: state.position.clone(),
            garbage: Vec::new(),
            topics_of: Arc::clone(&state.catalog),
            state,
            passed_ms: 0,
            heard_ms: 0,
            heard_bytes: 0,
            asked_ms: 0,
            told_ms: 0,
            until,
            reader,
        }
    }

    pub async fn run(mut self, shutdown: &CancellationToken) -> Result<Ended, Error> {
        self.follower.now_ms = self.reader.parts.clock.now_ms();
        self.follower.review_quarantines();
        let outcome = match self.take_requests().await {
            Ok(()) => self.follow(shutdown).await,
            Err(error) => Err(error),
        };
        // What is under way is waited for, so that nothing of it comes behind what a next session publishes.
        let settled = self.settle().await;
        let ended = match outcome {
            // What is there is written down, even where the last of it did not come to the log.
            Ok(ended) => self.save_now().await.and(settled).map(|()| ended),
            Err(error) => Err(error),
        };
        self.state.changed = std::mem::take(&mut self.follower.changed);
        ended
    }

    async fn follow(&mut self, shutdown: &CancellationToken) -> Result<Ended, Error> {
        let clock = Arc::clone(&self.reader.parts.clock);
        let interval = self.reader.options.save_interval;
        let mut tick = clock.sleep(interval);
        loop {
            let more = self.decode()?;
            self.store_objects().await?;
            self.bring().await?;
            self.find_unlogged().await?;
            self.reread();
            self.hand_over().await?;
            self.apply_held().await?;
            self.snapshot().await?;
            if self.is_at_end() {
                return Ok(Ended::Shutdown);
            }
            let is_full = self.is_full();
            let holds = self.holds();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(Ended::Shutdown),
                done = outcome_of(&mut self.appending) => self.acknowledged(done).await?,
                saved = outcome_of_save(&mut self.saving) => {
                    self.saving = None;
                    saved?;
                }
                () = &mut tick => {
                    tick = clock.sleep(interval);
                    self.on_tick().await?;
                }
                step = self.incremental.step() => step?,
                filled = self.wire.fill(), if !is_full && !more && !holds => {
                    filled.map_err(|error| error.at(self.reader.address.object()))?;
                    if self.wire.bytes_read() - self.heard_bytes >= HEARD_BYTES {
                        self.heard();
                    }
                }
                () = tokio::task::yield_now(), if more && !is_full || self.can_cure() => {}
            }
        }
    }

    /// Publishes the chunk at whose place the stream stands, and begins the next.
    async fn snapshot(&mut self) -> Result<(), Error> {
        if self.incremental.is_idle() && !self.state.snapshots.are_done() {
            self.incremental.begin(self.state);
        }
        if !self.incremental.is_due(&self.follower) || self.appending.is_some() || !self.follower.batch.is_empty() {
            return Ok(());
        }
        let Some(read) = self.incremental.take() else {
            return Ok(());
        };
        if *self.follower.end() != read.position.place {
            // The stream was beyond the place already: what it published may be newer than the view.
            return Ok(());
        }
        let Some(known) = read.known.filter(|known| known.lost.is_none()) else {
            tracing::error!(
                table = read.table,
                "the snapshot of a table ends: it is gone, the user may not SELECT it, or its definition is not understood"
            );
            self.state.snapshots.tables.remove(&read.table);
            self.follower.changed.forget(&read.table);
            return self.start_save().await;
        };
        if self.follower.is_quarantined(&read.table) && read.emptied.is_empty() {
            // It was begun before the quarantine: rows may have gone since that nobody told of.
            self.read_anew(read.table, Progress { emptied: true, ..Progress::default() });
            return Ok(());
        }
        let (db, name) = (known.table.db.clone(), known.table.name.clone());
        if self.follower.catalog().get(&db, &name).is_none_or(|there| **there != known) {
            self.follower.redefine(|catalog| catalog.put(known));
            self.reader.publisher.create_topics(self.follower.catalog(), &self.reader.router).await?;
            self.topics_of = Arc::clone(self.follower.catalog());
        }
        self.follower.end_quarantine(&read.table);
        let told = self.follower.batch.take();
        if !told.is_empty() {
            self.reader.publisher.append(told).await?;
        }
        if !read.emptied.is_empty() {
            self.reader.publisher.append(read.emptied).await?;
            self.follower.changed.watch(&read.table);
        }
        let prefix = Store::prefix_of(&self.reader.address.name);
        for chunk in read.chunks {
            let records = match self.follower.changed.of(&chunk.table) {
                Some(watched) => watched.untold(chunk.records, &chunk.keys),
                None => chunk.records,
            };
            self.reader.meters.snapshot_rows(records.len() as u64);
            let records = self.reader.publisher.set_aside(&self.reader.parts.blobs, &prefix, records).await?;
            self.reader.publisher.append(records).await?;
            let progress = self.state.snapshots.tables.entry(chunk.table.clone()).or_default();
            progress.emptied = false;
            progress.advance(chunk.piece, chunk.rows, chunk.after, chunk.done);
            if progress.is_done() {
                self.follower.changed.forget(&chunk.table);
                tracing::info!(table = chunk.table, rows = progress.rows, "the snapshot of a table is done");
            }
        }
        self.stand_here().await
    }

    /// What is true of everything that was read, once it is on the log.
    fn mark(&mut self) -> Mark {
        Mark {
            position: self.follower.position(),
            catalog: Arc::clone(self.follower.catalog()),
            prepared: Arc::clone(self.follower.prepared()),
            quarantines: Arc::clone(&self.follower.quarantines),
            garbage: std::mem::take(&mut self.follower.garbage),
            counters: self.follower.counters,
        }
    }

    fn stands_at(&mut self, mark: Mark) {
        self.state.position = mark.position;
        self.state.catalog = mark.catalog;
        self.state.prepared = mark.prepared;
        self.state.quarantines = mark.quarantines;
        self.garbage.extend(mark.garbage);
    }

    /// Everything that was read is on the log.
    fn stands_here(&mut self) {
        let mark = self.mark();
        self.stands_at(mark);
    }

    /// The same, and it is written down.
    pub(super) async fn stand_here(&mut self) -> Result<(), Error> {
        self.follower.trim_held();
        self.store_objects().await?;
        self.stands_here();
        self.start_save().await
    }

    /// Stores what was put aside, before a record names it.
    async fn store_objects(&mut self) -> Result<(), Error> {
        let prefix = Store::prefix_of(&self.reader.address.name);
        for (key, bytes) in std::mem::take(&mut self.follower.objects) {
            self.reader.parts.blobs.put(&format!("{prefix}/{key}"), bytes).await?;
        }
        Ok(())
    }

    /// Brings back what was put aside and is wanted again.
    async fn bring(&mut self) -> Result<(), Error> {
        let Some(key) = self.follower.wanted().map(str::to_owned) else {
            return Ok(());
        };
        let key = format!("{}/{key}", Store::prefix_of(&self.reader.address.name));
        let part = self.reader.parts.blobs.get(&key).await?.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, format!("object {key}"), "is missing: it holds rows of an XA transaction")
                .hint("restore the blob store, or begin anew with `linli ingest cdc position reset`")
        })?;
        self.follower.supply(part);
        Ok(())
    }

    /// Finds the tables that statements changed whose rows are not in the log.
    async fn find_unlogged(&mut self) -> Result<(), Error> {
        if self.follower.unlogged.is_empty() {
            return Ok(());
        }
        let address = &self.reader.address;
        let written = std::mem::take(&mut self.follower.unlogged);
        let definitions = Definitions::read(&mut connect(address).await?).await;
        let definitions = definitions.map_err(|error| error.at(address.object()))?;
        let reached = definitions.reached(&written, self.follower.catalog(), &self.reader.router);
        reached.tell(&address.object(), self.follower.end());
        self.follower.missed.extend(reached.tables.into_iter().map(|(db, table)| format!("{db}.{table}")));
        Ok(())
    }

    /// Reads tables anew whose rows are not what they were, though no change told so, or were never told.
    fn reread(&mut self) {
        for table in std::mem::take(&mut self.follower.unseen) {
            tracing::warn!(
                table,
                "a table has changes that was not there, or that the user may not SELECT, when the tables were read: it is read now"
            );
            self.read_anew(table, Progress::default());
        }
        for table in std::mem::take(&mut self.follower.reread) {
            if self.reader.options.reread_altered {
                tracing::info!(table, "a table was altered and is read anew");
                // Of a table in quarantine rows may have gone that nobody told of.
                let emptied = self.follower.is_quarantined(&table);
                self.read_anew(table, Progress { emptied, ..Progress::default() });
            }
        }
        for table in std::mem::take(&mut self.follower.missed) {
            self.read_anew(table, Progress { emptied: true, ..Progress::default() });
        }
    }

    /// Begins the snapshot of a table, or begins it again: what changed until here does not count.
    pub(super) fn read_anew(&mut self, table: String, progress: Progress) {
        self.incremental.cancel();
        match progress.emptied {
            // only what is published behind the emptying counts
            true => self.follower.changed.forget(&table),
            false => self.follower.changed.watch(&table),
        }
        self.state.snapshots.tables.insert(table, progress);
    }

    fn is_at_end(&self) -> bool {
        let Some(until) = &self.until else {
            return false;
        };
        let read = !self.follower.in_transaction() && self.follower.end().order() >= until.order();
        let published = self.appending.is_none() && self.follower.batch.is_empty();
        let settled = self.state.snapshots.are_done() && !self.is_curing();
        read && published && settled && self.state.position == self.follower.position()
    }

    /// Whether nothing is read for now: it would come before what has its place here.
    fn holds(&self) -> bool {
        self.incremental.holds(&self.follower) || self.waits_for_cure()
    }

    fn heard(&mut self) {
        self.heard_ms = self.passed_ms;
        self.heard_bytes = self.wire.bytes_read();
    }

    fn is_full(&self) -> bool {
        let batch = &self.follower.batch;
        batch.len() >= self.reader.options.batch_records
            || batch.bytes() >= self.reader.options.batch_bytes
            || !self.follower.objects.is_empty()
    }

    /// Decodes what has been received whole; whether there may be more of it.
    fn decode(&mut self) -> Result<bool, Error> {
        self.follower.now_ms = self.reader.parts.clock.now_ms();
        let events = self.follower.counters.events;
        let more = self.decode_turn()?;
        // what is not listened to cannot be silent
        if self.follower.counters.events != events || self.is_full() || self.holds() {
            self.heard();
        }
        Ok(more)
    }

    fn decode_turn(&mut self) -> Result<bool, Error> {
        for _ in 0..EVENTS_A_TURN {
            if self.is_full() || self.holds() {
                return Ok(false);
            }
            if self.follower.is_replaying() {
                if self.follower.wanted().is_some() {
                    return Ok(true);
                }
                self.follower.resume()?;
                continue;
            }
            let at = |error: WireError| error.at(self.reader.address.object());
            if !self.wire.next().map_err(at)? {
                return Ok(false);
            }
            match self.wire.event().map_err(at)? {
                Some(event) => self.follower.event(event)?,
                None => return Err(WireError::Closed.at(self.reader.address.object())),
            };
        }
        Ok(true)
    }

    /// Begins to append the batch, if none is under way.
    async fn hand_over(&mut self) -> Result<(), Error> {
        if self.appending.is_some() {
            return Ok(());
        }
        // What is held makes objects of a fair length where nothing else has to be written down.
        if self.follower.batch.is_empty() && !self.follower.is_held_trim() && !self.held_is_due {
            return Ok(());
        }
        self.held_is_due = false;
        self.follower.trim_held();
        self.store_objects().await?;
        if self.follower.batch.is_empty() {
            self.stands_here();
            return Ok(());
        }
        if !Arc::ptr_eq(&self.topics_of, self.follower.catalog()) {
            self.reader.publisher.create_topics(self.follower.catalog(), &self.reader.router).await?;
            self.topics_of = Arc::clone(self.follower.catalog());
        }
        let records = self.follower.batch.take();
        let prefix = Store::prefix_of(&self.reader.address.name);
        let records = self.reader.publisher.set_aside(&self.reader.parts.blobs, &prefix, records).await?;
        let mark = self.mark();
        self.append(records, mark);
        Ok(())
    }

    fn append(&mut self, records: Vec<NewRecord>, mark: Mark) {
        let publisher = self.reader.publisher.clone();
        self.appending = Some((tokio::spawn(async move { publisher.append(records).await }), mark));
    }

    /// The batch is on the log.
    async fn acknowledged(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        let mark = self.appending.take().map(|(_, mark)| mark);
        outcome?;
        if let Some(mark) = mark {
            let now_ms = self.reader.parts.clock.now_ms();
            self.reader.meters.published(&mark.counters, now_ms);
            let told = !mark.quarantines.keys().eq(self.state.quarantines.keys());
            self.stands_at(mark);
            if told {
                return self.start_save().await; // so that an alert is hardly ever repeated
            }
        }
        Ok(())
    }

    async fn on_tick(&mut self) -> Result<(), Error> {
        self.passed_ms += i64::try_from(self.reader.options.save_interval.as_millis()).unwrap_or(i64::MAX);
        let silent_ms = self.passed_ms - self.heard_ms;
        let beat = self.reader.options.heartbeat.as_secs().max(1);
        let allowed = (beat * SILENCE_BEATS).max(SILENCE_S);
        if silent_ms > i64::try_from(allowed * 1000).unwrap_or(i64::MAX) {
            return Err(WireError::Silent(allowed).at(self.reader.address.object()));
        }
        self.held_is_due = true;
        let now_ms = self.reader.parts.clock.now_ms();
        self.measure(now_ms);
        if self.passed_ms - self.told_ms >= TELL_MS {
            self.told_ms = self.passed_ms;
            let figures = self.reader.meters.figures(now_ms);
            tracing::info!(
                server = %self.reader.address.name, place = %self.follower.end(), rows = figures.rows,
                transactions = figures.transactions, lag_ms = figures.lag_ms, held = figures.held, "progress"
            );
        }
        if self.passed_ms - self.asked_ms >= ASK_MS {
            self.asked_ms = self.passed_ms;
            self.take_requests().await?;
        }
        if self.saving.is_none() && self.saved != self.state.position {
            self.start_save().await?;
        }
        Ok(())
    }

    /// Tells the figures that need no exact moment.
    fn measure(&self, now_ms: i64) {
        let meters = &self.reader.meters;
        let under_way = self.appending.is_some() || !self.follower.batch.is_empty() || self.follower.in_transaction();
        let beat_ms = i64::try_from(self.reader.options.heartbeat.as_millis()).unwrap_or(i64::MAX).max(1_000);
        let is_heard = self.passed_ms - self.heard_ms < beat_ms.saturating_mul(IDLE_BEATS);
        let pace = match self.follower.idle && is_heard {
            _ if under_way => Pace::Busy,
            true => Pace::Idle,
            false => Pace::Settled,
        };
        meters.received(&self.follower.counters, self.wire.bytes_read(), pace, now_ms);
        meters.state(&self.state.position, self.state.snapshots.open().count(), self.state.quarantines.len());
    }

    async fn start_save(&mut self) -> Result<(), Error> {
        self.finish_save().await?;
        let (store, identity) = (Arc::clone(&self.reader.store), self.identity.clone());
        let part = self.follower.changed.part();
        let number = self.reader.parts.random.next_u64();
        let (object, garbage) = part.map_or((None, Vec::new()), |part| self.state.snapshots.name_part(part, number));
        self.garbage.extend(garbage);
        let (state, garbage) = (self.state.clone(), std::mem::take(&mut self.garbage));
        self.saved = state.position.clone();
        self.saving = Some(tokio::spawn(async move {
            let mut store = store.lock().await;
            if let Some((key, bytes)) = object {
                store.put_object(&key, bytes).await?;
            }
            store.save(&identity, &state).await?;
            store.discard(&garbage).await;
            Ok(())
        }));
        Ok(())
    }

    pub(super) async fn save_now(&mut self) -> Result<(), Error> {
        self.start_save().await?;
        self.finish_save().await
    }

    async fn finish_save(&mut self) -> Result<(), Error> {
        match self.saving.take() {
            Some(saving) => joined(saving.await),
            None => Ok(()),
        }
    }

    /// Waits for what is under way.
    async fn settle(&mut self) -> Result<(), Error> {
        if let Some((appending, mark)) = self.appending.take() {
            joined(appending.await)?;
            self.stands_at(mark);
        }
        self.finish_save().await
    }
}

/// Waits for the append under way; for ever where there is none.
async fn outcome_of(appending: &mut Option<(JoinHandle<Result<(), Error>>, Mark)>) -> Result<(), Error> {
    match appending {
        Some((handle, _)) => joined(handle.await),
        None => std::future::pending().await,
    }
}

async fn outcome_of_save(saving: &mut Option<JoinHandle<Result<(), Error>>>) -> Result<(), Error> {
    match saving {
        Some(handle) => joined(handle.await),
        None => std::future::pending().await,
    }
}

pub(super) fn joined<T>(outcome: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    outcome.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Corrupt, "change capture", format!("a task ended by a defect: {error}")))
    })
}
