//! Row images of a rows event, by the schema of their table.

use crate::error::{DecodeError, Mismatch, Result};
use crate::rows::Rows;
use crate::rules::ColumnRule;
use crate::schema::Table;
use crate::table_map::TableLayout;

/// Reads the rows of one table map with one schema; made once and kept as long as both stay.
#[derive(Debug)]
pub struct RowDecoder {}

impl RowDecoder {
    /// `rules` is empty (all are kept) or holds one for each column.
    pub fn new(layout: &TableLayout, table: &Table, rules: &[ColumnRule]) -> Result<RowDecoder, Mismatch> {
        let _ = (layout, table, rules);
        Ok(RowDecoder {})
    }

    /// The rows of an event, one after the other.
    pub fn rows<'a>(&'a self, rows: &'a Rows<'_>) -> Result<RowCursor<'a>> {
        let _ = rows;
        Err(DecodeError::invalid("rows event", "not yet"))
    }
}

/// Gives rows; its memory is used again for each.
pub struct RowCursor<'a> {
    decoder: &'a RowDecoder,
}

impl<'a> RowCursor<'a> {
    /// The next row's images, valid until the next call.
    pub fn next_row(&mut self) -> Option<Result<RowImages<'_>>> {
        let _ = self.decoder;
        None
    }
}

/// What a row was and became. Where the server writes only the changed columns, `after` takes the others from `before`
/// as far as they are there.
pub struct RowImages<'a> {
    pub before: Option<Image<'a>>,
    pub after: Option<Image<'a>>,
}

/// One image of a row.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    decoder: &'a RowDecoder,
}

/// A value that was written as null because it cannot be told otherwise; `column` is an index of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub column: usize,
    pub kind: WarningKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// 0000-00-00
    ZeroDate,
    /// A day that no calendar has, such as 2023-02-30.
    ImpossibleDate,
    /// Bytes that are no text of the column's character set; written with U+FFFD in their place.
    InvalidText,
    /// An ENUM or SET value beyond the elements that the schema knows.
    UnknownElement,
    /// A FLOAT or DOUBLE that is not finite.
    NotFinite,
}

impl<'a> Image<'a> {
    /// Whether the log holds every column of the table.
    pub fn is_complete(&self) -> bool {
        let _ = self.decoder;
        true
    }

    /// Whether the log holds this column.
    pub fn has(&self, column: usize) -> bool {
        let _ = column;
        true
    }

    /// Appends a JSON object; columns that the log does not hold are left out. On an error `out` is as it was.
    pub fn write_json(&self, out: &mut Vec<u8>, warnings: &mut Vec<Warning>) -> Result<()> {
        let _ = (out, warnings);
        Ok(())
    }

    /// Appends a column's value as text without quotes, as JSON would show it and before any rule: for keys and routing.
    /// False, and nothing appended, where it is NULL or absent.
    pub fn column_text(&self, column: usize, out: &mut Vec<u8>) -> Result<bool> {
        let _ = (column, out);
        Ok(false)
    }
}

/// Appends the JSON of a row as a SELECT's text protocol gives it, byte for byte what the row's image in the log would give.
/// Cells stand in the table's order. The session: `character_set_results` utf8mb4, `time_zone` '+00:00'; a FLOAT is selected with `+0e0`.
pub fn text_row_json(
    table: &Table,
    rules: &[ColumnRule],
    cells: &[Option<&[u8]>],
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    let _ = (table, rules, cells, out, warnings);
    Ok(())
}
