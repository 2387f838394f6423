//! Changes as records of the event log: what CDC publishes of the same commits, and what the collector publishes of the same events.

use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::log::{NewRecord, TopicSpec};
use linli_schemas::Topic;
use linli_schemas::event::ClickType;
use linli_schemas::partition::partition_of;
use linli_schemas::zone::Zone;

use crate::table::{Type, Value};
use crate::{Body, Change, ClickChange, Op, RowChange, Table, Transaction};

/// Bytes of the made-up binlog between the starts of two transactions.
const STRIDE: u64 = 1_000;
/// A binlog begins with its four magic bytes.
const FIRST_BYTE: u64 = 4;
/// ms from the commit to its publication.
const PUBLISHING: i64 = 15;

/// Writes records for a log of a fixed number of partitions.
pub struct Records {
    zone: Zone,
    partitions: u32,
    topics: Vec<Arc<str>>,
    clicks: Arc<str>,
}

impl Records {
    pub fn new(zone: Zone, partitions: u32) -> Records {
        let topics = Table::ALL.iter().map(|table| table.topic().into()).collect();
        Records { zone, partitions, topics, clicks: Topic::Clicks.name().into() }
    }

    /// The topics that the shop's changes go to.
    pub fn topics(&self) -> Vec<TopicSpec> {
        self.topics
            .iter()
            .chain([&self.clicks])
            .map(|name| TopicSpec { name: name.to_string(), partitions: self.partitions, compacted: false })
            .collect()
    }

    /// Appends the records of one change.
    pub fn write(&self, change: &Change, out: &mut Vec<NewRecord>) {
        match &change.body {
            Body::Click(click) => out.push(self.click(click)),
            Body::Transaction(transaction) => self.transaction(change, transaction, out),
        }
    }

    fn transaction(&self, change: &Change, transaction: &Transaction, out: &mut Vec<NewRecord>) {
        let file = format!("binlog.{:06}", change.position.day);
        let start = FIRST_BYTE + change.position.index * STRIDE;
        // a rows event holds the rows of one table that follow one another
        let (mut event, mut row) = (0, 0);
        let mut seen = [0u64; Table::ALL.len()];
        for (i, changed) in transaction.rows.iter().enumerate() {
            let same = i > 0 && transaction.rows[i - 1].table == changed.table;
            (event, row) = if same { (event, row + 1) } else { (event + 1, 0) };
            let collection = &mut seen[changed.table as usize];
            *collection += 1;
            let place = Place {
                at: change.at.0,
                server: transaction.server,
                file: &file,
                start,
                pos: start + event,
                row,
                total_order: i as u64 + 1,
                collection_order: *collection,
            };
            out.push(self.row(changed, &place));
        }
    }

    fn row(&self, changed: &RowChange, place: &Place<'_>) -> NewRecord {
        let mut value = Vec::with_capacity(900);
        value.extend_from_slice(b"{\"before\":");
        match &changed.before {
            Some(row) => self.image(changed.table, row, &mut value),
            None => value.extend_from_slice(b"null"),
        }
        value.extend_from_slice(b",\"after\":");
        self.image(changed.table, &changed.after, &mut value);
        place.write(changed, &mut value);
        let key = key(changed);
        NewRecord {
            topic: self.topics[changed.table as usize].clone(),
            partition: partition_of(key.as_bytes(), self.partitions),
            timestamp_ms: place.at,
            key: key.into(),
            value: Some(value.into()),
        }
    }

    fn image(&self, table: Table, row: &[Value], out: &mut Vec<u8>) {
        for (i, (column, value)) in table.columns().iter().zip(row).enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            out.push(b'"');
            out.extend_from_slice(column.name.as_bytes());
            out.extend_from_slice(b"\":");
            self.value(column.kind, value, out);
        }
        out.push(b'}');
    }

    fn value(&self, kind: Type, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Int(n) => number(*n, out),
            Value::UInt(n) => out.extend_from_slice(itoa::Buffer::new().format(*n).as_bytes()),
            Value::Fen(n) => text(&decimal(*n, 2), out),
            Value::Micro(n) => text(&decimal(*n, 6), out),
            Value::Instant(at) => number(self.zone.to_wall_ms(*at), out),
            Value::Day(day) => number(i64::from(*day), out),
            Value::Word(word) => text(word, out),
            Value::Text(_) if kind == Type::PersonalJson => out.extend_from_slice(b"null"),
            Value::Text(personal) if kind == Type::Personal => text(&masked(personal), out),
            Value::Text(other) => text(other, out),
        }
    }

    fn click(&self, click: &ClickChange) -> NewRecord {
        let mut value = Vec::with_capacity(420);
        let mut field = |name: &str, write: &dyn Fn(&mut Vec<u8>)| {
            value.push(if value.is_empty() { b'{' } else { b',' });
            text(name, &mut value);
            value.push(b':');
            write(&mut value);
        };
        field("event_id", &|out| text(&click.event_id, out));
        field("type", &|out| text(click_word(click.click_type), out));
        if let Some(user) = click.user_id {
            field("user_id", &|out| number(user, out));
        }
        field("anonymous_id", &|out| text(&click.anonymous_id, out));
        field("session_id", &|out| text(&click.session_id, out));
        field("community_id", &|out| number(click.community_id, out));
        if let Some(sku) = click.sku_id {
            field("sku_id", &|out| number(sku, out));
        }
        field("ts", &|out| number(click.ts.0, out));
        field("received_at", &|out| number(click.received_at.0, out));
        field("platform", &|out| text(click.platform, out));
        field("page", &|out| text(click.page, out));
        if !click.referrer.is_empty() {
            field("referrer", &|out| text(click.referrer, out));
        }
        if !click.properties.is_empty() {
            field("properties", &|out| {
                for (i, (name, property)) in click.properties.iter().enumerate() {
                    out.push(if i == 0 { b'{' } else { b',' });
                    text(name, out);
                    out.push(b':');
                    text(property, out);
                }
                out.push(b'}');
            });
        }
        value.push(b'}');
        let key: Bytes = match click.user_id {
            Some(user) => user.to_string().into(),
            None => click.anonymous_id.clone().into(),
        };
        NewRecord {
            topic: self.clicks.clone(),
            partition: partition_of(&key, self.partitions),
            timestamp_ms: click.received_at.0,
            key,
            value: Some(value.into()),
        }
    }
}

/// Where a row change stands in its server's log.
struct Place<'a> {
    at: i64,
    server: u8,
    file: &'a str,
    /// Of the transaction.
    start: u64,
    /// Of the rows event.
    pos: u64,
    row: u64,
    total_order: u64,
    collection_order: u64,
}

impl Place<'_> {
    /// The envelope from `op` to its end.
    fn write(&self, changed: &RowChange, out: &mut Vec<u8>) {
        let op = match changed.op() {
            Op::Create => "c",
            Op::Update => "u",
        };
        let table = physical(changed);
        let (server, shard) = (format!("shop-{}", self.server), format!("shop_{}", self.server));
        let tail = format!(
            ",\"op\":\"{op}\",\"ts_ms\":{},\"source\":{{\"server\":\"{server}\",\"db\":\"{shard}\",\"table\":\"{table}\",\
             \"file\":\"{}\",\"pos\":{},\"row\":{},\"gtid\":null,\"ts_ms\":{},\"snapshot\":\"false\",\"shard\":\"{shard}\"}},\
             \"transaction\":{{\"id\":\"file={},pos={}\",\"total_order\":{},\"data_collection_order\":{}}}}}",
            self.at + PUBLISHING,
            self.file,
            self.pos,
            self.row,
            self.at,
            self.file,
            self.start,
            self.total_order,
            self.collection_order,
        );
        out.extend_from_slice(tail.as_bytes());
    }
}

/// The table as its server names it.
pub(crate) fn physical(changed: &RowChange) -> String {
    match changed.shard {
        Some(shard) => format!("{}_{shard}", changed.table.name()),
        None => changed.table.name().to_owned(),
    }
}

/// The community of a row about an order, else the primary key: one column as its text, several as an object.
fn key(changed: &RowChange) -> String {
    let one = |value: &Value| match value {
        Value::UInt(n) => n.to_string(),
        other => other.int().unwrap_or(0).to_string(),
    };
    let table = changed.table;
    match (table.routing_column(), table.key_columns()) {
        (Some(column), _) => one(&changed.after[column]),
        (None, 1) => one(&changed.after[0]),
        (None, columns) => {
            let names = table.columns().iter().map(|column| column.name);
            let parts = names.zip(&changed.after).take(columns);
            let parts: Vec<String> = parts.map(|(name, value)| format!("\"{name}\":{}", one(value))).collect();
            format!("{{{}}}", parts.join(","))
        }
    }
}

pub(crate) fn click_word(click_type: ClickType) -> &'static str {
    match click_type {
        ClickType::View => "view",
        ClickType::Cart => "cart",
        ClickType::Order => "order",
        ClickType::Pay => "pay",
        ClickType::Search => "search",
        ClickType::Share => "share",
        ClickType::Login => "login",
    }
}

fn number(n: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// JSON text. The shop's words hold no control characters.
fn text(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in value.bytes() {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// `digits` decimals of a whole number of the least unit.
pub(crate) fn decimal(n: i64, digits: u32) -> String {
    let unit = 10u64.pow(digits);
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", n.unsigned_abs() / unit, n.unsigned_abs() % unit, width = digits as usize)
}

/// The first three and the last four characters of a telephone number, the first of a name.
fn masked(personal: &str) -> String {
    let characters: Vec<char> = personal.chars().collect();
    let n = characters.len();
    let (head, tail) = if n > 7 { (3, 4) } else { (1, 0) };
    characters.iter().enumerate().map(|(i, c)| if i < head || i + tail >= n { *c } else { '*' }).collect()
}
