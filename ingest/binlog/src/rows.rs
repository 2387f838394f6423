//! Rows events: which rows of which table, not yet their values.

use std::borrow::Cow;

use crate::bytes::Bytes;
use crate::compressed;
use crate::error::{DecodeError, Result};
use crate::header::{FormatDescription, kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsKind {
    Insert,
    Update,
    Delete,
}

/// Rows of one table; their values are read by a [`crate::RowDecoder`].
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    pub kind: RowsKind,
    pub table_id: u64,
    pub flags: u16,
    /// Columns of the table.
    pub(crate) width: usize,
    pub(crate) before: &'a [u8],
    pub(crate) after: &'a [u8],
    pub(crate) data: Cow<'a, [u8]>,
}

impl<'a> Rows<'a> {
    const STATEMENT_END: u16 = 1;

    /// Whether a statement ends with this event: its table maps are void from here.
    pub fn ends_statement(&self) -> bool {
        self.flags & Rows::STATEMENT_END != 0
    }

    pub(crate) fn parse(event: u8, body: &'a [u8], format: &FormatDescription) -> Result<Rows<'a>> {
        let mut bytes = Bytes::new(body, "rows event");
        let (rows, extra, is_compressed) = match event {
            kind::WRITE_ROWS_V1 => (RowsKind::Insert, false, false),
            kind::UPDATE_ROWS_V1 => (RowsKind::Update, false, false),
            kind::DELETE_ROWS_V1 => (RowsKind::Delete, false, false),
            kind::WRITE_ROWS => (RowsKind::Insert, true, false),
            kind::UPDATE_ROWS => (RowsKind::Update, true, false),
            kind::DELETE_ROWS => (RowsKind::Delete, true, false),
            kind::MARIADB_WRITE_ROWS_COMPRESSED_V1 => (RowsKind::Insert, false, true),
            kind::MARIADB_UPDATE_ROWS_COMPRESSED_V1 => (RowsKind::Update, false, true),
            kind::MARIADB_DELETE_ROWS_COMPRESSED_V1 => (RowsKind::Delete, false, true),
            kind::MARIADB_WRITE_ROWS_COMPRESSED => (RowsKind::Insert, true, true),
            kind::MARIADB_UPDATE_ROWS_COMPRESSED => (RowsKind::Update, true, true),
            _ => (RowsKind::Delete, true, true),
        };
        let fixed = format.post_header_len(event).filter(|len| *len > 0);
        let table_id = bytes.uint(if fixed == Some(6) { 4 } else { 6 })?;
        let flags = bytes.u16()?;
        if fixed.map_or(extra, |len| len == 10) {
            let len = usize::from(bytes.u16()?); // counts itself
            bytes.skip(len.saturating_sub(2))?;
        }
        let width = bytes.lenenc()?;
        let width = usize::try_from(width).ok().filter(|width| *width <= COLUMNS_MAX);
        let width =
            width.ok_or_else(|| DecodeError::invalid("rows event", "it names more columns than a table can have"))?;
        let first = bytes.take(width.div_ceil(8))?;
        let second = if rows == RowsKind::Update { bytes.take(width.div_ceil(8))? } else { first };
        let data = match is_compressed {
            true => Cow::Owned(compressed::uncompress(bytes.rest())?),
            false => Cow::Borrowed(bytes.rest()),
        };
        Ok(Rows { kind: rows, table_id, flags, width, before: first, after: second, data })
    }
}

/// No server takes a table of more columns.
pub(crate) const COLUMNS_MAX: usize = 4096;
