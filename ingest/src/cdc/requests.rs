//! What people ask of a reader that may be running: it looks for their requests in the blob store.

use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::apply::Applier;
use super::catalog::Catalog;
use super::control::{loaded, reach};
use super::cure::object;
use super::kept::{self, Front};
use super::options::CdcOptions;
use super::progress::Progress;
use super::quarantine::{Quarantine, split};
use super::reader::Parts;
use super::route::Router;
use super::store::Store;
use super::stream::Stream;
use super::wire::{Address, WireError, name};

const REQUESTS: &str = "requests";
/// What is made while it is only looked at is given up when it is this long.
const REHEARSED_BYTES: usize = 4 << 20;

/// What a reader is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To read a table anew.
    Snapshot { table: String },
    /// To apply what is held of a table.
    Apply {
        table: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
    },
}

/// Asks the reader of a server, running or not yet started.
pub async fn request(address: &Address, parts: &Parts, request: &Request) -> Result<(), Error> {
    let key = format!("{}/{REQUESTS}/{:016x}", Store::prefix_of(&address.name), parts.random.next_u64());
    let bytes = serde_json::to_vec(request)
        .map_err(|error| Error::new(ErrorKind::Corrupt, format!("object {key}"), error.to_string()))?;
    parts.blobs.put(&key, Bytes::from(bytes)).await
}

/// The requests that are there, with their keys. The name of a table alone asks for its snapshot.
pub async fn requests(blobs: &SharedBlobs, server: &str) -> Result<Vec<(String, Request)>, Error> {
    let mut found = Vec::new();
    for key in blobs.list(&format!("{}/{REQUESTS}", Store::prefix_of(server))).await? {
        if let Some(bytes) = blobs.get(&key).await? {
            let table = || String::from_utf8_lossy(&bytes).into_owned();
            found.push((key, serde_json::from_slice(&bytes).unwrap_or_else(|_| Request::Snapshot { table: table() })));
        }
    }
    Ok(found)
}

impl Stream<'_> {
    /// Takes up what was asked for from outside.
    pub(super) async fn take_requests(&mut self) -> Result<(), Error> {
        let blobs = &self.reader.parts.blobs;
        for (key, request) in requests(blobs, &self.reader.address.name).await? {
            match request {
                Request::Snapshot { table } => self.ask_for_snapshot(table),
                Request::Apply { table, definition } => self.ask_to_apply(&table, definition.as_ref()),
            }
            self.save_now().await?;
            self.reader.parts.blobs.delete(&key).await?;
        }
        Ok(())
    }

    fn ask_for_snapshot(&mut self, table: String) {
        let (db, name) = split(&table);
        if !self.reader.router.follows(db, name) {
            tracing::error!(table, "a snapshot was asked for of a table that is not followed");
            return;
        }
        tracing::info!(table, "a snapshot was asked for");
        // Of a table in quarantine rows may have gone that nobody told of.
        let emptied = self.follower.is_quarantined(&table);
        self.read_anew(table, Progress { emptied, ..Progress::default() });
    }
}

/// A table whose changes are held, as it was written down last.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    pub server: String,
    pub table: String,
    pub reason: String,
    pub since_ms: i64,
    /// Where the transaction begins that could not be followed first.
    pub place: String,
    /// What is held and not applied yet.
    pub events: u64,
    pub bytes: u64,
    /// Why what is held cannot be applied, if so: then it takes a new snapshot.
    pub gap: Option<String>,
    pub applying: bool,
}

/// The tables in quarantine.
pub async fn quarantined(address: &Address, parts: &Parts) -> Result<Vec<Quarantined>, Error> {
    let (_, loaded) = loaded(address, parts).await?;
    let quarantines = loaded.filter(|loaded| !loaded.record.reset).map(|loaded| loaded.record.quarantines);
    let one = |(table, state): (String, Quarantine)| Quarantined {
        server: address.name.clone(),
        table,
        place: state.place.to_string(),
        applying: state.applying.is_some(),
        reason: state.reason,
        since_ms: state.since_ms,
        events: state.events,
        bytes: state.bytes,
        gap: state.gap,
    };
    Ok(quarantines.unwrap_or_default().into_iter().map(one).collect())
}

/// Where the definition of a table comes from that its held changes are read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// What was known, and the statements that are held.
    Known,
    /// A CREATE TABLE; it holds from the first event on that does not fit what was known.
    Given(String),
    /// As the server shows it now.
    Current,
}

/// What applying does, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct Application {
    pub server: String,
    pub table: String,
    /// What is held and not applied yet.
    pub events: u64,
    pub bytes: u64,
    /// Changes of rows, and the records that they become.
    pub rows: u64,
    pub records: u64,
    /// The table is read anew after it: its rows hold what no change told.
    pub reread: bool,
    pub asked: bool,
}

/// Asks for what is held of a table to be applied. It is read through before: refused is what would not come to its end.
/// `None` where the server's reader has no such table in quarantine.
pub async fn apply(
    address: &Address,
    parts: &Parts,
    options: &Arc<CdcOptions>,
    table: &str,
    definition: &Definition,
    dry_run: bool,
) -> Result<Option<Application>, Error> {
    let (_, found) = loaded(address, parts).await?;
    let Some(found) = found.filter(|found| !found.record.reset && found.record.quarantines.contains_key(table)) else {
        return Ok(None);
    };
    let definition = match definition {
        Definition::Known => None,
        Definition::Given(sql) => Some(sql.clone()),
        Definition::Current => {
            let (address, mut wire, _) = reach(address, Some(&found)).await?;
            let (db, table) = split(table);
            let sql = format!("SHOW CREATE TABLE {}.{}", name(db), name(table));
            let rows = wire.query(&sql).await.map_err(|error: WireError| error.at(address.object()))?;
            rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten()
        }
    };
    let Some(quarantine) = found.record.quarantines.get(table) else {
        return Ok(None);
    };
    let mut application =
        rehearse(address, parts, options, &found.state.catalog, (table, quarantine), definition.as_deref()).await?;
    if !dry_run {
        request(address, parts, &Request::Apply { table: table.to_owned(), definition }).await?;
        application.asked = true;
    }
    Ok(Some(application))
}

/// Reads what is held as applying would.
async fn rehearse(
    address: &Address,
    parts: &Parts,
    options: &Arc<CdcOptions>,
    then: &Catalog,
    (table, quarantine): (&str, &Quarantine),
    definition: Option<&str>,
) -> Result<Application, Error> {
    let refused = |cause: String| {
        Error::new(ErrorKind::Config, format!("table {table} of {}", address.name), cause).hint(format!(
            "give its definition of then with --definition FILE, or read it anew by `linli ingest cdc snapshot {table}`"
        ))
    };
    if let Some(gap) = &quarantine.gap {
        let hint = format!("read it anew by `linli ingest cdc snapshot {table}`");
        return Err(refused(format!("cannot be cured by what is held: {gap}")).hint(hint));
    }
    let router = Arc::new(Router::new(Arc::clone(options))?);
    let mut applier = Applier::new(then, table, &address.name, router, Arc::clone(options))
        .ok_or_else(|| refused("is gone".to_owned()))?;
    if let Some(sql) = definition {
        applier.define(sql).map_err(refused)?;
    }
    let now_ms = parts.clock.now_ms();
    let (mut kept, mut number) = (quarantine.kept.clone(), 0);
    loop {
        let (front, done) = kept.front();
        let mut events = match front {
            Front::Empty => break,
            Front::Rest(rest) => rest,
            Front::Object(key) => object(&parts.blobs, &address.name, &key).await?,
        };
        let mut at = 0;
        while let Some(read) = kept::next(&mut events) {
            let outcome = read.and_then(|(head, event)| {
                let told = match at < done {
                    true => applier.pass(&head),
                    false => applier.event(&head, &event, now_ms),
                };
                told.map_err(|why| {
                    format!("{why} (event {} of {}, {}:{})", number + 1, quarantine.events, head.file, head.pos)
                })
            });
            outcome.map_err(|why| refused(format!("cannot be applied: {why}")))?;
            number += u64::from(at >= done);
            at += 1;
            if applier.bytes() > REHEARSED_BYTES {
                drop(applier.take());
            }
        }
        kept.pop();
    }
    let (rows, records) = applier.counted();
    Ok(Application {
        server: address.name.clone(),
        table: table.to_owned(),
        events: quarantine.events,
        bytes: quarantine.bytes,
        rows,
        records,
        reread: applier.was_altered(),
        asked: false,
    })
}
