//! Snapshots between live changes: a view for each chunk, published when the stream stands at its place.
//!
//! The stream waits between two transactions while the view is opened, so that it is not beyond the view's place; goes on
//! to that place; and waits there for the rows.

use std::sync::Arc;

use linli_connectors::Error;
use linli_connectors::log::NewRecord;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::catalog::Known;
use super::follow::Follower;
use super::position::{Place, Position};
use super::reader::{Reader, State};
use super::schema;
use super::server::{Server, connect};
use super::snapshot::{Chunk, Snapshotter};
use super::stream::joined;
use super::view;
use super::wire::Address;

/// Reads chunks ahead of the stream, one at a time.
pub struct Incremental {
    address: Address,
    server: Server,
    from: Snapshotter,
    chunk_rows: usize,
    reading: Option<JoinHandle<Result<Read, Error>>>,
    /// The place of the view that is being read, once it is open.
    opened: Option<oneshot::Receiver<Place>>,
    place: Option<Place>,
    ready: Option<Read>,
    clock: linli_connectors::clock::SharedClock,
}

/// Rows of one view.
pub struct Read {
    pub position: Position,
    /// What is said before the rows.
    pub emptied: Vec<NewRecord>,
    pub chunks: Vec<Chunk>,
    /// The table as it is in the view; `None` where it is gone.
    pub known: Option<Known>,
    /// `database.table`
    pub table: String,
}

impl Incremental {
    pub fn new(reader: &Reader, server: Server) -> Incremental {
        Incremental {
            address: reader.address.clone(),
            server,
            from: Snapshotter {
                object: reader.address.object(),
                server: reader.address.name.clone(),
                router: Arc::clone(&reader.router),
                partitions: reader.options.partitions,
                place: Place::default(),
                at_ms: 0,
                keyed: true,
            },
            chunk_rows: reader.options.snapshot_chunk_rows,
            reading: None,
            opened: None,
            place: None,
            ready: None,
            clock: Arc::clone(&reader.parts.clock),
        }
    }

    pub fn is_idle(&self) -> bool {
        self.reading.is_none() && self.ready.is_none()
    }

    /// Begins to read the next chunk of the first table that is not done.
    pub fn begin(&mut self, state: &State) {
        let next = state.snapshots.open().next();
        let Some((name, progress)) = next.map(|(name, progress)| (name.clone(), progress.clone())) else {
            return;
        };
        let piece = progress.pieces.first().cloned().unwrap_or_default();
        let (address, server, mut from) = (self.address.clone(), self.server.clone(), self.from.clone());
        let chunk_rows = self.chunk_rows;
        from.at_ms = self.clock.now_ms();
        let (tell, opened) = oneshot::channel();
        (self.opened, self.place) = (Some(opened), None);
        self.reading = Some(tokio::spawn(async move {
            let (db, table) = name.split_once('.').unwrap_or(("", &name));
            let (db, table) = (db.to_owned(), table.to_owned());
            let mut views = view::open(&address, &server, 1, &[(db.clone(), table.clone())]).await?;
            from.place = views.position.place.clone();
            let _ = tell.send(views.position.place.clone()); // nobody waits any more: it was cancelled
            // Behind the view: a definition that changed in between makes the reading fail, and it is tried again.
            let mut wire = connect(&address).await?;
            let known = schema::read_table(&mut wire, &server, &from.router, &db, &table).await;
            let known = known.map_err(|error| error.at(address.object()))?;
            let mut chunks = Vec::new();
            let mut emptied = Vec::new();
            if let Some(known) = known.as_ref().filter(|_| progress.emptied) {
                emptied = from.emptied(known);
            }
            if let (Some(wire), Some(known)) =
                (views.wires.first_mut(), known.clone().filter(|known| known.lost.is_none()))
            {
                let limit = if known.table.primary_key.is_empty() { None } else { Some(chunk_rows) };
                let mut rows = from.rows(wire, Arc::new(known), &piece, limit).await?;
                while let Some(chunk) = rows.next().await? {
                    chunks.push(chunk);
                }
            }
            Ok(Read { position: views.position, emptied, chunks, known, table: name })
        }));
    }

    /// Waits until the view is open, or its rows have been read; for ever where nothing is under way.
    pub async fn step(&mut self) -> Result<(), Error> {
        let Some(handle) = &mut self.reading else {
            return std::future::pending().await;
        };
        if let Some(opened) = &mut self.opened
            && let Ok(place) = opened.await
        {
            (self.opened, self.place) = (None, Some(place));
            return Ok(());
        }
        self.opened = None;
        let read = joined(handle.await);
        self.reading = None;
        self.ready = Some(read?);
        Ok(())
    }

    /// Whether the stream has to wait: between transactions, for the view or for its rows.
    pub fn holds(&self, follower: &Follower) -> bool {
        if self.is_idle() || follower.in_transaction() {
            return false;
        }
        match &self.place {
            None => true,
            Some(place) => follower.end().order() >= place.order(),
        }
    }

    /// Whether the rows are there, and the stream stands at their place.
    pub fn is_due(&self, follower: &Follower) -> bool {
        self.ready.is_some() && self.holds(follower)
    }

    /// Forgets what is being read: what is to be read changed.
    pub fn cancel(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
        (self.ready, self.opened, self.place) = (None, None, None);
    }

    /// Takes the chunk whose place the stream has come to.
    pub fn take(&mut self) -> Option<Read> {
        self.place = None;
        self.ready.take()
    }
}
