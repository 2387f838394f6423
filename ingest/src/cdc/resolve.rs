//! What table maps stand for: which definition their rows are read with, and what becomes of those without one.

use std::sync::Arc;

use linli_binlog::TableMap;

use super::adopt;
use super::captured::Captured;
use super::catalog::{Catalog, Known};
use super::follow::{Follower, Mapped, Target};

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
        let held = |why: String| Target::Held { db: db.to_owned(), name: name.to_owned(), why };
        let layout = match map.layout() {
            Ok(layout) => layout,
            Err(error) => {
                self.lose(db, name, error.to_string());
                return held(error.to_string());
            }
        };
        let known = self.catalog.get(db, name).cloned();
        if let Some(why) = known.as_ref().and_then(|known| known.lost.clone()) {
            return held(why);
        }
        let told = adopt::table_of(&layout, known.as_deref());
        let known = match (told, known) {
            (Some(table), Some(known)) if known.table == table => known,
            (Some(table), known) => {
                // By names alone: the log tells some types less exactly than a definition does.
                let is_new = |column: &linli_binlog::Column| {
                    known.as_ref().is_some_and(|known| known.table.column(&column.name).is_none())
                };
                if table.columns.iter().any(is_new) {
                    self.reread.push(table.full_name());
                }
                if known.is_none() {
                    self.unseen.push(table.full_name());
                }
                let (charset, history) =
                    known.map_or((None, None), |known| (known.charset.clone(), known.history.clone()));
                Arc::make_mut(&mut self.catalog).put(Known { table, charset, lost: None, history });
                self.counters.ddl += 1;
                match self.catalog.get(db, name) {
                    Some(known) => Arc::clone(known),
                    None => return Target::Ignored,
                }
            }
            (None, Some(known)) => known,
            (None, None) => {
                let why = "its definition is not known".to_owned();
                self.lose(db, name, why.clone());
                return held(why);
            }
        };
        match Captured::new(&self.server, known, &layout, &self.router) {
            Ok(captured) => Target::Captured(Box::new(captured)),
            Err(mismatch) => {
                self.lose(db, name, mismatch.to_string());
                held(mismatch.to_string())
            }
        }
    }

    /// From here on the rows of the table cannot be read.
    pub(super) fn lose(&mut self, db: &str, name: &str, why: String) {
        tracing::error!(
            server = %self.object, table = %format!("{db}.{name}"), place = %self.end, reason = %why,
            "a table cannot be followed and is in quarantine; its changes are kept in topic cdc.quarantine. \
             Cure: linli ingest cdc snapshot {db}.{name}"
        );
        if let Some(known) = self.catalog.get(db, name) {
            let known = Known { lost: Some(why), ..(**known).clone() };
            Arc::make_mut(&mut self.catalog).put(known);
        }
        self.tables.retain(|_, mapped| match &mapped.target {
            Target::Captured(captured) => captured.known.table.db != db || captured.known.table.name != name,
            Target::Ignored | Target::Held { .. } => true,
        });
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
fn has_new_values(before: &Known, after: &Known) -> bool {
    let same = |column: &linli_binlog::Column| {
        before.table.columns.iter().any(|old| old.name == column.name && old.kind == column.kind)
    };
    after.lost.is_none() && !after.table.columns.iter().all(same)
}
