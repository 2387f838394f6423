//! The tables as they are at one place of the binlog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use linli_binlog::{Column, ColumnDefault, ColumnType, Table};
use serde::{Deserialize, Serialize};

/// Tables by database and name. Cheap to copy: a copy belongs to every position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    databases: BTreeMap<String, Database>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Database {
    /// What a table without a character set of its own gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charset: Option<String>,
    tables: BTreeMap<String, Arc<Known>>,
    /// Sequences of MariaDB, whose rows are in the log like those of tables.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    sequences: BTreeSet<String>,
}

/// A table, and whether it can be followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub table: Table,
    /// What a column without a character set of its own gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Why its definition is not known any more: its changes are kept aside until it is read anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Of a system-versioned table of MariaDB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// A table that keeps its old rows: they are rows of the log, but not what the table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The column that tells until when a row held; the server adds it to the primary key.
    pub end: String,
    /// It and the start are no columns of a `SELECT *`, and stand behind all others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// What hidden columns are called.
const ROW_START: &str = "row_start";
const ROW_END: &str = "row_end";

impl History {
    /// Gives a table the columns that the server gives it.
    pub fn hide_in(table: &mut Table) -> History {
        let column = |name: &str| Column {
            name: name.to_owned(),
            kind: ColumnType::Timestamp { fsp: 6 },
            nullable: false,
            generated: true,
            default: ColumnDefault::Unknown,
        };
        table.columns.extend([column(ROW_START), column(ROW_END)]);
        History { end: ROW_END.to_owned(), hidden: true }
    }

    /// The key that tells rows apart that the table holds.
    pub fn take_from_key(&self, table: &mut Table) {
        let end = table.column(&self.end);
        table.primary_key.retain(|column| Some(*column) != end);
    }

    /// How many columns stand last that no SELECT shows.
    pub fn hidden_columns(&self) -> usize {
        if self.hidden { 2 } else { 0 }
    }
}

impl Catalog {
    pub fn get(&self, db: &str, table: &str) -> Option<&Arc<Known>> {
        self.databases.get(db)?.tables.get(table)
    }

    pub fn put(&mut self, known: Known) {
        let database = self.databases.entry(known.table.db.clone()).or_default();
        database.tables.insert(known.table.name.clone(), Arc::new(known));
    }

    pub fn remove(&mut self, db: &str, table: &str) -> Option<Arc<Known>> {
        self.databases.get_mut(db)?.tables.remove(table)
    }

    pub fn is_sequence(&self, db: &str, name: &str) -> bool {
        self.databases.get(db).is_some_and(|database| database.sequences.contains(name))
    }

    pub fn put_sequence(&mut self, db: &str, name: &str) {
        self.databases.entry(db.to_owned()).or_default().sequences.insert(name.to_owned());
    }

    /// Whether it was there.
    pub fn remove_sequence(&mut self, db: &str, name: &str) -> bool {
        self.databases.get_mut(db).is_some_and(|database| database.sequences.remove(name))
    }

    pub fn drop_database(&mut self, db: &str) {
        self.databases.remove(db);
    }

    pub fn charset(&self, db: &str) -> Option<&str> {
        self.databases.get(db)?.charset.as_deref()
    }

    pub fn set_charset(&mut self, db: &str, charset: Option<String>) {
        self.databases.entry(db.to_owned()).or_default().charset = charset;
    }

    pub fn tables(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.databases.values().flat_map(|database| database.tables.values())
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.tables().next().is_none()
    }
}
