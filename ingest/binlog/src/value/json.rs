//! MySQL's binary JSON as the text that a SELECT shows, byte for byte.

use crate::bytes::Bytes;
use crate::decoder::WarningKind;
use crate::error::{DecodeError, Result};
use crate::escape::{Form, Level, escape_utf8, write_base64};
use crate::table_map::column_type as t;
use crate::value::number::{write_int, write_json_double};
use crate::value::{Outcome, decimal, temporal};

const WHAT: &str = "JSON value";
/// As the server bounds it.
const DEPTH_MAX: usize = 100;

mod kind {
    pub const SMALL_OBJECT: u8 = 0;
    pub const LARGE_OBJECT: u8 = 1;
    pub const SMALL_ARRAY: u8 = 2;
    pub const LARGE_ARRAY: u8 = 3;
    pub const LITERAL: u8 = 4;
    pub const INT16: u8 = 5;
    pub const UINT16: u8 = 6;
    pub const INT32: u8 = 7;
    pub const UINT32: u8 = 8;
    pub const INT64: u8 = 9;
    pub const UINT64: u8 = 10;
    pub const DOUBLE: u8 = 11;
    pub const STRING: u8 = 12;
    pub const OPAQUE: u8 = 15;
}

/// Appends a document, as a JSON string that holds it or plain.
pub(crate) fn write(document: &[u8], form: Form, out: &mut Vec<u8>) -> Result<Outcome> {
    // An empty one is the server's null, written where a NOT NULL column got none.
    let Some((kind, value)) = document.split_first() else {
        match form {
            Form::Json => out.extend_from_slice(b"\"null\""),
            Form::Plain => out.extend_from_slice(b"null"),
        }
        return Ok(Outcome::Written);
    };
    if form == Form::Json {
        out.push(b'"');
    }
    let mut writer = Writer { out, nested: form == Form::Json, budget: 2 * document.len() + 16, invalid_text: false };
    writer.value(*kind, value, 0)?;
    let invalid_text = writer.invalid_text;
    if form == Form::Json {
        out.push(b'"');
    }
    Ok(if invalid_text { Outcome::Changed(WarningKind::InvalidText) } else { Outcome::Written })
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Whether the document stands in a JSON string.
    nested: bool,
    /// Bytes of the document yet to be visited. A document whose parts are reached more than once would grow without bound.
    budget: usize,
    invalid_text: bool,
}

/// Where things stand in an object or array.
struct Container<'a> {
    bytes: &'a [u8],
    count: usize,
    /// Bytes of an offset or count.
    wide: usize,
    keys: bool,
}

impl<'a> Container<'a> {
    fn open(kind: u8, value: &'a [u8]) -> Result<Container<'a>> {
        let wide = if matches!(kind, kind::LARGE_OBJECT | kind::LARGE_ARRAY) { 4 } else { 2 };
        let keys = matches!(kind, kind::SMALL_OBJECT | kind::LARGE_OBJECT);
        let mut head = Bytes::new(value, WHAT);
        let (count, size) = (head.uint(wide)? as usize, head.uint(wide)? as usize);
        let bytes = value.get(..size).ok_or_else(|| head.truncated(size))?;
        let container = Container { bytes, count, wide, keys };
        let entries = container.entry_len(false) + if keys { container.entry_len(true) } else { 0 };
        if count.checked_mul(entries).is_none_or(|len| len > bytes.len().saturating_sub(2 * wide)) {
            return Err(DecodeError::invalid(WHAT, format!("{count} members in {size} bytes")));
        }
        Ok(container)
    }

    fn entry_len(&self, key: bool) -> usize {
        self.wide + if key { 2 } else { 1 }
    }

    fn key(&self, index: usize) -> Result<&'a [u8]> {
        let at = 2 * self.wide + index * self.entry_len(true);
        let mut entry = Bytes::new(self.bytes.get(at..).unwrap_or_default(), WHAT);
        let (offset, len) = (entry.uint(self.wide)? as usize, usize::from(entry.u16()?));
        Bytes::new(self.bytes.get(offset..).unwrap_or_default(), WHAT).take(len)
    }

    /// Type and bytes of a member. Small numbers stand in the entry itself.
    fn member(&self, index: usize) -> Result<(u8, &'a [u8])> {
        let keys = if self.keys { self.count * self.entry_len(true) } else { 0 };
        let at = 2 * self.wide + keys + index * self.entry_len(false);
        let mut entry = Bytes::new(self.bytes.get(at..).unwrap_or_default(), WHAT);
        let kind = entry.u8()?;
        let slot = entry.take(self.wide)?;
        let is_inline = match kind {
            kind::LITERAL | kind::INT16 | kind::UINT16 => true,
            kind::INT32 | kind::UINT32 => self.wide == 4,
            _ => false,
        };
        if is_inline {
            return Ok((kind, slot));
        }
        let offset = crate::bytes::le(slot) as usize;
        let value = self.bytes.get(offset..).filter(|_| offset > 0);
        Ok((kind, value.ok_or_else(|| DecodeError::invalid(WHAT, "an offset beyond its end"))?))
    }
}

impl Writer<'_> {
    fn spend(&mut self, len: usize) -> Result<()> {
        self.budget = self.budget.checked_sub(len).ok_or_else(|| DecodeError::invalid(WHAT, "its parts overlap"))?;
        Ok(())
    }

    fn value(&mut self, kind: u8, value: &[u8], depth: usize) -> Result<()> {
        let mut bytes = Bytes::new(value, WHAT);
        self.spend(1)?;
        match kind {
            kind::SMALL_OBJECT | kind::LARGE_OBJECT | kind::SMALL_ARRAY | kind::LARGE_ARRAY => {
                return self.container(&Container::open(kind, value)?, depth);
            }
            kind::LITERAL => self.out.extend_from_slice(match bytes.u8()? {
                0 => b"null",
                1 => b"true",
                2 => b"false",
                other => return Err(DecodeError::invalid(WHAT, format!("literal {other}"))),
            }),
            kind::INT16 => write_int(bytes.u16()? as i16, self.out),
            kind::UINT16 => write_int(bytes.u16()?, self.out),
            kind::INT32 => write_int(bytes.u32()? as i32, self.out),
            kind::UINT32 => write_int(bytes.u32()?, self.out),
            kind::INT64 => write_int(bytes.u64()? as i64, self.out),
            kind::UINT64 => write_int(bytes.u64()?, self.out),
            kind::DOUBLE => {
                if write_json_double(f64::from_bits(bytes.u64()?), self.out) != Outcome::Written {
                    return Err(DecodeError::invalid(WHAT, "a number that is not finite"));
                }
            }
            kind::STRING => {
                let len = variable_len(&mut bytes)?;
                self.string(bytes.take(len)?)?;
            }
            kind::OPAQUE => {
                let kind = bytes.u8()?;
                let len = variable_len(&mut bytes)?;
                self.opaque(kind, bytes.take(len)?)?;
            }
            other => return Err(DecodeError::invalid(WHAT, format!("type {other}"))),
        }
        Ok(())
    }

    fn container(&mut self, container: &Container<'_>, depth: usize) -> Result<()> {
        if depth >= DEPTH_MAX {
            return Err(DecodeError::invalid(WHAT, "it is nested too deep"));
        }
        self.out.push(if container.keys { b'{' } else { b'[' });
        for index in 0..container.count {
            self.spend(container.entry_len(false))?;
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            if container.keys {
                self.string(container.key(index)?)?;
                self.out.extend_from_slice(b": ");
            }
            let (kind, value) = container.member(index)?;
            self.value(kind, value, depth + 1)?;
        }
        self.out.push(if container.keys { b'}' } else { b']' });
        Ok(())
    }

    fn quote(&mut self) {
        self.out.extend_from_slice(if self.nested { b"\\\"" } else { b"\"" });
    }

    fn string(&mut self, text: &[u8]) -> Result<()> {
        self.spend(text.len())?;
        self.quote();
        let level = if self.nested { Level::Nested } else { Level::String };
        if !escape_utf8(text, level, self.out) {
            self.invalid_text = true;
            escape_utf8(String::from_utf8_lossy(text).as_bytes(), level, self.out);
        }
        self.quote();
        Ok(())
    }

    /// A value of SQL that JSON has no type for.
    fn opaque(&mut self, kind: u8, data: &[u8]) -> Result<()> {
        self.spend(data.len())?;
        match kind {
            t::NEWDECIMAL => {
                let mut bytes = Bytes::new(data, WHAT);
                let (precision, scale) = (bytes.u8()?, bytes.u8()?);
                return decimal::write(bytes.rest(), precision, scale, Form::Plain, self.out);
            }
            t::DATE | t::DATETIME | t::TIMESTAMP | t::TIME => {
                let packed = Bytes::new(data, WHAT).u64()? as i64;
                self.quote();
                temporal::write_packed(packed, kind, self.out);
                self.quote();
            }
            _ => {
                self.quote();
                self.out.extend_from_slice(b"base64:type");
                write_int(kind, self.out);
                self.out.push(b':');
                self.base64(data);
                self.quote();
            }
        }
        Ok(())
    }

    /// The server breaks the lines.
    fn base64(&mut self, data: &[u8]) {
        const LINE: usize = 57; // bytes that make 76 characters
        for (index, line) in data.chunks(LINE).enumerate() {
            if index > 0 {
                self.out.extend_from_slice(if self.nested { br"\\n" } else { br"\n" });
            }
            write_base64(line, Form::Plain, self.out);
        }
    }
}

/// Seven bits a byte, the lowest first.
fn variable_len(bytes: &mut Bytes<'_>) -> Result<usize> {
    let mut len = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = bytes.u8()?;
        len |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(len as usize);
        }
    }
    Err(DecodeError::invalid(WHAT, "a length of more than five bytes"))
}
