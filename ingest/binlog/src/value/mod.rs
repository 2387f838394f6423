//! Values of a row image, from the bytes of the log to JSON.

pub(crate) mod decimal;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod special;
pub(crate) mod sql;
pub(crate) mod temporal;
pub(crate) mod text_cell;
pub(crate) mod wire;

use crate::decoder::WarningKind;
use crate::error::{DecodeError, Result};
use crate::escape::{Form, write_base64};

/// What came of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Written,
    /// Written, but not as the server holds it.
    Changed(WarningKind),
    /// Nothing was written: it has to be null.
    Null(WarningKind),
}

/// A value of BIT(length), big-endian as the servers give it.
pub(crate) fn write_bit(bytes: &[u8], length: u8, form: Form, out: &mut Vec<u8>) {
    if length == 1 {
        let set = bytes.iter().any(|byte| *byte != 0);
        out.extend_from_slice(if set { b"true" } else { b"false" });
        return;
    }
    let mut little = [0; 8];
    for (to, from) in little.iter_mut().zip(bytes.iter().rev()) {
        *to = *from;
    }
    write_base64(little.get(..bytes.len()).unwrap_or(&little), form, out);
}

/// BINARY(length): the servers cut zeros at the end, a SELECT shows them.
pub(crate) fn write_padded(bytes: &[u8], length: u16, form: Form, out: &mut Vec<u8>) {
    let mut padded = [0; 255];
    match padded.get_mut(..usize::from(length)) {
        Some(padded) if bytes.len() < padded.len() => {
            for (to, from) in padded.iter_mut().zip(bytes) {
                *to = *from;
            }
            write_base64(padded, form, out);
        }
        _ => write_base64(bytes, form, out),
    }
}

/// A geometry: number of its reference system, then WKB.
pub(crate) fn write_geometry(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let Some((srid, wkb)) = bytes.split_first_chunk::<4>() else {
        return Err(DecodeError::Truncated { what: "geometry", needed: 4, left: bytes.len() });
    };
    out.extend_from_slice(b"{\"wkb\":");
    write_base64(wkb, Form::Json, out);
    out.extend_from_slice(b",\"srid\":");
    match u32::from_le_bytes(*srid) {
        0 => out.extend_from_slice(b"null"),
        srid => number::write_int(srid, out),
    }
    out.push(b'}');
    Ok(())
}
