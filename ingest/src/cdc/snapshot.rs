//! Reading the rows of tables in a view, in the order of their primary key.

use std::ops::Range;
use std::sync::Arc;

use linli_binlog::{Column, ColumnType, DecodeError, SqlText, Table, TextRows, select_expression};
use linli_connectors::log::NewRecord;
use linli_connectors::{Error, ErrorKind};

use super::batch::Batch;
use super::canal::{self, SqlRow};
use super::catalog::Known;
use super::changed::{RowKey, row_key};
use super::envelope::{At, KeyText, Moved, SourceHead, quoted, write_key};
use super::position::Place;
use super::progress::Piece;
use super::route::{Format, Route, Router};
use super::soft_delete::is_mark;
use super::truncate::Emptied;
use super::wire::{Cells, Wire, WireError, literal, name};

/// Rows and bytes that are handed over at once.
const CHUNK_ROWS: usize = 8_000;
const CHUNK_BYTES: usize = 6 << 20;

/// Rows of a table that follow each other, as records.
pub struct Chunk {
    /// `database.table`
    pub table: String,
    /// The piece of it, by its number.
    pub piece: u32,
    pub records: Vec<NewRecord>,
    /// Of each record its row, where the reader asked for them.
    pub keys: Vec<RowKey>,
    pub rows: u64,
    /// The primary key of the last row, as literals.
    pub after: Option<Vec<String>>,
    /// The piece has no more rows.
    pub done: bool,
}

/// What rows of a snapshot are written with.
#[derive(Clone)]
pub struct Snapshotter {
    pub object: String,
    pub server: String,
    pub router: Arc<Router>,
    pub partitions: u32,
    pub place: Place,
    /// When the view was opened, epoch ms.
    pub at_ms: i64,
    /// Rows that changes told meanwhile are to be left out.
    pub keyed: bool,
}

/// The rows of a piece of a table, from a place in its primary key on.
pub struct TableRows<'a> {
    from: &'a Snapshotter,
    wire: &'a mut Wire,
    known: Arc<Known>,
    piece: u32,
    route: Route,
    writer: TextRows,
    canal: Option<canal::Head>,
    head: SourceHead,
    file: Vec<u8>,
    cells: Cells,
    limit: Option<usize>,
    read: usize,
    ended: bool,
}

/// A row as the server sent it.
#[derive(Clone, Copy)]
struct Selected<'a> {
    writer: &'a TextRows,
    payload: &'a [u8],
    cells: &'a Cells,
}

impl<'a> Selected<'a> {
    fn bytes(&self, cell: &Option<Range<usize>>) -> Option<&'a [u8]> {
        cell.clone().and_then(|cell| self.payload.get(cell))
    }

    fn cell(&self, column: usize) -> Option<&'a [u8]> {
        self.cells.get(column).and_then(|cell| self.bytes(cell))
    }
}

impl KeyText for Selected<'_> {
    fn text(&self, column: usize, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        self.writer.column_text(column, self.cell(column), out)
    }
}

impl SqlRow for Selected<'_> {
    fn sql_text(&self, column: usize, out: &mut Vec<u8>) -> Result<SqlText, DecodeError> {
        self.writer.sql_text(column, self.cell(column), out)
    }
}

impl Snapshotter {
    /// Begins to read a piece of a table, at most `limit` rows.
    pub async fn rows<'a>(
        &'a self,
        wire: &'a mut Wire,
        known: Arc<Known>,
        piece: &Piece,
        limit: Option<usize>,
    ) -> Result<TableRows<'a>, Error> {
        let route = self.router.route_of(&known);
        let writer = TextRows::new(&known.table, &route.rules).map_err(|mismatch| {
            Error::new(ErrorKind::Corrupt, format!("table {}", known.table.full_name()), mismatch.to_string())
        })?;
        let canal = match route.format {
            Format::Canal => Some(self.canal(wire, &known.table, &route).await?),
            Format::Debezium => None,
        };
        let sql = select(&known.table, piece, limit);
        wire.start_query(&sql).await.map_err(|error| self.failed(&known.table, error))?;
        let mut file = br#","file":"#.to_vec();
        quoted(&self.place.file, &mut file);
        Ok(TableRows {
            route,
            writer,
            canal,
            head: SourceHead::new(&self.server, &known.table),
            from: self,
            wire,
            known,
            piece: piece.number,
            file,
            cells: Cells::new(),
            limit,
            read: 0,
            ended: false,
        })
    }

    /// Says that the table holds nothing: before its rows, so that those are gone of which nobody told.
    pub fn emptied(&self, known: &Known) -> Vec<NewRecord> {
        let route = self.router.route_of(known);
        let head = SourceHead::new(&self.server, &known.table);
        let mut file = br#","file":"#.to_vec();
        quoted(&self.place.file, &mut file);
        // Behind every change before the view, and before its rows.
        let pos = self.place.pos.saturating_sub(1);
        let at = At { file: &file, pos, row: 0, gtid: b"", ts_ms: self.at_ms, now_ms: self.at_ms };
        let emptied = Emptied {
            table: &known.table,
            head: &head,
            topic: &route.topic,
            format: route.format,
            partitions: self.partitions,
            snapshot: true,
        };
        let mut batch = Batch::default();
        emptied.write(&at, None, &mut batch);
        batch.take()
    }

    /// Rows in Canal's format need the types as they were declared, which nothing else does.
    async fn canal(&self, wire: &mut Wire, table: &Table, route: &Route) -> Result<canal::Head, Error> {
        let sql = format!(
            "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema={} AND table_name={}",
            literal(&table.db),
            literal(&table.name)
        );
        let rows = wire.query(&sql).await.map_err(|error| self.failed(table, error))?;
        let declared = |column: &Column| {
            let of = |row: &&Vec<Option<String>>| row.first().is_some_and(|name| name.as_deref() == Some(&column.name));
            let text = rows.iter().find(of).and_then(|row| row.get(1).cloned().flatten());
            canal::declared(&text.unwrap_or_default())
        };
        let declared: Vec<String> = table.columns.iter().map(declared).collect();
        Ok(canal::Head::new(table, &route.rules, &declared, self.router.zone()))
    }

    fn failed(&self, table: &Table, error: WireError) -> Error {
        match error {
            // the definition changed behind the view: another view is needed
            WireError::Server { code: 1412 | 1054 | 1146, message, .. } => {
                Error::new(ErrorKind::Retry, format!("table {}", table.full_name()), message)
            }
            error => error.at(format!("table {} of {}", table.full_name(), self.object)),
        }
    }
}

impl TableRows<'_> {
    /// The next rows; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Chunk>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut batch = Batch::default();
        let (mut rows, mut after, mut keys, mut scratch) = (0, None, Vec::new(), Vec::new());
        while batch.len() < CHUNK_ROWS && batch.bytes() < CHUNK_BYTES {
            let more = self
                .wire
                .next_row(&mut self.cells)
                .await
                .map_err(|error| self.from.failed(&self.known.table, error))?;
            if !more {
                self.ended = true;
                break;
            }
            let row = Selected { writer: &self.writer, payload: self.wire.payload(), cells: &self.cells };
            let written = self.write(row, &mut batch);
            let written = written.and_then(|written| match written && self.from.keyed {
                true => row_key(&self.known.table.primary_key, &row, &mut scratch),
                false => Ok(None),
            });
            let key = written.map_err(|error| {
                Error::new(ErrorKind::Corrupt, format!("table {}", self.known.table.full_name()), error.to_string())
                    .hint("leave the table out by cdc.exclude")
            })?;
            keys.extend(key);
            rows += 1;
            let full = batch.len() >= CHUNK_ROWS || batch.bytes() >= CHUNK_BYTES;
            if full || self.limit == Some(self.read + rows) {
                after = key_literals(&self.known.table, &row);
            }
        }
        self.read += rows;
        // A row beyond the limit is not asked for: fewer rows than the limit mean the end of the piece.
        let done = self.ended && self.limit.is_none_or(|limit| self.read < limit);
        let table = self.known.table.full_name();
        Ok(Some(Chunk { table, piece: self.piece, records: batch.take(), keys, rows: rows as u64, after, done }))
    }

    /// Whether the row counts as deleted.
    fn is_marked(&self, row: &Selected<'_>) -> Result<bool, DecodeError> {
        let Some(column) = self.route.mark else { return Ok(false) };
        let mut text = Vec::new();
        Ok(row.text(column, &mut text)? && is_mark(&text))
    }

    /// Whether there is a record of the row.
    fn write(&self, row: Selected<'_>, batch: &mut Batch) -> Result<bool, DecodeError> {
        if self.is_marked(&row)? {
            return Ok(false);
        }
        let out = &mut batch.buffer;
        let key = write_key(&self.route.key, &self.known.table, &row, out)?;
        let value = out.len();
        let at = At {
            file: &self.file,
            pos: self.from.place.pos,
            row: 0,
            gtid: b"",
            ts_ms: self.from.at_ms,
            now_ms: self.from.at_ms,
        };
        match &self.canal {
            Some(canal) => canal.write(b'c', (None, Some(&row)), &at, (&self.head, br#""true""#), out)?,
            None => {
                out.extend_from_slice(br#"{"before":null,"after":"#);
                let mut warnings = Vec::new();
                self.writer.write_json(row.cells.iter().map(|cell| row.bytes(cell)), out, &mut warnings)?;
                self.head.write_tail(b'r', br#""true""#, Moved::No, &at, None, out);
            }
        }
        let end = out.len();
        batch.push(&self.route.topic, self.from.partitions, self.from.at_ms, key, value..end);
        Ok(true)
    }
}

/// `None` where the order of the key cannot be told by literals: the table is then read from its start again.
fn key_literals(table: &Table, row: &Selected<'_>) -> Option<Vec<String>> {
    let literal_of = |column: &usize| {
        let (kind, cell) = (&table.columns.get(*column)?.kind, row.cell(*column)?);
        let text = || Some(String::from_utf8_lossy(cell).into_owned());
        match kind {
            ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Year => text(),
            ColumnType::Text { .. }
            | ColumnType::Date
            | ColumnType::Time { .. }
            | ColumnType::DateTime { .. }
            | ColumnType::Timestamp { .. }
            | ColumnType::Uuid => text().map(|text| literal(&text)),
            ColumnType::Binary { .. } | ColumnType::Bytes => Some(format!("X'{}'", hex(cell))),
            _ => None,
        }
    };
    if table.primary_key.is_empty() {
        return None;
    }
    table.primary_key.iter().map(literal_of).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// All columns of the rows of a piece, in the order of the primary key.
fn select(table: &Table, piece: &Piece, limit: Option<usize>) -> String {
    let columns: Vec<String> =
        table.columns.iter().map(|column| select_expression(&column.name, &column.kind)).collect();
    let key: Vec<String> = table
        .primary_key
        .iter()
        .filter_map(|index| table.columns.get(*index))
        .map(|column| name(&column.name))
        .collect();
    let mut sql = format!("SELECT {} FROM {}.{}", columns.join(","), name(&table.db), name(&table.name));
    let mut conditions = Vec::new();
    if let (Some(after), Some(_)) = (&piece.after, key.first()) {
        conditions.push(behind(&key, after));
    }
    if let (Some(until), Some(column)) = (&piece.until, key.first()) {
        conditions.push(format!("{column}<={until}"));
    }
    if !conditions.is_empty() {
        sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    if !key.is_empty() {
        sql.push_str(&format!(" ORDER BY {}", key.join(",")));
        if let Some(limit) = limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
    }
    sql
}

/// `a>=1 AND (a>1 OR a=1 AND (b>2))`: the first condition lets the server use the key. Fewer values than columns: behind
/// all rows that begin with them.
fn behind(key: &[String], after: &[String]) -> String {
    match (key, after) {
        ([column, ..], [value]) => format!("{column}>{value}"),
        ([column, key @ ..], [value, after @ ..]) => {
            format!("{column}>={value} AND ({column}>{value} OR {column}={value} AND ({}))", behind(key, after))
        }
        _ => "TRUE".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use linli_binlog::Column;

    use super::*;

    fn table() -> Table {
        let column = |name: &str, kind| Column {
            name: name.to_owned(),
            kind,
            nullable: false,
            generated: false,
            default: Default::default(),
        };
        Table {
            db: "shop_0".to_owned(),
            name: "st`ock".to_owned(),
            columns: vec![
                column("w", ColumnType::Integer { bytes: 4, unsigned: false }),
                column("f", ColumnType::Float),
                column("n", ColumnType::Text { charset: linli_binlog::Charset::Utf8mb4 }),
            ],
            primary_key: vec![0, 2],
        }
    }

    #[test]
    fn a_table_is_read_on_behind_its_last_key() {
        let writer = TextRows::new(&table(), &[]).unwrap();
        let cells = vec![Some(0..1), None, Some(1..5)];
        let row = Selected { writer: &writer, payload: b"7it's", cells: &cells };
        let after = key_literals(&table(), &row).unwrap();
        assert_eq!(
            select(&table(), &Piece { after: Some(after), ..Piece::default() }, Some(100)),
            "SELECT `w`,`f`+0e0,`n` FROM `shop_0`.`st``ock` WHERE `w`>=7 AND (`w`>7 OR `w`=7 AND (`n`>'it''s')) ORDER BY `w`,`n` LIMIT 100"
        );
        let piece = Piece { number: 1, after: Some(vec!["7".into()]), until: Some("9".into()) };
        assert_eq!(
            select(&table(), &piece, None),
            "SELECT `w`,`f`+0e0,`n` FROM `shop_0`.`st``ock` WHERE `w`>7 AND `w`<=9 ORDER BY `w`,`n`"
        );
        for (zerofilled, text) in [(&b"0042"[..], &b"42"[..]), (b"000", b"0")] {
            let mut out = Vec::new();
            assert!(writer.column_text(0, Some(zerofilled), &mut out).unwrap());
            assert_eq!(out, text);
        }
    }
}
