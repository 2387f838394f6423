//! Values as a SELECT shows them, for formats that hold every value as text.
//!
//! ENUM and SET are the numbers that the log holds, bytes are characters of Latin-1, a TIMESTAMP is the wall time of UTC.

use crate::bytes::{be, le};
use crate::columns::SqlSource;
use crate::error::Result;
use crate::escape::Form;
use crate::schema::ColumnType;
use crate::value::temporal::{self, Wall};
use crate::value::wire::Value;
use crate::value::{number, special};

impl SqlSource for Value {
    fn write_sql(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Value::Bit { .. } => number::write_int(be(bytes), out),
            Value::Year => write_year(if le(bytes) == 0 { 0 } else { 1900 + le(bytes) as u32 }, out),
            Value::Enum(_) | Value::Set(_) => number::write_int(le(bytes), out),
            Value::Padded { length } => {
                write_latin1(bytes, out);
                let zeros = usize::from(*length).saturating_sub(bytes.len());
                out.extend(std::iter::repeat_n(0, zeros));
            }
            Value::Bytes | Value::Geometry => write_latin1(bytes, out),
            Value::CompressedBytes => write_latin1(&special::uncompress(bytes)?, out),
            Value::Date => write_day(&temporal::date(bytes), out),
            Value::OldDateTime => write_wall(&temporal::old_datetime(bytes), 0, out),
            Value::MariadbDateTime { fsp } => write_wall(&temporal::mariadb_datetime(bytes, *fsp), *fsp, out),
            Value::DateTime2 { fsp } => write_wall(&temporal::datetime2(bytes), *fsp, out),
            Value::OldTimestamp => write_instant((le(bytes) as u32, 0), 0, out),
            Value::MariadbTimestamp { fsp } => write_instant(temporal::mariadb_timestamp(bytes, *fsp), *fsp, out),
            Value::Timestamp2 { fsp } => write_instant(temporal::timestamp2(bytes), *fsp, out),
            Value::OldTime => write_time(temporal::old_time(bytes), 0, out),
            Value::MariadbTime { fsp } => write_time(temporal::mariadb_time(bytes, *fsp), *fsp, out),
            // the fraction has two digits a byte; the whole takes three bytes
            Value::Time2 { fsp } => write_time(temporal::time2(bytes), *fsp, out),
            _ => return self.write(bytes, Form::Plain, out).map(drop),
        }
        Ok(())
    }
}

impl SqlSource for ColumnType {
    fn write_sql(&self, cell: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            ColumnType::Bit { .. } => number::write_int(be(cell), out),
            ColumnType::Enum { values } => {
                let index = values.iter().position(|value| value.as_bytes() == cell).map_or(0, |index| index + 1);
                number::write_int(index, out);
            }
            ColumnType::Set { values } => number::write_int(bits(cell, values), out),
            ColumnType::Binary { .. } | ColumnType::Bytes | ColumnType::Geometry => write_latin1(cell, out),
            ColumnType::Year | ColumnType::Date | ColumnType::Time { .. } => out.extend_from_slice(cell),
            ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => out.extend_from_slice(cell),
            _ => return crate::columns::Source::write(self, cell, Form::Plain, out).map(drop),
        }
        Ok(())
    }
}

fn bits(cell: &[u8], values: &[String]) -> u64 {
    let members = cell.split(|byte| *byte == b',').filter(|member| !member.is_empty());
    let bit = |member: &[u8]| values.iter().take(64).position(|value| value.as_bytes() == member);
    members.filter_map(bit).fold(0, |bits, bit| bits | 1 << bit)
}

/// Each byte as the character of that number.
fn write_latin1(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            0..0x80 => out.push(*byte),
            _ => out.extend_from_slice(&[0xc0 | byte >> 6, 0x80 | byte & 0x3f]),
        }
    }
}

fn write_year(year: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{year:04}").as_bytes());
}

fn write_day(wall: &Wall, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:04}-{:02}-{:02}", wall.year, wall.month, wall.day).as_bytes());
}

fn write_wall(wall: &Wall, fsp: u8, out: &mut Vec<u8>) {
    write_day(wall, out);
    out.extend_from_slice(format!(" {:02}:{:02}:{:02}", wall.hour, wall.minute, wall.second).as_bytes());
    write_fraction(wall.micros, fsp, out);
}

fn write_instant((seconds, micros): (u32, u32), fsp: u8, out: &mut Vec<u8>) {
    let wall = if seconds == 0 { Wall::default() } else { temporal::instant(seconds, micros) };
    write_wall(&wall, fsp, out);
}

fn write_time(micros: i64, fsp: u8, out: &mut Vec<u8>) {
    let (total, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let sign = if micros < 0 { "-" } else { "" };
    let text = format!("{sign}{:02}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
    out.extend_from_slice(text.as_bytes());
    write_fraction(part as u32, fsp, out);
}

fn write_fraction(micros: u32, fsp: u8, out: &mut Vec<u8>) {
    if fsp > 0 {
        let digits = format!("{micros:06}");
        out.push(b'.');
        out.extend_from_slice(digits.as_bytes().get(..usize::from(fsp.min(6))).unwrap_or_default());
    }
}
