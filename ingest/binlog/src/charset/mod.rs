//! Character sets by their names and collations.

mod exceptions;
mod tables;

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};
use serde::{Deserialize, Serialize};

use crate::decoder::WarningKind;
use crate::error::TypeError;
use crate::escape::{Form, write_text, write_utf8};
use crate::value::Outcome;

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

const NAMES: [(&str, Charset); 42] = [
    ("utf8mb4", Charset::Utf8mb4),
    ("utf8mb3", Charset::Utf8mb3),
    ("utf8", Charset::Utf8mb3),
    ("latin1", Charset::Latin1),
    ("gbk", Charset::Gbk),
    ("binary", Charset::Binary),
    ("ascii", Charset::Ascii),
    ("ucs2", Charset::Ucs2),
    ("utf16", Charset::Utf16),
    ("utf16le", Charset::Utf16le),
    ("utf32", Charset::Utf32),
    ("gb2312", Charset::Gb2312),
    ("gb18030", Charset::Gb18030),
    ("big5", Charset::Big5),
    ("sjis", Charset::Sjis),
    ("cp932", Charset::Cp932),
    ("ujis", Charset::Ujis),
    ("eucjpms", Charset::Eucjpms),
    ("euckr", Charset::Euckr),
    ("tis620", Charset::Tis620),
    ("latin2", Charset::Latin2),
    ("latin5", Charset::Latin5),
    ("latin7", Charset::Latin7),
    ("cp1250", Charset::Cp1250),
    ("cp1251", Charset::Cp1251),
    ("cp1256", Charset::Cp1256),
    ("cp1257", Charset::Cp1257),
    ("cp850", Charset::Cp850),
    ("cp852", Charset::Cp852),
    ("cp866", Charset::Cp866),
    ("dec8", Charset::Dec8),
    ("hp8", Charset::Hp8),
    ("swe7", Charset::Swe7),
    ("greek", Charset::Greek),
    ("hebrew", Charset::Hebrew),
    ("koi8r", Charset::Koi8r),
    ("koi8u", Charset::Koi8u),
    ("armscii8", Charset::Armscii8),
    ("geostd8", Charset::Geostd8),
    ("keybcs2", Charset::Keybcs2),
    ("macce", Charset::Macce),
    ("macroman", Charset::Macroman),
];

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, charset)| charset == self);
        f.write_str(name.map_or("unknown", |(name, _)| name))
    }
}

impl Charset {
    /// By its name: `utf8mb4`, `utf8`, `gbk`.
    pub fn named(name: &str) -> Result<Charset, TypeError> {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, charset)| *charset).ok_or_else(|| TypeError::Charset(name.to_owned()))
    }

    /// How many bytes a character takes at most: the log tells lengths in bytes, definitions in characters.
    pub fn bytes_max(self) -> u16 {
        match self {
            Charset::Utf8mb4 | Charset::Utf16 | Charset::Utf16le | Charset::Utf32 | Charset::Gb18030 => 4,
            Charset::Utf8mb3 | Charset::Ujis | Charset::Eucjpms => 3,
            Charset::Ucs2 | Charset::Gbk | Charset::Gb2312 | Charset::Big5 => 2,
            Charset::Sjis | Charset::Cp932 | Charset::Euckr => 2,
            _ => 1,
        }
    }

    /// By the name of a collation: what stands before its first underscore is its character set.
    pub fn of_collation_name(name: &str) -> Result<Charset, TypeError> {
        Charset::named(name.split('_').next().unwrap_or_default())
    }

    /// By the number of a collation, MySQL's or MariaDB's.
    pub fn of_collation(number: u32) -> Option<Charset> {
        // MariaDB's collations without padding stand 1024 above the others, its newest in blocks.
        let number = match number {
            2048..2304 => return Some(Charset::Utf8mb3),
            2304..2560 => return Some(Charset::Utf8mb4),
            2560..2816 => return Some(Charset::Ucs2),
            2816..3072 => return Some(Charset::Utf16),
            3072..3328 => return Some(Charset::Utf32),
            1024..2048 => number - 1024,
            _ => number,
        };
        Some(match number {
            1 | 84 => Charset::Big5,
            2 | 9 | 21 | 27 | 77 => Charset::Latin2,
            3 | 69 => Charset::Dec8,
            4 | 80 => Charset::Cp850,
            5 | 8 | 15 | 31 | 47..=49 | 94 => Charset::Latin1,
            6 | 72 => Charset::Hp8,
            7 | 74 => Charset::Koi8r,
            10 | 82 => Charset::Swe7,
            11 | 65 => Charset::Ascii,
            12 | 91 => Charset::Ujis,
            13 | 88 => Charset::Sjis,
            14 | 23 | 50..=52 => Charset::Cp1251,
            16 | 71 => Charset::Hebrew,
            18 | 89 => Charset::Tis620,
            19 | 85 => Charset::Euckr,
            20 | 41 | 42 | 79 => Charset::Latin7,
            22 | 75 => Charset::Koi8u,
            24 | 86 => Charset::Gb2312,
            25 | 70 => Charset::Greek,
            26 | 34 | 44 | 66 | 99 => Charset::Cp1250,
            28 | 87 => Charset::Gbk,
            29 | 58 | 59 => Charset::Cp1257,
            30 | 78 => Charset::Latin5,
            32 | 64 => Charset::Armscii8,
            33 | 76 | 83 | 192..=223 | 576..=607 => Charset::Utf8mb3,
            35 | 90 | 128..=159 | 640..=671 => Charset::Ucs2,
            36 | 68 => Charset::Cp866,
            37 | 73 => Charset::Keybcs2,
            38 | 43 => Charset::Macce,
            39 | 53 => Charset::Macroman,
            40 | 81 => Charset::Cp852,
            45 | 46 | 224..=247 | 255..=575 | 608..=639 => Charset::Utf8mb4,
            54 | 55 | 101..=127 | 672..=703 => Charset::Utf16,
            56 | 62 => Charset::Utf16le,
            57 | 67 => Charset::Cp1256,
            60 | 61 | 160..=191 | 736..=767 => Charset::Utf32,
            63 => Charset::Binary,
            92 | 93 => Charset::Geostd8,
            95 | 96 => Charset::Cp932,
            97 | 98 => Charset::Eucjpms,
            248..=250 => Charset::Gb18030,
            _ => return None,
        })
    }

    /// Text of these bytes as the server would convert it; what is not valid becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        self.convert(bytes).0
    }

    /// Appends the text of these bytes.
    #[inline]
    pub(crate) fn write(self, bytes: &[u8], form: Form, out: &mut Vec<u8>) -> Outcome {
        if self.is_utf8() && write_utf8(bytes, form, out) {
            return Outcome::Written;
        }
        let (text, valid) = self.convert(bytes);
        write_text(text.as_bytes(), form, out);
        if valid { Outcome::Written } else { Outcome::Changed(WarningKind::InvalidText) }
    }

    fn is_utf8(self) -> bool {
        matches!(self, Charset::Utf8mb4 | Charset::Utf8mb3 | Charset::Ascii | Charset::Binary)
    }

    /// The text, and whether all of it was valid.
    fn convert(self, bytes: &[u8]) -> (Cow<'_, str>, bool) {
        match self {
            Charset::Ucs2 | Charset::Utf16 => utf16(bytes, u16::from_be_bytes),
            Charset::Utf16le => utf16(bytes, u16::from_le_bytes),
            Charset::Utf32 => utf32(bytes),
            Charset::Gbk => by_standard(GBK, bytes),
            Charset::Cp932 => by_standard(SHIFT_JIS, bytes),
            Charset::Euckr => by_standard(EUC_KR, bytes),
            Charset::Gb2312 => self.by_codes(GBK, bytes),
            Charset::Gb18030 => self.by_codes(GB18030, bytes),
            Charset::Big5 => self.by_codes(BIG5, bytes),
            Charset::Sjis => self.by_codes(SHIFT_JIS, bytes),
            Charset::Ujis | Charset::Eucjpms => self.by_codes(EUC_JP, bytes),
            _ => match tables::upper_half(self) {
                Some(table) => one_byte(self, bytes, table),
                None => {
                    let text = String::from_utf8_lossy(bytes);
                    let valid = matches!(text, Cow::Borrowed(_));
                    (text, valid)
                }
            },
        }
    }

    /// Code by code, since some of the server's differ from the standard's.
    fn by_codes<'a>(self, encoding: &'static Encoding, bytes: &'a [u8]) -> (Cow<'a, str>, bool) {
        if let Some(ascii) = ascii(bytes) {
            return (ascii, true);
        }
        let runs = exceptions::runs(self);
        let (mut text, mut valid, mut rest) = (String::with_capacity(bytes.len()), true, bytes);
        while !rest.is_empty() {
            let (code, behind) = rest.split_at(self.code_len(rest).min(rest.len()));
            rest = behind;
            let number = crate::bytes::be(code) as u32;
            let run = runs.get(runs.partition_point(|run| run.0 <= number).wrapping_sub(1));
            let own = run.and_then(|(first, count, char)| {
                let offset = number - first;
                if offset < u32::from(*count) { char::from_u32(u32::from(*char) + offset) } else { None }
            });
            match own {
                Some(char) => text.push(char),
                None => {
                    let (char, failed) = encoding.decode_without_bom_handling(code);
                    valid &= !failed;
                    text.push_str(&char);
                }
            }
        }
        (Cow::Owned(text), valid)
    }

    fn code_len(self, bytes: &[u8]) -> usize {
        let second = bytes.get(1).copied().unwrap_or_default();
        match (self, bytes.first().copied().unwrap_or_default()) {
            (_, 0..0x80) => 1,
            (Charset::Sjis, 0xa0..=0xdf) => 1,
            (Charset::Gb18030, _) if second.is_ascii_digit() => 4,
            (Charset::Ujis | Charset::Eucjpms, 0x8f) => 3,
            _ => 2,
        }
    }
}

fn ascii(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed)
}

fn by_standard<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> (Cow<'a, str>, bool) {
    let (text, failed) = encoding.decode_without_bom_handling(bytes);
    (text, !failed)
}

fn one_byte<'a>(charset: Charset, bytes: &'a [u8], upper: &tables::UpperHalf) -> (Cow<'a, str>, bool) {
    if charset != Charset::Swe7
        && let Some(ascii) = ascii(bytes)
    {
        return (ascii, true);
    }
    let mut valid = true;
    let text = bytes.iter().map(|byte| {
        let char = match byte.checked_sub(0x80) {
            Some(index) => upper.get(usize::from(index)).and_then(|char| char::from_u32(u32::from(*char))),
            None if charset == Charset::Swe7 => swe7(*byte),
            None => Some(char::from(*byte)),
        };
        let char = char.unwrap_or(char::REPLACEMENT_CHARACTER);
        valid &= char != char::REPLACEMENT_CHARACTER;
        char
    });
    (Cow::Owned(text.collect()), valid)
}

/// Seven bits: letters stand where ASCII has brackets.
fn swe7(byte: u8) -> Option<char> {
    Some(match byte {
        0x40 => 'É',
        0x5b => 'Ä',
        0x5c => 'Ö',
        0x5d => 'Å',
        0x5e => 'Ü',
        0x60 => 'é',
        0x7b => 'ä',
        0x7c => 'ö',
        0x7d => 'å',
        0x7e => 'ü',
        0x7f => return None,
        byte => char::from(byte),
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (Cow<'static, str>, bool) {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut valid = rest.is_empty();
    let text = char::decode_utf16(units.iter().map(|pair| unit(*pair))).map(|char| {
        char.unwrap_or_else(|_| {
            valid = false;
            char::REPLACEMENT_CHARACTER
        })
    });
    (Cow::Owned(text.collect()), valid)
}

fn utf32(bytes: &[u8]) -> (Cow<'static, str>, bool) {
    let (units, rest) = bytes.as_chunks::<4>();
    let mut valid = rest.is_empty();
    let text = units.iter().map(|unit| {
        char::from_u32(u32::from_be_bytes(*unit)).unwrap_or_else(|| {
            valid = false;
            char::REPLACEMENT_CHARACTER
        })
    });
    (Cow::Owned(text.collect()), valid)
}
