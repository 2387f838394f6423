//! What becomes of a column's values before they leave.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::escape;
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
    pub(crate) fn apply(&self, text: &str) -> String {
        match self {
            Transform::Mask(style) => style.mask(text),
            Transform::MaskJson(style) => mask_json(text, *style),
            Transform::Hash(hmac) => {
                let mut hmac = (**hmac).clone();
                hmac.update(text.as_bytes());
                let mut hex = String::with_capacity(64);
                for byte in hmac.finalize().into_bytes() {
                    hex.push(char::from(escape::hex(byte >> 4)));
                    hex.push(char::from(escape::hex(byte & 15)));
                }
                hex
            }
        }
    }
}

impl MaskStyle {
    /// The text with stars in place of what is personal. How long the hidden part was does not show, but in a name.
    pub fn mask(self, text: &str) -> String {
        const STARS: &str = "****";
        let count = text.chars().count();
        let first = |len: usize| text.chars().take(len).collect::<String>();
        match self {
            _ if count == 0 => String::new(),
            MaskStyle::Full => STARS.to_owned(),
            MaskStyle::Phone => match count {
                0..=6 => STARS.to_owned(),
                7..=10 => format!("{}{STARS}{}", first(2), text.chars().skip(count - 2).collect::<String>()),
                _ => format!("{}{STARS}{}", first(3), text.chars().skip(count - 4).collect::<String>()),
            },
            MaskStyle::Name if count == 1 => "*".to_owned(),
            MaskStyle::Name => first(1) + &"*".repeat((count - 1).min(NAME_STARS_MAX)),
            MaskStyle::Address => first((count / 2).min(ADDRESS_SHOWN_MAX)) + STARS,
        }
    }
}

const NAME_STARS_MAX: usize = 3;
const ADDRESS_SHOWN_MAX: usize = 6;

/// Masks the texts of a document that are not names of members, and puts null in place of numbers.
fn mask_json(document: &str, style: MaskStyle) -> String {
    let mut out = Vec::with_capacity(document.len());
    let mut rest = document.as_bytes();
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
                    let text = unescape(&String::from_utf8_lossy(inner));
                    escape::write_text(style.mask(&text).as_bytes(), escape::Form::Json, &mut out);
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
    String::from_utf8_lossy(&out).into_owned()
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
