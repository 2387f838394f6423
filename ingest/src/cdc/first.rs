//! The first snapshot: all tables in views of one place, several at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use linli_connectors::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::catalog::{Catalog, Known};
use super::gtid::{GtidSet, MariadbGtids, MysqlGtids};
use super::position::{Place, Position};
use super::progress::{Piece, Progress, Snapshots, pieces};
use super::reader::{Reader, State};
use super::schema;
use super::server::{Server, connect};
use super::snapshot::{Chunk, Snapshotter};
use super::store::Store;
use super::stream::joined;
use super::view;
use super::wire::Wire;

/// Chunks that wait for the log.
const WAITING_MAX: usize = 2;
/// Connections that read.
const WORKERS_MAX: usize = 32;

type Queue = VecDeque<(Arc<Known>, Piece)>;

/// Takes it; `None` when told to stop before its end. What is done by then is written down.
pub async fn snapshot(
    reader: &mut Reader,
    server: &Server,
    shutdown: &CancellationToken,
) -> Result<Option<State>, Error> {
    let object = reader.address.object();
    let mut wire = connect(&reader.address).await?;
    let before = schema::read(&mut wire, server, &reader.router, &object).await?;
    let names: Vec<(String, String)> =
        before.tables().map(|known| (known.table.db.clone(), known.table.name.clone())).collect();
    let workers = reader.options.snapshot_workers.clamp(1, WORKERS_MAX);
    let views = view::open(&reader.address, server, workers, &names).await?;
    let catalog = Arc::new(schema::read(&mut wire, server, &reader.router, &object).await?);
    let estimates = estimate(&mut wire, &catalog).await;
    let mut snapshots = Snapshots::default();
    for known in catalog.tables().filter(|known| known.lost.is_none()) {
        let table = known.table.full_name();
        let rows = estimates.get(&table).copied().unwrap_or(0);
        let pieces = pieces(&mut wire, &known.table, rows, views.wires.len()).await;
        snapshots.tables.insert(table, Progress { emptied: reader.again, pieces, ..Progress::default() });
    }
    let position = views.position.clone();
    // Those that are cured by this are told as such when the stream begins.
    let quarantines = Arc::clone(&reader.quarantined);
    let mut state = State { position, catalog: Arc::clone(&catalog), snapshots, quarantines, ..State::default() };
    reader.publisher.create_topics(&catalog, &reader.router).await?;
    save(reader, server, &state).await?;
    let pieces: usize = state.snapshots.tables.values().map(|progress| progress.pieces.len()).sum();
    tracing::info!(server = %object, position = %state.position, tables = state.snapshots.tables.len(), pieces, "snapshot");
    let from = Snapshotter {
        object,
        server: reader.address.name.clone(),
        router: Arc::clone(&reader.router),
        partitions: reader.options.partitions,
        place: views.position.place,
        at_ms: reader.parts.clock.now_ms(),
        keyed: false,
    };
    if reader.again {
        for known in catalog.tables().filter(|known| known.lost.is_none()) {
            reader.publisher.append(from.emptied(known)).await?;
        }
        state.snapshots.tables.values_mut().for_each(|progress| progress.emptied = false);
    }
    reader.meters.expect_snapshot(estimates.values().sum());
    let queue = Arc::new(Mutex::new(queue_of(&catalog, &state.snapshots)));
    let (sender, mut chunks) = mpsc::channel(WAITING_MAX);
    let workers: Vec<_> = views
        .wires
        .into_iter()
        .map(|wire| tokio::spawn(read_pieces(wire, from.clone(), Arc::clone(&queue), sender.clone())))
        .collect();
    drop(sender);
    let published = publish(reader, server, &mut state, &mut chunks, shutdown).await;
    chunks.close();
    for worker in workers {
        let outcome = joined(worker.await);
        if published.is_ok() {
            outcome?;
        }
    }
    reader.meters.snapshot_done();
    Ok(if published? { Some(state) } else { None })
}

/// All pieces of all tables.
fn queue_of(catalog: &Catalog, snapshots: &Snapshots) -> Queue {
    let of = |known: &Arc<Known>| {
        let progress = snapshots.tables.get(&known.table.full_name());
        let known = Arc::clone(known);
        progress.into_iter().flat_map(|progress| progress.pieces.clone()).map(move |piece| (Arc::clone(&known), piece))
    };
    catalog.tables().flat_map(of).collect()
}

/// Rows of the tables, as the server guesses them; nothing where it does not.
async fn estimate(wire: &mut Wire, catalog: &Catalog) -> BTreeMap<String, u64> {
    // MySQL tells for a day what it once found; MariaDB knows no such setting, and tells what is
    let _ = wire.execute("SET SESSION information_schema_stats_expiry=0").await;
    let sql =
        "SELECT table_schema, table_name, table_rows FROM information_schema.tables WHERE table_type='BASE TABLE'";
    let rows = wire.query(sql).await.unwrap_or_default();
    rows.iter()
        .filter_map(|row| match row.as_slice() {
            [Some(db), Some(table), Some(rows)] if catalog.get(db, table).is_some() => {
                Some((format!("{db}.{table}"), rows.parse::<u64>().ok()?))
            }
            _ => None,
        })
        .collect()
}

/// No snapshot: from the first binlog there is.
pub async fn oldest(reader: &Reader, server: &Server, wire: &mut Wire) -> Result<State, Error> {
    let object = reader.address.object();
    let catalog = Arc::new(schema::read(wire, server, &reader.router, &object).await?);
    let binlogs = Server::binlogs(wire).await.map_err(|error| error.at(object))?;
    let file = binlogs.into_iter().next().map_or_else(String::new, |(file, _)| file);
    let gtids = match (server.identity.mariadb, server.gtids) {
        (true, _) => GtidSet::Mariadb(MariadbGtids::default()),
        (false, true) => GtidSet::Mysql(MysqlGtids::default()),
        (false, false) => GtidSet::None,
    };
    let position = Position { place: Place::new(file, 4), partial: None, gtids };
    Ok(State { position, catalog, ..State::default() })
}

async fn read_pieces(
    mut wire: Wire,
    from: Snapshotter,
    queue: Arc<Mutex<Queue>>,
    sender: mpsc::Sender<Chunk>,
) -> Result<(), Error> {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some((known, piece)) = next else {
            return Ok(());
        };
        let mut rows = from.rows(&mut wire, known, &piece, None).await?;
        while let Some(chunk) = rows.next().await? {
            if sender.send(chunk).await.is_err() {
                return Ok(()); // told to stop
            }
        }
    }
}

/// `false` when told to stop.
async fn publish(
    reader: &Reader,
    server: &Server,
    state: &mut State,
    chunks: &mut mpsc::Receiver<Chunk>,
    shutdown: &CancellationToken,
) -> Result<bool, Error> {
    let mut saved_ms = reader.parts.clock.now_ms();
    loop {
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk,
            () = shutdown.cancelled() => {
                save(reader, server, state).await?;
                return Ok(false);
            }
        };
        let Some(chunk) = chunk else {
            save(reader, server, state).await?;
            return Ok(true);
        };
        let prefix = Store::prefix_of(&reader.address.name);
        let records = reader.publisher.set_aside(&reader.parts.blobs, &prefix, chunk.records).await?;
        reader.publisher.append(records).await?;
        let progress = state.snapshots.tables.entry(chunk.table).or_default();
        progress.advance(chunk.piece, chunk.rows, chunk.after, chunk.done);
        reader.meters.snapshot_rows(chunk.rows);
        let now_ms = reader.parts.clock.now_ms();
        if (now_ms - saved_ms).abs() >= i64::try_from(reader.options.save_interval.as_millis()).unwrap_or(i64::MAX) {
            save(reader, server, state).await?;
            saved_ms = now_ms;
        }
    }
}

async fn save(reader: &Reader, server: &Server, state: &State) -> Result<(), Error> {
    let mut store = reader.store.lock().await;
    store.save(&server.identity, state).await
}
