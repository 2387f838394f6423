//! A table that is empty from here on, told to each partition of its topic: any may hold rows of it.

use std::sync::Arc;

use linli_binlog::Table;
use linli_schemas::partition::partition_of;

use super::batch::Batch;
use super::canal;
use super::envelope::{At, InTransaction, Moved, SourceHead};
use super::follow::Follower;
use super::route::Format;

/// Which table, and how its records begin.
pub struct Emptied<'a> {
    pub table: &'a Table,
    pub head: &'a SourceHead,
    pub topic: &'a Arc<str>,
    pub format: Format,
    pub partitions: u32,
    /// Whether a snapshot says so, whose rows follow: else a statement.
    pub snapshot: bool,
}

impl Emptied<'_> {
    pub fn write(&self, at: &At<'_>, transaction: Option<&InTransaction<'_>>, batch: &mut Batch) {
        let snapshot: &[u8] = if self.snapshot { br#""true""# } else { br#""false""# };
        for partition in 0..self.partitions {
            let keys = (0u32..).map(|number| format!("{}#{number}", self.table.full_name()));
            let lies_there = |key: &String| partition_of(key.as_bytes(), self.partitions) == partition;
            let Some(key) = keys.into_iter().find(lies_there) else {
                continue;
            };
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(key.as_bytes());
            let value = batch.buffer.len();
            match self.format {
                Format::Debezium => {
                    batch.buffer.extend_from_slice(br#"{"before":null,"after":null"#);
                    self.head.write_tail(b't', snapshot, Moved::No, at, transaction, &mut batch.buffer);
                }
                Format::Canal => canal::write_truncate(self.table, at, (self.head, snapshot), &mut batch.buffer),
            }
            let end = batch.buffer.len();
            batch.push(self.topic, self.partitions, at.ts_ms, start..value, value..end);
        }
    }
}

impl Follower {
    /// A table is emptied: each partition is told, for any may hold rows of it.
    pub(super) fn truncate(&mut self, db: &str, name: &str) {
        let (Some(open), Some(known)) = (&mut self.transaction, self.catalog.get(db, name)) else {
            return;
        };
        open.state.records += 1;
        if open.state.records <= open.state.skip {
            return;
        }
        let (route, head) = (self.router.route_of(known), SourceHead::new(&self.server, &known.table));
        let (table, partitions, format) = (&known.table, self.options.partitions, route.format);
        let emptied = Emptied { table, head: &head, topic: &route.topic, format, partitions, snapshot: false };
        let state = &open.state;
        let at = At {
            file: &self.file_json,
            pos: self.end.pos,
            row: state.rows,
            gtid: &state.gtid,
            ts_ms: state.ts_ms,
            now_ms: self.now_ms,
        };
        let place = InTransaction { id: &state.id, total_order: state.records, data_collection_order: 1 };
        emptied.write(&at, Some(&place), &mut self.batch);
        self.counters.records += 1;
    }
}
