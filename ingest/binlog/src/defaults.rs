//! What a column holds that an insert does not name: servers leave it out of the log (`binlog_row_image` MINIMAL, NOBLOB).
//!
//! Servers log the outcome of every default that is an expression, and of generated columns that are stored; what is left
//! out is a literal, NULL, or the zero of a type. Measured on MySQL 8.0.15 and MariaDB 10.11.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::schema::ColumnType;

/// As a SELECT's text protocol shows it, with `time_zone` '+00:00'.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnDefault {
    /// Not known: a column that is left out stays out.
    #[default]
    Unknown,
    Null,
    Text(String),
    /// In base64.
    Bytes(String),
}

/// A literal of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Null,
    Text(String),
    /// As it is written, with its sign.
    Number(String),
    /// X'00ff', 0x00ff, b'101': bytes, the first the highest.
    Bytes(Vec<u8>),
}

impl ColumnDefault {
    pub fn is_unknown(&self) -> bool {
        *self == ColumnDefault::Unknown
    }

    pub fn of_cell(cell: Option<&[u8]>) -> ColumnDefault {
        match cell {
            None => ColumnDefault::Null,
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => ColumnDefault::Text(text.to_owned()),
                _ => ColumnDefault::Bytes(STANDARD.encode(bytes)),
            },
        }
    }

    /// The cell, or `None` where the default is not known. NULL is a cell without bytes.
    pub(crate) fn cell(&self) -> Option<Option<Vec<u8>>> {
        match self {
            ColumnDefault::Unknown => None,
            ColumnDefault::Null => Some(None),
            ColumnDefault::Text(text) => Some(Some(text.clone().into_bytes())),
            ColumnDefault::Bytes(text) => STANDARD.decode(text).ok().map(Some),
        }
    }

    /// What a column holds that has no default: NULL, or the zero of its type where it may not be NULL (an insert in a mode
    /// that is not strict).
    pub fn implicit(kind: &ColumnType, nullable: bool) -> ColumnDefault {
        if nullable {
            return ColumnDefault::Null;
        }
        let text = |text: &str| ColumnDefault::Text(text.to_owned());
        match kind {
            ColumnType::Integer { .. } | ColumnType::Float | ColumnType::Double | ColumnType::Year => text("0"),
            ColumnType::Decimal { scale, .. } => text(&decimal("0", *scale).unwrap_or_default()),
            ColumnType::Bit { length } => ColumnDefault::of_cell(Some(&vec![0; usize::from(length.div_ceil(8))])),
            ColumnType::Date => text("0000-00-00"),
            ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => text("0000-00-00 00:00:00"),
            ColumnType::Time { .. } => text("00:00:00"),
            ColumnType::Text { .. } | ColumnType::Binary { .. } | ColumnType::Bytes | ColumnType::Set { .. } => {
                text("")
            }
            ColumnType::Enum { values } => values.first().map_or(ColumnDefault::Unknown, |first| text(first)),
            ColumnType::Json => text("null"),
            ColumnType::Uuid => text("00000000-0000-0000-0000-000000000000"),
            ColumnType::Inet4 => text("0.0.0.0"),
            ColumnType::Inet6 => text("::"),
            ColumnType::Geometry => ColumnDefault::Unknown, // no server takes a row without it
        }
    }

    /// What a literal means for a column; unknown where that takes more than is known here.
    pub fn of_literal(kind: &ColumnType, literal: &Literal) -> ColumnDefault {
        let text = |text: Option<String>| text.map_or(ColumnDefault::Unknown, ColumnDefault::Text);
        if *literal == Literal::Null {
            return ColumnDefault::Null;
        }
        match kind {
            ColumnType::Integer { .. } => text(integer(literal).map(|value| value.to_string())),
            ColumnType::Float | ColumnType::Double => text(written(literal).filter(|text| text.parse::<f64>().is_ok())),
            ColumnType::Decimal { scale, .. } => text(written(literal).and_then(|text| decimal(&text, *scale))),
            ColumnType::Year => text(year(literal)),
            ColumnType::Bit { length } => {
                let width = usize::from(length.div_ceil(8));
                let value = integer(literal).and_then(|value| u64::try_from(value).ok());
                let bytes = value.map(u64::to_be_bytes);
                let cell = bytes.as_ref().and_then(|bytes| bytes.get(8usize.checked_sub(width)?..));
                cell.map_or(ColumnDefault::Unknown, |cell| ColumnDefault::of_cell(Some(cell)))
            }
            ColumnType::Date => text(time_text(literal, "0000-00-00", 0)),
            ColumnType::DateTime { fsp } => text(time_text(literal, "0000-00-00 00:00:00", *fsp)),
            // The zone of the session that defined it decides: only the zero is the same in all.
            ColumnType::Timestamp { .. } => {
                text(time_text(literal, "0000-00-00 00:00:00", 6).filter(|text| text.starts_with("0000-00-00")))
            }
            ColumnType::Time { fsp } => text(time_text(literal, "00:00:00", *fsp)),
            ColumnType::Enum { values } => text(written(literal).and_then(|text| element(&text, values))),
            ColumnType::Set { values } => text(written(literal).and_then(|text| members(&text, values))),
            ColumnType::Text { .. } => text(written(literal)),
            ColumnType::Binary { .. } | ColumnType::Bytes => match literal {
                Literal::Bytes(bytes) => ColumnDefault::of_cell(Some(bytes)),
                _ => text(written(literal).filter(|text| text.is_ascii())),
            },
            ColumnType::Uuid => {
                text(written(literal).map(|text| text.to_ascii_lowercase()).filter(|text| text.len() == 36))
            }
            ColumnType::Inet4 => text(written(literal)),
            ColumnType::Inet6 | ColumnType::Json | ColumnType::Geometry => ColumnDefault::Unknown,
        }
    }
}

fn written(literal: &Literal) -> Option<String> {
    match literal {
        Literal::Text(text) | Literal::Number(text) => Some(text.clone()),
        Literal::Null | Literal::Bytes(_) => None,
    }
}

fn integer(literal: &Literal) -> Option<i128> {
    match literal {
        Literal::Text(text) | Literal::Number(text) => text.trim().parse().ok(),
        Literal::Bytes(bytes) if bytes.len() <= 8 => {
            Some(bytes.iter().fold(0, |value, byte| value << 8 | i128::from(*byte)))
        }
        _ => None,
    }
}

/// With as many digits behind the point as the column has; `None` where it would have to be rounded.
fn decimal(text: &str, scale: u8) -> Option<String> {
    let (sign, digits) = match text.trim().strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.trim().trim_start_matches('+')),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !only_digits(whole) || !only_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    let fraction = format!("{:0<width$}", fraction, width = usize::from(scale));
    let (kept, cut) = fraction.split_at(usize::from(scale));
    if cut.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let zero = whole == "0" && kept.bytes().all(|byte| byte == b'0');
    let (sign, point) = (if zero { "" } else { sign }, if kept.is_empty() { "" } else { "." });
    Some(format!("{sign}{whole}{point}{kept}"))
}

fn year(literal: &Literal) -> Option<String> {
    let value = integer(literal)?;
    Some(match (value, literal) {
        (0, Literal::Number(_)) => "0".to_owned(),
        (0..=69, _) => (2000 + value).to_string(),
        (70..=99, _) => (1900 + value).to_string(),
        (1901..=2155, _) => value.to_string(),
        _ => return None,
    })
}

/// A date, a time or both in the form of `model`, with at most `fsp` digits behind; 0 is the zero of it.
fn time_text(literal: &Literal, model: &str, fsp: u8) -> Option<String> {
    let text = match literal {
        Literal::Number(number) if number == "0" => return Some(model.to_owned()),
        Literal::Text(text) => text.trim(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let unsigned = whole.strip_prefix('-').filter(|_| model.starts_with("00:")).unwrap_or(whole);
    // A day alone begins at midnight; hours may have a third digit.
    let (model, unsigned) = match unsigned.len() {
        10 if model.len() == 19 => (model.get(..10)?, unsigned),
        9 if model.len() == 8 => (model, unsigned.get(1..)?),
        _ => (model, unsigned),
    };
    let alike = unsigned.len() == model.len()
        && unsigned.bytes().zip(model.bytes()).all(|(a, b)| if b == b'0' { a.is_ascii_digit() } else { a == b });
    let fits = fraction.len() <= usize::from(fsp) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    (alike && fits).then(|| text.to_owned())
}

fn element(text: &str, values: &[String]) -> Option<String> {
    values
        .iter()
        .find(|value| *value == text)
        .or_else(|| values.iter().find(|value| value.eq_ignore_ascii_case(text)))
        .cloned()
}

/// In the order of the definition, as the server keeps them.
fn members(text: &str, values: &[String]) -> Option<String> {
    let named: Vec<String> =
        text.split(',').filter(|name| !name.is_empty()).map(|name| element(name, values)).collect::<Option<_>>()?;
    let kept: Vec<&str> = values.iter().filter(|value| named.contains(value)).map(String::as_str).collect();
    Some(kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::Charset;

    fn text(value: &str) -> Literal {
        Literal::Text(value.to_owned())
    }

    fn number(value: &str) -> Literal {
        Literal::Number(value.to_owned())
    }

    #[test]
    fn literals_mean_what_a_select_shows() {
        let values = || ["p", "q'r", "Z"].map(str::to_owned).to_vec();
        for (kind, literal, expected) in [
            (ColumnType::Integer { bytes: 4, unsigned: false }, number("-5"), "-5"),
            (ColumnType::Integer { bytes: 1, unsigned: false }, text("9"), "9"),
            (ColumnType::Integer { bytes: 8, unsigned: true }, number("18446744073709551615"), "18446744073709551615"),
            (ColumnType::Integer { bytes: 4, unsigned: false }, Literal::Bytes(vec![1, 0]), "256"),
            (ColumnType::Decimal { precision: 10, scale: 2 }, number("1.5"), "1.50"),
            (ColumnType::Decimal { precision: 10, scale: 3 }, text("-0.5"), "-0.500"),
            (ColumnType::Decimal { precision: 10, scale: 0 }, number("0012"), "12"),
            (ColumnType::Decimal { precision: 10, scale: 2 }, number("-.00"), "0.00"),
            (ColumnType::Double, number("1e3"), "1e3"),
            (ColumnType::Year, text("70"), "1970"),
            (ColumnType::Year, number("0"), "0"),
            (ColumnType::Date, text("2020-01-02"), "2020-01-02"),
            (ColumnType::DateTime { fsp: 3 }, text("2020-01-02 03:04:05.5"), "2020-01-02 03:04:05.5"),
            (ColumnType::DateTime { fsp: 0 }, text("2020-01-02"), "2020-01-02"),
            (ColumnType::DateTime { fsp: 0 }, number("0"), "0000-00-00 00:00:00"),
            (ColumnType::Timestamp { fsp: 0 }, text("0000-00-00 00:00:00"), "0000-00-00 00:00:00"),
            (ColumnType::Time { fsp: 1 }, text("-101:02:03.4"), "-101:02:03.4"),
            (ColumnType::Enum { values: values() }, text("z"), "Z"),
            (ColumnType::Set { values: values() }, text("q'r,p"), "p,q'r"),
            (ColumnType::Text { charset: Charset::Gbk }, text("中文"), "中文"),
            (ColumnType::Bytes, text("ab"), "ab"),
        ] {
            let expected = ColumnDefault::Text(expected.to_owned());
            assert_eq!(ColumnDefault::of_literal(&kind, &literal), expected, "{kind:?} {literal:?}");
        }
        for (kind, literal, expected) in [
            (ColumnType::Bit { length: 11 }, Literal::Bytes(vec![0b101]), &[0, 5][..]),
            (ColumnType::Bytes, Literal::Bytes(vec![0, 255]), &[0, 255]),
        ] {
            let cell = ColumnDefault::of_literal(&kind, &literal).cell();
            assert_eq!(cell, Some(Some(expected.to_vec())), "{kind:?} {literal:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_stays_unknown() {
        for (kind, literal) in [
            (ColumnType::Integer { bytes: 4, unsigned: false }, number("1.5")),
            (ColumnType::Decimal { precision: 10, scale: 2 }, number("1.555")),
            (ColumnType::Decimal { precision: 10, scale: 2 }, number("1e2")),
            (ColumnType::Date, text("20/1/2")),
            (ColumnType::Date, text("2020-01-2é")),
            (ColumnType::DateTime { fsp: 0 }, text("2020-01-02 03:04:05.5")),
            (ColumnType::Timestamp { fsp: 0 }, text("2020-01-02 03:04:05")),
            (ColumnType::Time { fsp: 0 }, text("-é")),
            (ColumnType::Enum { values: vec!["a".into()] }, text("b")),
            (ColumnType::Bytes, text("中")),
            (ColumnType::Json, text("{}")),
        ] {
            assert!(ColumnDefault::of_literal(&kind, &literal).is_unknown(), "{kind:?} {literal:?}");
        }
        assert_eq!(ColumnDefault::of_literal(&ColumnType::Json, &Literal::Null), ColumnDefault::Null);
    }
}
