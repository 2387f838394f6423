//! XA transactions: their rows are put aside when they are prepared, and published when they are committed.
//!
//! What is published bears the identity, the place and the time of the transaction that decided: nobody saw the rows before.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use linli_binlog::{DecodeError, Event, FormatDescription, Header, Query, XaStatement, Xid, parse};
use linli_connectors::{Error, ErrorKind};

use super::catalog::Catalog;
use super::follow::{Follower, Mapped};
use super::prepared::{Prepared, Stored};
use super::spool::{self, Spool};

/// Of all prepared transactions together, kept in the record itself: small ones cause no other object.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// The rows of an XA transaction on their way aside.
pub(super) struct Undecided {
    xid: Xid,
    spool: Spool,
}

/// Rows on their way back.
pub(super) struct Replay {
    xid: Xid,
    /// The place of the event that decided.
    start: u64,
    /// Parts that have to be brought, by their keys.
    parts: VecDeque<String>,
    current: Bytes,
    rest: Bytes,
    format: FormatDescription,
    /// Objects that nobody needs behind it.
    garbage: Vec<String>,
    /// The tables as they are now, where they were others then.
    now: Option<Now>,
}

struct Now {
    catalog: Arc<Catalog>,
    tables: HashMap<u64, Mapped>,
    /// As they were then, before any was lost on the way back.
    then: Arc<Catalog>,
}

impl Follower {
    /// From here on the rows of the open transaction are put aside.
    pub(super) fn put_aside(&mut self, xid: Xid) {
        let mut spool = Spool::default();
        if !self.format_event.is_empty() {
            spool.push(&self.format_event);
        }
        if let Some(open) = &mut self.transaction {
            open.begun = true;
            open.undecided = Some(Box::new(Undecided { xid, spool }));
        }
    }

    /// An event while rows are put aside.
    pub(super) fn undecided(&mut self, header: &Header, event: &[u8], parsed: Event<'_>, start: u64) {
        match parsed {
            Event::TableMap(map) => {
                let follows = self.router.follows(map.db, map.name);
                if let Some(aside) = self.aside() {
                    aside.spool.follow(map.table_id, follows);
                }
                self.keep(map.table_id, event);
            }
            Event::Rows(rows) => self.keep(rows.table_id, event),
            Event::XaPrepare { one_phase: false, .. } => self.prepare(header),
            // Decided by the transaction itself.
            Event::XaPrepare { one_phase: true, .. } | Event::Xid(_) => self.decided_at_once(header, start),
            Event::Query(query) => match query.xa() {
                Some(XaStatement::Commit(_)) => self.decided_at_once(header, start),
                Some(XaStatement::Rollback(_)) => self.forget_undecided(),
                _ if query.is("COMMIT") => self.decided_at_once(header, start),
                _ if query.is("ROLLBACK") => self.forget_undecided(),
                Some(_) => {} // its END
                None => self.keep_statement(event),
            },
            _ => {}
        }
    }

    fn aside(&mut self) -> Option<&mut Undecided> {
        self.transaction.as_mut()?.undecided.as_deref_mut()
    }

    fn keep(&mut self, table_id: u64, event: &[u8]) {
        let Some(open) = &mut self.transaction else { return };
        let Some(aside) = &mut open.undecided else { return };
        if open.repeated || !aside.spool.follows(table_id) {
            return;
        }
        if let Some((number, part)) = aside.spool.push(event) {
            self.objects.push((Stored::part_key(&open.id, number), part));
        }
    }

    /// Keeps a statement, for it may have changed rows that are not in the log.
    fn keep_statement(&mut self, event: &[u8]) {
        let Some(open) = &mut self.transaction else { return };
        if let Some(aside) = &mut open.undecided
            && !open.repeated
            && let Some((number, part)) = aside.spool.push(event)
        {
            self.objects.push((Stored::part_key(&open.id, number), part));
        }
    }

    /// Ends the open transaction: its rows wait for their decision.
    fn prepare(&mut self, header: &Header) {
        if let Some((xid, prepared)) = self.take_undecided(header, true) {
            tracing::debug!(server = %self.object, %xid, bytes = prepared.stored.bytes, "an XA transaction is prepared");
            if let Some(old) = Arc::make_mut(&mut self.prepared).insert(xid, prepared) {
                // The server forgot the old one, else it had not let the name be used again.
                tracing::warn!(server = %self.object, xid = old.stored.xid, "an XA transaction was never decided");
                self.garbage.extend(old.stored.part_keys());
            }
        }
        self.commit();
    }

    fn decided_at_once(&mut self, header: &Header, start: u64) {
        match self.take_undecided(header, false) {
            Some((xid, prepared)) => self.replay(xid, &prepared, start),
            None => self.commit(),
        }
    }

    fn forget_undecided(&mut self) {
        if let Some(open) = &mut self.transaction
            && let Some(undecided) = open.undecided.take()
        {
            let (parts, _, _) = undecided.spool.finish();
            self.garbage.extend((0..parts).map(|part| Stored::part_key(&open.id, part)));
        }
        self.commit();
    }

    /// What was put aside; `None` where it was read before.
    fn take_undecided(&mut self, header: &Header, stays: bool) -> Option<(Xid, Prepared)> {
        let inline: usize = self.prepared.values().map(|prepared| prepared.stored.rest.len()).sum();
        let open = self.transaction.as_mut()?;
        let Undecided { xid, mut spool } = *open.undecided.take()?;
        if open.repeated {
            return None;
        }
        if stays
            && inline + spool.rest_len() > INLINE_BYTES_MAX
            && let Some((number, part)) = spool.cut()
        {
            self.objects.push((Stored::part_key(&open.id, number), part));
        }
        let (parts, rest, bytes) = spool.finish();
        let stored = Stored {
            xid: xid.to_string(),
            id: open.id.clone(),
            at_ms: i64::from(header.timestamp) * 1000,
            bytes,
            parts,
            rest,
            schema: String::new(),
        };
        Some((xid, Prepared { stored, catalog: Arc::clone(&self.catalog) }))
    }

    /// A statement about an XA transaction, outside of one whose rows are put aside.
    pub(super) fn xa(&mut self, statement: XaStatement, query: &Query<'_>, start: u64) {
        let repeated = self.transaction.as_ref().is_some_and(|open| open.repeated);
        match statement {
            XaStatement::Start(xid) => self.put_aside(xid),
            XaStatement::Other => {}
            XaStatement::Commit(_) | XaStatement::Rollback(_) if repeated => self.commit(),
            XaStatement::Rollback(xid) => {
                self.forget_prepared(&xid);
                self.commit();
            }
            XaStatement::Commit(xid) => match self.prepared.get(&xid).cloned() {
                Some(prepared) => self.replay(xid, &prepared, start),
                None => {
                    tracing::warn!(
                        server = %self.object, %xid, place = %self.end, thread = query.thread_id,
                        "an XA transaction was committed that was prepared before the reader began: the tables are read anew"
                    );
                    self.miss();
                    self.commit();
                }
            },
        }
    }

    fn forget_prepared(&mut self, xid: &Xid) {
        if self.prepared.contains_key(xid)
            && let Some(prepared) = Arc::make_mut(&mut self.prepared).remove(xid)
        {
            self.garbage.extend(prepared.stored.part_keys());
        }
    }

    /// Rows were committed that were not seen: which, nobody can tell any more.
    pub(super) fn miss(&mut self) {
        let followed = self.catalog.tables().filter(|known| known.lost.is_none());
        let followed = followed.filter(|known| self.router.follows(&known.table.db, &known.table.name));
        self.missed.extend(followed.map(|known| known.table.full_name()));
    }

    /// The rows of a transaction come back as rows of the one that is open.
    fn replay(&mut self, xid: Xid, prepared: &Prepared, start: u64) {
        if let Some(open) = &mut self.transaction {
            open.begun = true;
        }
        let other = !Arc::ptr_eq(&self.catalog, &prepared.catalog) && *self.catalog != *prepared.catalog;
        let now = other.then(|| Now {
            catalog: std::mem::replace(&mut self.catalog, Arc::clone(&prepared.catalog)),
            tables: std::mem::take(&mut self.tables),
            then: Arc::clone(&prepared.catalog),
        });
        let garbage: Vec<String> = prepared.stored.part_keys().collect();
        self.replaying = Some(Box::new(Replay {
            xid,
            start,
            parts: garbage.iter().cloned().collect(),
            current: Bytes::new(),
            rest: prepared.stored.rest.clone(),
            format: self.format.clone(),
            garbage,
            now,
        }));
    }

    /// Whether events come back that were put aside: then [`Follower::resume`] is the next, not the server's event.
    pub fn is_replaying(&self) -> bool {
        self.replaying.is_some()
    }

    /// The object that has to be brought before it goes on, behind the reader's prefix.
    pub fn wanted(&self) -> Option<&str> {
        let replay = self.replaying.as_ref().filter(|replay| replay.current.is_empty())?;
        replay.parts.front().map(String::as_str)
    }

    /// Brings what was [`Follower::wanted`].
    pub fn supply(&mut self, part: Bytes) {
        if let Some(replay) = &mut self.replaying {
            replay.parts.pop_front();
            replay.current = part;
        }
    }

    /// Reads the next event that was put aside; ends the transaction behind the last.
    pub fn resume(&mut self) -> Result<(), Error> {
        let Some(mut replay) = self.replaying.take() else { return Ok(()) };
        if replay.current.is_empty() && replay.parts.is_empty() {
            replay.current = std::mem::take(&mut replay.rest);
        }
        match spool::next_event(&mut replay.current) {
            Some(event) => {
                let event = event.map_err(|error| self.lost_aside(&error))?;
                let (header, body) = spool::frame(&event).map_err(|error| self.lost_aside(&error))?;
                match parse(&header, body, &replay.format).map_err(|error| self.lost_aside(&error))? {
                    Event::FormatDescription(told) => replay.format = told,
                    parsed => self.handle(&header, &event, parsed, replay.start)?,
                }
                self.replaying = Some(replay);
            }
            None if replay.parts.is_empty() && replay.rest.is_empty() => self.end_replay(*replay),
            None => self.replaying = Some(replay),
        }
        Ok(())
    }

    fn end_replay(&mut self, replay: Replay) {
        if let Some(Now { catalog, tables, then }) = replay.now {
            let read_with = std::mem::replace(&mut self.catalog, catalog);
            self.tables = tables;
            for known in read_with.tables() {
                let (db, name) = (&known.table.db, &known.table.name);
                let was_fine = |catalog: &Catalog| catalog.get(db, name).is_some_and(|known| known.lost.is_none());
                if let Some(why) = known.lost.clone().filter(|_| was_fine(&then) && was_fine(&self.catalog)) {
                    self.lose(db, name, why, None); // what is held of it comes before what follows
                }
            }
        }
        if self.prepared.contains_key(&replay.xid) {
            Arc::make_mut(&mut self.prepared).remove(&replay.xid);
        }
        self.garbage.extend(replay.garbage);
        self.commit();
    }

    fn lost_aside(&self, cause: &DecodeError) -> Error {
        Error::new(ErrorKind::Corrupt, self.object.clone(), format!("an XA transaction that was put aside: {cause}"))
            .hint("restore the blob store, or begin anew with `linli ingest cdc position reset`")
    }
}
