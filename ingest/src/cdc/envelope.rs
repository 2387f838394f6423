//! Debezium's envelope around a change, written piece by piece into the batch.

use std::ops::Range;

use linli_binlog::{ColumnType, DecodeError, Image, Table, Warning};

use super::route::Key;

/// The inside of a JSON string.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let low = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low]);
            }
            byte => out.push(byte),
        }
    }
}

pub fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

pub fn number(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// What the records of one table have alike.
#[derive(Clone, Debug)]
pub struct SourceHead {
    /// `,"source":{"server":…,"db":…,"table":…,"shard":…,"snapshot":`
    head: Vec<u8>,
}

/// Where a change stands.
pub struct At<'a> {
    /// `,"file":"…"`
    pub file: &'a [u8],
    pub pos: u64,
    pub row: u64,
    /// `,"gtid":"…"`, or nothing
    pub gtid: &'a [u8],
    pub ts_ms: i64,
    pub now_ms: i64,
}

/// Of the transaction that a change is part of.
pub struct InTransaction<'a> {
    /// `"…"`
    pub id: &'a [u8],
    pub total_order: u64,
    pub data_collection_order: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    No,
    Yes,
}

impl SourceHead {
    pub fn new(server: &str, table: &Table) -> SourceHead {
        let mut head = br#","source":{"server":"#.to_vec();
        quoted(server, &mut head);
        head.extend_from_slice(br#","db":"#);
        quoted(&table.db, &mut head);
        head.extend_from_slice(br#","table":"#);
        quoted(&table.name, &mut head);
        head.extend_from_slice(br#","shard":"#);
        quoted(&table.db, &mut head);
        head.extend_from_slice(br#","snapshot":"#);
        SourceHead { head }
    }

    /// All behind the images: `op`, times, source, transaction.
    pub fn write_tail(
        &self,
        op: u8,
        snapshot: &[u8],
        moved: Moved,
        at: &At<'_>,
        transaction: Option<&InTransaction<'_>>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(br#","op":""#);
        out.push(op);
        out.extend_from_slice(br#"","ts_ms":"#);
        number(at.now_ms, out);
        self.write_source(snapshot, at, out);
        if let Some(transaction) = transaction {
            out.extend_from_slice(br#","transaction":{"id":"#);
            out.extend_from_slice(transaction.id);
            out.extend_from_slice(br#","total_order":"#);
            number(transaction.total_order, out);
            out.extend_from_slice(br#","data_collection_order":"#);
            number(transaction.data_collection_order, out);
            out.push(b'}');
        }
        if moved == Moved::Yes {
            out.extend_from_slice(br#","moved":true"#);
        }
        out.push(b'}');
    }
}

impl SourceHead {
    /// `,"source":{…}`
    #[inline]
    pub fn write_source(&self, snapshot: &[u8], at: &At<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(snapshot);
        out.extend_from_slice(at.file);
        out.extend_from_slice(br#","pos":"#);
        number(at.pos, out);
        out.extend_from_slice(br#","row":"#);
        number(at.row, out);
        out.extend_from_slice(at.gtid);
        out.extend_from_slice(br#","ts_ms":"#);
        number(at.ts_ms, out);
        out.push(b'}');
    }
}

/// `{"before":…,"after":…`
pub fn write_images(
    before: Option<&Image<'_>>,
    after: Option<&Image<'_>>,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    for (name, image) in [(&br#"{"before":"#[..], before), (&br#","after":"#[..], after)] {
        out.extend_from_slice(name);
        match image {
            Some(image) => image.write_json(out, warnings)?,
            None => out.extend_from_slice(b"null"),
        }
    }
    Ok(())
}

/// Gives the text of a column, or tells that it is NULL.
pub trait KeyText {
    fn text(&self, column: usize, out: &mut Vec<u8>) -> Result<bool, DecodeError>;
}

impl KeyText for Image<'_> {
    fn text(&self, column: usize, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        self.column_text(column, out)
    }
}

/// Writes a record's key; where it was written.
pub fn write_key(key: &Key, table: &Table, row: &impl KeyText, out: &mut Vec<u8>) -> Result<Range<usize>, DecodeError> {
    let start = out.len();
    match key {
        Key::Column(column) => {
            if !row.text(*column, out)? {
                write_object(&[*column], table, row, out)?;
            }
        }
        Key::Columns(columns) => write_object(columns, table, row, out)?,
        Key::Table => out.extend_from_slice(table.full_name().as_bytes()),
    }
    Ok(start..out.len())
}

fn write_object(columns: &[usize], table: &Table, row: &impl KeyText, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut scratch = Vec::new();
    out.push(b'{');
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let known = table.columns.get(*column);
        quoted(known.map_or("", |column| &column.name), out);
        out.push(b':');
        scratch.clear();
        if !row.text(*column, &mut scratch)? {
            out.extend_from_slice(b"null");
        } else if known.is_some_and(|column| is_number(&column.kind)) {
            out.extend_from_slice(&scratch);
        } else {
            quoted(&String::from_utf8_lossy(&scratch), out);
        }
    }
    out.push(b'}');
    Ok(())
}

fn is_number(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Integer { .. } | ColumnType::Year)
}
