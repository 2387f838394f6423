//! Applying what is held: the events of one table become records with the identities that they had from the beginning.

use std::sync::Arc;

use linli_binlog::{Checksum, Column, Event, FormatDescription, Query, Rows, TableMap, parse};
use linli_connectors::log::NewRecord;

use super::adopt;
use super::batch::Batch;
use super::captured::{Captured, TransactionState, Writing};
use super::catalog::{Catalog, Known};
use super::ddl::{self, Effect};
use super::envelope::{At, InTransaction, SourceHead, escape, quoted};
use super::follow::Counters;
use super::kept::Head;
use super::options::CdcOptions;
use super::quarantine::split;
use super::resolve::has_new_values;
use super::route::Router;
use super::spool;
use super::truncate::Emptied;

/// Reads what was held of one table.
pub struct Applier {
    server: String,
    router: Arc<Router>,
    options: Arc<CdcOptions>,
    db: String,
    name: String,
    catalog: Arc<Catalog>,
    /// From the first event on that does not fit what is known.
    definition: Option<Known>,
    format: FormatDescription,
    /// The body of the table map, and what it stands for.
    map: Vec<u8>,
    captured: Option<Box<Captured>>,
    /// `,"file":"…"`
    file: (String, Vec<u8>),
    /// Numbers transactions, so that their records are counted apart.
    transactions: (u64, String),
    altered: bool,
    batch: Batch,
    counters: Counters,
}

impl Applier {
    /// `then` has the table as it was before what is held; `None` where it has none.
    pub fn new(
        then: &Catalog,
        table: &str,
        server: &str,
        router: Arc<Router>,
        options: Arc<CdcOptions>,
    ) -> Option<Applier> {
        let (db, name) = split(table);
        let mut catalog = Catalog::default();
        catalog.set_charset(db, then.charset(db).map(str::to_owned));
        catalog.put(Known { lost: None, ..(**then.get(db, name)?).clone() });
        Some(Applier {
            server: server.to_owned(),
            router,
            options,
            db: db.to_owned(),
            name: name.to_owned(),
            catalog: Arc::new(catalog),
            definition: None,
            format: FormatDescription::assumed(Checksum::None),
            map: Vec::new(),
            captured: None,
            file: Default::default(),
            transactions: (0, String::new()),
            altered: false,
            batch: Batch::default(),
            counters: Counters::default(),
        })
    }

    /// Takes how the table was from the first event on that does not fit: a CREATE TABLE.
    pub fn define(&mut self, sql: &str) -> Result<(), String> {
        let query = Query {
            thread_id: 0,
            db: self.db.clone(),
            sql: sql.as_bytes().into(),
            error: 0,
            session: linli_binlog::Session::default(),
        };
        let effects = ddl::apply(sql, &query, &Arc::new(Catalog::default()), &self.router, self.format.is_mariadb());
        let defined = effects.iter().find_map(|effect| match effect {
            Effect::Defined(catalog) => catalog.tables().next().cloned(),
            _ => None,
        });
        let mut known = (*defined.ok_or("the definition is no CREATE TABLE that is understood")?).clone();
        if let Some(why) = known.lost {
            return Err(format!("the definition is not understood: {why}"));
        }
        (known.table.db, known.table.name) = (self.db.clone(), self.name.clone());
        self.definition = Some(known);
        Ok(())
    }

    /// Takes what the events behind this one are read with; this one itself is applied already.
    pub fn pass(&mut self, head: &Head) -> Result<(), String> {
        if !head.format.is_empty() {
            self.format = format_of(&head.format)?;
        }
        if !head.map.is_empty() && head.map != self.map {
            (self.map, self.captured) = (head.map.clone(), None);
        }
        Ok(())
    }

    /// Makes records of an event. After an error none of it has been made.
    pub fn event(&mut self, head: &Head, event: &[u8], now_ms: i64) -> Result<(), String> {
        self.pass(head)?;
        if self.transactions.1 != head.transaction {
            self.transactions = (self.transactions.0 + 1, head.transaction.clone());
        }
        if self.file.0 != head.file {
            self.file = (head.file.clone(), br#","file":"#.to_vec());
            quoted(&head.file, &mut self.file.1);
        }
        let (header, body) = spool::frame(event).map_err(|error| error.to_string())?;
        let format = self.format.clone();
        match parse(&header, body, &format).map_err(|error| error.to_string())? {
            Event::Query(query) => self.statement(&query, head, now_ms),
            Event::Rows(rows) => {
                let read = self.rows(&rows, head, now_ms);
                if read.is_err() && self.define_now() { self.rows(&rows, head, now_ms) } else { read }
            }
            _ => Err("it is no event of rows and no statement".to_owned()),
        }
    }

    /// The transaction as if it had been read up to the event.
    fn transaction(&self, head: &Head) -> TransactionState {
        let (mut id, mut gtid) = (Vec::new(), Vec::new());
        quoted(&head.transaction, &mut id);
        if head.numbered {
            gtid.extend_from_slice(br#","gtid":""#);
            escape(&head.transaction, &mut gtid);
            gtid.push(b'"');
        }
        TransactionState {
            number: self.transactions.0,
            id,
            gtid,
            ts_ms: head.ts_ms,
            rows: head.row,
            records: head.order,
            skip: 0,
        }
    }

    fn statement(&mut self, query: &Query<'_>, head: &Head, now_ms: i64) -> Result<(), String> {
        let effects = ddl::apply(&query.text(), query, &self.catalog, &self.router, self.format.is_mariadb());
        let lost = effects.iter().find_map(|effect| match effect {
            Effect::Lost { why, .. } => Some(why.clone()),
            _ => None,
        });
        if let Some(why) = lost {
            return if self.define_now() { Ok(()) } else { Err(format!("{why}: {}", shown(&query.text()))) };
        }
        for effect in effects {
            match effect {
                Effect::Defined(catalog) => {
                    let before = self.known();
                    self.catalog = catalog;
                    self.captured = None;
                    self.altered |= before.zip(self.known()).is_some_and(|(old, new)| was_altered(&old, &new));
                }
                Effect::Truncated { .. } => self.truncate(head, now_ms),
                Effect::Lost { .. } | Effect::Held { .. } | Effect::Renamed { .. } => {}
                Effect::Unlogged(_) | Effect::OpensTransaction => {}
            }
        }
        Ok(())
    }

    fn truncate(&mut self, head: &Head, now_ms: i64) {
        let Some(known) = self.known() else { return };
        let state = self.transaction(head);
        let (route, source) = (self.router.route_of(&known), SourceHead::new(&self.server, &known.table));
        let (partitions, format) = (self.options.partitions, route.format);
        let emptied =
            Emptied { table: &known.table, head: &source, topic: &route.topic, format, partitions, snapshot: false };
        let at =
            At { file: &self.file.1, pos: head.pos, row: state.rows, gtid: &state.gtid, ts_ms: state.ts_ms, now_ms };
        let place = InTransaction { id: &state.id, total_order: state.records + 1, data_collection_order: 1 };
        emptied.write(&at, Some(&place), &mut self.batch);
    }

    /// All rows of an event, or none.
    fn rows(&mut self, rows: &Rows<'_>, head: &Head, now_ms: i64) -> Result<(), String> {
        let mut captured = match self.captured.take() {
            Some(captured) => captured,
            None => self.capture(rows.table_id)?,
        };
        let (mark, before) = (self.batch.mark(), self.counters);
        let mut transaction = self.transaction(head);
        let mut writing = Writing {
            batch: &mut self.batch,
            transaction: &mut transaction,
            counters: &mut self.counters,
            file: &self.file.1,
            pos: head.pos,
            now_ms,
            partitions: self.options.partitions,
            tombstones: self.options.tombstones,
            watched: None,
        };
        match captured.write(rows, &mut writing) {
            Ok(()) => {
                self.captured = Some(captured);
                Ok(())
            }
            Err(error) => {
                self.batch.rewind(mark);
                self.counters = before;
                Err(error.to_string())
            }
        }
    }

    fn capture(&mut self, table_id: u64) -> Result<Box<Captured>, String> {
        let map = TableMap::restore(table_id, &self.map, &self.format).map_err(|error| error.to_string())?;
        let layout = map.layout().map_err(|error| error.to_string())?;
        let known = self.known().ok_or("the table was dropped before")?;
        let known = match adopt::table_of(&layout, Some(&known)) {
            Some(table) if table != known.table => {
                let is_new = |column: &Column| known.table.column(&column.name).is_none();
                self.altered |= table.columns.iter().any(is_new);
                let known = Known { table, lost: None, ..known };
                Arc::make_mut(&mut self.catalog).put(known.clone());
                known
            }
            _ => known,
        };
        let captured = Captured::new(&self.server, Arc::new(known), &layout, &self.router);
        captured.map(Box::new).map_err(|mismatch| mismatch.to_string())
    }

    /// Takes the definition that was given; whether there was one.
    fn define_now(&mut self) -> bool {
        let Some(known) = self.definition.take() else {
            return false;
        };
        self.altered |= self.known().is_some_and(|before| was_altered(&before, &known));
        Arc::make_mut(&mut self.catalog).put(known);
        self.captured = None;
        true
    }

    /// Whether no definition waits for its event.
    pub fn is_defined(&self) -> bool {
        self.definition.is_none()
    }

    pub fn bytes(&self) -> usize {
        self.batch.bytes()
    }

    /// What was made; empty after.
    pub fn take(&mut self) -> Vec<NewRecord> {
        self.batch.take()
    }

    /// Changes of rows, and the records they became.
    pub fn counted(&self) -> (u64, u64) {
        (self.counters.rows, self.counters.records)
    }

    /// The table as it is behind what was applied; `None` where it was dropped.
    pub fn known(&self) -> Option<Known> {
        self.catalog.get(&self.db, &self.name).map(|known| (**known).clone())
    }

    /// Whether it was altered on the way, so that its rows hold what no change told.
    pub fn was_altered(&self) -> bool {
        self.altered
    }
}

/// Whether rows from before look different now. One whose columns were never known had none.
fn was_altered(before: &Known, after: &Known) -> bool {
    !before.table.columns.is_empty() && has_new_values(before, after)
}

fn format_of(event: &[u8]) -> Result<FormatDescription, String> {
    let (header, body) = spool::frame(event).map_err(|error| error.to_string())?;
    match parse(&header, body, &FormatDescription::assumed(Checksum::None)).map_err(|error| error.to_string())? {
        Event::FormatDescription(format) => Ok(format),
        _ => Err("its format is none".to_owned()),
    }
}

/// The beginning of a statement, for a message.
fn shown(sql: &str) -> String {
    const SHOWN_MAX: usize = 120;
    let mut text: String = sql.chars().take(SHOWN_MAX).collect();
    if text.len() < sql.len() {
        text.push('…');
    }
    text
}
