//! Column types from their texts and from the log's own metadata.

use std::fmt;

use crate::charset::Charset;
use crate::error::TypeError;
use crate::schema::{Column, ColumnType, Table};
use crate::table_map::{LogColumn, TableLayout, column_type as t};

impl ColumnType {
    /// Of a type's text as `information_schema.columns.column_type` or a DDL has it: `bigint(20) unsigned`, `enum('a','b')`,
    /// `character varying(20)`. `charset` is the column's, None where it has none.
    pub fn parse(text: &str, charset: Option<Charset>) -> Result<ColumnType, TypeError> {
        let unknown = || TypeError::Unknown(text.to_owned());
        let (name, arguments, rest) = split(text).ok_or_else(unknown)?;
        let attributes = rest.to_ascii_lowercase();
        let attribute = |word: &str| attributes.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found == word);
        let number = |index: usize| arguments.get(index).and_then(|text| text.trim().parse::<u16>().ok());
        let unsigned = attribute("unsigned") || attribute("zerofill");
        let integer = |bytes| Some(ColumnType::Integer { bytes, unsigned });
        let fsp = || u8::try_from(number(0).unwrap_or(0)).ok().filter(|fsp| *fsp <= 6);
        let text_or_bytes = |charset: Option<Charset>| match charset {
            Some(Charset::Binary) => ColumnType::Bytes,
            _ if attribute("byte") => ColumnType::Bytes,
            charset => ColumnType::Text { charset: charset.unwrap_or(Charset::Utf8mb4) },
        };
        let kind = match name.as_str() {
            "tinyint" | "bool" | "boolean" | "int1" => integer(1),
            "smallint" | "int2" => integer(2),
            "mediumint" | "int3" | "middleint" => integer(3),
            "int" | "integer" | "int4" => integer(4),
            "bigint" | "int8" => integer(8),
            "serial" => Some(ColumnType::Integer { bytes: 8, unsigned: true }),
            // FLOAT(p) is a DOUBLE above 24 bits; FLOAT(m,d) stays one.
            "float" | "float4" => Some(match (arguments.len(), number(0)) {
                (1, Some(25..)) => ColumnType::Double,
                _ => ColumnType::Float,
            }),
            "double" | "double precision" | "real" | "float8" => Some(ColumnType::Double),
            "decimal" | "dec" | "numeric" | "fixed" | "number" => decimal(number(0), number(1)),
            "bit" => u8::try_from(number(0).unwrap_or(1))
                .ok()
                .filter(|length| (1..=64).contains(length))
                .map(|length| ColumnType::Bit { length }),
            "year" => Some(ColumnType::Year),
            "date" => Some(ColumnType::Date),
            "time" => fsp().map(|fsp| ColumnType::Time { fsp }),
            "datetime" => fsp().map(|fsp| ColumnType::DateTime { fsp }),
            "timestamp" => fsp().map(|fsp| ColumnType::Timestamp { fsp }),
            // CHAR in the character set `binary` is BINARY.
            "char" | "character" | "nchar" | "national char" | "national character"
                if charset == Some(Charset::Binary) =>
            {
                Some(ColumnType::Binary { length: number(0).unwrap_or(1) })
            }
            "binary" => Some(ColumnType::Binary { length: number(0).unwrap_or(1) }),
            "nchar"
            | "national char"
            | "national character"
            | "nvarchar"
            | "national varchar"
            | "national character varying"
            | "nchar varchar"
            | "national char varying"
            | "nchar varying" => Some(ColumnType::Text { charset: charset.unwrap_or(Charset::Utf8mb3) }),
            "char" | "character" | "varchar" | "character varying" | "char varying" | "varcharacter" | "tinytext"
            | "text" | "mediumtext" | "longtext" | "long" | "long varchar" => Some(text_or_bytes(charset)),
            "varbinary" | "char byte" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "long varbinary"
            | "vector" => Some(ColumnType::Bytes),
            "enum" => Some(ColumnType::Enum { values: arguments.iter().map(|text| unquote(text)).collect() }),
            "set" => Some(ColumnType::Set { values: arguments.iter().map(|text| unquote(text)).collect() }),
            "json" => Some(ColumnType::Json),
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
            | "geometrycollection" | "geomcollection" => Some(ColumnType::Geometry),
            "uuid" => Some(ColumnType::Uuid),
            "inet4" => Some(ColumnType::Inet4),
            "inet6" => Some(ColumnType::Inet6),
            _ => None,
        };
        kind.ok_or_else(unknown)
    }
}

fn decimal(precision: Option<u16>, scale: Option<u16>) -> Option<ColumnType> {
    // DECIMAL(0) is DECIMAL(10).
    let precision = precision.filter(|precision| *precision > 0).unwrap_or(10);
    let (precision, scale) = (u8::try_from(precision).ok()?, u8::try_from(scale.unwrap_or(0)).ok()?);
    (precision <= 65 && scale <= precision).then_some(ColumnType::Decimal { precision, scale })
}

/// Name in lower case, arguments as they are, and what follows.
fn split(text: &str) -> Option<(String, Vec<&str>, &str)> {
    const ATTRIBUTES: [&str; 16] = [
        "unsigned",
        "signed",
        "zerofill",
        "character",
        "charset",
        "collate",
        "binary",
        "ascii",
        "unicode",
        "not",
        "null",
        "default",
        "comment",
        "compressed",
        "generated",
        "as",
    ];
    let text = text.trim();
    let head_len = text.find(['(', '/']).unwrap_or(text.len());
    let (head, rest) = text.split_at(head_len);
    let mut name = String::new();
    let mut after = "";
    for word in head.split_ascii_whitespace() {
        let lower = word.to_ascii_lowercase();
        if !name.is_empty() && ATTRIBUTES.contains(&lower.as_str()) {
            after = head.get(word.as_ptr() as usize - head.as_ptr() as usize..).unwrap_or_default();
            break;
        }
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(&lower);
    }
    if name.is_empty() {
        return None;
    }
    match rest.strip_prefix('(').filter(|_| after.is_empty()) {
        Some(inside) => {
            let (arguments, rest) = arguments(inside)?;
            Some((name, arguments, rest))
        }
        None => Some((name, Vec::new(), if after.is_empty() { rest } else { after })),
    }
}

/// The arguments up to the closing parenthesis, and what follows it. Quotes may hold commas and parentheses.
fn arguments(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut found, mut start, mut quoted, mut escaped) = (Vec::new(), 0, None, false);
    for (index, char) in text.char_indices() {
        match (quoted, char) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(quote), char) if char == quote => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(char),
            (None, ',') => {
                found.push(text.get(start..index)?.trim());
                start = index + 1;
            }
            (None, ')') => {
                found.push(text.get(start..index)?.trim());
                return Some((found, text.get(index + 1..)?));
            }
            _ => {}
        }
    }
    None
}

/// The text of a quoted element; a quote inside is doubled or escaped. Spaces at the end of an element do not count.
fn unquote(text: &str) -> String {
    let quote = text.chars().next().unwrap_or('\'');
    let inner = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)).unwrap_or(text);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some('b') => out.push('\u{8}'),
                Some('Z') => out.push('\u{1a}'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            char if char == quote && chars.peek() == Some(&quote) => {
                chars.next();
                out.push(quote);
            }
            char => out.push(char),
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// As a mismatch names it.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_fsp = |f: &mut fmt::Formatter<'_>, name: &str, fsp: u8| write!(f, "{name}({fsp})");
        match self {
            ColumnType::Integer { bytes, unsigned } => {
                f.write_str(match bytes {
                    1 => "tinyint",
                    2 => "smallint",
                    3 => "mediumint",
                    4 => "int",
                    _ => "bigint",
                })?;
                f.write_str(if *unsigned { " unsigned" } else { "" })
            }
            ColumnType::Float => f.write_str("float"),
            ColumnType::Double => f.write_str("double"),
            ColumnType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            ColumnType::Bit { length } => write!(f, "bit({length})"),
            ColumnType::Year => f.write_str("year"),
            ColumnType::Date => f.write_str("date"),
            ColumnType::Time { fsp } => with_fsp(f, "time", *fsp),
            ColumnType::DateTime { fsp } => with_fsp(f, "datetime", *fsp),
            ColumnType::Timestamp { fsp } => with_fsp(f, "timestamp", *fsp),
            ColumnType::Text { charset } => write!(f, "text in {charset}"),
            ColumnType::Binary { length } => write!(f, "binary({length})"),
            ColumnType::Bytes => f.write_str("varbinary or blob"),
            ColumnType::Enum { values } => write!(f, "enum({})", values.join(",")),
            ColumnType::Set { values } => write!(f, "set({})", values.join(",")),
            ColumnType::Json => f.write_str("json"),
            ColumnType::Geometry => f.write_str("geometry"),
            ColumnType::Uuid => f.write_str("uuid"),
            ColumnType::Inet4 => f.write_str("inet4"),
            ColumnType::Inet6 => f.write_str("inet6"),
        }
    }
}

impl TableLayout {
    /// The table, where the server writes full metadata (`binlog_row_metadata = FULL`): no schema is needed then.
    /// It does not tell generated columns, nor MariaDB's UUID and INET, nor the digits of MariaDB's old temporal types.
    pub fn table(&self) -> Option<Table> {
        let columns = self.columns.iter().map(|column| {
            Some(Column {
                name: column.name.clone()?,
                kind: column.column_type()?,
                nullable: column.nullable,
                generated: false,
                default: Default::default(),
            })
        });
        Some(Table {
            db: self.db.clone(),
            name: self.name.clone(),
            columns: columns.collect::<Option<_>>()?,
            primary_key: self.primary_key.clone().unwrap_or_default(),
        })
    }
}

impl LogColumn {
    fn column_type(&self) -> Option<ColumnType> {
        let [high, low] = self.meta.to_be_bytes();
        let integer = |bytes| Some(ColumnType::Integer { bytes, unsigned: self.unsigned? });
        let fsp = low;
        Some(match self.kind {
            t::TINY => integer(1)?,
            t::SHORT => integer(2)?,
            t::INT24 => integer(3)?,
            t::LONG => integer(4)?,
            t::LONGLONG => integer(8)?,
            t::FLOAT => ColumnType::Float,
            t::DOUBLE => ColumnType::Double,
            t::NEWDECIMAL => ColumnType::Decimal { precision: high, scale: low },
            t::BIT => ColumnType::Bit { length: u8::try_from(u16::from(low) * 8 + u16::from(high)).ok()? },
            t::YEAR => ColumnType::Year,
            t::DATE | t::NEWDATE => ColumnType::Date,
            t::TIME | t::TIME2 => ColumnType::Time { fsp },
            t::DATETIME | t::DATETIME2 => ColumnType::DateTime { fsp },
            t::TIMESTAMP | t::TIMESTAMP2 => ColumnType::Timestamp { fsp },
            t::ENUM => ColumnType::Enum { values: self.values()? },
            t::SET => ColumnType::Set { values: self.values()? },
            t::JSON => ColumnType::Json,
            t::GEOMETRY => ColumnType::Geometry,
            t::VECTOR => ColumnType::Bytes,
            _ => match (self.charset()?, self.kind) {
                (Charset::Binary, t::STRING) => ColumnType::Binary { length: self.meta },
                (Charset::Binary, _) => ColumnType::Bytes,
                (charset, _) => ColumnType::Text { charset },
            },
        })
    }
}
