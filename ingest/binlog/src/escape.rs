//! JSON strings, straight into a buffer.

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a JSON string with its quotes.
    Json,
    /// As it is.
    Plain,
}

const QUOTE: u8 = b'"';

/// What stands behind the backslash: 0 for none, `u` for a control character without a letter of its own.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[QUOTE as usize] = QUOTE;
    table[b'\\' as usize] = b'\\';
    table
};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Not zero where one of eight bytes needs an escape.
#[inline]
fn escapes(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = word ^ (ONES * QUOTE as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zero = |v: u64| v.wrapping_sub(ONES) & !v;
    (control | zero(quote) | zero(backslash)) & HIGH
}

/// Up to seven bytes as a word, each at least once.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    let fill = u64::from(b' ') * ONES;
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32;
    }
    match *bytes {
        [] => fill,
        [a] => u64::from(a) | fill & !0xff,
        [a, b, ..] => {
            let last = bytes.last().copied().unwrap_or(a);
            u64::from(a) | u64::from(b) << 8 | u64::from(last) << 16 | fill & !0xff_ffff
        }
    }
}

/// Whether a byte needs an escape, and whether one is beyond ASCII.
#[inline]
fn survey(bytes: &[u8]) -> (bool, bool) {
    let (words, rest) = bytes.as_chunks::<8>();
    let (mut found, mut all) = (0, 0);
    for word in words {
        let word = u64::from_le_bytes(*word);
        found |= escapes(word);
        all |= word;
    }
    let word = short_word(rest);
    (found | escapes(word) != 0, (all | word) & HIGH != 0)
}

/// Length of the part in front that needs no escape.
#[inline]
fn plain_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    while let Some(chunk) = bytes.get(len..).and_then(|rest| rest.first_chunk::<8>()) {
        if escapes(u64::from_le_bytes(*chunk)) != 0 {
            break;
        }
        len += 8;
    }
    let rest = bytes.get(len..).unwrap_or_default();
    len + rest.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0).unwrap_or(rest.len())
}

/// Where the inside of a string goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Into a JSON string.
    String,
    /// Into a JSON string that itself stands in a JSON string.
    Nested,
}

/// Appends the inside of a string when the bytes are UTF-8; else appends nothing and gives false.
#[inline]
pub(crate) fn escape_utf8(bytes: &[u8], level: Level, out: &mut Vec<u8>) -> bool {
    let (escapes, beyond_ascii) = survey(bytes);
    if beyond_ascii && std::str::from_utf8(bytes).is_err() {
        return false;
    }
    match level {
        _ if !escapes => out.extend_from_slice(bytes),
        Level::String => escape(bytes, out),
        Level::Nested => escape_nested(bytes, out),
    }
    true
}

/// Appends the inside of a JSON string.
pub(crate) fn escape(mut bytes: &[u8], out: &mut Vec<u8>) {
    loop {
        let (plain, rest) = bytes.split_at(plain_len(bytes));
        out.extend_from_slice(plain);
        let Some((byte, rest)) = rest.split_first() else { return };
        escape_byte(*byte, out);
        bytes = rest;
    }
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    match ESCAPES[usize::from(byte)] {
        b'u' => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

/// Appends the inside of a JSON string that itself stands in a JSON string.
fn escape_nested(mut bytes: &[u8], out: &mut Vec<u8>) {
    loop {
        let (plain, rest) = bytes.split_at(plain_len(bytes));
        out.extend_from_slice(plain);
        let Some((byte, rest)) = rest.split_first() else { return };
        match ESCAPES[usize::from(*byte)] {
            QUOTE => out.extend_from_slice(br#"\\\""#),
            b'\\' => out.extend_from_slice(br"\\\\"),
            b'u' => out.extend_from_slice(&[b'\\', b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
            letter => out.extend_from_slice(&[b'\\', b'\\', letter]),
        }
        bytes = rest;
    }
}

pub(crate) fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Appends a text.
#[inline]
pub(crate) fn write_text(text: &[u8], form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Plain => out.extend_from_slice(text),
        Form::Json => {
            out.push(QUOTE);
            escape(text, out);
            out.push(QUOTE);
        }
    }
}

/// Appends a text when the bytes are UTF-8; else appends nothing and gives false.
#[inline]
pub(crate) fn write_utf8(bytes: &[u8], form: Form, out: &mut Vec<u8>) -> bool {
    if form == Form::Plain {
        let valid = std::str::from_utf8(bytes).is_ok();
        out.extend_from_slice(if valid { bytes } else { &[] });
        return valid;
    }
    out.push(QUOTE);
    if escape_utf8(bytes, Level::String, out) {
        out.push(QUOTE);
        return true;
    }
    out.pop();
    false
}

/// Appends a quote where the form has them.
#[inline]
pub(crate) fn quote(form: Form, out: &mut Vec<u8>) {
    if form == Form::Json {
        out.push(QUOTE);
    }
}

/// Appends base64 of bytes, as a text.
pub(crate) fn write_base64(bytes: &[u8], form: Form, out: &mut Vec<u8>) {
    use base64::Engine as _;
    quote(form, out);
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    if let Some(room) = out.get_mut(start..) {
        // The room is exactly what the encoding needs.
        let written = base64::engine::general_purpose::STANDARD.encode_slice(bytes, room).unwrap_or(0);
        out.truncate(start + written);
    }
    quote(form, out);
}
