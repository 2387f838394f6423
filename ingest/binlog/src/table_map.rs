//! Table maps: the shape of the rows that follow.

use crate::bytes::{Bytes, bit, text};
use crate::charset::Charset;
use crate::error::{DecodeError, Result};
use crate::header::{FormatDescription, kind};
use crate::rows::{COLUMNS_MAX, Rows, RowsKind};
use crate::value::decimal;
use crate::value::temporal::fraction_len;
use crate::value::wire::Width;

/// Column types as the log numbers them.
pub mod column_type {
    pub const TINY: u8 = 1;
    pub const SHORT: u8 = 2;
    pub const LONG: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const TIMESTAMP: u8 = 7;
    pub const LONGLONG: u8 = 8;
    pub const INT24: u8 = 9;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const YEAR: u8 = 13;
    pub const NEWDATE: u8 = 14;
    pub const VARCHAR: u8 = 15;
    pub const BIT: u8 = 16;
    pub const TIMESTAMP2: u8 = 17;
    pub const DATETIME2: u8 = 18;
    pub const TIME2: u8 = 19;
    pub const MARIADB_BLOB_COMPRESSED: u8 = 140;
    pub const MARIADB_VARCHAR_COMPRESSED: u8 = 141;
    pub const VECTOR: u8 = 242;
    pub const JSON: u8 = 245;
    pub const NEWDECIMAL: u8 = 246;
    pub const ENUM: u8 = 247;
    pub const SET: u8 = 248;
    pub const TINY_BLOB: u8 = 249;
    pub const MEDIUM_BLOB: u8 = 250;
    pub const LONG_BLOB: u8 = 251;
    pub const BLOB: u8 = 252;
    pub const VAR_STRING: u8 = 253;
    pub const STRING: u8 = 254;
    pub const GEOMETRY: u8 = 255;
}
use column_type as t;

/// A table map, with its columns yet to be read by [`TableMap::layout`].
/// Two maps of equal `table_id` and equal bytes have the same layout: a reader keeps what it made of the first.
#[derive(Debug, Clone, Copy)]
pub struct TableMap<'a> {
    pub table_id: u64,
    pub flags: u16,
    pub db: &'a str,
    pub name: &'a str,
    /// All behind the table id.
    body: &'a [u8],
    columns: &'a [u8],
    is_mariadb: bool,
}

impl<'a> TableMap<'a> {
    pub(crate) fn parse(body: &'a [u8], format: &FormatDescription) -> Result<TableMap<'a>> {
        let mut bytes = Bytes::new(body, "table map");
        let short = format.post_header_len(kind::TABLE_MAP) == Some(6);
        let table_id = bytes.uint(if short { 4 } else { 6 })?;
        let flags = bytes.u16()?;
        let behind = bytes.rest();
        let (db, name) = (name(&mut bytes)?, name(&mut bytes)?);
        Ok(TableMap { table_id, flags, db, name, body: behind, columns: bytes.rest(), is_mariadb: format.is_mariadb() })
    }

    /// A map from what [`TableMap::bytes`] gave of it.
    pub fn restore(table_id: u64, bytes: &'a [u8], format: &FormatDescription) -> Result<TableMap<'a>> {
        let mut rest = Bytes::new(bytes, "table map");
        let (db, name) = (name(&mut rest)?, name(&mut rest)?);
        Ok(TableMap {
            table_id,
            flags: 0,
            db,
            name,
            body: bytes,
            columns: rest.rest(),
            is_mariadb: format.is_mariadb(),
        })
    }

    /// What two maps of the same table and shape have alike.
    pub fn bytes(&self) -> &'a [u8] {
        self.body
    }

    pub fn layout(&self) -> Result<TableLayout> {
        let mut bytes = Bytes::new(self.columns, "table map");
        let count = bytes.lenenc_len()?;
        if count > COLUMNS_MAX {
            return Err(DecodeError::invalid("table map", format!("{count} columns")));
        }
        let types = bytes.take(count)?;
        let mut metadata = Bytes::new(bytes.lenenc_bytes()?, "metadata of a table map");
        let nullable = bytes.take(count.div_ceil(8))?;
        let mut columns = Vec::with_capacity(count);
        for (index, kind) in types.iter().enumerate() {
            let (kind, meta) = type_and_metadata(*kind, &mut metadata)?;
            columns.push(LogColumn { kind, meta, nullable: bit(nullable, index), ..LogColumn::default() });
        }
        let mut layout = TableLayout {
            db: self.db.to_owned(),
            name: self.name.to_owned(),
            columns,
            primary_key: None,
            is_mariadb: self.is_mariadb,
        };
        while !bytes.is_empty() {
            let field = bytes.u8()?;
            let value = Bytes::new(bytes.lenenc_bytes()?, "optional metadata of a table map");
            layout.optional(field, value)?;
        }
        Ok(layout)
    }
}

fn name<'a>(bytes: &mut Bytes<'a>) -> Result<&'a str> {
    let name = bytes.name()?;
    std::str::from_utf8(name)
        .map_err(|_| DecodeError::invalid("name of a table", format!("{:?} is no UTF-8", text(name))))
}

/// A column as the log knows it. What is `None` the server did not write (`binlog_row_metadata` MINIMAL).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogColumn {
    /// See [`column_type`]; ENUM and SET told apart from CHAR.
    pub kind: u8,
    /// Precision and scale, largest length, fractional digits: as the type has it.
    pub meta: u16,
    pub nullable: bool,
    pub name: Option<String>,
    pub unsigned: Option<bool>,
    pub collation: Option<u32>,
    /// Elements of an ENUM or SET, in the column's character set; see [`LogColumn::values`].
    raw_values: Option<Vec<Vec<u8>>>,
    pub visible: Option<bool>,
}

/// A table as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLayout {
    pub db: String,
    pub name: String,
    pub columns: Vec<LogColumn>,
    pub primary_key: Option<Vec<usize>>,
    is_mariadb: bool,
}

fn type_and_metadata(kind: u8, metadata: &mut Bytes<'_>) -> Result<(u8, u16)> {
    Ok(match kind {
        t::FLOAT
        | t::DOUBLE
        | t::TINY_BLOB..=t::BLOB
        | t::GEOMETRY
        | t::JSON
        | t::VECTOR
        | t::MARIADB_BLOB_COMPRESSED
        | t::TIME2
        | t::DATETIME2
        | t::TIMESTAMP2 => (kind, u16::from(metadata.u8()?)),
        t::VARCHAR | t::MARIADB_VARCHAR_COMPRESSED => (kind, metadata.u16()?),
        t::NEWDECIMAL | t::BIT => (kind, u16::from_be_bytes(metadata.array()?)),
        t::STRING | t::VAR_STRING | t::ENUM | t::SET => string_metadata(kind, metadata.array()?),
        t::TINY | t::SHORT | t::LONG | t::LONGLONG | t::INT24 | t::YEAR => (kind, 0),
        t::TIMESTAMP | t::DATE | t::TIME | t::DATETIME | t::NEWDATE => (kind, 0),
        other => return Err(DecodeError::invalid("table map", format!("column type {other}"))),
    })
}

/// The first byte is the real type, but two of its bits hold the upper bits of a length over 255.
fn string_metadata(kind: u8, [first, second]: [u8; 2]) -> (u8, u16) {
    if first == 0 {
        return (kind, u16::from(second));
    }
    if first & 0x30 != 0x30 {
        let len = u16::from(second) | u16::from((first & 0x30) ^ 0x30) << 4;
        return (first | 0x30, len);
    }
    (first, u16::from(second))
}

impl LogColumn {
    /// Whether the signedness has a bit for it. MariaDB gives YEAR one too.
    fn has_sign(&self, mariadb: bool) -> bool {
        mariadb && self.kind == t::YEAR
            || matches!(
                self.kind,
                t::TINY | t::SHORT | t::INT24 | t::LONG | t::LONGLONG | t::NEWDECIMAL | t::FLOAT | t::DOUBLE
            )
    }

    fn is_character(&self) -> bool {
        matches!(self.kind, t::STRING | t::VAR_STRING | t::VARCHAR | t::TINY_BLOB..=t::BLOB)
            || matches!(self.kind, t::MARIADB_BLOB_COMPRESSED | t::MARIADB_VARCHAR_COMPRESSED)
    }

    /// MariaDB counts geometries among the columns with a character set.
    fn has_charset(&self) -> bool {
        self.is_character() || self.kind == t::GEOMETRY
    }

    fn is_enum_or_set(&self) -> bool {
        matches!(self.kind, t::ENUM | t::SET)
    }

    pub fn charset(&self) -> Option<Charset> {
        self.collation.and_then(Charset::of_collation)
    }

    /// Elements of an ENUM or SET.
    pub fn values(&self) -> Option<Vec<String>> {
        let charset = self.charset().unwrap_or(Charset::Utf8mb4);
        let values = self.raw_values.as_ref()?;
        Some(values.iter().map(|value| charset.decode(value).into_owned()).collect())
    }
}

/// Fields of the optional metadata.
mod field {
    pub const SIGNEDNESS: u8 = 1;
    pub const DEFAULT_CHARSET: u8 = 2;
    pub const COLUMN_CHARSET: u8 = 3;
    pub const COLUMN_NAME: u8 = 4;
    pub const SET_VALUES: u8 = 5;
    pub const ENUM_VALUES: u8 = 6;
    pub const PRIMARY_KEY: u8 = 8;
    pub const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
    pub const ENUM_AND_SET_DEFAULT_CHARSET: u8 = 10;
    pub const ENUM_AND_SET_COLUMN_CHARSET: u8 = 11;
    pub const VISIBILITY: u8 = 12;
}

impl TableLayout {
    /// How many rows an event of the table holds, by the log alone. `None` where the log does not tell how long values are:
    /// MariaDB's older forms of times.
    pub fn count_rows(&self, rows: &Rows<'_>) -> Option<u64> {
        if rows.width != self.columns.len() {
            return None;
        }
        let widths: Vec<Width> = self.columns.iter().map(|column| self.width(column)).collect::<Option<_>>()?;
        let images: &[&[u8]] = match rows.kind {
            RowsKind::Update => &[rows.before, rows.after],
            RowsKind::Insert | RowsKind::Delete => &[rows.after],
        };
        let present = |image: &[u8]| -> Vec<Width> {
            widths.iter().enumerate().filter(|(index, _)| bit(image, *index)).map(|(_, width)| *width).collect()
        };
        let images: Vec<Vec<Width>> = images.iter().map(|image| present(image)).collect();
        if images.iter().all(Vec::is_empty) {
            return Some(1); // a row of defaults alone has no bytes
        }
        let (mut data, mut count) = (Bytes::new(&rows.data, "row image"), 0);
        while !data.is_empty() {
            for image in &images {
                let nulls = data.take(image.len().div_ceil(8)).ok()?;
                for (_, width) in image.iter().enumerate().filter(|(index, _)| !bit(nulls, *index)) {
                    width.take(&mut data).ok()?;
                }
            }
            count += 1;
        }
        Some(count)
    }

    fn width(&self, column: &LogColumn) -> Option<Width> {
        let fraction = |whole: usize| Some(Width::Fixed((whole + fraction_len(column.meta as u8)) as u16));
        match column.kind {
            t::TIME | t::DATETIME | t::TIMESTAMP if self.is_mariadb => None,
            t::TINY | t::YEAR => Some(Width::Fixed(1)),
            t::SHORT => Some(Width::Fixed(2)),
            t::INT24 | t::DATE | t::NEWDATE | t::TIME => Some(Width::Fixed(3)),
            t::LONG | t::FLOAT | t::TIMESTAMP => Some(Width::Fixed(4)),
            t::LONGLONG | t::DOUBLE | t::DATETIME => Some(Width::Fixed(8)),
            t::TIME2 => fraction(3),
            t::TIMESTAMP2 => fraction(4),
            t::DATETIME2 => fraction(5),
            t::NEWDECIMAL => {
                let [precision, scale] = column.meta.to_be_bytes();
                (scale <= precision).then(|| Width::Fixed(decimal::len(precision, scale) as u16))
            }
            t::BIT => {
                let [bits, bytes] = column.meta.to_be_bytes();
                Some(Width::Fixed(u16::from(bytes) + u16::from(bits > 0)))
            }
            t::ENUM | t::SET => Some(Width::Fixed(column.meta)),
            t::STRING | t::VAR_STRING | t::VARCHAR | t::MARIADB_VARCHAR_COMPRESSED => {
                Some(Width::Prefixed(if column.meta > 255 { 2 } else { 1 }))
            }
            t::TINY_BLOB..=t::BLOB | t::GEOMETRY | t::JSON | t::VECTOR | t::MARIADB_BLOB_COMPRESSED => {
                (1..=4).contains(&column.meta).then_some(Width::Prefixed(column.meta as u8))
            }
            _ => None,
        }
    }

    fn optional(&mut self, kind: u8, mut value: Bytes<'_>) -> Result<()> {
        match kind {
            field::SIGNEDNESS => {
                let bits = value.rest();
                let mariadb = self.is_mariadb;
                let numeric = self.columns.iter_mut().filter(|column| column.has_sign(mariadb));
                for (index, column) in numeric.enumerate() {
                    column.unsigned = Some(most_significant_first(bits, index));
                }
            }
            field::VISIBILITY => {
                let bits = value.rest();
                for (index, column) in self.columns.iter_mut().enumerate() {
                    column.visible = Some(most_significant_first(bits, index));
                }
            }
            field::DEFAULT_CHARSET if self.is_mariadb => self.default_charset(value, LogColumn::has_charset)?,
            field::COLUMN_CHARSET if self.is_mariadb => self.each_charset(value, LogColumn::has_charset)?,
            field::DEFAULT_CHARSET => self.default_charset(value, LogColumn::is_character)?,
            field::ENUM_AND_SET_DEFAULT_CHARSET => self.default_charset(value, LogColumn::is_enum_or_set)?,
            field::COLUMN_CHARSET => self.each_charset(value, LogColumn::is_character)?,
            field::ENUM_AND_SET_COLUMN_CHARSET => self.each_charset(value, LogColumn::is_enum_or_set)?,
            field::COLUMN_NAME => {
                for column in &mut self.columns {
                    column.name = Some(text(value.lenenc_bytes()?));
                }
            }
            field::SET_VALUES => self.values(value, t::SET)?,
            field::ENUM_VALUES => self.values(value, t::ENUM)?,
            field::PRIMARY_KEY | field::PRIMARY_KEY_WITH_PREFIX => {
                let mut key = Vec::new();
                while !value.is_empty() {
                    key.push(self.index(value.lenenc()?)?);
                    if kind == field::PRIMARY_KEY_WITH_PREFIX {
                        value.lenenc()?;
                    }
                }
                self.primary_key = Some(key);
            }
            _ => {} // geometry types and what is still to come: not needed to read values
        }
        Ok(())
    }

    fn index(&self, index: u64) -> Result<usize> {
        let index = usize::try_from(index).ok().filter(|index| *index < self.columns.len());
        index.ok_or_else(|| {
            DecodeError::invalid("optional metadata of a table map", "it names a column that is not there")
        })
    }

    /// One collation for all columns of the kind, then those that differ, by their place among them.
    fn default_charset(&mut self, mut value: Bytes<'_>, of: fn(&LogColumn) -> bool) -> Result<()> {
        let default = collation(value.lenenc()?);
        let mut columns: Vec<&mut LogColumn> = self.columns.iter_mut().filter(|column| of(column)).collect();
        for column in &mut columns {
            column.collation = default;
        }
        while !value.is_empty() {
            let (index, other) = (value.lenenc()?, collation(value.lenenc()?));
            if let Some(column) = usize::try_from(index).ok().and_then(|index| columns.get_mut(index)) {
                column.collation = other;
            }
        }
        Ok(())
    }

    fn each_charset(&mut self, mut value: Bytes<'_>, of: fn(&LogColumn) -> bool) -> Result<()> {
        for column in self.columns.iter_mut().filter(|column| of(column)) {
            column.collation = collation(value.lenenc()?);
        }
        Ok(())
    }

    /// The elements of ENUMs or SETs. They are kept as bytes of the column's character set, which may be told later.
    fn values(&mut self, mut value: Bytes<'_>, kind: u8) -> Result<()> {
        for column in self.columns.iter_mut().filter(|column| column.kind == kind) {
            let mut values = Vec::new();
            for _ in 0..value.lenenc_len()? {
                values.push(value.lenenc_bytes()?.to_vec());
            }
            column.raw_values = Some(values);
        }
        Ok(())
    }
}

fn collation(number: u64) -> Option<u32> {
    u32::try_from(number).ok()
}

fn most_significant_first(bits: &[u8], index: usize) -> bool {
    bits.get(index >> 3).is_some_and(|byte| byte << (index & 7) & 0x80 != 0)
}
