//! Row images of a rows event, by the schema of their table.

use crate::bytes::{Bytes, bit};
use crate::charset::Charset;
use crate::columns::{Columns, Source, SqlText};
use crate::error::{DecodeError, Mismatch, Result};
use crate::escape::Form;
use crate::rows::{Rows, RowsKind};
use crate::rules::ColumnRule;
use crate::schema::Table;
use crate::table_map::{TableLayout, column_type};
use crate::value::Outcome;
use crate::value::wire::{Value, Width, plan};

/// Reads the rows of one table map with one schema; made once and kept as long as both stay.
#[derive(Debug)]
pub struct RowDecoder {
    columns: Columns<Value>,
    widths: Vec<Width>,
}

impl Source for Value {
    #[inline]
    fn write(&self, cell: &[u8], form: Form, out: &mut Vec<u8>) -> Result<Outcome> {
        Value::write(self, cell, form, out)
    }
}

impl RowDecoder {
    /// `rules` is empty (all are kept) or holds one for each column.
    pub fn new(layout: &TableLayout, table: &Table, rules: &[ColumnRule]) -> Result<RowDecoder, Mismatch> {
        let (schema, log) = (table.columns.len(), layout.columns.len());
        if schema != log {
            return Err(Mismatch::ColumnCount { table: table.full_name(), schema, log });
        }
        let (mut widths, mut values) = (Vec::with_capacity(log), Vec::with_capacity(log));
        for (index, (log, column)) in layout.columns.iter().zip(&table.columns).enumerate() {
            if let Some(name) = log.name.as_ref().filter(|name| **name != column.name) {
                let (schema, log) = (column.name.clone(), name.clone());
                return Err(Mismatch::ColumnName { table: table.full_name(), index, schema, log });
            }
            let (width, value) = plan(log, column).map_err(|log| Mismatch::ColumnType {
                table: table.full_name(),
                column: column.name.clone(),
                schema: column.kind.to_string(),
                log,
            })?;
            widths.push(width);
            values.push(value);
        }
        // A CHAR is shown without the spaces behind.
        let trimmed = |index: usize, mut cell: Vec<u8>| {
            let log = layout.columns.get(index);
            if log.is_some_and(|log| log.kind == column_type::STRING && !matches!(log.charset(), Some(Charset::Binary)))
            {
                while cell.last() == Some(&b' ') {
                    cell.pop();
                }
            }
            cell
        };
        Ok(RowDecoder { columns: Columns::new(table, rules, values)?.fill(table, trimmed), widths })
    }

    /// The rows of an event, one after the other.
    pub fn rows<'a>(&'a self, rows: &'a Rows<'_>) -> Result<RowCursor<'a>> {
        if rows.width != self.widths.len() {
            let detail = format!("it has {} columns, its table map {}", rows.width, self.widths.len());
            return Err(DecodeError::invalid("rows event", detail));
        }
        let complete = |present: &[u8]| (0..rows.width).all(|index| bit(present, index));
        Ok(RowCursor {
            decoder: self,
            kind: rows.kind,
            present: [(rows.before, complete(rows.before)), (rows.after, complete(rows.after))],
            data: Bytes::new(&rows.data, "row image"),
            before: Vec::with_capacity(rows.width),
            after: Vec::with_capacity(rows.width),
            // A row of defaults alone in a MINIMAL image: no columns, no bytes, and yet it was inserted.
            bare: rows.kind == RowsKind::Insert && rows.data.is_empty() && rows.after.iter().all(|byte| *byte == 0),
            failed: false,
        })
    }

    fn read<'a>(
        &self,
        (present, complete): (&[u8], bool),
        data: &mut Bytes<'a>,
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<()> {
        cells.clear();
        let count = if complete {
            self.widths.len()
        } else {
            (0..self.widths.len()).filter(|index| bit(present, *index)).count()
        };
        let nulls = data.take(count.div_ceil(8))?;
        let mut at = 0;
        for (index, width) in self.widths.iter().enumerate() {
            if !complete && !bit(present, index) {
                cells.push(Cell::Absent);
                continue;
            }
            let is_null = bit(nulls, at);
            at += 1;
            cells.push(if is_null { Cell::Null } else { Cell::Value(width.take(data)?) });
        }
        Ok(())
    }
}

/// What an image holds of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Absent,
    Null,
    Value(&'a [u8]),
}

/// Gives rows; its memory is used again for each.
#[derive(Debug)]
pub struct RowCursor<'a> {
    decoder: &'a RowDecoder,
    kind: RowsKind,
    present: [(&'a [u8], bool); 2],
    data: Bytes<'a>,
    before: Vec<Cell<'a>>,
    after: Vec<Cell<'a>>,
    /// One row is to come although there are no bytes for it.
    bare: bool,
    failed: bool,
}

impl<'a> RowCursor<'a> {
    /// The next row's images, valid until the next call. Behind an error nothing comes.
    pub fn next_row(&mut self) -> Option<Result<RowImages<'_>>> {
        if self.failed || self.data.is_empty() && !std::mem::take(&mut self.bare) {
            return None;
        }
        if let Err(error) = self.read_row() {
            self.failed = true;
            return Some(Err(error));
        }
        let decoder = self.decoder;
        let is_insert = self.kind == RowsKind::Insert;
        let before = Image { decoder, cells: &self.before, is_insert: false };
        let after = Image { decoder, cells: &self.after, is_insert };
        Some(Ok(RowImages {
            before: (self.kind != RowsKind::Insert).then_some(before),
            after: (self.kind != RowsKind::Delete).then_some(after),
        }))
    }

    fn read_row(&mut self) -> Result<()> {
        let left = self.data.rest().len();
        let [before, after] = self.present;
        if self.kind != RowsKind::Insert {
            self.decoder.read(before, &mut self.data, &mut self.before)?;
        }
        if self.kind != RowsKind::Delete {
            self.decoder.read(after, &mut self.data, &mut self.after)?;
        }
        if self.kind == RowsKind::Update && !after.1 {
            // What an update leaves out it did not change.
            for (after, before) in self.after.iter_mut().zip(&self.before) {
                if matches!(after, Cell::Absent) {
                    *after = *before;
                }
            }
        }
        if left > 0 && self.data.rest().len() == left {
            return Err(DecodeError::invalid("rows event", "rows of no columns"));
        }
        Ok(())
    }
}

/// What a row was and became. Where the server writes only the changed columns, `after` takes the others from `before`
/// as far as they are there.
#[derive(Debug, Clone, Copy)]
pub struct RowImages<'a> {
    /// None for an insert.
    pub before: Option<Image<'a>>,
    /// None for a delete.
    pub after: Option<Image<'a>>,
}

/// One image of a row.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    decoder: &'a RowDecoder,
    cells: &'a [Cell<'a>],
    /// Columns that are left out hold their defaults.
    is_insert: bool,
}

/// A value that was not written as the server holds it; `column` is an index of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub column: usize,
    pub kind: WarningKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// 0000-00-00; null was written.
    ZeroDate,
    /// A day that no calendar has, such as 2023-02-30; null was written.
    ImpossibleDate,
    /// Bytes that are no text of the column's character set; U+FFFD was written in their place.
    InvalidText,
    /// An ENUM or SET value beyond the elements that the schema knows; null was written.
    UnknownElement,
    /// A FLOAT or DOUBLE that is not finite; null was written.
    NotFinite,
}

impl<'a> Image<'a> {
    /// Whether every column of the table is there.
    pub fn is_complete(&self) -> bool {
        !self.cells.iter().any(|cell| matches!(cell, Cell::Absent))
    }

    /// Whether this column is there, be it NULL or by its default.
    pub fn has(&self, column: usize) -> bool {
        match self.cells.get(column) {
            Some(Cell::Absent) => self.is_insert && self.decoder.columns.fills(column),
            cell => cell.is_some(),
        }
    }

    /// Whether this column is there and NULL.
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.cells.get(column), Some(Cell::Null))
    }

    /// Whether two images of the same decoder hold the same bytes in a column.
    pub fn same(&self, other: &Image<'_>, column: usize) -> bool {
        match (self.cells.get(column), other.cells.get(column)) {
            (Some(Cell::Value(a)), Some(Cell::Value(b))) => a == b,
            (Some(Cell::Null), Some(Cell::Null)) | (Some(Cell::Absent), Some(Cell::Absent)) => true,
            _ => false,
        }
    }

    /// Appends a JSON object; columns that are not there are left out, but of an insert they have their defaults as far as
    /// those are known. On an error `out` is as it was.
    pub fn write_json(&self, out: &mut Vec<u8>, warnings: &mut Vec<Warning>) -> Result<()> {
        self.decoder.columns.write_object(self.cells.iter().copied(), self.is_insert, out, warnings)
    }

    /// Appends a column's value as text, as JSON would show it but without quotes, and before any rule: for keys and routing.
    /// False, and nothing appended, where it is absent, NULL, or null for want of a day.
    pub fn column_text(&self, column: usize, out: &mut Vec<u8>) -> Result<bool> {
        self.column(column, Form::Plain, out)
    }

    /// Appends a column's value as JSON, before any rule; false as with [`Image::column_text`].
    pub fn column_json(&self, column: usize, out: &mut Vec<u8>) -> Result<bool> {
        self.column(column, Form::Json, out)
    }

    /// Appends a column's value as a SELECT shows it, in UTF-8, after its rule.
    ///
    /// ENUM and SET are numbers, bytes characters of Latin-1, a TIMESTAMP the wall time of UTC; days that no calendar has
    /// are shown as they are.
    pub fn sql_text(&self, column: usize, out: &mut Vec<u8>) -> Result<SqlText> {
        let cell = self.cells.get(column).copied().unwrap_or(Cell::Absent);
        self.decoder.columns.write_sql(column, cell, out)
    }

    fn column(&self, column: usize, form: Form, out: &mut Vec<u8>) -> Result<bool> {
        match self.cells.get(column) {
            Some(Cell::Value(value)) => self.decoder.columns.write_one(column, value, form, out),
            Some(Cell::Absent) if self.is_insert => Ok(self.decoder.columns.write_filled(column, form, out)),
            _ => Ok(false),
        }
    }
}
