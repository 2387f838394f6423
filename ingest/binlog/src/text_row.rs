//! Rows of a SELECT.

use crate::columns::{Columns, SqlText};
use crate::decoder::{Cell, Warning};
use crate::error::{DecodeError, Mismatch, Result};
use crate::escape::Form;
use crate::rules::ColumnRule;
use crate::schema::{ColumnType, Table};

/// Writes rows of a SELECT's text protocol as JSON, byte for byte what their images in the log give.
///
/// The session: `character_set_results` utf8mb4, `time_zone` '+00:00'; cells in the table's order, each selected by
/// [`select_expression`].
#[derive(Debug)]
pub struct TextRows {
    columns: Columns<ColumnType>,
    width: usize,
}

impl TextRows {
    /// `rules` as for [`crate::RowDecoder::new`].
    pub fn new(table: &Table, rules: &[ColumnRule]) -> Result<TextRows, Mismatch> {
        let kinds = table.columns.iter().map(|column| column.kind.clone()).collect();
        Ok(TextRows { columns: Columns::new(table, rules, kinds)?, width: table.columns.len() })
    }

    /// Appends a JSON object. On an error `out` is as it was.
    pub fn write_json<'a, C>(&self, cells: C, out: &mut Vec<u8>, warnings: &mut Vec<Warning>) -> Result<()>
    where
        C: IntoIterator<Item = Option<&'a [u8]>>,
        C::IntoIter: ExactSizeIterator,
    {
        let cells = cells.into_iter();
        if cells.len() != self.width {
            let detail = format!("it has {} cells, the table {} columns", cells.len(), self.width);
            return Err(DecodeError::invalid("row of a SELECT", detail));
        }
        let cells = cells.map(|cell| cell.map_or(Cell::Null, Cell::Value));
        self.columns.write_object(cells, false, out, warnings)
    }

    /// Appends a cell as text; as [`crate::Image::column_text`].
    pub fn column_text(&self, column: usize, cell: Option<&[u8]>, out: &mut Vec<u8>) -> Result<bool> {
        self.column(column, cell, Form::Plain, out)
    }

    /// Appends a cell as JSON; as [`crate::Image::column_json`].
    pub fn column_json(&self, column: usize, cell: Option<&[u8]>, out: &mut Vec<u8>) -> Result<bool> {
        self.column(column, cell, Form::Json, out)
    }

    /// Appends a cell as [`crate::Image::sql_text`] gives it.
    pub fn sql_text(&self, column: usize, cell: Option<&[u8]>, out: &mut Vec<u8>) -> Result<SqlText> {
        self.columns.write_sql(column, cell.map_or(Cell::Null, Cell::Value), out)
    }

    fn column(&self, column: usize, cell: Option<&[u8]>, form: Form, out: &mut Vec<u8>) -> Result<bool> {
        match cell {
            Some(cell) => self.columns.write_one(column, cell, form, out),
            None => Ok(false),
        }
    }
}

/// What to select for a column so that its text is exact: a FLOAT's would be cut to six digits.
pub fn select_expression(name: &str, kind: &ColumnType) -> String {
    let quoted = format!("`{}`", name.replace('`', "``"));
    if *kind == ColumnType::Float { quoted + "+0e0" } else { quoted }
}
