//! Views: read transactions whose place in the binlog is known exactly.

use linli_connectors::{Error, ErrorKind};

use super::gtid::GtidSet;
use super::position::{Place, Position};
use super::server::{Server, connect};
use super::wire::{Address, Wire, WireError, WireResult, name};

/// How long writers may be held up until a lock is given up.
const LOCK_WAIT_S: u32 = 10;
/// Tries at opening several views at one place without a lock.
const TRIES_MAX: usize = 20;

/// Views of one place.
pub struct Views {
    pub wires: Vec<Wire>,
    pub position: Position,
}

/// Opens `count` views of one place. `tables` are those that will be read.
pub async fn open(
    address: &Address,
    server: &Server,
    count: usize,
    tables: &[(String, String)],
) -> Result<Views, Error> {
    let object = address.object();
    let mut wires = Vec::with_capacity(count.max(1));
    for _ in 0..count.max(1) {
        wires.push(connect(address).await?);
    }
    if server.identity.mariadb {
        for _ in 0..TRIES_MAX {
            if let Some(position) = open_mariadb(&mut wires, server).await.map_err(|error| error.at(object.clone()))? {
                return Ok(Views { wires, position });
            }
        }
        wires.truncate(1); // one has a place of its own
        if let Some(position) = open_mariadb(&mut wires, server).await.map_err(|error| error.at(object.clone()))? {
            return Ok(Views { wires, position });
        }
    }
    let mut locked = connect(address).await?;
    lock(&mut locked, tables, &object).await?;
    let position = async {
        for wire in &mut wires {
            begin(wire).await?;
        }
        let position = server.current(&mut locked).await?;
        locked.execute("UNLOCK TABLES").await?;
        Ok(position)
    }
    .await;
    let position = position.map_err(|error: WireError| error.at(object.clone()))?;
    Ok(Views { wires, position })
}

async fn begin(wire: &mut Wire) -> WireResult<()> {
    wire.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    wire.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT").await
}

/// MariaDB tells the place of each view; `None` where they differ.
async fn open_mariadb(wires: &mut [Wire], server: &Server) -> WireResult<Option<Position>> {
    let mut found: Option<Place> = None;
    for wire in wires.iter_mut() {
        begin(wire).await?;
    }
    for wire in wires.iter_mut() {
        let place = snapshot_place(wire).await?;
        match (&found, place) {
            (_, None) => return Ok(None),
            (Some(found), Some(place)) if *found != place => return Ok(None),
            (_, place) => found = place,
        }
    }
    let (Some(place), Some(wire)) = (found, wires.first_mut()) else {
        return Ok(None);
    };
    let gtids = server.gtids_at(wire, &place).await?.unwrap_or(GtidSet::None);
    Ok(Some(Position { place, partial: None, gtids }))
}

async fn snapshot_place(wire: &mut Wire) -> WireResult<Option<Place>> {
    let (mut file, mut pos) = (None, None);
    for row in wire.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await? {
        if let [Some(name), Some(value)] = row.as_slice() {
            match name.to_ascii_lowercase().as_str() {
                "binlog_snapshot_file" => file = Some(value.clone()).filter(|file| !file.is_empty()),
                "binlog_snapshot_position" => pos = value.parse().ok(),
                _ => {}
            }
        }
    }
    Ok(file.zip(pos).map(|(file, pos)| Place::new(file, pos)))
}

/// Holds all writers for the moment that the views take to open; else the writers of these tables.
async fn lock(wire: &mut Wire, tables: &[(String, String)], object: &str) -> Result<(), Error> {
    let at = |error: WireError| error.at(object.to_owned());
    wire.execute(&format!("SET SESSION lock_wait_timeout={LOCK_WAIT_S}")).await.map_err(at)?;
    match wire.execute("FLUSH TABLES WITH READ LOCK").await {
        Ok(()) => return Ok(()),
        Err(WireError::Server { code: 1227 | 1045 | 1044 | 1205, .. }) => {}
        Err(error) => return Err(at(error)),
    }
    let list: Vec<String> = tables.iter().map(|(db, table)| format!("{}.{} READ", name(db), name(table))).collect();
    if list.is_empty() {
        return Ok(());
    }
    match wire.execute(&format!("LOCK TABLES {}", list.join(", "))).await {
        Ok(()) => Ok(()),
        Err(WireError::Server { code: 1205, message, .. }) => Err(Error::new(ErrorKind::Retry, object, message)
            .hint("a transaction holds the tables for longer than the snapshot waits: end it")),
        Err(WireError::Server { code: 1044 | 1142 | 1045 | 1227, message, .. }) => {
            Err(Error::new(ErrorKind::Config, object, format!("a snapshot needs a lock for a moment: {message}"))
                .hint("grant RELOAD on *.*, or LOCK TABLES on the shop's databases, to the user"))
        }
        Err(error) => Err(at(error)),
    }
}
