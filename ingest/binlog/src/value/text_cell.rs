//! Values of a SELECT's text protocol, to the same JSON as those of the log.

use crate::columns::Source;
use crate::error::{DecodeError, Result};
use crate::escape::{Form, write_base64, write_text};
use crate::schema::ColumnType;
use crate::value::{Outcome, decimal, number, temporal, write_bit, write_geometry, write_padded};

fn invalid(text: &[u8]) -> DecodeError {
    DecodeError::invalid("number", format!("{:?}", String::from_utf8_lossy(text)))
}

impl Source for ColumnType {
    fn write(&self, cell: &[u8], form: Form, out: &mut Vec<u8>) -> Result<Outcome> {
        match self {
            ColumnType::Integer { .. } | ColumnType::Year => write_integer(cell, out)?,
            ColumnType::Float => return Ok(number::write_f32(float(cell)? as f32, out)),
            ColumnType::Double => return Ok(number::write_f64(float(cell)?, out)),
            ColumnType::Decimal { .. } => decimal::write_text(cell, form, out)?,
            ColumnType::Bit { length } => write_bit(cell, *length, form, out),
            ColumnType::Date => return Ok(temporal::write_date(&temporal::parse_wall(cell)?, out)),
            ColumnType::Time { .. } => number::write_int(temporal::parse_time(cell)?, out),
            ColumnType::DateTime { fsp } => {
                return Ok(temporal::write_datetime(&temporal::parse_wall(cell)?, *fsp, out));
            }
            ColumnType::Timestamp { fsp } => {
                return Ok(temporal::write_timestamp_text(&temporal::parse_wall(cell)?, *fsp, form, out));
            }
            ColumnType::Binary { length } => write_padded(cell, *length, form, out),
            ColumnType::Bytes => write_base64(cell, form, out),
            ColumnType::Geometry => write_geometry(cell, out)?,
            // The connection's character set is utf8mb4 whatever the column's.
            ColumnType::Text { .. } | ColumnType::Enum { .. } | ColumnType::Set { .. } => {
                return Ok(crate::charset::Charset::Utf8mb4.write(cell, form, out));
            }
            ColumnType::Json => return Ok(crate::charset::Charset::Utf8mb4.write(cell, form, out)),
            ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6 => write_text(cell, form, out),
        }
        Ok(Outcome::Written)
    }
}

/// Without the zeros that ZEROFILL and YEAR put in front.
fn write_integer(text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        _ => (&b""[..], text),
    };
    if digits.is_empty() || digits.len() > 255 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid(text));
    }
    let zeros = digits.iter().take(digits.len() - 1).take_while(|byte| **byte == b'0').count();
    out.extend_from_slice(sign);
    out.extend_from_slice(digits.get(zeros..).unwrap_or_default());
    Ok(())
}

fn float(text: &[u8]) -> Result<f64> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(|| invalid(text))
}
