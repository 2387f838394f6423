//! Canal's flat JSON messages, for consumers that read them today: every value is text.
//!
//! As `FlatMessage` of Alibaba's Canal, one row a message, with the `source` of our records besides. `sqlType` numbers are
//! those of `java.sql.Types`.

use linli_binlog::{
    ColumnRule, ColumnType, DecodeError, Image, LogColumn, SqlText, Table, TableLayout, column_type as t,
};
use linli_schemas::EventTime;
use linli_schemas::zone::Zone;

use super::envelope::{At, SourceHead, number, quoted};

/// What the messages of one table have alike.
pub struct Head {
    /// `,"database":…`
    database: Vec<u8>,
    /// `,"isDdl":false,"mysqlType":{…},"old":`
    types: Vec<u8>,
    /// `,"pkNames":[…],"sql":"","sqlType":{…},"table":…`
    keys: Vec<u8>,
    names: Vec<Name>,
    /// In which TIMESTAMPs are told.
    zone: Zone,
}

struct Name {
    /// `"name":`
    label: Vec<u8>,
    timestamp: bool,
}

/// A row whose columns are asked for as texts.
pub trait SqlRow {
    fn sql_text(&self, column: usize, out: &mut Vec<u8>) -> Result<SqlText, DecodeError>;
}

impl SqlRow for Image<'_> {
    fn sql_text(&self, column: usize, out: &mut Vec<u8>) -> Result<SqlText, DecodeError> {
        Image::sql_text(self, column, out)
    }
}

impl Head {
    /// `declared` are the columns' types as [`declared`] or [`of_log`] give them.
    pub fn new(table: &Table, rules: &[ColumnRule], declared: &[String], zone: Zone) -> Head {
        let kept = |index: usize| rules.get(index).is_none_or(|rule| *rule != ColumnRule::Drop);
        let columns = || table.columns.iter().enumerate().filter(|(index, _)| kept(*index));
        let mut database = br#","database":"#.to_vec();
        quoted(&table.db, &mut database);
        let mut types = br#","isDdl":false,"mysqlType":{"#.to_vec();
        for (place, (index, column)) in columns().enumerate() {
            types.extend_from_slice(if place > 0 { b"," } else { b"" });
            quoted(&column.name, &mut types);
            types.push(b':');
            quoted(declared.get(index).map_or("", String::as_str), &mut types);
        }
        types.extend_from_slice(br#"},"old":"#);
        let mut keys = br#","pkNames":"#.to_vec();
        match table.primary_key.as_slice() {
            [] => keys.extend_from_slice(b"null"),
            key => {
                for (place, column) in key.iter().enumerate() {
                    keys.push(if place > 0 { b',' } else { b'[' });
                    quoted(table.columns.get(*column).map_or("", |column| &column.name), &mut keys);
                }
                keys.push(b']');
            }
        }
        keys.extend_from_slice(br#","sql":"","sqlType":{"#);
        for (place, (index, column)) in columns().enumerate() {
            keys.extend_from_slice(if place > 0 { b"," } else { b"" });
            quoted(&column.name, &mut keys);
            keys.push(b':');
            number(java_type(&column.kind, declared.get(index).map_or("", String::as_str)), &mut keys);
        }
        keys.extend_from_slice(br#"},"table":"#);
        quoted(&table.name, &mut keys);
        let name = |column: &linli_binlog::Column| {
            let mut label = Vec::new();
            quoted(&column.name, &mut label);
            label.push(b':');
            Name { label, timestamp: matches!(column.kind, ColumnType::Timestamp { .. }) }
        };
        Head { database, types, keys, names: table.columns.iter().map(name).collect(), zone }
    }

    /// A change of a row, or a row of a snapshot, which is an INSERT.
    pub fn write<R: SqlRow>(
        &self,
        op: u8,
        (before, after): (Option<&R>, Option<&R>),
        at: &At<'_>,
        source: (&SourceHead, &[u8]),
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let (kind, row) = match op {
            b'd' => ("DELETE", before),
            b'u' => ("UPDATE", after),
            _ => ("INSERT", after),
        };
        out.extend_from_slice(br#"{"data":["#);
        row.map_or(Ok(()), |row| self.texts(row, None, out))?;
        out.push(b']');
        out.extend_from_slice(&self.database);
        tail_times(at, out);
        out.extend_from_slice(&self.types);
        match (op, before, after) {
            (b'u', Some(before), Some(after)) => {
                out.push(b'[');
                self.texts(before, Some(after), out)?;
                out.push(b']');
            }
            _ => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(&self.keys);
        tail(at, kind, source, out);
        Ok(())
    }

    /// The columns of a row; with `other`, those that are not the same there.
    fn texts<R: SqlRow>(&self, row: &R, other: Option<&R>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let (mut text, mut there) = (Vec::new(), Vec::new());
        let start = out.len();
        for (column, name) in self.names.iter().enumerate() {
            text.clear();
            there.clear();
            let told = row.sql_text(column, &mut text)?;
            if told == SqlText::Absent {
                continue;
            }
            if let Some(other) = other
                && other.sql_text(column, &mut there)? == told
                && there == text
            {
                continue;
            }
            out.push(if out.len() == start { b'{' } else { b',' });
            out.extend_from_slice(&name.label);
            match told {
                SqlText::Text if name.timestamp => quoted(&self.in_zone(&String::from_utf8_lossy(&text)), out),
                SqlText::Text => quoted(&String::from_utf8_lossy(&text), out),
                SqlText::Null | SqlText::Absent => out.extend_from_slice(b"null"),
            }
        }
        out.extend_from_slice(if out.len() == start { b"{}" } else { b"}" });
        Ok(())
    }

    /// The wall time of the zone for that of UTC.
    fn in_zone(&self, utc: &str) -> String {
        let (whole, fraction) = utc.split_at(utc.find('.').unwrap_or(utc.len()));
        match linli_schemas::change::parse_utc(&format!("{}Z", whole.replace(' ', "T"))) {
            Some(EventTime(at_ms)) if at_ms > 0 => format!("{}{fraction}", self.zone.wall_text(EventTime(at_ms))),
            _ => utc.to_owned(), // 0000-00-00
        }
    }
}

/// `,"es":…,"gtid":…,"id":…`
fn tail_times(at: &At<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","es":"#);
    number(at.ts_ms, out);
    out.extend_from_slice(if at.gtid.is_empty() { br#","gtid":"""# } else { at.gtid });
    out.extend_from_slice(br#","id":"#);
    number(at.pos, out);
}

/// `,"ts":…,"type":…,"source":{…}}`
fn tail(at: &At<'_>, kind: &str, (head, snapshot): (&SourceHead, &[u8]), out: &mut Vec<u8>) {
    out.extend_from_slice(br#","ts":"#);
    number(at.now_ms, out);
    out.extend_from_slice(br#","type":""#);
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
    head.write_source(snapshot, at, out);
    out.push(b'}');
}

/// A table that was emptied.
pub fn write_truncate(table: &Table, at: &At<'_>, source: (&SourceHead, &[u8]), out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"data":null,"database":"#);
    quoted(&table.db, out);
    tail_times(at, out);
    out.extend_from_slice(br#","isDdl":true,"mysqlType":null,"old":null,"pkNames":null,"sql":"#);
    quoted(&format!("TRUNCATE TABLE `{}`", table.name.replace('`', "``")), out);
    out.extend_from_slice(br#","sqlType":null,"table":"#);
    quoted(&table.name, out);
    tail(at, "TRUNCATE", source, out);
}

/// A type as information_schema gives it, without what the log does not tell: how wide an integer is shown.
pub fn declared(text: &str) -> String {
    let lower = text.split(['(', ' ']).next().unwrap_or_default();
    let integers = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"];
    if !integers.contains(&lower) {
        return text.to_owned();
    }
    let unsigned = if text.contains("unsigned") { " unsigned" } else { "" };
    format!("{lower}{unsigned}")
}

/// The types of a table's columns as far as the log tells them.
pub fn of_log(table: &Table, layout: &TableLayout) -> Vec<String> {
    table.columns.iter().zip(&layout.columns).map(|(column, log)| type_text(&column.kind, log)).collect()
}

fn type_text(kind: &ColumnType, log: &LogColumn) -> String {
    let unsigned = |is: bool| if is { " unsigned" } else { "" };
    let fraction = |fsp: u8| if fsp == 0 { String::new() } else { format!("({fsp})") };
    let list = |values: &[String]| {
        let quoted: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
        quoted.join(",")
    };
    let told = log.unsigned.unwrap_or(false);
    match kind {
        ColumnType::Integer { bytes, unsigned: is } => {
            let name = match bytes {
                1 => "tinyint",
                2 => "smallint",
                3 => "mediumint",
                4 => "int",
                _ => "bigint",
            };
            format!("{name}{}", unsigned(*is))
        }
        ColumnType::Float => format!("float{}", unsigned(told)),
        ColumnType::Double => format!("double{}", unsigned(told)),
        ColumnType::Decimal { precision, scale } => format!("decimal({precision},{scale}){}", unsigned(told)),
        ColumnType::Bit { length } => format!("bit({length})"),
        ColumnType::Year => "year".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Time { fsp } => format!("time{}", fraction(*fsp)),
        ColumnType::DateTime { fsp } => format!("datetime{}", fraction(*fsp)),
        ColumnType::Timestamp { fsp } => format!("timestamp{}", fraction(*fsp)),
        ColumnType::Text { charset } => match log.kind {
            t::STRING => format!("char({})", log.meta / charset.bytes_max()),
            t::VARCHAR | t::VAR_STRING | t::MARIADB_VARCHAR_COMPRESSED => {
                format!("varchar({})", log.meta / charset.bytes_max())
            }
            _ => format!("{}text", size(log.meta)),
        },
        ColumnType::Binary { length } => format!("binary({length})"),
        ColumnType::Bytes => match log.kind {
            t::VARCHAR | t::VAR_STRING | t::MARIADB_VARCHAR_COMPRESSED => format!("varbinary({})", log.meta),
            _ => format!("{}blob", size(log.meta)),
        },
        ColumnType::Enum { values } => format!("enum({})", list(values)),
        ColumnType::Set { values } => format!("set({})", list(values)),
        ColumnType::Json => "json".to_owned(),
        ColumnType::Geometry => "geometry".to_owned(),
        ColumnType::Uuid => "uuid".to_owned(),
        ColumnType::Inet4 => "inet4".to_owned(),
        ColumnType::Inet6 => "inet6".to_owned(),
    }
}

/// By how many bytes the length of a value takes.
fn size(length_bytes: u16) -> &'static str {
    match length_bytes {
        1 => "tiny",
        2 => "",
        3 => "medium",
        _ => "long",
    }
}

/// The number of `java.sql.Types`. An unsigned integer has that of the next larger type, so that all its values fit: Canal
/// does so for those values alone that would not.
fn java_type(kind: &ColumnType, declared: &str) -> i32 {
    match kind {
        ColumnType::Integer { bytes: 1, unsigned: false } => -6,
        ColumnType::Integer { bytes: 1, unsigned: true } | ColumnType::Integer { bytes: 2, unsigned: false } => 5,
        ColumnType::Integer { bytes: 2 | 3, .. } | ColumnType::Integer { bytes: 4, unsigned: false } => 4,
        ColumnType::Integer { bytes: 4, unsigned: true } | ColumnType::Integer { unsigned: false, .. } => -5,
        ColumnType::Integer { unsigned: true, .. } | ColumnType::Decimal { .. } => 3,
        ColumnType::Float => 7,
        ColumnType::Double => 8,
        ColumnType::Bit { .. } | ColumnType::Set { .. } => -7,
        ColumnType::Enum { .. } => 4,
        ColumnType::Date => 91,
        ColumnType::Time { .. } => 92,
        ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => 93,
        ColumnType::Text { .. } if declared.starts_with("char") => 1,
        ColumnType::Text { .. } if declared.ends_with("text") => 2005,
        ColumnType::Binary { .. } | ColumnType::Bytes | ColumnType::Geometry => 2004,
        ColumnType::Text { .. } | ColumnType::Json | ColumnType::Year => 12,
        ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6 => 12,
    }
}
