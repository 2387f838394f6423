//! What change data capture must have published, found out without any of its code: the tables by `SELECT *`, the
//! changes by another reader of the binlog, and the topics folded into the last state of each row.

pub mod binlog;
pub mod tables;
pub mod topics;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

pub use tables::Tables;

/// Rows changed, of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

/// By `database.table`; tables without any are left out.
pub type ChangesByTable = BTreeMap<String, Changes>;

/// A row: what its columns hold, by name, as a topic tells it.
pub type Row = Map<String, Value>;

/// Stands for a row's content; columns of `without` do not count.
pub fn content(row: &Row, without: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (column, value) in row.iter().filter(|(column, _)| !without.contains(&column.as_str())) {
        column.hash(&mut hasher);
        hash_value(value, &mut hasher);
    }
    hasher.finish()
}

/// Stands for a row of a table.
pub fn key_of(table: &str, row: &Row, key_columns: &[String]) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, table).hash(&mut hasher);
        for column in key_columns {
            hash_value(row.get(column).unwrap_or(&Value::Null), &mut hasher);
        }
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(flag) => (1_u8, flag).hash(hasher),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => (2_u8, number).hash(hasher),
            (None, Some(number)) => (3_u8, number).hash(hasher),
            (None, None) => (4_u8, number.to_string()).hash(hasher),
        },
        Value::String(text) => (5_u8, text).hash(hasher),
        other => (6_u8, other.to_string()).hash(hasher),
    }
}
