//! What people ask of a reader from outside: where it is, where it shall go on, which tables it shall read anew.

use std::sync::Arc;

use linli_connectors::{Error, ErrorKind};
use serde::Serialize;

use super::gtid::{GtidSet, MariadbGtids, MysqlGtids};
use super::lag::bytes_between;
use super::options::CdcOptions;
use super::position::{Place, Position};
use super::progress::Snapshots;
use super::reader::{Parts, State};
use super::resume;
use super::scan::Scanner;
use super::server::{Server, connect};
use super::store::{Loaded, Store};
use super::wire::{Address, Wire, WireError};

/// Where a position shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `binlog.000003:154`, or the first transaction behind it.
    Place(Place),
    /// Behind these transactions.
    Gtids(String),
    /// The first transaction committed at this time or later, epoch ms.
    Time(i64),
    /// To be begun anew, with a snapshot.
    Reset,
}

/// A reader's position against its server's log.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub server: String,
    /// `None` before the first start.
    pub position: Option<Position>,
    pub written_at_ms: Option<i64>,
    pub end: Position,
    /// `None` where it cannot be told.
    pub behind_transactions: Option<u64>,
    pub behind_bytes: Option<u64>,
    /// Tables whose snapshot is not done, and those in quarantine.
    pub open_snapshots: Vec<String>,
    pub quarantined: Vec<String>,
    /// XA transactions that wait for their commit or rollback.
    pub prepared: Vec<PreparedXa>,
}

/// An XA transaction that is not decided.
#[derive(Clone, Debug, Serialize)]
pub struct PreparedXa {
    /// As `XA COMMIT` takes it.
    pub xid: String,
    pub prepared_at_ms: i64,
    /// Of its rows in the binlog.
    pub bytes: u64,
}

/// What setting a position does, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    pub server: String,
    pub from: Option<Position>,
    pub to: Option<Position>,
    /// Transactions that are published a second time, or never; `None` without GTIDs.
    pub repeats_transactions: Option<u64>,
    pub skips_transactions: Option<u64>,
    pub repeats_bytes: Option<u64>,
    pub skips_bytes: Option<u64>,
    pub done: bool,
}

pub(super) async fn loaded(address: &Address, parts: &Parts) -> Result<(Store, Option<Loaded>), Error> {
    let nonce = format!("{:016x}", parts.random.next_u64());
    let mut store = Store::new(Arc::clone(&parts.blobs), Arc::clone(&parts.clock), &address.name, nonce);
    let loaded = store.load().await?;
    Ok((store, loaded))
}

/// Connects to the server that the reader follows; where that is not known or does not answer, to the first that does.
pub(super) async fn reach(address: &Address, loaded: Option<&Loaded>) -> Result<(Address, Wire, Server), Error> {
    let (mut other, mut failure) = (None, None);
    for host in address.hosts() {
        let attempt = async {
            let mut wire = connect(&host).await?;
            let server = Server::examine(&mut wire, &host).await?;
            Ok((wire, server))
        };
        match attempt.await {
            Ok((wire, server)) if loaded.is_none_or(|loaded| loaded.record.server == server.identity) => {
                return Ok((host, wire, server));
            }
            Ok((wire, server)) => other = other.or(Some((host, wire, server))),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let nobody = || Error::new(ErrorKind::Config, address.object(), "names no host");
    other.ok_or_else(|| failure.unwrap_or_else(nobody))
}

pub async fn show(address: &Address, parts: &Parts) -> Result<Shown, Error> {
    let (_, loaded) = loaded(address, parts).await?;
    let (address, mut wire, server) = reach(address, loaded.as_ref()).await?;
    let at = |error: WireError| error.at(address.object());
    let end = server.current(&mut wire).await.map_err(at)?;
    let binlogs = Server::binlogs(&mut wire).await.map_err(at)?;
    let position = loaded.as_ref().filter(|loaded| !loaded.record.reset).map(|loaded| loaded.record.position.clone());
    Ok(Shown {
        server: address.name.clone(),
        behind_transactions: position.as_ref().and_then(|position| end.gtids.count_without(&position.gtids)),
        behind_bytes: position.as_ref().and_then(|position| bytes_between(&binlogs, &position.place, &end.place)),
        written_at_ms: loaded.as_ref().map(|loaded| loaded.record.at_ms),
        open_snapshots: loaded
            .as_ref()
            .map_or(Vec::new(), |loaded| loaded.record.snapshots.open().map(|(name, _)| name.clone()).collect()),
        prepared: loaded.as_ref().map_or(Vec::new(), |loaded| {
            let shown = |stored: &super::prepared::Stored| PreparedXa {
                xid: stored.xid.clone(),
                prepared_at_ms: stored.at_ms,
                bytes: stored.bytes,
            };
            loaded.record.prepared.iter().map(shown).collect()
        }),
        quarantined: loaded.as_ref().map_or(Vec::new(), |loaded| loaded.record.quarantines.keys().cloned().collect()),
        position,
        end,
    })
}

/// What lies between two positions.
#[derive(Clone, Copy, Debug, Default)]
struct Between {
    repeats: Option<u64>,
    skips: Option<u64>,
    repeats_bytes: Option<u64>,
    skips_bytes: Option<u64>,
}

impl Between {
    /// Without binlogs where the places are of different servers.
    async fn new(
        from: &Position,
        to: &Position,
        binlogs: &[(String, u64)],
        scanner: &Scanner<'_>,
    ) -> Result<Between, Error> {
        let is_known = !binlogs.is_empty();
        let mut between = Between {
            repeats: from.gtids.count_without(&to.gtids),
            skips: to.gtids.count_without(&from.gtids),
            repeats_bytes: bytes_between(binlogs, &to.place, &from.place).filter(|_| is_known),
            skips_bytes: bytes_between(binlogs, &from.place, &to.place).filter(|_| is_known),
        };
        if between.repeats.is_none() && between.repeats_bytes.is_some() {
            between.repeats = Some(scanner.transactions(&to.place, &from.place).await?);
        }
        if between.skips.is_none() && between.skips_bytes.is_some() {
            between.skips = Some(scanner.transactions(&from.place, &to.place).await?);
        }
        if between.repeats.is_none() && between.skips.is_some() {
            between.repeats = Some(0);
        }
        if between.skips.is_none() && between.repeats.is_some() {
            between.skips = Some(0);
        }
        // A transaction that is on the log in part is told from its beginning.
        if from.partial.is_some() && between.skips == Some(0) {
            between.repeats = between.repeats.map(|transactions| transactions + 1);
        }
        Ok(between)
    }
}

/// Sets the position of a reader, which must not run: a running one is fenced and stops.
pub async fn set(
    address: &Address,
    parts: &Parts,
    options: &CdcOptions,
    target: &Target,
    dry_run: bool,
) -> Result<Moved, Error> {
    let (mut store, loaded) = loaded(address, parts).await?;
    let (address, wire, server) = &mut reach(address, loaded.as_ref()).await?;
    let at = |error: WireError| error.at(address.object());
    let binlogs = Server::binlogs(wire).await.map_err(at)?;
    let scanner = Scanner::new(address, server, resume::dump_options(options, address, server));
    let to = match target {
        Target::Reset => None,
        Target::Gtids(text) => Some(scanner.behind(by_gtids(text, server)?, &binlogs).await?),
        Target::Place(place) => Some(scanner.at(place, &binlogs).await?),
        Target::Time(time_ms) => Some(scanner.since(*time_ms, &binlogs).await?),
    };
    let from = loaded.as_ref().filter(|loaded| !loaded.record.reset).map(|loaded| loaded.record.position.clone());
    let here = loaded.as_ref().is_some_and(|loaded| loaded.record.server == server.identity);
    let between = match from.as_ref().zip(to.as_ref()) {
        Some((from, to)) => Between::new(from, to, if here { &binlogs } else { &[] }, &scanner).await?,
        None => Between::default(),
    };
    let moved = Moved {
        server: address.name.clone(),
        repeats_transactions: between.repeats,
        skips_transactions: between.skips,
        repeats_bytes: between.repeats_bytes,
        skips_bytes: between.skips_bytes,
        from,
        to: to.clone(),
        done: !dry_run,
    };
    if dry_run {
        return Ok(moved);
    }
    let Some(loaded) = loaded else {
        return match target {
            Target::Reset => Ok(moved),
            _ => Err(Error::new(ErrorKind::Config, format!("reader of {}", address.name), "has not been started yet")
                .hint("start it once: its first snapshot learns the tables")),
        };
    };
    match to {
        None => store.reset(loaded.record).await?,
        Some(position) => {
            // The tables as they were there.
            let before = |from: &&super::store::SchemaFrom| from.position.is_before(&position);
            let schema = loaded.record.history.iter().rev().find(before).or(loaded.record.history.first());
            let catalog = match schema {
                Some(from) => Arc::new(store.catalog(&from.schema).await?),
                None => loaded.state.catalog,
            };
            let mut quarantines = loaded.state.quarantines;
            for quarantine in Arc::make_mut(&mut quarantines).values_mut() {
                quarantine.gap = quarantine.gap.take().or(Some("the reader was set to another position".to_owned()));
                quarantine.applying = None;
            }
            // What was prepared before may be decided between, or its name used again: a commit of it reads the tables anew.
            // What changed is told from the position on.
            let snapshots = Snapshots { changed: Vec::new(), ..loaded.state.snapshots };
            let state = State { position, catalog, snapshots, quarantines, ..State::default() };
            store.save(&loaded.record.server, &state).await?;
        }
    }
    Ok(moved)
}

fn by_gtids(text: &str, server: &Server) -> Result<GtidSet, Error> {
    let gtids = match server.identity.mariadb {
        true => MariadbGtids::parse(text).map(GtidSet::Mariadb),
        false => MysqlGtids::parse(text).map(GtidSet::Mysql),
    };
    match gtids {
        Some(gtids) if server.gtids => Ok(gtids),
        Some(_) => Err(Error::new(ErrorKind::Config, "the server", "numbers no transactions (gtid_mode is not ON)")
            .hint("set the position by file and offset, or by time")),
        None => {
            Err(Error::new(ErrorKind::Config, format!("GTIDs {text:?}"), "are not written as this server writes them")
                .hint("MySQL: uuid:1-5,…; MariaDB: 0-1-5,…"))
        }
    }
}
