//! Tables whose changes cannot be read: from where on, and what is kept of them.

use std::sync::Arc;

use bytes::Bytes;
use linli_binlog::{Rows, Table, TableLayout, TableMap};
use linli_schemas::alert::AlertState;

use super::catalog::Known;
use super::follow::{Follower, Held, Mapped, Target};
use super::kept::Head;
use super::position::Partial;
use super::quarantine::{Quarantine, split};

/// Of all tables in quarantine together, kept in the record itself.
const INLINE_BYTES_MAX: usize = 256 << 10;
/// More than that is not kept in memory.
const MEMORY_BYTES_MAX: usize = 4 << 20;

impl Follower {
    /// From here on the rows of the table cannot be read. `gap` is what nobody could apply, if so.
    pub(super) fn lose(&mut self, db: &str, name: &str, why: String, gap: Option<String>) {
        self.mark_lost(db, name, &why);
        self.quarantine(db, name, why, gap);
        self.tables.retain(|_, mapped| match &mapped.target {
            Target::Captured(captured) => captured.known.table.db != db || captured.known.table.name != name,
            Target::Ignored | Target::Held(_) => true,
        });
    }

    /// A statement was not understood. Where the log tells definitions itself, the next change may do without.
    pub(super) fn lose_by_statement(&mut self, db: &str, name: &str, why: String) {
        if !self.maps_tell {
            return self.lose(db, name, why, None);
        }
        tracing::info!(server = %self.object, table = %format!("{db}.{name}"), reason = %why, "a statement was not understood");
        self.mark_lost(db, name, &why);
    }

    fn mark_lost(&mut self, db: &str, name: &str, why: &str) {
        let known = match self.catalog.get(db, name) {
            Some(known) if known.lost.is_some() => return,
            Some(known) => (**known).clone(),
            None => {
                let (db, name) = (db.to_owned(), name.to_owned());
                let table = Table { db, name, columns: Vec::new(), primary_key: Vec::new() };
                Known { table, charset: None, lost: None, history: None }
            }
        };
        Arc::make_mut(&mut self.catalog).put(Known { lost: Some(why.to_owned()), ..known });
    }

    /// Begins a quarantine, and says so; of one that is there it is noted what cannot be applied.
    fn quarantine(&mut self, db: &str, name: &str, reason: String, gap: Option<String>) {
        let table = format!("{db}.{name}");
        if let Some(there) = Arc::make_mut(&mut self.quarantines).get_mut(&table) {
            there.gap = there.gap.take().or(gap);
            return;
        }
        tracing::error!(
            server = %self.object, table, place = %self.end, reason,
            "a table cannot be followed and is in quarantine; its changes are held. \
             Cure: linli ingest cdc quarantine apply {table}, or linli ingest cdc snapshot {table}"
        );
        let (since_ms, place, within) = match &self.transaction {
            Some(open) => {
                let within = Partial { id: open.id.clone(), records: open.state.records };
                (open.state.ts_ms, open.start.clone(), Some(within))
            }
            None => (self.counters.committed_ms, self.end.clone(), None),
        };
        let quarantine = Quarantine {
            reason,
            since_ms,
            place,
            within,
            events: 0,
            bytes: 0,
            kept: Default::default(),
            gap,
            applying: None,
        };
        self.tell(&table, &quarantine, AlertState::Firing);
        Arc::make_mut(&mut self.quarantines).insert(table, quarantine);
    }

    fn tell(&mut self, table: &str, quarantine: &Quarantine, state: AlertState) {
        let alert = quarantine.alert(&self.server, table, state, self.options.partitions, self.now_ms);
        self.batch.push_record(alert);
    }

    /// A quarantine is over: what is held is not needed any more.
    pub fn end_quarantine(&mut self, table: &str) {
        if let Some(quarantine) = Arc::make_mut(&mut self.quarantines).remove(table) {
            tracing::info!(server = %self.object, table, events = quarantine.events, "a table is out of quarantine");
            self.garbage.extend(quarantine.kept.keys());
            self.tell(table, &quarantine, AlertState::Resolved);
        }
    }

    pub fn is_quarantined(&self, table: &str) -> bool {
        self.quarantines.contains_key(table)
    }

    fn is_known(&self, table: &str) -> bool {
        let (db, name) = split(table);
        self.catalog.get(db, name).is_some_and(|known| known.lost.is_none())
    }

    /// Tables that a statement gave another definition, or another name.
    pub(super) fn settle_quarantines(&mut self) {
        let tables: Vec<String> = self.quarantines.keys().cloned().collect();
        for table in tables {
            if self.is_known(&table) {
                // Its changes from before are not on its topic.
                self.end_quarantine(&table);
                self.missed.push(table);
            } else if !self.is_there(&table) {
                tracing::warn!(server = %self.object, table, "a table went that was in quarantine: what was held of it is dropped");
                self.end_quarantine(&table);
            }
        }
        if !self.maps_tell {
            self.quarantine_lost("the rows that it had are not known");
        }
    }

    /// At the start: tables that are lost though nobody noted it, and those that are found again.
    pub fn review_quarantines(&mut self) {
        let is_over = |table: &&String| self.is_known(table) || !self.is_there(table);
        let over: Vec<String> = self.quarantines.keys().filter(is_over).cloned().collect();
        for table in over {
            self.end_quarantine(&table);
        }
        self.quarantine_lost("the rows that it had were never read");
    }

    fn is_there(&self, table: &str) -> bool {
        let (db, name) = split(table);
        self.catalog.get(db, name).is_some()
    }

    fn quarantine_lost(&mut self, gap: &str) {
        let lost: Vec<Arc<Known>> = self.catalog.tables().filter(|known| known.lost.is_some()).cloned().collect();
        for known in lost {
            let (db, name) = (&known.table.db, &known.table.name);
            if self.router.follows(db, name) && !self.is_quarantined(&known.table.full_name()) {
                self.quarantine(db, name, known.lost.clone().unwrap_or_default(), Some(gap.to_owned()));
            }
        }
    }

    /// Whether the event that is read now came before its table's quarantine, in the transaction within which that began.
    pub(super) fn is_before_quarantine(&self, table: &str) -> bool {
        let within = self.quarantines.get(table).and_then(|quarantine| quarantine.within.as_ref());
        within
            .zip(self.transaction.as_ref())
            .is_some_and(|(within, open)| within.id == open.id && open.state.records < within.records)
    }

    /// Keeps an event of a table in quarantine, with all that it takes to read it later.
    /// `count` are its rows, where that can be told: they keep their numbers.
    pub(super) fn hold(&mut self, event: &[u8], map: &[u8], table: &str, count: Option<u64>, start: u64) {
        let Some(open) = &mut self.transaction else {
            return;
        };
        let (row, order) = (open.state.rows, open.state.records);
        open.state.rows += count.unwrap_or(0);
        open.state.records += count.unwrap_or(0);
        if count.is_some_and(|count| count > 0) && open.state.records <= open.state.skip {
            return; // it is held already
        }
        let numbered = !open.state.gtid.is_empty();
        let Some(quarantine) = Arc::make_mut(&mut self.quarantines).get_mut(table) else {
            return;
        };
        let head = Head {
            file: self.end.file.clone(),
            pos: start,
            transaction: open.id.clone(),
            numbered,
            ts_ms: open.state.ts_ms,
            row,
            order,
            format: self.format_event.clone(),
            map: map.to_vec(),
        };
        quarantine.kept.push(head, event);
        quarantine.events += 1;
        quarantine.bytes += event.len() as u64;
        self.counters.held += 1;
        let gap = match count {
            None => Some("the log does not tell how many rows its events hold"),
            Some(_) if !numbered => {
                Some("the server numbers no transactions: consumers would take what is applied for repetitions")
            }
            Some(_) => None,
        };
        if let (Some(gap), None) = (gap, &quarantine.gap) {
            quarantine.gap = Some(gap.to_owned());
        }
        if self.held_len() > MEMORY_BYTES_MAX {
            self.trim_held();
        }
    }

    /// A row of an event could not be read: the whole event is held, and all that follows of its table.
    pub(super) fn hold_from_here(
        &mut self,
        event: &[u8],
        rows: &Rows<'_>,
        map: Vec<u8>,
        table: &Table,
        why: String,
        start: u64,
    ) {
        let full_name = table.full_name();
        let layout: Option<TableLayout> =
            TableMap::restore(rows.table_id, &map, &self.format).and_then(|map| map.layout()).ok();
        self.lose(&table.db, &table.name, why, None);
        self.hold(event, &map, &full_name, layout.as_ref().and_then(|layout| layout.count_rows(rows)), start);
        let held = Held { table: full_name, layout };
        self.tables.insert(rows.table_id, Mapped { bytes: map, target: Target::Held(Box::new(held)) });
    }

    /// Bytes of held events that no object holds.
    pub fn held_len(&self) -> usize {
        self.quarantines.values().map(|quarantine| quarantine.kept.rest_len()).sum()
    }

    /// Whether a record can take what is held as it is.
    pub fn is_held_trim(&self) -> bool {
        self.held_len() <= INLINE_BYTES_MAX
    }

    /// Makes objects of what is held until a record can take the rest. They are among those to be stored then.
    pub fn trim_held(&mut self) {
        while !self.is_held_trim() {
            let quarantines = Arc::make_mut(&mut self.quarantines);
            let Some(longest) = quarantines.values_mut().max_by_key(|quarantine| quarantine.kept.rest_len()) else {
                return;
            };
            self.held_objects += 1;
            let object: (String, Bytes) = longest.kept.cut(&self.run, self.held_objects);
            self.objects.push(object);
        }
    }
}

#[cfg(test)]
mod tests;
