//! A table that is followed: its rows become records.

use std::sync::Arc;

use linli_binlog::{ColumnRule, DecodeError, Image, Mismatch, RowDecoder, Rows, RowsKind, TableLayout, Warning};

use super::batch::Batch;
use super::canal;
use super::catalog::Known;
use super::changed::Watched;
use super::envelope::{At, InTransaction, Moved, SourceHead, write_images, write_key};
use super::follow::Counters;
use super::route::{Format, Key, Route, Router};
use super::soft_delete::{Fate, fate, is_marked, is_past};

pub struct Captured {
    pub known: Arc<Known>,
    route: Route,
    decoder: RowDecoder,
    head: SourceHead,
    /// Where the topic is in Canal's format.
    canal: Option<canal::Head>,
    /// Decides whether a change moved a row: the columns of the key and of the primary key.
    identity: Vec<usize>,
    /// Records of this table in the transaction of that number.
    in_transaction: (u64, u64),
    warned: bool,
    scratch: Vec<u8>,
}

/// The open transaction, as its records tell it.
pub struct TransactionState {
    /// Counts transactions of this reader.
    pub number: u64,
    /// `"…"`
    pub id: Vec<u8>,
    /// `,"gtid":"…"` or nothing
    pub gtid: Vec<u8>,
    pub ts_ms: i64,
    /// Rows of followed tables so far.
    pub rows: u64,
    pub records: u64,
    /// Records at the beginning which are on the log already.
    pub skip: u64,
}

/// What rows are written with.
pub struct Writing<'a> {
    pub batch: &'a mut Batch,
    pub transaction: &'a mut TransactionState,
    pub counters: &'a mut Counters,
    pub file: &'a [u8],
    pub pos: u64,
    pub now_ms: i64,
    pub partitions: u32,
    pub tombstones: bool,
    /// Where the table is being read.
    pub watched: Option<&'a mut Watched>,
}

/// One record of a change.
struct Change<'a, 'i> {
    op: u8,
    moved: Moved,
    before: Option<&'a Image<'i>>,
    after: Option<&'a Image<'i>>,
}

impl Captured {
    pub fn new(server: &str, known: Arc<Known>, layout: &TableLayout, router: &Router) -> Result<Captured, Mismatch> {
        let route = router.route_of(&known);
        let keep_all = route.rules.iter().all(|rule| *rule == ColumnRule::Keep);
        let decoder = RowDecoder::new(layout, &known.table, if keep_all { &[] } else { &route.rules })?;
        let mut identity = known.table.primary_key.clone();
        if let Key::Column(column) = route.key
            && !identity.contains(&column)
        {
            identity.push(column);
        }
        let canal = (route.format == Format::Canal)
            .then(|| canal::Head::new(&known.table, &route.rules, &canal::of_log(&known.table, layout), router.zone()));
        Ok(Captured {
            head: SourceHead::new(server, &known.table),
            canal,
            known,
            route,
            decoder,
            identity,
            in_transaction: (0, 0),
            warned: false,
            scratch: Vec::new(),
        })
    }

    /// All rows of an event. After an error the batch is as it was before the row that failed.
    pub fn write(&mut self, rows: &Rows<'_>, writing: &mut Writing<'_>) -> Result<(), DecodeError> {
        let Captured { known, route, decoder, head, canal, identity, in_transaction, warned, scratch } = self;
        if in_transaction.0 != writing.transaction.number {
            *in_transaction = (writing.transaction.number, 0);
        }
        let mut warnings = Vec::new();
        let canal = canal.as_ref();
        let mut row = RowWriter { known, route, head, canal, count: &mut in_transaction.1 };
        let mut cursor = decoder.rows(rows)?;
        while let Some(images) = cursor.next_row() {
            let images = images?;
            let (before, after) = (images.before.as_ref(), images.after.as_ref());
            let created = |moved| Change { op: b'c', moved, before: None, after };
            let deleted = |moved| Change { op: b'd', moved, before, after: None };
            let fate = match (row.route.mark, row.route.history) {
                (None, None) => Fate::Same,
                _ => {
                    let was = is_gone(before, row.route, scratch)?;
                    fate(rows.kind, was, is_gone(after, row.route, scratch)?)
                }
            };
            if let (Some(watched), Some(old), true) = (&writing.watched, before, was_seen(fate, rows.kind))
                && watched.is_first(&known.table.primary_key, old, scratch)?
            {
                row.write_read(old, writing, &mut warnings)?;
            }
            match (fate, rows.kind, before, after) {
                (Fate::Unseen, ..) => {}
                (Fate::Returns, ..) | (_, RowsKind::Insert, ..) => {
                    row.write(created(Moved::No), writing, &mut warnings)?
                }
                (Fate::Goes, ..) | (_, RowsKind::Delete, ..) => {
                    row.write(deleted(Moved::No), writing, &mut warnings)?
                }
                (Fate::Same, RowsKind::Update, Some(old), Some(new)) if differ(identity, old, new)? => {
                    row.write(deleted(Moved::Yes), writing, &mut warnings)?;
                    row.write(created(Moved::Yes), writing, &mut warnings)?;
                }
                (Fate::Same, RowsKind::Update, ..) => {
                    row.write(Change { op: b'u', moved: Moved::No, before, after }, writing, &mut warnings)?
                }
            }
            // an old row that comes in has the key of one that the table holds
            let is_old = row.route.history.is_some() && matches!(fate, Fate::Unseen);
            if let (Some(watched), Some(after), false) = (&mut writing.watched, after, is_old) {
                watched.note(&known.table.primary_key, after, scratch)?;
            }
            writing.transaction.rows += 1;
            writing.counters.rows += 1;
            if !warnings.is_empty() {
                writing.counters.warnings += warnings.len() as u64;
                warn(known, warned, &warnings, after.or(before));
                warnings.clear();
            }
        }
        Ok(())
    }
}

/// Whether a row was there before its change, for who reads the topic.
fn was_seen(fate: Fate, kind: RowsKind) -> bool {
    match fate {
        Fate::Unseen | Fate::Returns => false,
        Fate::Goes => true,
        Fate::Same => kind != RowsKind::Insert,
    }
}

/// Whether a row counts as deleted: it is marked so, or an old one that is kept.
fn is_gone(image: Option<&Image<'_>>, route: &Route, scratch: &mut Vec<u8>) -> Result<bool, DecodeError> {
    if let Some(mark) = route.mark
        && is_marked(image, mark, scratch)?
    {
        return Ok(true);
    }
    route.history.map_or(Ok(false), |end| is_past(image, end, scratch))
}

/// Whether the row has another key or primary key after the change.
fn differ(identity: &[usize], before: &Image<'_>, after: &Image<'_>) -> Result<bool, DecodeError> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for column in identity {
        // Other bytes may still be the same key: only then its text is needed.
        if !after.has(*column) || after.same(before, *column) {
            continue;
        }
        let (a, b) = (before.column_text(*column, &mut old)?, after.column_text(*column, &mut new)?);
        if a != b || old != new {
            return Ok(true);
        }
        old.clear();
        new.clear();
    }
    Ok(false)
}

/// The first of a table is worth a line; all are counted.
fn warn(known: &Known, warned: &mut bool, warnings: &[Warning], image: Option<&Image<'_>>) {
    let (Some(warning), false) = (warnings.first(), *warned) else {
        return;
    };
    *warned = true;
    let mut key = Vec::new();
    for column in &known.table.primary_key {
        key.push(b' ');
        let _ = image.map(|image| image.column_text(*column, &mut key));
    }
    tracing::warn!(
        table = known.table.full_name(),
        column = known.table.columns.get(warning.column).map_or("?", |column| &column.name),
        key = String::from_utf8_lossy(&key).trim_start(),
        problem = ?warning.kind,
        "a value has no equivalent and is published as null; more of this table are counted only"
    );
}

struct RowWriter<'a> {
    known: &'a Known,
    route: &'a Route,
    head: &'a SourceHead,
    canal: Option<&'a canal::Head>,
    count: &'a mut u64,
}

impl RowWriter<'_> {
    /// What a snapshot has to tell of a row, before the first change of it; it is no change, and counts as none. Canal's
    /// format does not tell rows that were read from rows that were made: there the change alone says it.
    fn write_read(
        &mut self,
        old: &Image<'_>,
        writing: &mut Writing<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), DecodeError> {
        let transaction = &*writing.transaction;
        // with a change that is on the log, this is too
        if self.canal.is_some() || transaction.records < transaction.skip {
            return Ok(());
        }
        let at = At {
            file: writing.file,
            pos: writing.pos,
            row: transaction.rows,
            gtid: b"",
            ts_ms: transaction.ts_ms,
            now_ms: writing.now_ms,
        };
        let out = &mut writing.batch.buffer;
        let start = out.len();
        let written = (|| {
            let key = write_key(&self.route.key, &self.known.table, old, out)?;
            let value = out.len();
            write_images(None, Some(old), out, warnings)?;
            self.head.write_tail(b'r', br#""true""#, Moved::No, &at, None, out);
            Ok((key, value..out.len()))
        })();
        match written {
            Ok((key, value)) => {
                writing.batch.push(&self.route.topic, writing.partitions, at.ts_ms, key, value);
                Ok(())
            }
            Err(error) => {
                writing.batch.buffer.truncate(start);
                Err(error)
            }
        }
    }

    fn write(
        &mut self,
        change: Change<'_, '_>,
        writing: &mut Writing<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), DecodeError> {
        let transaction = &mut *writing.transaction;
        transaction.records += 1;
        *self.count += 1;
        if transaction.records <= transaction.skip {
            return Ok(());
        }
        let Some(row) = change.after.or(change.before) else {
            return Ok(());
        };
        let out = &mut writing.batch.buffer;
        let start = out.len();
        let written = (|| {
            let key = write_key(&self.route.key, &self.known.table, row, out)?;
            let value = out.len();
            let at = At {
                file: writing.file,
                pos: writing.pos,
                row: transaction.rows,
                gtid: &transaction.gtid,
                ts_ms: transaction.ts_ms,
                now_ms: writing.now_ms,
            };
            match self.canal {
                None => {
                    write_images(change.before, change.after, out, warnings)?;
                    let place = InTransaction {
                        id: &transaction.id,
                        total_order: transaction.records,
                        data_collection_order: *self.count,
                    };
                    self.head.write_tail(change.op, br#""false""#, change.moved, &at, Some(&place), out);
                }
                Some(canal) => {
                    let source = (self.head, &br#""false""#[..]);
                    canal.write(change.op, (change.before, change.after), &at, source, out)?;
                }
            }
            Ok((key, value..out.len()))
        })();
        let (key, value) = match written {
            Ok(written) => written,
            Err(error) => {
                writing.batch.buffer.truncate(start);
                transaction.records -= 1;
                *self.count -= 1;
                return Err(error);
            }
        };
        writing.counters.records += 1;
        writing.batch.push(&self.route.topic, writing.partitions, transaction.ts_ms, key.clone(), value);
        let is_deleted = change.op == b'd' && change.moved == Moved::No;
        if is_deleted && writing.tombstones && self.canal.is_none() {
            writing.batch.push(&self.route.topic, writing.partitions, transaction.ts_ms, key, 0..0);
        }
        Ok(())
    }
}
