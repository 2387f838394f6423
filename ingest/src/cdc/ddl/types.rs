//! Types of columns, as DDL and information_schema write them.

use linli_binlog::{Charset, ColumnType};

use super::tokens::{Quoting, Token, tokens};

/// A type with what stands behind it and belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeText {
    pub kind: ColumnType,
    /// SERIAL: NOT NULL, and a key.
    pub not_null: bool,
}

/// Reads the type at the beginning of `rest`; what was read is taken from it.
/// `default` is the character set of a column that names none.
pub fn column_type(rest: &mut &[Token], default: Option<&str>, mariadb: bool) -> Option<TypeText> {
    let mut name = word(rest)?.to_ascii_lowercase();
    if name == "national" {
        name = format!("n{}", word(rest)?.to_ascii_lowercase());
    }
    if (name == "double" && is(rest, "precision"))
        || (matches!(&*name, "char" | "character" | "nchar") && is(rest, "varying"))
    {
        skip(rest);
        name = if name == "double" { name } else { "varchar".to_owned() };
    }
    if name == "long" {
        name = match rest.first() {
            Some(token) if token.is("varbinary") => "blob".to_owned(),
            _ => "text".to_owned(),
        };
        if is(rest, "varbinary") || is(rest, "varchar") {
            skip(rest);
        }
    }
    let arguments = arguments(rest);
    let attributes = attributes(rest);
    let number = |index: usize| arguments.get(index).and_then(number);
    let values = || arguments.iter().filter_map(text).collect::<Vec<_>>();
    let fsp = || number(0).unwrap_or(0).min(6) as u8;
    let integer = |bytes| ColumnType::Integer { bytes, unsigned: attributes.unsigned };
    let charset = || match &attributes.charset {
        Some(charset) => Charset::named(charset).ok(),
        None => Charset::named(default.unwrap_or("utf8mb4")).ok(),
    };
    let text_of = |charset: Charset| match charset {
        Charset::Binary => ColumnType::Bytes,
        charset => ColumnType::Text { charset },
    };
    let kind = match &*name {
        "tinyint" | "bool" | "boolean" | "int1" => integer(1),
        "smallint" | "int2" => integer(2),
        "mediumint" | "int3" | "middleint" => integer(3),
        "int" | "integer" | "int4" => integer(4),
        "bigint" | "int8" => integer(8),
        "serial" => {
            return Some(TypeText { kind: ColumnType::Integer { bytes: 8, unsigned: true }, not_null: true });
        }
        "float" | "float4" if arguments.len() == 1 && number(0)? > 24 => ColumnType::Double,
        "float" | "float4" => ColumnType::Float,
        "double" | "float8" | "real" => ColumnType::Double,
        "decimal" | "dec" | "numeric" | "fixed" | "number" => {
            let precision = number(0).filter(|digits| *digits > 0).unwrap_or(10);
            ColumnType::Decimal {
                precision: u8::try_from(precision).ok()?,
                scale: u8::try_from(number(1).unwrap_or(0)).ok()?,
            }
        }
        "bit" => ColumnType::Bit { length: u8::try_from(number(0).unwrap_or(1)).ok()? },
        "year" => ColumnType::Year,
        "date" => ColumnType::Date,
        "time" => ColumnType::Time { fsp: fsp() },
        "datetime" => ColumnType::DateTime { fsp: fsp() },
        "timestamp" => ColumnType::Timestamp { fsp: fsp() },
        "char" | "character" | "nchar" if attributes.byte => {
            ColumnType::Binary { length: number(0).unwrap_or(1) as u16 }
        }
        "nchar" | "nvarchar" | "nvarchar2" | "ncharacter" => ColumnType::Text { charset: Charset::Utf8mb3 },
        "char" | "character" => match charset()? {
            Charset::Binary => ColumnType::Binary { length: number(0).unwrap_or(1) as u16 },
            charset => ColumnType::Text { charset },
        },
        "varchar" | "varchar2" | "tinytext" | "text" | "mediumtext" | "longtext" | "clob" if !attributes.byte => {
            text_of(charset()?)
        }
        "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => ColumnType::Bytes,
        "binary" => ColumnType::Binary { length: number(0).unwrap_or(1) as u16 },
        "varbinary" | "raw" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnType::Bytes,
        "enum" => ColumnType::Enum { values: values() },
        "set" => ColumnType::Set { values: values() },
        "json" if mariadb => ColumnType::Text { charset: Charset::Utf8mb4 },
        "json" => ColumnType::Json,
        "point" | "geometry" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" => ColumnType::Geometry,
        "uuid" => ColumnType::Uuid,
        "inet4" => ColumnType::Inet4,
        "inet6" => ColumnType::Inet6,
        _ => return None,
    };
    Some(TypeText { kind, not_null: false })
}

/// A type as information_schema writes it.
pub fn from_information_schema(text: &str, charset: Option<&str>, mariadb: bool) -> Option<ColumnType> {
    // there a backslash is a backslash
    let words = tokens(text, Quoting { ansi_quotes: false, no_backslash_escapes: true });
    let mut rest = words.as_slice();
    column_type(&mut rest, charset, mariadb).map(|found| found.kind)
}

#[derive(Default)]
struct Attributes {
    unsigned: bool,
    byte: bool,
    charset: Option<String>,
}

/// What may stand behind a type and be part of it.
fn attributes(rest: &mut &[Token]) -> Attributes {
    let mut found = Attributes::default();
    loop {
        match rest {
            [first, ..] if first.is("unsigned") || first.is("zerofill") => {
                found.unsigned = true;
                skip(rest);
            }
            [first, ..] if first.is("signed") => skip(rest),
            [first, ..] if first.is("byte") => {
                found.byte = true;
                skip(rest);
            }
            [first, ..] if first.is("ascii") => {
                found.charset = Some("latin1".to_owned());
                skip(rest);
            }
            [first, ..] if first.is("unicode") => {
                found.charset = Some("ucs2".to_owned());
                skip(rest);
            }
            [first, ..] if first.is("binary") || first.is("compressed") => skip(rest),
            _ => match charset_clause(rest) {
                Some(charset) => found.charset = Some(charset),
                None => return found,
            },
        }
    }
}

/// `CHARACTER SET x`, `CHARSET [=] x`, `COLLATE [=] x_y_ci`: the character set, taken from `rest`.
pub fn charset_clause(rest: &mut &[Token]) -> Option<String> {
    let behind = match rest {
        [a, b, behind @ ..] if (a.is("character") || a.is("char")) && b.is("set") => behind,
        [a, behind @ ..] if a.is("charset") => behind,
        [a, behind @ ..] if a.is("collate") => behind,
        _ => return None,
    };
    let is_collation = rest.first().is_some_and(|token| token.is("collate"));
    let behind = match behind {
        [equals, behind @ ..] if equals.is_symbol('=') => behind,
        behind => behind,
    };
    let (value, behind) = behind.split_first()?;
    let value = match value {
        Token::Text(text) => text.as_str(),
        other => other.name()?,
    };
    *rest = behind;
    let charset = if is_collation { value.split('_').next().unwrap_or(value) } else { value };
    Some(charset.to_ascii_lowercase())
}

fn arguments(rest: &mut &[Token]) -> Vec<Token> {
    let mut found = Vec::new();
    if !rest.first().is_some_and(|token| token.is_symbol('(')) {
        return found;
    }
    skip(rest);
    while let Some((token, behind)) = rest.split_first() {
        *rest = behind;
        match token {
            Token::Symbol(')') => break,
            Token::Symbol(_) => {}
            token => found.push(token.clone()),
        }
    }
    found
}

fn number(token: &Token) -> Option<u64> {
    match token {
        Token::Number(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn text(token: &Token) -> Option<String> {
    match token {
        Token::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn word(rest: &mut &[Token]) -> Option<String> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    match first {
        Token::Word(word) => Some(word.clone()),
        _ => None,
    }
}

fn is(rest: &[Token], keyword: &str) -> bool {
    rest.first().is_some_and(|token| token.is(keyword))
}

fn skip(rest: &mut &[Token]) {
    *rest = rest.get(1..).unwrap_or_default();
}
