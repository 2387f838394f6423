//! What cannot be read is kept: the bytes of the event, with where it stood and why.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::batch::Batch;
use super::envelope::{number, quoted};
use super::position::Place;

/// The topic of events that could not be read.
pub const TOPIC: &str = "cdc.quarantine";
/// Of an event; the rest of a longer one stays in the binlog, at its place.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// An event of rows of a table in quarantine.
pub struct Held<'a> {
    pub server: &'a str,
    pub db: &'a str,
    pub table: &'a str,
    pub why: &'a str,
    pub place: &'a Place,
    pub gtid: &'a str,
    pub map: &'a [u8],
    pub event: &'a [u8],
}

impl Held<'_> {
    pub fn write(&self, batch: &mut Batch, partitions: u32, now_ms: i64) {
        let out = &mut batch.buffer;
        let key = out.len();
        out.extend_from_slice(format!("{}.{}", self.db, self.table).as_bytes());
        let value = out.len();
        let texts = [
            ("{\"server\":", self.server),
            (",\"db\":", self.db),
            (",\"table\":", self.table),
            (",\"file\":", &self.place.file),
        ];
        for (name, text) in texts {
            out.extend_from_slice(name.as_bytes());
            quoted(text, out);
        }
        out.extend_from_slice(b",\"pos\":");
        number(self.place.pos, out);
        for (name, text) in [(",\"transaction\":", self.gtid), (",\"reason\":", self.why)] {
            out.extend_from_slice(name.as_bytes());
            quoted(text, out);
        }
        out.extend_from_slice(b",\"at\":");
        number(now_ms, out);
        out.extend_from_slice(b",\"bytes\":");
        number(self.event.len(), out);
        let kept = self.event.get(..EVENT_BYTES_MAX).unwrap_or(self.event);
        for (name, bytes) in [(",\"table_map\":\"", self.map), ("\",\"event\":\"", kept)] {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        }
        out.extend_from_slice(b"\"}");
        let end = out.len();
        batch.push(&TOPIC.into(), partitions, now_ms, key..value, value..end);
    }
}
