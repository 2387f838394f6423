//! Importing history: lines of NDJSON become the records that they would have caused.
//!
//! [`Lines`] reads a file, [`Importer`] maps each line, the caller appends to the log and keeps the byte reached.

mod line;
mod source;
mod write;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use linli_connectors::log::NewRecord;
use linli_schemas::Topic;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::partition::partition_of;

use line::{Click, Order, Parsed};
pub use line::{LineError, LineKind};
pub use source::{Chunk, InputIdentity, Lines, RawLine, SourceError, identify};
use write::Writer;

/// The longest line. A longer one goes to the dead letter.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// The most of a line that a dead letter keeps: base64 of it must fit into a record.
pub const DEAD_LETTER_BYTES_MAX: usize = 1 << 20;

/// Records are cut from blocks of this size, so that a line costs no allocation of its own.
const BLOCK_BYTES: usize = 256 << 10;

/// How lines become records.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// Of every topic.
    pub partitions: u32,
    /// The time of the import, epoch ms: `ts_ms` of the envelopes and `received_at` of the clicks.
    pub received_at_ms: i64,
    /// How far a line's time may be ahead of the time of the import.
    pub ahead_ms: i64,
}

/// Maps lines to records. Pure: the same line gives the same records.
pub struct Importer {
    options: ImportOptions,
    orders: Arc<str>,
    items: Arc<str>,
    clicks: Arc<str>,
    dead_letter: Arc<str>,
    writer: Writer,
    block: BytesMut,
}

impl Importer {
    /// # Panics
    /// If `options.partitions` is 0.
    pub fn new(options: ImportOptions) -> Importer {
        assert!(options.partitions > 0, "a topic has at least one partition");
        Importer {
            options,
            orders: Topic::Orders.name().into(),
            items: Topic::OrderItems.name().into(),
            clicks: Topic::Clicks.name().into(),
            dead_letter: Topic::DeadLetter.name().into(),
            writer: Writer::new(options.received_at_ms),
            block: BytesMut::new(),
        }
    }

    /// Appends the records of one line (without its newline) to `out`: the order's row, its items' rows, its click;
    /// or the click. Appends nothing on an error.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<NewRecord>) -> Result<LineKind, LineError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(LineError::TooLong { bytes: line.len() as u64 });
        }
        match line::parse(line, self.options.received_at_ms, self.options.ahead_ms)? {
            Parsed::Order(order) => {
                self.order(&order, out);
                Ok(LineKind::Order)
            }
            Parsed::Click(click) => {
                self.click(&click, out);
                Ok(LineKind::Click)
            }
        }
    }

    /// As [`Importer::line`], of a line as it was read from an input.
    pub fn raw_line(&mut self, line: &RawLine<'_>, out: &mut Vec<NewRecord>) -> Result<LineKind, LineError> {
        if line.len > LINE_BYTES_MAX as u64 {
            return Err(LineError::TooLong { bytes: line.len });
        }
        self.line(line.bytes, out)
    }

    /// The record for a line that was refused. `position` names it for good: `<sha256 of the input>:<first byte>`.
    /// `line` may be the beginning of a line that is too long.
    pub fn dead_letter(&self, error: &LineError, line: &[u8], position: &str) -> NewRecord {
        let kept = &line[..line.len().min(DEAD_LETTER_BYTES_MAX)];
        let mut reason = error.to_string();
        if kept.len() < line.len() {
            reason.push_str(&format!(" (the first {} of {} bytes are kept)", kept.len(), line.len()));
        }
        let letter = DeadLetter {
            topic: "import".to_owned(),
            partition: None,
            offset: None,
            code: error.code().to_owned(),
            reason,
            at: self.options.received_at_ms,
            key: DeadLetter::encode_bytes(position.as_bytes()),
            value: DeadLetter::encode_bytes(kept),
        };
        let key = Bytes::copy_from_slice(position.as_bytes());
        NewRecord {
            topic: Arc::clone(&self.dead_letter),
            partition: partition_of(&key, self.options.partitions),
            timestamp_ms: self.options.received_at_ms,
            key,
            value: Some(letter.encode().into()),
        }
    }

    fn order(&mut self, order: &Order<'_>, out: &mut Vec<NewRecord>) {
        let writer = &mut self.writer;
        writer.begin(order.at_ms);
        let community = writer.key(order.community_id);
        let user = writer.key(order.user_id);
        let row = writer.order_row(order);
        writer.item_rows(order);
        let click = writer.order_click(order);
        let bytes = seal(&mut self.block, writer.bytes());
        let community = bytes.slice(community);
        let user = bytes.slice(user);
        let partition = partition_of(&community, self.options.partitions);
        let record = |topic: &Arc<str>, partition, key: Bytes, value| NewRecord {
            topic: Arc::clone(topic),
            partition,
            timestamp_ms: order.at_ms,
            key,
            value: Some(bytes.slice(value)),
        };
        out.push(record(&self.orders, partition, community.clone(), row));
        for item in self.writer.items() {
            out.push(record(&self.items, partition, community.clone(), item.clone()));
        }
        out.push(record(&self.clicks, partition_of(&user, self.options.partitions), user, click));
    }

    fn click(&mut self, click: &Click<'_>, out: &mut Vec<NewRecord>) {
        let writer = &mut self.writer;
        writer.begin(click.at_ms);
        let key = match click.user_id {
            Some(user) => writer.key(user),
            None => writer.text_key(&click.anonymous_id),
        };
        let value = writer.click(click);
        let bytes = seal(&mut self.block, writer.bytes());
        let key = bytes.slice(key);
        out.push(NewRecord {
            topic: Arc::clone(&self.clicks),
            partition: partition_of(&key, self.options.partitions),
            timestamp_ms: click.at_ms,
            key,
            value: Some(bytes.slice(value)),
        });
    }
}

/// A shared copy of `bytes`, cut from the block.
fn seal(block: &mut BytesMut, bytes: &[u8]) -> Bytes {
    if block.capacity() - block.len() < bytes.len() {
        *block = BytesMut::with_capacity(BLOCK_BYTES.max(bytes.len()));
    }
    block.extend_from_slice(bytes);
    block.split().freeze()
}

#[cfg(test)]
mod tests;
