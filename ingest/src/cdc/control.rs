//! What people ask of a reader from outside: where it is, where it shall go on, which tables it shall read anew.

use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::{Error, ErrorKind};
use serde::Serialize;

use super::gtid::{GtidSet, MariadbGtids, MysqlGtids};
use super::options::CdcOptions;
use super::position::{Place, Position};
use super::reader::Parts;
use super::resume;
use super::scan;
use super::server::{Server, connect};
use super::store::{Loaded, Store};
use super::wire::{Address, WireError};

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

async fn loaded(address: &Address, parts: &Parts) -> Result<(Store, Option<Loaded>), Error> {
    let nonce = format!("{:016x}", parts.random.next_u64());
    let mut store = Store::new(Arc::clone(&parts.blobs), Arc::clone(&parts.clock), &address.name, nonce);
    let loaded = store.load().await?;
    Ok((store, loaded))
}

pub async fn show(address: &Address, parts: &Parts) -> Result<Shown, Error> {
    let (_, loaded) = loaded(address, parts).await?;
    let at = |error: WireError| error.at(address.object());
    let mut wire = connect(address).await?;
    let server = Server::examine(&mut wire, address).await?;
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
        quarantined: loaded.as_ref().map_or(Vec::new(), |loaded| {
            loaded.catalog.tables().filter(|known| known.lost.is_some()).map(|known| known.table.full_name()).collect()
        }),
        position,
        end,
    })
}

/// Bytes of the log from one place to a later one; `None` where a file is gone or the order is the other.
fn bytes_between(binlogs: &[(String, u64)], from: &Place, to: &Place) -> Option<u64> {
    if from.order() > to.order() {
        return None;
    }
    let start = binlogs.iter().position(|(file, _)| *file == from.file)?;
    let end = binlogs.iter().position(|(file, _)| *file == to.file)?;
    let whole: u64 = binlogs.get(start..end)?.iter().map(|(_, length)| length).sum();
    (whole + to.pos).checked_sub(from.pos)
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
    let at = |error: WireError| error.at(address.object());
    let mut wire = connect(address).await?;
    let server = Server::examine(&mut wire, address).await?;
    let binlogs = Server::binlogs(&mut wire).await.map_err(at)?;
    let to = match target {
        Target::Reset => None,
        Target::Gtids(text) => Some(by_gtids(text, &server)?),
        Target::Place(_) | Target::Time(_) => {
            let dump = resume::dump_options(options, address, &server);
            Some(scan::locate(address, &server, &dump, &binlogs, target).await?)
        }
    };
    let from = loaded.as_ref().filter(|loaded| !loaded.record.reset).map(|loaded| loaded.record.position.clone());
    let pair = from.as_ref().zip(to.as_ref());
    let moved = Moved {
        server: address.name.clone(),
        repeats_transactions: pair.and_then(|(from, to)| from.gtids.count_without(&to.gtids)),
        skips_transactions: pair.and_then(|(from, to)| to.gtids.count_without(&from.gtids)),
        repeats_bytes: pair.and_then(|(from, to)| bytes_between(&binlogs, &to.place, &from.place)),
        skips_bytes: pair.and_then(|(from, to)| bytes_between(&binlogs, &from.place, &to.place)),
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
            let before = |from: &&super::store::SchemaFrom| from.position.place.order() <= position.place.order();
            let schema = match &position.place.file {
                file if file.is_empty() => None,
                _ => loaded.record.history.iter().rev().find(before).or(loaded.record.history.first()),
            };
            let catalog = match schema {
                Some(from) => store.catalog(&from.schema).await?,
                None => loaded.catalog,
            };
            store.save(&loaded.record.server, &position, &Arc::new(catalog), &loaded.record.snapshots).await?;
        }
    }
    Ok(moved)
}

fn by_gtids(text: &str, server: &Server) -> Result<Position, Error> {
    let gtids = match server.identity.mariadb {
        true => MariadbGtids::parse(text).map(GtidSet::Mariadb),
        false => MysqlGtids::parse(text).map(GtidSet::Mysql),
    };
    match gtids {
        Some(gtids) if server.gtids => Ok(Position { gtids, ..Position::default() }),
        Some(_) => Err(Error::new(ErrorKind::Config, "the server", "numbers no transactions (gtid_mode is not ON)")
            .hint("set the position by file and offset, or by time")),
        None => {
            Err(Error::new(ErrorKind::Config, format!("GTIDs {text:?}"), "are not written as this server writes them")
                .hint("MySQL: uuid:1-5,…; MariaDB: 0-1-5,…"))
        }
    }
}

const REQUESTS: &str = "requests";

/// Asks the reader of a server, running or not yet started, to read tables anew.
pub async fn request_snapshot(address: &Address, parts: &Parts, table: &str) -> Result<(), Error> {
    let key = format!("{}/{REQUESTS}/{:016x}", Store::prefix_of(&address.name), parts.random.next_u64());
    parts.blobs.put(&key, Bytes::from(table.to_owned())).await
}

/// The requests that are there: their keys, and the tables.
pub async fn requests(blobs: &SharedBlobs, server: &str) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    for key in blobs.list(&format!("{}/{REQUESTS}", Store::prefix_of(server))).await? {
        if let Some(bytes) = blobs.get(&key).await? {
            found.push((key, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(found)
}
