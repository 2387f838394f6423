//! From events to records: the state between two events, without I/O.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use linli_binlog::{
    Checksum, DecodeError, Event, FormatDescription, Gtid, HEADER_LEN, Header, MariadbGtid, Query, Rows, TableLayout,
    Uuid, frame, parse, verify,
};
use linli_connectors::{Error, ErrorKind};

use super::batch::Batch;
use super::captured::{Captured, TransactionState, Writing};
use super::catalog::Catalog;
use super::changed::Changed;
use super::ddl::{self, Effect};
use super::envelope::{escape, quoted};
use super::gtid::GtidSet;
use super::options::CdcOptions;
use super::position::{Partial, Place, Position};
use super::prepared::PreparedSet;
use super::quarantine::Quarantines;
use super::route::Router;
use super::written::Written;
use super::xa::{Replay, Undecided};

/// Follows the events of one server.
pub struct Follower {
    pub(super) object: String,
    pub(super) server: String,
    pub(super) router: Arc<Router>,
    pub(super) options: Arc<CdcOptions>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) format: FormatDescription,
    /// The event that told it, for what is put aside; empty before the first.
    pub(super) format_event: Vec<u8>,
    /// `,"file":"…"`
    pub(super) file_json: Vec<u8>,
    /// Up to where the binlog has been read.
    pub(super) end: Place,
    /// What lies before the open transaction, or before `end`.
    gtids: GtidSet,
    pub(super) transaction: Option<Open>,
    transactions: u64,
    /// XA transactions that wait for their decision, as of `gtids`.
    pub(super) prepared: Arc<PreparedSet>,
    pub(super) replaying: Option<Box<Replay>>,
    /// The server of the last GTID, and its text.
    uuid: ([u8; 16], String),
    partial: Option<Partial>,
    pub(super) tables: HashMap<u64, Mapped>,
    pub batch: Batch,
    /// Tables whose rows changed without a change of a row: a column was added, or is of another type, or they were those of
    /// a table of another name.
    pub reread: Vec<String>,
    /// Tables that were not there, or not to be seen, when the tables were read: what their rows were is not known.
    pub unseen: Vec<String>,
    /// Tables of which rows were committed that nobody saw.
    pub missed: Vec<String>,
    /// Rows that changed while their tables are being read.
    pub changed: Changed,
    /// What statements may have changed whose rows are not in the log.
    pub unlogged: Written,
    /// Tables whose changes are held, as of everything that was read.
    pub quarantines: Arc<Quarantines>,
    /// Names the objects of what is held, with the number of the last.
    pub(super) run: String,
    pub(super) held_objects: u64,
    /// The table maps of the log tell whole definitions.
    pub(super) maps_tell: bool,
    /// Objects to be stored, by their keys behind the reader's prefix, before a record names them.
    pub objects: Vec<(String, Bytes)>,
    /// Objects that nobody needs once a record stands behind here.
    pub garbage: Vec<String>,
    /// The time of day, as the caller last knew it.
    pub now_ms: i64,
    pub counters: Counters,
    /// The last event was the server's word that it has no more.
    pub idle: bool,
}

/// A transaction that has begun.
pub(super) struct Open {
    pub(super) start: Place,
    pub(super) id: String,
    number: Number,
    pub(super) state: TransactionState,
    /// After BEGIN statements are part of it; before, one stands alone.
    pub(super) begun: bool,
    /// It was read before: nothing of it counts.
    pub(super) repeated: bool,
    /// Its rows are put aside.
    pub(super) undecided: Option<Box<Undecided>>,
}

/// A transaction's number, to be added to the set when it ends.
enum Number {
    None,
    Mysql { uuid: String, tag: String, number: u64 },
    Mariadb { domain: u32, server: u32, number: u64 },
}

/// What a table id stands for.
pub(super) struct Mapped {
    pub(super) bytes: Vec<u8>,
    pub(super) target: Target,
}

pub(super) enum Target {
    Ignored,
    Captured(Box<Captured>),
    /// Its rows cannot be read: they are kept aside.
    Held(Box<Held>),
}

/// A table whose rows are kept aside.
pub(super) struct Held {
    /// `database.table`
    pub(super) table: String,
    /// Its shape, where the log tells it.
    pub(super) layout: Option<TableLayout>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub events: u64,
    pub transactions: u64,
    pub rows: u64,
    pub records: u64,
    pub held: u64,
    pub warnings: u64,
    pub ddl: u64,
    /// Statements that may have changed rows which are not in the log.
    pub unlogged: u64,
    /// When the last transaction that was read was committed, epoch ms.
    pub committed_ms: i64,
}

impl Counters {
    pub fn add(&mut self, other: &Counters) {
        let Counters { events, transactions, rows, records, held, warnings, ddl, unlogged, committed_ms } = other;
        self.events += events;
        self.transactions += transactions;
        self.rows += rows;
        self.records += records;
        self.held += held;
        self.warnings += warnings;
        self.ddl += ddl;
        self.unlogged += unlogged;
        self.committed_ms = self.committed_ms.max(*committed_ms);
    }
}

/// What the caller has to know of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Within,
    /// No transaction is open.
    Boundary,
}

/// What a follower is made from.
pub struct FollowFrom {
    /// What errors call the server.
    pub object: String,
    /// What records call it.
    pub server: String,
    pub position: Position,
    pub prepared: Arc<PreparedSet>,
    pub catalog: Arc<Catalog>,
    pub changed: Changed,
    /// What the session asked for, until the first format description.
    pub checksum: Checksum,
    pub quarantines: Arc<Quarantines>,
    /// A name that no other session has.
    pub run: String,
    /// `binlog_row_metadata` is FULL, as far as is known.
    pub maps_tell: bool,
}

impl Follower {
    pub fn new(from: FollowFrom, router: Arc<Router>, options: Arc<CdcOptions>) -> Follower {
        let mut follower = Follower {
            object: from.object,
            server: from.server,
            router,
            options,
            catalog: from.catalog,
            format: FormatDescription::assumed(from.checksum),
            format_event: Vec::new(),
            file_json: Vec::new(),
            end: from.position.place,
            gtids: from.position.gtids,
            transaction: None,
            transactions: 0,
            prepared: from.prepared,
            replaying: None,
            uuid: ([0; 16], Uuid([0; 16]).to_string()),
            partial: from.position.partial,
            tables: HashMap::new(),
            batch: Batch::default(),
            reread: Vec::new(),
            unseen: Vec::new(),
            missed: Vec::new(),
            changed: from.changed,
            unlogged: Written::default(),
            quarantines: from.quarantines,
            run: from.run,
            held_objects: 0,
            maps_tell: from.maps_tell,
            objects: Vec::new(),
            garbage: Vec::new(),
            now_ms: 0,
            counters: Counters::default(),
            idle: false,
        };
        follower.file_changed();
        follower
    }

    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Takes another definition of a table; what was kept aside stays aside.
    pub fn redefine(&mut self, change: impl FnOnce(&mut Catalog)) {
        change(Arc::make_mut(&mut self.catalog));
        self.tables.clear();
    }

    /// Up to where the binlog has been read.
    pub fn end(&self) -> &Place {
        &self.end
    }

    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The XA transactions that wait for their decision at [`Follower::position`].
    pub fn prepared(&self) -> &Arc<PreparedSet> {
        &self.prepared
    }

    /// Where to go on, with everything in the batch counted as published.
    pub fn position(&self) -> Position {
        let gtids = self.gtids.clone();
        match &self.transaction {
            Some(open) if open.state.records > 0 => Position {
                place: open.start.clone(),
                partial: Some(Partial { id: open.id.clone(), records: open.state.records.max(open.state.skip) }),
                gtids,
            },
            Some(open) => Position { place: open.start.clone(), partial: None, gtids },
            None => Position { place: self.end.clone(), partial: self.partial.clone(), gtids },
        }
    }

    /// Reads one event as the server sent it.
    pub fn event(&mut self, event: &[u8]) -> Result<Step, Error> {
        verify(event, self.format.checksum).map_err(|error| self.damaged(&error))?;
        let (header, body) = frame(event, self.format.checksum).map_err(|error| self.damaged(&error))?;
        let start = self.advance(&header);
        let parsed = parse(&header, body, &self.format).map_err(|error| self.unreadable(&error))?;
        self.counters.events += 1;
        self.idle = false;
        let bare = event.get(..HEADER_LEN + body.len()).unwrap_or(event);
        self.handle(&header, bare, parsed, start)?;
        Ok(if self.transaction.is_some() { Step::Within } else { Step::Boundary })
    }

    /// The place where the event begins; `end` is behind it after.
    fn advance(&mut self, header: &Header) -> u64 {
        if header.is_artificial() || header.next_pos == 0 || header.kind == linli_binlog::kind::HEARTBEAT {
            return self.end.pos;
        }
        // The header holds 32 bits; a long transaction can reach beyond.
        let mut end = (self.end.pos & !0xffff_ffff) | u64::from(header.next_pos);
        if end + (1 << 31) < self.end.pos {
            end += 1 << 32;
        }
        self.end.pos = end;
        end.saturating_sub(u64::from(header.size))
    }

    /// `event` is without its checksum.
    pub(super) fn handle(&mut self, header: &Header, event: &[u8], parsed: Event<'_>, start: u64) -> Result<(), Error> {
        if self.transaction.as_ref().is_some_and(|open| open.undecided.is_some()) {
            self.undecided(header, event, parsed, start);
            return Ok(());
        }
        match parsed {
            Event::Rows(rows) => return self.rows(event, &rows, start),
            Event::TableMap(map) => self.table_map(&map),
            Event::Gtid(gtid) => self.begin_mysql(header, gtid, start, true),
            Event::AnonymousGtid(gtid) => self.begin_mysql(header, gtid, start, false),
            Event::MariadbGtid(gtid) => self.begin_mariadb(header, gtid, start),
            Event::Query(query) => return self.query(header, event, &query, start),
            Event::Xid(_) => self.commit(),
            Event::FormatDescription(format) => {
                self.format = format;
                self.format_event = event.to_vec();
            }
            Event::Rotate { file, pos } => self.rotate(file, pos),
            Event::Heartbeat { file, pos } => {
                self.idle = true;
                if self.transaction.is_none() && file == self.end.file && pos > self.end.pos {
                    self.end.pos = pos;
                }
            }
            Event::TransactionPayload(payload) => {
                let format = self.format.clone();
                let mut events = payload.events().map_err(|error| self.unreadable(&error))?;
                while let Some(inner) = events.next_event() {
                    let inner = inner.map_err(|error| self.unreadable(&error))?;
                    let (header, body) = frame(inner, Checksum::None).map_err(|error| self.unreadable(&error))?;
                    let parsed = parse(&header, body, &format).map_err(|error| self.unreadable(&error))?;
                    self.handle(&header, inner, parsed, start)?;
                }
            }
            Event::Incident { number, message } => {
                let cause = format!("incident {number} at {}: {message}: changes may be missing behind it", self.end);
                return Err(Error::new(ErrorKind::Corrupt, self.object.clone(), cause)
                    .hint("take a new snapshot: `linli ingest cdc position reset`"));
            }
            Event::XaPrepare { .. } => self.commit(), // of one whose beginning the log does not tell
            Event::PreviousGtids(_)
            | Event::MariadbGtidList(_)
            | Event::RowsQuery(_)
            | Event::Stop
            | Event::Other { .. } => {}
        }
        Ok(())
    }

    fn rotate(&mut self, file: String, pos: u64) {
        if file == self.end.file {
            return; // the first of a connection, which tells the file only
        }
        self.end = Place::new(file, pos.max(4));
        self.file_changed();
        self.tables.clear();
    }

    fn file_changed(&mut self) {
        self.file_json = br#","file":"#.to_vec();
        quoted(&self.end.file, &mut self.file_json);
    }

    fn begin_mysql(&mut self, header: &Header, gtid: Gtid, start: u64, numbered: bool) {
        let ts_ms = gtid.committed_us.map_or(i64::from(header.timestamp) * 1000, |us| (us / 1000) as i64);
        if !numbered {
            return self.begin(Number::None, None, ts_ms, start, false);
        }
        if self.uuid.0 != gtid.uuid {
            self.uuid = (gtid.uuid, Uuid(gtid.uuid).to_string()); // nearly always that of the one before
        }
        let uuid = self.uuid.1.clone();
        let mut text = String::with_capacity(uuid.len() + gtid.tag.len() + 22);
        text.push_str(&uuid);
        if !gtid.tag.is_empty() {
            text.push(':');
            text.push_str(&gtid.tag);
        }
        text.push(':');
        text.push_str(itoa::Buffer::new().format(gtid.number));
        let number = Number::Mysql { uuid, tag: gtid.tag, number: gtid.number };
        self.begin(number, Some(text), ts_ms, start, false);
    }

    fn begin_mariadb(&mut self, header: &Header, gtid: MariadbGtid, start: u64) {
        let number = Number::Mariadb { domain: gtid.domain, server: gtid.server_id, number: gtid.number };
        let ts_ms = i64::from(header.timestamp) * 1000;
        self.begin(number, Some(gtid.to_string()), ts_ms, start, !gtid.is_standalone());
        if let Some(xid) = gtid.prepares() {
            self.put_aside(xid.clone());
        }
    }

    fn begin(&mut self, number: Number, gtid: Option<String>, ts_ms: i64, start: u64, begun: bool) {
        if self.transaction.as_ref().is_some_and(|open| open.undecided.is_some()) {
            self.miss(); // put aside, and never prepared
        }
        self.commit(); // nothing is open unless its end was of a kind that has no event
        let start = Place::new(self.end.file.clone(), start);
        let id = gtid.clone().unwrap_or_else(|| format!("{}/{start}", self.server));
        let skip = self.partial.take().filter(|partial| partial.id == id).map_or(0, |partial| partial.records);
        let (mut id_json, mut gtid_json) = (Vec::new(), Vec::new());
        quoted(&id, &mut id_json);
        if let Some(gtid) = gtid {
            gtid_json.extend_from_slice(br#","gtid":""#);
            escape(&gtid, &mut gtid_json);
            gtid_json.push(b'"');
        }
        self.transactions += 1;
        let state = TransactionState {
            number: self.transactions,
            id: id_json,
            gtid: gtid_json,
            ts_ms,
            rows: 0,
            records: 0,
            skip,
        };
        let repeated = match (&number, &self.gtids) {
            (Number::Mysql { uuid, tag, number }, GtidSet::Mysql(set)) => set.contains(uuid, tag, *number),
            _ => false,
        };
        self.transaction = Some(Open { start, id, number, state, begun, repeated, undecided: None });
    }

    /// Ends the open transaction.
    pub(super) fn commit(&mut self) {
        let Some(open) = self.transaction.take() else {
            return;
        };
        match (open.number, &mut self.gtids) {
            (Number::Mysql { uuid, tag, number }, GtidSet::Mysql(set)) => set.add(&uuid, &tag, number),
            (Number::Mysql { uuid, tag, number }, set) => {
                let mut first = super::gtid::MysqlGtids::default();
                first.add(&uuid, &tag, number);
                *set = GtidSet::Mysql(first);
            }
            (Number::Mariadb { domain, server, number }, GtidSet::Mariadb(set)) => set.add(domain, server, number),
            (Number::Mariadb { domain, server, number }, set) => {
                let mut first = super::gtid::MariadbGtids::default();
                first.add(domain, server, number);
                *set = GtidSet::Mariadb(first);
            }
            (Number::None, _) => {}
        }
        self.counters.transactions += 1;
        self.counters.committed_ms = open.state.ts_ms;
    }

    fn query(&mut self, header: &Header, event: &[u8], query: &Query<'_>, start: u64) -> Result<(), Error> {
        let ts_ms = i64::from(header.timestamp) * 1000;
        if query.is("BEGIN") {
            match &mut self.transaction {
                Some(open) => open.begun = true,
                None => self.begin(Number::None, None, ts_ms, start, true),
            }
            return Ok(());
        }
        if query.is("COMMIT") || query.is("ROLLBACK") {
            // a rollback is logged only of tables without transactions, whose changes stay
            self.commit();
            return Ok(());
        }
        if self.transaction.is_none() {
            self.begin(Number::None, None, ts_ms, start, false);
        }
        if let Some(statement) = query.xa() {
            self.xa(statement, query, start);
            return Ok(());
        }
        let sql = query.text();
        let repeated = self.transaction.as_ref().is_some_and(|open| open.repeated);
        let effects = if repeated {
            Vec::new()
        } else {
            ddl::apply(&sql, query, &self.catalog, &self.router, self.format.is_mariadb())
        };
        let opens = effects.contains(&Effect::OpensTransaction);
        let defines = effects.iter().any(|effect| matches!(effect, Effect::Defined(_)));
        for effect in effects {
            self.apply(effect, event, start);
        }
        if defines {
            self.settle_quarantines();
        }
        match &mut self.transaction {
            Some(open) if opens => open.begun = true,
            Some(open) if !open.begun => self.commit(),
            _ => {}
        }
        Ok(())
    }

    fn apply(&mut self, effect: Effect, event: &[u8], start: u64) {
        match effect {
            Effect::OpensTransaction => {}
            Effect::Defined(catalog) => {
                self.note_altered(&catalog);
                self.catalog = catalog;
                self.counters.ddl += 1;
                self.tables.clear();
            }
            Effect::Truncated { db, table } => self.truncate(&db, &table),
            Effect::Lost { db, table, why } => self.lose_by_statement(&db, &table, why),
            Effect::Renamed { db, table } => self.reread.push(format!("{db}.{table}")),
            Effect::Unlogged(written) => {
                self.counters.unlogged += 1;
                self.unlogged.add(written);
            }
            // What the log will tell itself is not held.
            Effect::Held { db, table } => {
                let table = format!("{db}.{table}");
                if self.is_quarantined(&table) {
                    self.hold(event, &[], &table, Some(0), start);
                }
            }
        }
    }

    fn rows(&mut self, event: &[u8], rows: &Rows<'_>, start: u64) -> Result<(), Error> {
        let Some(mapped) = self.tables.get_mut(&rows.table_id) else {
            let place = format!("{}:{start}", self.end.file);
            let error = DecodeError::WrongTable { expected: 0, found: rows.table_id };
            let cause = format!("rows at {place} name table id {}, which no table map told", rows.table_id);
            return Err(Error::new(ErrorKind::Retry, self.object.clone(), cause).caused_by(error));
        };
        let Some(open) = &mut self.transaction else {
            let cause = format!("rows at {}:{start} stand outside of any transaction", self.end.file);
            return Err(Error::new(ErrorKind::Corrupt, self.object.clone(), cause));
        };
        let (mark, before) = (self.batch.mark(), (open.state.rows, open.state.records, self.counters));
        let (known, why) = match &mut mapped.target {
            _ if open.repeated => return Ok(()),
            Target::Ignored => return Ok(()),
            Target::Held(held) => {
                let count = held.layout.as_ref().and_then(|layout| layout.count_rows(rows));
                let (map, table) = (mapped.bytes.clone(), held.table.clone());
                self.hold(event, &map, &table, count, start);
                return Ok(());
            }
            Target::Captured(captured) => {
                let is_watching = !self.changed.is_empty();
                let watched = is_watching.then(|| self.changed.of_mut(&captured.known.table.full_name())).flatten();
                let mut writing = Writing {
                    batch: &mut self.batch,
                    transaction: &mut open.state,
                    counters: &mut self.counters,
                    file: &self.file_json,
                    pos: start,
                    now_ms: self.now_ms,
                    partitions: self.options.partitions,
                    tombstones: self.options.tombstones,
                    watched,
                };
                match captured.write(rows, &mut writing) {
                    Ok(()) => {
                        self.changed.bound();
                        return Ok(());
                    }
                    Err(error) => (Arc::clone(&captured.known), error.to_string()),
                }
            }
        };
        // None of the event's rows counts: it is held whole.
        self.batch.rewind(mark);
        (open.state.rows, open.state.records, self.counters) = before;
        let map = std::mem::take(&mut mapped.bytes);
        self.hold_from_here(event, rows, map, &known.table, why, start);
        Ok(())
    }

    /// Bytes that are not what they should be may be of the connection: reading again tells.
    fn damaged(&self, error: &DecodeError) -> Error {
        Error::new(ErrorKind::Retry, self.object.clone(), format!("behind {}: {error}", self.end))
            .hint(
                "if it stays, the binlog is damaged there: restore it, go on behind it with `linli ingest cdc position \
                 set`, or begin anew with a snapshot by `linli ingest cdc position reset`",
            )
            .caused_by(error.clone())
    }

    fn unreadable(&self, error: &DecodeError) -> Error {
        if self.format.checksum == Checksum::None {
            return self.damaged(error);
        }
        Error::new(ErrorKind::Corrupt, self.object.clone(), format!("behind {}: {error}", self.end)).hint(
            "go on behind it with `linli ingest cdc position set`, or begin anew with a snapshot by `linli ingest cdc \
             position reset`",
        )
    }
}
