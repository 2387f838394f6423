//! Results: the packed records of `metrics.*`, of which a batch keeps the newest of each key.

use std::collections::HashMap;

use linli_connectors::log::Fetched;
use linli_schemas::event::Reject;
use linli_schemas::metric::{MetricRecord, PartKey};
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};

use super::calendar::{Calendar, Local};
use super::{Outcome, Place, Sink};
use crate::row_binary::Rows;
use crate::sql::Block;

const PARTS: (&str, &str) = (
    "metric_parts",
    "metric, window_start, window_end, biz_date, biz_hour, dimension, shard, version, as_of, c0, c1, c2, c3",
);
/// The columns c0 to c3.
const COLUMNS: usize = 4;

/// Records gathered for the next load.
pub(super) struct Results {
    calendar: Calendar,
    newest: HashMap<PartKey, MetricRecord>,
    bytes: usize,
}

impl Results {
    pub fn new(zone: Zone) -> Results {
        Results { calendar: Calendar::new(zone), newest: HashMap::new(), bytes: 0 }
    }

    /// The local date and hour of the window; those of the epoch for a metric that keeps no window but the newest.
    fn local(&mut self, window_start: i64) -> Option<Local> {
        match window_start {
            0 => Some(Local { date: 0, hour: 0, weekend: false }),
            _ => self.calendar.local(EventTime(window_start)),
        }
    }
}

impl Sink for Results {
    const TOPICS: &'static [Topic] = &Topic::METRICS;
    const FEEDS_SALES: bool = false;

    fn accept(&mut self, place: Place, record: &Fetched<'_>) -> Result<Outcome, Reject> {
        let Some(value) = record.value else { return Ok(Outcome::Ignored) };
        let malformed = |cause: String| Reject::Malformed { topic: place.topic.name(), cause };
        // Decoded at once, so that what cannot be loaded goes to the dead letter with its own offset.
        let part = MetricRecord::decode(value).map_err(|error| malformed(error.to_string()))?;
        if self.local(part.key.window_start).is_none() {
            return Err(malformed(format!("window start {} ms lies outside 1970 to 2149", part.key.window_start)));
        }
        let held = self.newest.get(&part.key).map(|held| held.version.as_u64());
        if held.is_none_or(|held| held <= part.version.as_u64()) {
            self.bytes += value.len();
            self.newest.insert(part.key, part);
        }
        Ok(Outcome::Taken)
    }

    fn rows(&self) -> u64 {
        self.newest.len() as u64
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn take(&mut self) -> Vec<Block> {
        let newest = std::mem::take(&mut self.newest);
        self.bytes = 0;
        let mut rows = Rows::default();
        for part in newest.into_values() {
            // Accepted records have a local time.
            let Some(local) = self.local(part.key.window_start) else { continue };
            put(&mut rows, &part, local);
        }
        if rows.count == 0 {
            return Vec::new();
        }
        let (table, columns) = PARTS;
        vec![Block { table, columns, rows: rows.count, bytes: rows.bytes.into() }]
    }
}

fn put(rows: &mut Rows, part: &MetricRecord, local: Local) {
    rows.text(part.key.metric.name().as_bytes());
    rows.i64(part.key.window_start);
    rows.i64(part.window_end);
    rows.u16(local.date);
    rows.u8(local.hour);
    rows.i64(part.key.dimension);
    rows.u32(part.key.shard);
    rows.u64(part.version.as_u64());
    // A shard that has no watermark yet writes the lowest number there is; the column begins with the epoch.
    rows.i64(part.as_of.max(0));
    for column in 0..COLUMNS {
        rows.array(part.columns.get(column).map_or(&[], Vec::as_slice));
    }
    rows.end();
}
