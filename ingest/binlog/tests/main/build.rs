//! Writes events as a server does: the counterpart of the decoder, made apart from it.

use std::io::Write as _;

use linli_binlog::{Checksum, ColumnType, FormatDescription, Table, column_type as t};

pub fn event(kind: u8, body: &[u8], checksum: Checksum) -> Vec<u8> {
    let crc = if checksum == Checksum::Crc32 { 4 } else { 0 };
    let size = (19 + body.len() + crc) as u32;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&1_700_000_000u32.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&7u32.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&(4 + size).to_le_bytes());
    bytes.extend_from_slice(&0u16.to_le_bytes());
    bytes.extend_from_slice(body);
    if checksum == Checksum::Crc32 {
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
    }
    bytes
}

pub fn format() -> FormatDescription {
    FormatDescription::assumed(Checksum::None)
}

pub fn lenenc(value: u64, out: &mut Vec<u8>) {
    match value {
        0..=250 => out.push(value as u8),
        251..=0xffff => {
            out.push(252);
            out.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xff_ffff => {
            out.push(253);
            out.extend_from_slice(&value.to_le_bytes()[..3]);
        }
        _ => {
            out.push(254);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Type and metadata of a column, as a table map has them.
fn map_type(kind: &ColumnType) -> (u8, Vec<u8>) {
    match kind {
        ColumnType::Integer { bytes, .. } => (
            match bytes {
                1 => t::TINY,
                2 => t::SHORT,
                3 => t::INT24,
                4 => t::LONG,
                _ => t::LONGLONG,
            },
            vec![],
        ),
        ColumnType::Float => (t::FLOAT, vec![4]),
        ColumnType::Double => (t::DOUBLE, vec![8]),
        ColumnType::Decimal { precision, scale } => (t::NEWDECIMAL, vec![*precision, *scale]),
        ColumnType::Bit { length } => (t::BIT, vec![length % 8, length / 8]),
        ColumnType::Year => (t::YEAR, vec![]),
        ColumnType::Date => (t::DATE, vec![]),
        ColumnType::Time { fsp } => (t::TIME2, vec![*fsp]),
        ColumnType::DateTime { fsp } => (t::DATETIME2, vec![*fsp]),
        ColumnType::Timestamp { fsp } => (t::TIMESTAMP2, vec![*fsp]),
        ColumnType::Text { .. } => (t::VARCHAR, 1000u16.to_le_bytes().to_vec()),
        ColumnType::Binary { length } => (t::STRING, vec![t::STRING, *length as u8]),
        ColumnType::Enum { values } => (t::STRING, vec![t::ENUM, if values.len() > 255 { 2 } else { 1 }]),
        ColumnType::Set { values } => (t::STRING, vec![t::SET, values.len().div_ceil(8) as u8]),
        ColumnType::Json => (t::JSON, vec![4]),
        ColumnType::Geometry => (t::GEOMETRY, vec![4]),
        _ => (t::BLOB, vec![2]),
    }
}

/// A table map without optional metadata.
pub fn table_map(table: &Table) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0];
    for name in [&table.db, &table.name] {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.push(0);
    }
    let types: Vec<_> = table.columns.iter().map(|column| map_type(&column.kind)).collect();
    lenenc(types.len() as u64, &mut body);
    body.extend(types.iter().map(|(kind, _)| *kind));
    let metadata: Vec<u8> = types.iter().flat_map(|(_, metadata)| metadata.clone()).collect();
    lenenc(metadata.len() as u64, &mut body);
    body.extend_from_slice(&metadata);
    body.extend(std::iter::repeat_n(0xff, types.len().div_ceil(8)));
    body
}

/// A table map with the names of its columns, and these fields of optional metadata.
pub fn full_table_map(table: &Table, fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = table_map(table);
    let name = |name: &str| [&[name.len() as u8], name.as_bytes()].concat();
    let names = table.columns.iter().flat_map(|column| name(&column.name)).collect();
    for (field, value) in fields.iter().chain(&[(4, names)]) {
        body.push(*field);
        lenenc(value.len() as u64, &mut body);
        body.extend_from_slice(value);
    }
    body
}

/// A statement with its session: database `shop`, ANSI_QUOTES, character set gbk.
pub fn query(sql: &[u8]) -> Vec<u8> {
    let mut vars = vec![0, 0, 0, 0, 0, 1];
    vars.extend_from_slice(&4u64.to_le_bytes());
    vars.extend_from_slice(&[4, 28, 0, 28, 0, 8, 0, 5, 6]);
    vars.extend_from_slice(b"+08:00");
    let mut body = [&99u32.to_le_bytes()[..], &0u32.to_le_bytes(), &[4], &0u16.to_le_bytes()].concat();
    body.extend_from_slice(&(vars.len() as u16).to_le_bytes());
    body.extend_from_slice(&vars);
    body.extend_from_slice(b"shop\0");
    body.extend_from_slice(sql);
    body
}

/// As MariaDB compresses: head, big-endian length, zlib.
pub fn mariadb_compressed(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x82];
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    let mut encoder = flate2::write::ZlibEncoder::new(out, flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Of a transaction: `compression` is 0 for zstd, 255 for none.
pub fn payload(compression: u64, data: &[u8], uncompressed: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [(2, compression), (3, uncompressed as u64), (1, data.len() as u64)] {
        let mut number = Vec::new();
        lenenc(value, &mut number);
        body.push(field);
        body.push(number.len() as u8);
        body.extend_from_slice(&number);
    }
    body.push(0);
    body.extend_from_slice(data);
    body
}

/// One image: of the columns present, which are null, then the values.
pub fn image(cells: &[Option<Option<Vec<u8>>>]) -> Vec<u8> {
    let present: Vec<_> = cells.iter().flatten().collect();
    let mut bytes = vec![0; present.len().div_ceil(8)];
    for (index, _) in present.iter().enumerate().filter(|(_, cell)| cell.is_none()) {
        bytes[index / 8] |= 1 << (index % 8);
    }
    for value in present.into_iter().flatten() {
        bytes.extend_from_slice(value);
    }
    bytes
}

pub fn bitmap(cells: &[Option<Option<Vec<u8>>>]) -> Vec<u8> {
    let mut bytes = vec![0; cells.len().div_ceil(8)];
    for (index, _) in cells.iter().enumerate().filter(|(_, cell)| cell.is_some()) {
        bytes[index / 8] |= 1 << (index % 8);
    }
    bytes
}

/// The head of a rows event of version 2, up to its data.
pub fn rows_head(columns: usize, bitmaps: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, 0];
    lenenc(columns as u64, &mut body);
    bitmaps.iter().for_each(|bitmap| body.extend_from_slice(bitmap));
    body
}

/// DECIMAL of digits before and behind the point.
pub fn decimal(negative: bool, whole: &str, fraction: &str) -> Vec<u8> {
    let bytes_of = |digits: usize| [0, 1, 1, 2, 2, 3, 3, 4, 4, 4][digits];
    let mut bytes = Vec::new();
    let mut group = |digits: &str| {
        let value: u32 = if digits.is_empty() { 0 } else { digits.parse().expect("digits") };
        bytes.extend_from_slice(&value.to_be_bytes()[4 - bytes_of(digits.len())..]);
    };
    let (head, rest) = whole.split_at(whole.len() % 9);
    group(head);
    rest.as_bytes().chunks(9).for_each(|chunk| group(std::str::from_utf8(chunk).expect("digits")));
    fraction.as_bytes().chunks(9).for_each(|chunk| group(std::str::from_utf8(chunk).expect("digits")));
    if negative {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    bytes[0] ^= 0x80;
    bytes
}

/// Seconds and their fraction as the forms of MySQL 5.6 pack them, big-endian with the offset of their sign.
pub fn with_fraction(whole: i64, micros: i64, fsp: u8, bytes: usize, negative: bool) -> Vec<u8> {
    let digits = usize::from(fsp.div_ceil(2));
    let unit = [0, 10_000, 100, 1][digits];
    let bits = 8 * digits as u32;
    let magnitude = (whole << bits) + if unit == 0 { 0 } else { micros / unit };
    let value = if negative { -magnitude } else { magnitude } + (1i64 << (8 * (bytes + digits) - 1));
    value.to_be_bytes()[8 - bytes - digits..].to_vec()
}

/// A text with its length in two bytes.
pub fn varchar(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat()
}

pub fn blob(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

/// A JSON object of strings and numbers in MySQL's binary form; keys in its order: shorter ones first.
pub fn json_object(members: &[(&str, JsonMember<'_>)]) -> Vec<u8> {
    let head = 4 + members.len() * (4 + 3);
    let (mut keys, mut key_entries, mut entries, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let keys_len: usize = members.iter().map(|(key, _)| key.len()).sum();
    for (key, value) in members {
        key_entries.extend_from_slice(&((head + keys.len()) as u16).to_le_bytes());
        key_entries.extend_from_slice(&(key.len() as u16).to_le_bytes());
        keys.extend_from_slice(key.as_bytes());
        let at = (head + keys_len + values.len()) as u16;
        match value {
            JsonMember::Int(value) => {
                entries.push(5);
                entries.extend_from_slice(&value.to_le_bytes());
            }
            JsonMember::Double(value) => {
                entries.push(11);
                entries.extend_from_slice(&at.to_le_bytes());
                values.extend_from_slice(&value.to_le_bytes());
            }
            JsonMember::Text(text) => {
                entries.push(12);
                entries.extend_from_slice(&at.to_le_bytes());
                assert!(text.len() < 128, "one byte of length");
                values.push(text.len() as u8);
                values.extend_from_slice(text.as_bytes());
            }
        }
    }
    let size = (head + keys.len() + values.len()) as u16;
    let mut out = vec![0];
    out.extend_from_slice(&(members.len() as u16).to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    for part in [key_entries, entries, keys, values] {
        out.extend_from_slice(&part);
    }
    out
}

pub enum JsonMember<'a> {
    Int(i16),
    Double(f64),
    Text(&'a str),
}
