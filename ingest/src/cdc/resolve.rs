//! What table maps stand for: which definition their rows are read with.

use std::sync::Arc;

use linli_binlog::{Column, Table, TableLayout, TableMap};

use super::adopt;
use super::captured::Captured;
use super::catalog::{Catalog, Known};
use super::follow::{Follower, Held, Mapped, Target};

impl Follower {
    pub(super) fn table_map(&mut self, map: &TableMap<'_>) {
        if self.tables.get(&map.table_id).is_some_and(|mapped| mapped.bytes == map.bytes()) {
            return;
        }
        let target = self.resolve(map);
        self.tables.insert(map.table_id, Mapped { bytes: map.bytes().to_vec(), target });
    }

    fn resolve(&mut self, map: &TableMap<'_>) -> Target {
        let (db, name) = (map.db, map.name);
        if !self.router.follows(db, name) || self.catalog.is_sequence(db, name) {
            return Target::Ignored;
        }
        let table = format!("{db}.{name}");
        let held = |layout: Option<TableLayout>| Target::Held(Box::new(Held { table: table.clone(), layout }));
        let layout = match map.layout() {
            Ok(layout) => layout,
            Err(error) => {
                self.lose(db, name, error.to_string(), None);
                return held(None);
            }
        };
        let mut known = self.catalog.get(db, name).cloned();
        let told = adopt::table_of(&layout, known.as_deref());
        self.maps_tell = told.is_some();
        if self.is_before_quarantine(&table) {
            // As it was read the first time.
            known = known.map(|known| Arc::new(Known { lost: None, ..(*known).clone() }));
        } else if let Some(why) = known.as_ref().and_then(|known| known.lost.clone()) {
            if told.is_none() || self.is_quarantined(&table) {
                if !self.is_quarantined(&table) {
                    self.lose(db, name, why, Some("the statement that it begins with was not held".to_owned()));
                }
                return held(Some(layout));
            }
            // Only a statement was not understood: what it did to the rows that there were is read.
            tracing::info!(table, "the log tells the definition of a table that a statement left unknown");
            self.missed.push(table.clone());
        }
        let known = match (told, known) {
            (Some(table), Some(known)) if known.table == table && known.lost.is_none() => known,
            (Some(_), Some(known)) if self.is_quarantined(&table) => known,
            (Some(table), known) => self.adopt(table, known),
            (None, Some(known)) => known,
            (None, None) => {
                let gap = "the rows that it had are not known".to_owned();
                self.lose(db, name, "its definition is not known".to_owned(), Some(gap));
                return held(Some(layout));
            }
        };
        match Captured::new(&self.server, known, &layout, &self.router) {
            Ok(captured) => Target::Captured(Box::new(captured)),
            Err(mismatch) => {
                self.lose(db, name, mismatch.to_string(), None);
                held(Some(layout))
            }
        }
    }

    /// Takes the definition that the log tells.
    fn adopt(&mut self, table: Table, known: Option<Arc<Known>>) -> Arc<Known> {
        // By names alone: the log tells some types less exactly than a definition does.
        let is_new = |column: &Column| {
            let known = known.as_ref().filter(|known| known.lost.is_none());
            known.is_some_and(|known| known.table.column(&column.name).is_none())
        };
        if table.columns.iter().any(is_new) {
            self.reread.push(table.full_name());
        }
        if known.is_none() {
            self.unseen.push(table.full_name());
        }
        let (charset, history) = known.map_or((None, None), |known| (known.charset.clone(), known.history.clone()));
        let known = Known { table, charset, lost: None, history };
        Arc::make_mut(&mut self.catalog).put(known.clone());
        self.counters.ddl += 1;
        Arc::new(known)
    }

    pub(super) fn note_altered(&mut self, after: &Catalog) {
        for known in after.tables() {
            let (db, name) = (&known.table.db, &known.table.name);
            let before = self.catalog.get(db, name);
            if before.is_some_and(|before| !Arc::ptr_eq(before, known) && has_new_values(before, known))
                && self.router.follows(db, name)
            {
                self.reread.push(known.table.full_name());
            }
        }
    }
}

/// Whether rows that were published look different now: they have another column, or one of another type.
pub(super) fn has_new_values(before: &Known, after: &Known) -> bool {
    let same =
        |column: &Column| before.table.columns.iter().any(|old| old.name == column.name && old.kind == column.kind);
    after.lost.is_none() && !after.table.columns.iter().all(same)
}
