//! What becomes of a column's values before they leave.

use std::borrow::Cow;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::escape::{self, Form, quote, write_text};
use crate::schema::ColumnType;

/// One for each column of a table, in the table's order.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum ColumnRule {
    #[default]
    Keep,
    /// The column does not appear.
    Drop,
    /// Parts are replaced by stars. NULL stays NULL.
    Mask(MaskStyle),
    /// Hex of the HMAC-SHA256 of the value's text: equal values stay equal, nothing can be read back without the key.
    Hash { key: Vec<u8> },
}

/// How much of a masked text stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskStyle {
    /// 13812345678 → 138****5678
    Phone,
    /// 张三丰 → 张**
    Name,
    /// The first six characters at most: 湖北省武汉市****
    Address,
    /// ****
    Full,
}

impl std::fmt::Debug for ColumnRule {
    /// Shows no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnRule::Keep => f.write_str("Keep"),
            ColumnRule::Drop => f.write_str("Drop"),
            ColumnRule::Mask(style) => write!(f, "Mask({style:?})"),
            ColumnRule::Hash { .. } => f.write_str("Hash"),
        }
    }
}

/// A rule that changes values.
#[derive(Clone)]
pub(crate) enum Transform {
    Mask(MaskStyle),
    /// Texts inside of a document are masked, its numbers are taken out; it stays a document.
    MaskJson(MaskStyle),
    Hash(Box<Hmac<Sha256>>),
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Transform::Mask(_) => "Mask",
            Transform::MaskJson(_) => "MaskJson",
            Transform::Hash(_) => "Hash",
        })
    }
}

impl ColumnRule {
    pub(crate) fn transform(&self, kind: &ColumnType) -> Option<Transform> {
        match self {
            ColumnRule::Keep | ColumnRule::Drop => None,
            ColumnRule::Mask(style) if *kind == ColumnType::Json => Some(Transform::MaskJson(*style)),
            ColumnRule::Mask(style) => Some(Transform::Mask(*style)),
            ColumnRule::Hash { key } => {
                // Keys of any length are taken.
                Hmac::new_from_slice(key).ok().map(|hmac| Transform::Hash(Box::new(hmac)))
            }
        }
    }
}

impl Transform {
    /// Appends what becomes of a value, whose plain text is given.
    pub(crate) fn write(&self, plain: &[u8], form: Form, out: &mut Vec<u8>) {
        let text = std::str::from_utf8(plain).map_or_else(|_| String::from_utf8_lossy(plain), Cow::Borrowed);
        match self {
            Transform::Mask(style) => style.write(&text, form, out),
            Transform::MaskJson(style) => {
                let mut document = Vec::with_capacity(text.len());
                mask_json(text.as_bytes(), *style, &mut document);
                write_text(&document, form, out);
            }
            Transform::Hash(hmac) => {
                let mut hmac = (**hmac).clone();
                hmac.update(text.as_bytes());
                quote(form, out);
                for byte in hmac.finalize().into_bytes() {
                    out.extend_from_slice(&[escape::hex(byte >> 4), escape::hex(byte & 15)]);
                }
                quote(form, out);
            }
        }
    }
}

const STARS: &str = "****";

impl MaskStyle {
    /// The text with stars in place of what is personal. How long the hidden part was does not show, but in a name.
    pub fn mask(self, text: &str) -> String {
        let (head, stars, tail) = self.parts(text);
        [head, stars, tail].concat()
    }

    fn write(self, text: &str, form: Form, out: &mut Vec<u8>) {
        let (head, stars, tail) = self.parts(text);
        quote(form, out);
        for part in [head, stars, tail] {
            match form {
                Form::Plain => out.extend_from_slice(part.as_bytes()),
                Form::Json => escape::escape(part.as_bytes(), out),
            }
        }
        quote(form, out);
    }

    /// What stays in front, what stands for the rest, what stays behind.
    fn parts(self, text: &str) -> (&str, &'static str, &str) {
        let count = text.chars().count();
        let first = |len: usize| text.char_indices().nth(len).map_or(text, |(end, _)| text.split_at(end).0);
        let behind = |len: usize| text.char_indices().nth(len).map_or("", |(start, _)| text.split_at(start).1);
        match self {
            _ if count == 0 => ("", "", ""),
            MaskStyle::Full => ("", STARS, ""),
            MaskStyle::Phone => match count {
                0..=6 => ("", STARS, ""),
                7..=10 => (first(2), STARS, behind(count - 2)),
                _ => (first(3), STARS, behind(count - 4)),
            },
            MaskStyle::Name if count == 1 => ("", "*", ""),
            MaskStyle::Name => (first(1), STARS.split_at((count - 1).min(NAME_STARS_MAX)).0, ""),
            MaskStyle::Address => (first((count / 2).min(ADDRESS_SHOWN_MAX)), STARS, ""),
        }
    }
}

const NAME_STARS_MAX: usize = 3;
const ADDRESS_SHOWN_MAX: usize = 6;

/// Masks the texts of a document that are not names of members, and puts null in place of numbers.
fn mask_json(document: &[u8], style: MaskStyle, out: &mut Vec<u8>) {
    let mut rest = document;
    while let Some((byte, behind)) = rest.split_first() {
        match byte {
            b'"' => {
                let len = string_len(rest);
                let (string, behind) = rest.split_at(len);
                rest = behind;
                if rest.trim_ascii_start().first() == Some(&b':') {
                    out.extend_from_slice(string);
                } else {
                    let inner = string.get(1..len.saturating_sub(1)).unwrap_or_default();
                    let inner =
                        std::str::from_utf8(inner).map_or_else(|_| String::from_utf8_lossy(inner), Cow::Borrowed);
                    let text = if inner.contains('\\') { Cow::Owned(unescape(&inner)) } else { inner };
                    style.write(&text, Form::Json, out);
                }
            }
            b'-' | b'0'..=b'9' => {
                let digits =
                    rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
                rest = rest.split_at(digits.count()).1;
                out.extend_from_slice(b"null");
            }
            _ => {
                out.push(*byte);
                rest = behind;
            }
        }
    }
}

/// Length of the string in front, with its quotes.
fn string_len(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// What a string means, as far as masking needs it: an escaped character counts as one.
fn unescape(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let code = chars.by_ref().take(4).collect::<String>();
                let code = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}
