//! The reader of one server: connection, stream, batches, acknowledgements, records.

use std::sync::Arc;
use std::time::Duration;

use linli_binlog::DecodeError;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_connectors::random::SharedRandom;
use linli_connectors::{Error, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::catalog::{Catalog, Known};
use super::changed::Changed;
use super::first;
use super::lag::Watch;
use super::meters::Meters;
use super::options::CdcOptions;
use super::position::Position;
use super::prepared::PreparedSet;
use super::progress::Snapshots;
use super::publish::Publisher;
use super::quarantine::Quarantines;
use super::resume;
use super::route::Router;
use super::schema;
use super::server::{self, Server};
use super::store::{Loaded, ServerIdentity, Store};
use super::stream::{Ended, Stream};
use super::wire::{Address, Wire, WireError};

/// Between attempts to reach a server.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// Bytes at the same place that are not what they should be so often are no accident of the connection.
const DAMAGED_MAX: u32 = 5;

/// What a reader works with.
#[derive(Clone)]
pub struct Parts {
    pub log: SharedLog,
    pub blobs: SharedBlobs,
    pub clock: SharedClock,
    pub random: SharedRandom,
}

/// Follows one server until it is told to stop.
pub struct Reader {
    /// The server that is followed now, of those that replicate one another.
    pub(super) address: Address,
    hosts: Vec<Address>,
    /// Which of them was followed last; of an earlier process the record tells it.
    followed: Option<usize>,
    pub(super) options: Arc<CdcOptions>,
    pub(super) router: Arc<Router>,
    pub(super) parts: Parts,
    pub(super) publisher: Publisher,
    pub(super) store: Arc<tokio::sync::Mutex<Store>>,
    pub(super) meters: Meters,
    begin: Begin,
    pub(super) until: Until,
    /// It was followed before: the topics hold rows of then.
    pub(super) again: bool,
    /// Tables that were in quarantine then.
    pub(super) quarantined: Arc<Quarantines>,
}

/// Where a reader begins that has no position yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With a snapshot of all tables, and then what follows.
    Snapshot,
    /// At the oldest binlog, whose tables must be as they are now.
    OldestBinlog,
}

/// How long a reader runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Stopped,
    /// Until everything is published that was committed when it connected.
    CaughtUp,
}

/// What is on the log and written down.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub position: Position,
    pub catalog: Arc<Catalog>,
    pub snapshots: Snapshots,
    pub prepared: Arc<PreparedSet>,
    /// Rows that changed while their tables are being read.
    pub changed: Changed,
    pub quarantines: Arc<Quarantines>,
}

/// That, and of which server it is true.
type Begun = (State, ServerIdentity);

impl Reader {
    pub fn new(address: Address, options: Arc<CdcOptions>, parts: Parts, meters: Meters) -> Result<Reader, Error> {
        let router = Arc::new(Router::new(Arc::clone(&options))?);
        let publisher = Publisher::new(Arc::clone(&parts.log), Arc::clone(&parts.clock), &options);
        let nonce = format!("{:016x}", parts.random.next_u64());
        let store = Store::new(Arc::clone(&parts.blobs), Arc::clone(&parts.clock), &address.name, nonce);
        let store = Arc::new(tokio::sync::Mutex::new(store));
        let (begin, until) = (Begin::Snapshot, Until::Stopped);
        let (hosts, followed) = (address.hosts(), None);
        let address = hosts.first().cloned().unwrap_or(address);
        Ok(Reader {
            address,
            hosts,
            followed,
            options,
            router,
            parts,
            publisher,
            store,
            meters,
            begin,
            until,
            again: false,
            quarantined: Arc::default(),
        })
    }

    pub fn begin(self, begin: Begin) -> Reader {
        Reader { begin, ..self }
    }

    pub fn until(self, until: Until) -> Reader {
        Reader { until, ..self }
    }

    /// Runs until `shutdown`, or until something needs a person.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        self.publisher = self.publisher.clone().until(shutdown.clone());
        let loaded = self.store.lock().await.resume().await?;
        self.again = loaded.is_some();
        if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.record.reset) {
            self.quarantined = Arc::clone(&loaded.state.quarantines);
        }
        let mut state = begun(loaded);
        let (mut backoff, mut damaged, mut refused, mut failed_at) = (BACKOFF_MIN, 0, 0, None);
        loop {
            let before = state.as_ref().map(|(state, _)| state.position.clone());
            let outcome = tokio::select! {
                outcome = self.session(&mut state, &shutdown) => outcome,
                () = shutdown.cancelled(), if state.is_none() => return Ok(()),
            };
            let error = match outcome {
                Ok(Ended::Shutdown) => return Ok(()),
                Ok(Ended::Again) => continue,
                Err(error) if error.kind != ErrorKind::Retry && !self.may_be_passed_over(&error, refused) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            let place = state.as_ref().map(|(state, _)| state.position.clone());
            if place != before || place != failed_at {
                (backoff, damaged, refused) = (BACKOFF_MIN, 0, 0);
            }
            failed_at = place;
            if state.is_none() {
                // a first snapshot that was cut off is gone on with: what it published is not told again
                state = begun(self.store.lock().await.resume().await?);
            }
            if !error.is_retry() {
                refused += 1;
                self.followed = self.followed.map(|index| index + 1);
            }
            damaged = if is_damage(&error) { damaged + 1 } else { 0 };
            self.meters.reconnected();
            if damaged >= DAMAGED_MAX {
                return Err(Error { kind: ErrorKind::Corrupt, ..error });
            }
            tracing::warn!(%error, hint = error.hint.as_deref().unwrap_or(""), "the reader of {} begins again", self.address.object());
            tokio::select! {
                () = self.parts.clock.sleep(backoff) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Whether another server may have what this one says it has not: only the dump itself tells that a MariaDB went astray.
    fn may_be_passed_over(&self, error: &Error, refused: usize) -> bool {
        let about = error.source.as_deref().and_then(|source| source.downcast_ref::<WireError>());
        let is_refusal = error.kind == ErrorKind::Corrupt && about.is_some_and(|error| error.code().is_some());
        is_refusal && refused + 1 < self.hosts.len()
    }

    /// Connects to the first server that answers and can be followed from where the reader is: beginning with the one
    /// that was followed last, for a server that went away may come back without what was committed since.
    async fn choose(&mut self, state: Option<&Begun>) -> Result<(Wire, Server), Error> {
        let mut failures: Vec<Error> = Vec::new();
        let mut others = None;
        let last = state.filter(|_| self.followed.is_none()).map(|(_, identity)| identity);
        for next in 0..self.hosts.len() {
            let index = (self.followed.unwrap_or(0) + next) % self.hosts.len();
            let Some(address) = self.hosts.get(index).cloned() else { continue };
            match self.attempt(&address, state).await {
                // one that was not followed last only where that one cannot be
                Ok((wire, server)) if last.is_some_and(|last| *last != server.identity) => {
                    others.get_or_insert((index, address, wire, server));
                }
                Ok((wire, server)) => {
                    (self.address, self.followed) = (address, Some(index));
                    return Ok((wire, server));
                }
                Err(error) => failures.push(error),
            }
        }
        let Some((index, address, wire, server)) = others else {
            return Err(none_of(failures, &self.address));
        };
        (self.address, self.followed) = (address, Some(index));
        Ok((wire, server))
    }

    async fn attempt(&self, address: &Address, state: Option<&Begun>) -> Result<(Wire, Server), Error> {
        let mut wire = server::connect(address).await?;
        let server = Server::examine(&mut wire, address).await?;
        if let Some((state, identity)) = state {
            resume::from(&mut wire, &server, identity, &state.position, &address.object()).await?;
        }
        Ok((wire, server))
    }

    /// One connection's life.
    async fn session(&mut self, state: &mut Option<Begun>, shutdown: &CancellationToken) -> Result<Ended, Error> {
        let (mut wire, server) = self.choose(state.as_ref()).await?;
        if !server.full_images {
            tracing::warn!(server = %self.address.object(), "binlog_row_image is not FULL: updates and deletes hold what the log holds");
        }
        if state.is_none() {
            let done = match self.begin {
                Begin::Snapshot => first::snapshot(self, &server, shutdown).await?,
                Begin::OldestBinlog => Some(first::oldest(self, &server, &mut wire).await?),
            };
            let Some(done) = done else {
                return Ok(Ended::Shutdown);
            };
            *state = Some((done, server.identity.clone()));
        }
        self.meters.snapshot_done();
        let Some((current, identity)) = state else {
            return Ok(Ended::Again);
        };
        let is_followed = |known: &Arc<Known>| self.router.follows(&known.table.db, &known.table.name);
        if !current.catalog.tables().any(is_followed) {
            tracing::warn!(
                server = %self.address.object(), databases = self.options.databases, tables = self.options.tables,
                "no table is followed: none that is there, and that the user may SELECT, matches cdc.databases and cdc.tables"
            );
        }
        let cascades = schema::cascades(&mut wire, &self.router).await;
        let cascades = cascades.map_err(|error| error.at(self.address.object()))?;
        if !cascades.is_empty() {
            tracing::warn!(
                server = %self.address.object(), tables = cascades.join(", "),
                "foreign keys change rows that the binlog does not tell (ON DELETE or ON UPDATE CASCADE, SET NULL): change \
                 them in the application, or read the tables anew by linli ingest cdc snapshot TABLE"
            );
        }
        let options = resume::dump_options(&self.options, &self.address, &server);
        options.refuse_taken(&mut wire, server.server_id, &self.address).await?;
        let from = resume::from(&mut wire, &server, identity, &current.position, &self.address.object()).await?;
        if let resume::Start::Elsewhere(position) = &from.start {
            current.position = position.clone();
        }
        *identity = server.identity.clone();
        self.publisher.create_topics(&current.catalog, &self.router).await?;
        self.keep_changed(current).await?;
        // fences whoever read this server before
        self.store.lock().await.save(identity, current).await?;
        self.store.lock().await.sweep(current).await?;
        let end = match self.until {
            Until::Stopped => None,
            Until::CaughtUp => {
                Some(server.current(&mut wire).await.map_err(|error| error.at(self.address.object()))?.place)
            }
        };
        wire.start_dump(&from.dump, &options).await.map_err(|error| error.at(self.address.object()))?;
        tracing::info!(server = %self.address.object(), version = %server.version, position = %current.position, "following");
        self.meters.begin();
        let (meters, clock) = (self.meters.clone(), Arc::clone(&self.parts.clock));
        let watch = meters.is_watched().then(|| Watch::start(self.address.clone(), server.clone(), meters, clock));
        let ended = Stream::new(self, server, wire, current, end).run(shutdown).await;
        drop(watch);
        self.meters.ended();
        ended.map_err(|error| options.named(error))
    }
}

impl Reader {
    /// Goes on to remember what changes while tables are read. All of it is stored anew: of the last part it is not known
    /// whether it was.
    async fn keep_changed(&self, state: &mut State) -> Result<(), Error> {
        for (table, _) in state.snapshots.open().filter(|(_, progress)| !progress.emptied) {
            state.changed.keep(table);
        }
        let part = state.changed.whole();
        // what is not named any more is swept
        if let (Some((key, bytes)), _) = state.snapshots.name_part(part, self.parts.random.next_u64()) {
            self.store.lock().await.put_object(&key, bytes).await?;
        }
        Ok(())
    }
}

/// What was written down, unless it is to be begun anew.
fn begun(loaded: Option<Loaded>) -> Option<Begun> {
    loaded.filter(|loaded| !loaded.record.reset).map(|loaded| (loaded.state, loaded.record.server))
}

/// Why none of the servers can be followed. While one does not answer, it may be the one that can.
fn none_of(mut failures: Vec<Error>, address: &Address) -> Error {
    if failures.len() == 1
        && let Some(error) = failures.pop()
    {
        return error;
    }
    let kind = match failures.iter().any(Error::is_retry) {
        true => ErrorKind::Retry,
        false => failures.first().map_or(ErrorKind::Retry, |error| error.kind),
    };
    let causes: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let hint = failures.into_iter().find(|error| error.kind == kind).and_then(|error| error.hint);
    let error = Error::new(kind, format!("servers of {}", address.name), causes.join("; "));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn is_damage(error: &Error) -> bool {
    error.source.as_deref().is_some_and(|source| {
        source.is::<DecodeError>() || source.downcast_ref::<WireError>().is_some_and(WireError::is_damage)
    })
}
