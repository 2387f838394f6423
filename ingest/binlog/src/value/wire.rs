//! How a column's values stand in a row image, and what they become.

use crate::bytes::{Bytes, le};
use crate::charset::Charset;
use crate::decoder::WarningKind;
use crate::error::{DecodeError, Result};
use crate::escape::{Form, write_base64, write_text};
use crate::schema::{Column, ColumnType};
use crate::table_map::{LogColumn, column_type as t};
use crate::value::{Outcome, decimal, json, number, special, temporal};
use crate::value::{write_bit, write_geometry, write_padded};

/// How many bytes a value takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Fixed(u16),
    /// As many as the little-endian number of so many bytes in front says.
    Prefixed(u8),
}

impl Width {
    #[inline]
    pub(crate) fn take<'a>(self, bytes: &mut Bytes<'a>) -> Result<&'a [u8]> {
        match self {
            Width::Fixed(len) => bytes.take(usize::from(len)),
            Width::Prefixed(prefix) => {
                let len = bytes.uint(usize::from(prefix))?;
                bytes.take(len as usize)
            }
        }
    }
}

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Unsigned,
    Signed,
    Float,
    Double,
    Decimal { precision: u8, scale: u8 },
    Bit { length: u8 },
    Year,
    Date,
    OldTime,
    MariadbTime { fsp: u8 },
    Time2 { fsp: u8 },
    OldDateTime,
    MariadbDateTime { fsp: u8 },
    DateTime2 { fsp: u8 },
    OldTimestamp,
    MariadbTimestamp { fsp: u8 },
    Timestamp2 { fsp: u8 },
    Text(Charset),
    Padded { length: u16 },
    Bytes,
    CompressedText(Charset),
    CompressedBytes,
    Enum(Vec<String>),
    Set(Vec<String>),
    Json,
    Geometry,
    Uuid,
    Inet4,
    Inet6,
}

/// Width and meaning of a column, or what the log has instead of what the schema says.
pub(crate) fn plan(log: &LogColumn, column: &Column) -> Result<(Width, Value), String> {
    let planned = match &column.kind {
        ColumnType::Integer { .. } | ColumnType::Float | ColumnType::Double | ColumnType::Decimal { .. } => {
            numeric(log, &column.kind)
        }
        ColumnType::Bit { .. } | ColumnType::Year => numeric(log, &column.kind),
        ColumnType::Date | ColumnType::Time { .. } | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => {
            temporal_plan(log, &column.kind)
        }
        ColumnType::Enum { values } | ColumnType::Set { values } => elements(log, &column.kind, values),
        _ => strings(log, &column.kind),
    };
    planned.ok_or_else(|| describe(log))
}

fn numeric(log: &LogColumn, kind: &ColumnType) -> Option<(Width, Value)> {
    let [high, low] = log.meta.to_be_bytes();
    Some(match (kind, log.kind) {
        (ColumnType::Integer { bytes, unsigned }, t::TINY | t::SHORT | t::INT24 | t::LONG | t::LONGLONG) => {
            let wide = match log.kind {
                t::TINY => 1,
                t::SHORT => 2,
                t::INT24 => 3,
                t::LONG => 4,
                _ => 8,
            };
            if *bytes != wide || log.unsigned.is_some_and(|log| log != *unsigned) {
                return None;
            }
            (Width::Fixed(u16::from(wide)), if *unsigned { Value::Unsigned } else { Value::Signed })
        }
        (ColumnType::Float, t::FLOAT) => (Width::Fixed(4), Value::Float),
        (ColumnType::Double, t::DOUBLE) => (Width::Fixed(8), Value::Double),
        (ColumnType::Decimal { precision, scale }, t::NEWDECIMAL) if (*precision, *scale) == (high, low) => {
            if high == 0 || high > decimal::PRECISION_MAX || low > high {
                return None;
            }
            (Width::Fixed(decimal::len(high, low) as u16), Value::Decimal { precision: high, scale: low })
        }
        // Bits of the last byte, then whole bytes.
        (ColumnType::Bit { length }, t::BIT)
            if u16::from(*length) == bit_length(log.meta) && (1..=64).contains(length) =>
        {
            (Width::Fixed(u16::from(length.div_ceil(8))), Value::Bit { length: *length })
        }
        (ColumnType::Year, t::YEAR) => (Width::Fixed(1), Value::Year),
        _ => return None,
    })
}

fn bit_length(meta: u16) -> u16 {
    let [bits, bytes] = meta.to_be_bytes();
    u16::from(bytes) * 8 + u16::from(bits)
}

fn temporal_plan(log: &LogColumn, kind: &ColumnType) -> Option<(Width, Value)> {
    let fraction = |whole: usize, fsp: u8| Width::Fixed((whole + temporal::fraction_len(fsp)) as u16);
    let fixed = |len: usize| Width::Fixed(len as u16);
    Some(match (kind, log.kind) {
        (ColumnType::Date, t::DATE | t::NEWDATE) => (fixed(3), Value::Date),
        (ColumnType::Time { fsp: 0 }, t::TIME) => (fixed(3), Value::OldTime),
        (ColumnType::DateTime { fsp: 0 }, t::DATETIME) => (fixed(8), Value::OldDateTime),
        (ColumnType::Timestamp { fsp: 0 }, t::TIMESTAMP) => (fixed(4), Value::OldTimestamp),
        // MariaDB's own forms: the log does not tell their digits, the schema has to.
        (ColumnType::Time { fsp: fsp @ 1..=6 }, t::TIME) => {
            (fixed(temporal::mariadb_time_len(*fsp)), Value::MariadbTime { fsp: *fsp })
        }
        (ColumnType::DateTime { fsp: fsp @ 1..=6 }, t::DATETIME) => {
            (fixed(temporal::mariadb_datetime_len(*fsp)), Value::MariadbDateTime { fsp: *fsp })
        }
        (ColumnType::Timestamp { fsp: fsp @ 1..=6 }, t::TIMESTAMP) => {
            (fraction(4, *fsp), Value::MariadbTimestamp { fsp: *fsp })
        }
        (ColumnType::Time { fsp: fsp @ 0..=6 }, t::TIME2) if log.meta == u16::from(*fsp) => {
            (fraction(3, *fsp), Value::Time2 { fsp: *fsp })
        }
        (ColumnType::DateTime { fsp: fsp @ 0..=6 }, t::DATETIME2) if log.meta == u16::from(*fsp) => {
            (fraction(5, *fsp), Value::DateTime2 { fsp: *fsp })
        }
        (ColumnType::Timestamp { fsp: fsp @ 0..=6 }, t::TIMESTAMP2) if log.meta == u16::from(*fsp) => {
            (fraction(4, *fsp), Value::Timestamp2 { fsp: *fsp })
        }
        _ => return None,
    })
}

fn elements(log: &LogColumn, kind: &ColumnType, values: &[String]) -> Option<(Width, Value)> {
    if !(1..=8).contains(&log.meta) || log.values().is_some_and(|log| log != values) {
        return None;
    }
    Some(match (kind, log.kind) {
        (ColumnType::Enum { .. }, t::ENUM) if log.meta <= 2 => (Width::Fixed(log.meta), Value::Enum(values.to_vec())),
        (ColumnType::Set { .. }, t::SET) => (Width::Fixed(log.meta), Value::Set(values.to_vec())),
        _ => return None,
    })
}

fn strings(log: &LogColumn, kind: &ColumnType) -> Option<(Width, Value)> {
    let width = match log.kind {
        t::STRING | t::VAR_STRING | t::VARCHAR => Width::Prefixed(if log.meta > 255 { 2 } else { 1 }),
        t::MARIADB_VARCHAR_COMPRESSED => Width::Prefixed(if log.meta > 255 { 2 } else { 1 }),
        t::TINY_BLOB..=t::BLOB | t::GEOMETRY | t::JSON | t::VECTOR | t::MARIADB_BLOB_COMPRESSED
            if (1..=4).contains(&log.meta) =>
        {
            Width::Prefixed(log.meta as u8)
        }
        _ => return None,
    };
    let is_compressed = matches!(log.kind, t::MARIADB_VARCHAR_COMPRESSED | t::MARIADB_BLOB_COMPRESSED);
    let value = match (kind, log.kind) {
        (ColumnType::Json, t::JSON) => Value::Json,
        (ColumnType::Geometry, t::GEOMETRY) => Value::Geometry,
        (_, t::JSON | t::GEOMETRY) => return None,
        (ColumnType::Text { charset }, _) if log.charset().is_none_or(|log| log == *charset) => match is_compressed {
            true => Value::CompressedText(*charset),
            false => Value::Text(*charset),
        },
        (ColumnType::Bytes, _) if is_binary(log) && log.kind != t::STRING => match is_compressed {
            true => Value::CompressedBytes,
            false => Value::Bytes,
        },
        (ColumnType::Binary { length }, t::STRING) if is_binary(log) && *length == log.meta => {
            Value::Padded { length: *length }
        }
        (ColumnType::Uuid, t::STRING) if log.meta == 16 => Value::Uuid,
        (ColumnType::Inet4, t::STRING) if log.meta == 4 => Value::Inet4,
        (ColumnType::Inet6, t::STRING) if log.meta == 16 => Value::Inet6,
        _ => return None,
    };
    Some((width, value))
}

fn is_binary(log: &LogColumn) -> bool {
    log.charset().is_none_or(|charset| charset == Charset::Binary)
}

/// The log's type in words, for a mismatch.
fn describe(log: &LogColumn) -> String {
    let [high, low] = log.meta.to_be_bytes();
    let name = match log.kind {
        t::TINY => "tinyint",
        t::SHORT => "smallint",
        t::INT24 => "mediumint",
        t::LONG => "int",
        t::LONGLONG => "bigint",
        t::FLOAT => "float",
        t::DOUBLE => "double",
        t::NEWDECIMAL => return format!("decimal({high},{low})"),
        t::BIT => return format!("bit({})", bit_length(log.meta)),
        t::DATE | t::NEWDATE => "date",
        t::YEAR => "year",
        t::TIME => "time",
        t::DATETIME => "datetime",
        t::TIMESTAMP => "timestamp",
        t::TIME2 => return format!("time({})", log.meta),
        t::DATETIME2 => return format!("datetime({})", log.meta),
        t::TIMESTAMP2 => return format!("timestamp({})", log.meta),
        t::ENUM => "enum",
        t::SET => "set",
        t::JSON => "json",
        t::GEOMETRY => "geometry",
        t::VECTOR => "vector",
        t::STRING => return format!("char or binary of {} bytes{}", log.meta, charset_text(log)),
        t::VARCHAR | t::VAR_STRING => {
            return format!("varchar or varbinary of {} bytes{}", log.meta, charset_text(log));
        }
        t::TINY_BLOB..=t::BLOB => return format!("blob or text{}", charset_text(log)),
        other => return format!("of type {other}"),
    };
    let unsigned = if log.unsigned == Some(true) { " unsigned" } else { "" };
    let values = log.values().map_or_else(String::new, |values| format!("({})", values.join(",")));
    format!("{name}{values}{unsigned}")
}

fn charset_text(log: &LogColumn) -> String {
    log.charset().map_or_else(String::new, |charset| format!(" in {charset}"))
}

impl Value {
    /// Appends a value that is not NULL.
    pub(crate) fn write(&self, bytes: &[u8], form: Form, out: &mut Vec<u8>) -> Result<Outcome> {
        match self {
            Value::Unsigned => number::write_int(le(bytes), out),
            Value::Signed => number::write_int(number::signed(bytes), out),
            Value::Float => return Ok(number::write_f32(f32::from_bits(le(bytes) as u32), out)),
            Value::Double => return Ok(number::write_f64(f64::from_bits(le(bytes)), out)),
            Value::Decimal { precision, scale } => decimal::write(bytes, *precision, *scale, form, out)?,
            Value::Bit { length } => write_bit(bytes, *length, form, out),
            Value::Year => number::write_int(if le(bytes) == 0 { 0 } else { 1900 + le(bytes) }, out),
            Value::Text(charset) => return Ok(charset.write(bytes, form, out)),
            Value::Padded { length } => write_padded(bytes, *length, form, out),
            Value::Bytes => write_base64(bytes, form, out),
            Value::CompressedText(charset) => return Ok(charset.write(&special::uncompress(bytes)?, form, out)),
            Value::CompressedBytes => write_base64(&special::uncompress(bytes)?, form, out),
            Value::Enum(values) => return Ok(write_enum(le(bytes), values, form, out)),
            Value::Set(values) => return Ok(write_set(le(bytes), values, form, out)),
            Value::Json => return json::write(bytes, form, out),
            Value::Geometry => write_geometry(bytes, out)?,
            Value::Uuid => special::write_uuid(bytes, form, out)?,
            Value::Inet4 => special::write_inet4(bytes, form, out)?,
            Value::Inet6 => special::write_inet6(bytes, form, out)?,
            _ => return Ok(self.write_temporal(bytes, form, out)),
        }
        Ok(Outcome::Written)
    }

    fn write_temporal(&self, bytes: &[u8], form: Form, out: &mut Vec<u8>) -> Outcome {
        let micros = match self {
            Value::Date => return temporal::write_date(&temporal::date(bytes), out),
            Value::OldDateTime => return temporal::write_datetime(&temporal::old_datetime(bytes), 0, out),
            Value::MariadbDateTime { fsp } => {
                return temporal::write_datetime(&temporal::mariadb_datetime(bytes, *fsp), *fsp, out);
            }
            Value::DateTime2 { fsp } => return temporal::write_datetime(&temporal::datetime2(bytes), *fsp, out),
            Value::OldTimestamp => return temporal::write_timestamp(le(bytes) as u32, 0, 0, form, out),
            Value::MariadbTimestamp { fsp } => {
                let (seconds, micros) = temporal::mariadb_timestamp(bytes, *fsp);
                return temporal::write_timestamp(seconds, micros, *fsp, form, out);
            }
            Value::Timestamp2 { fsp } => {
                let (seconds, micros) = temporal::timestamp2(bytes);
                return temporal::write_timestamp(seconds, micros, *fsp, form, out);
            }
            Value::OldTime => temporal::old_time(bytes),
            Value::MariadbTime { fsp } => temporal::mariadb_time(bytes, *fsp),
            _ => temporal::time2(bytes),
        };
        number::write_int(micros, out);
        Outcome::Written
    }
}

/// Element 0 is the empty text that stands for a value that was not allowed.
fn write_enum(index: u64, values: &[String], form: Form, out: &mut Vec<u8>) -> Outcome {
    let element = match usize::try_from(index).unwrap_or(usize::MAX).checked_sub(1) {
        None => Some(""),
        Some(index) => values.get(index).map(String::as_str),
    };
    match element {
        Some(text) => {
            write_text(text.as_bytes(), form, out);
            Outcome::Written
        }
        None => Outcome::Null(WarningKind::UnknownElement),
    }
}

fn write_set(bits: u64, values: &[String], form: Form, out: &mut Vec<u8>) -> Outcome {
    if values.len() < 64 && bits >> values.len() != 0 {
        return Outcome::Null(WarningKind::UnknownElement);
    }
    let members = values.iter().take(64).enumerate().filter(|(index, _)| bits >> index & 1 == 1);
    let members: Vec<&str> = members.map(|(_, value)| value.as_str()).collect();
    write_text(members.join(",").as_bytes(), form, out);
    Outcome::Written
}

impl DecodeError {
    pub(crate) fn in_column(self, table: &str, column: &str) -> DecodeError {
        DecodeError::Value { table: table.to_owned(), column: column.to_owned(), source: Box::new(self) }
    }
}
