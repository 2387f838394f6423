//! Character sets by their names and collations.

use serde::{Deserialize, Serialize};

use crate::error::TypeError;

/// A character set of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charset {
    Binary,
    Ascii,
    Utf8mb3,
    Utf8mb4,
    Ucs2,
    Utf16,
    Utf16le,
    Utf32,
    Gbk,
    Gb2312,
    Gb18030,
    Big5,
    Sjis,
    Cp932,
    Ujis,
    Eucjpms,
    Euckr,
    Tis620,
    Latin1,
    Latin2,
    Latin5,
    Latin7,
    Cp1250,
    Cp1251,
    Cp1256,
    Cp1257,
    Cp850,
    Cp852,
    Cp866,
    Dec8,
    Hp8,
    Swe7,
    Greek,
    Hebrew,
    Koi8r,
    Koi8u,
    Armscii8,
    Geostd8,
    Keybcs2,
    Macce,
    Macroman,
}

impl Charset {
    /// By its name: `utf8mb4`, `utf8`, `gbk`.
    pub fn named(name: &str) -> Result<Charset, TypeError> {
        Err(TypeError::Charset(name.to_owned()))
    }

    /// By the number of a collation, MySQL's or MariaDB's.
    pub fn of_collation(number: u32) -> Option<Charset> {
        let _ = number;
        None
    }

    /// Text of these bytes; what is not valid becomes U+FFFD.
    pub fn decode<'a>(self, bytes: &'a [u8]) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(bytes)
    }
}
