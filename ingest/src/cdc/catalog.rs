//! The tables as they are at one place of the binlog.

use std::collections::BTreeMap;
use std::sync::Arc;

use linli_binlog::Table;
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
