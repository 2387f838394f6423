//! The same changes as committed SQL transactions on a real MySQL, whose binlog then tells them.

use linli_schemas::shop::{self, Shards};
use linli_schemas::zone::Zone;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, TxOpts};

use crate::records::{decimal, physical};
use crate::table::Value;
use crate::{Body, Change, Error, Result, RowChange};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub transactions: u64,
    pub rows: u64,
}

/// Commits the transactions among `changes`, in order, to the databases `shop_0` and `shop_1` of one server.
/// The tables must be there ([`create_tables`]); the first changes of the stream fill in the reference data.
pub async fn apply_sql(dsn: &str, zone: Zone, changes: impl IntoIterator<Item = Change>) -> Result<Applied> {
    let mut conn = connect(dsn).await?;
    let mut applied = Applied::default();
    for change in changes {
        let Body::Transaction(transaction) = &change.body else { continue };
        let database = format!("shop_{}", transaction.server);
        let failed = |action: String| {
            let database = database.clone();
            move |source| Error::Sql { database, action, source }
        };
        let mut tx = conn.start_transaction(TxOpts::default()).await.map_err(failed("begin".to_owned()))?;
        for row in &transaction.rows {
            let Some((statement, values)) = statement(&database, row, zone) else { continue };
            tx.exec_drop(statement.as_str(), Params::Positional(values)).await.map_err(failed(statement))?;
            applied.rows += 1;
        }
        tx.commit().await.map_err(failed("commit".to_owned()))?;
        applied.transactions += 1;
    }
    conn.disconnect().await.map_err(|source| at(dsn, "disconnect", source))?;
    Ok(applied)
}

/// Makes the databases and the tables that are missing.
pub async fn create_tables(dsn: &str) -> Result<()> {
    let mut conn = connect(dsn).await?;
    for statement in shop::statements(&Shards::default()) {
        let sql = statement.sql.as_str();
        conn.query_drop(sql).await.map_err(|source| at("shop", sql, source))?;
    }
    conn.disconnect().await.map_err(|source| at(dsn, "disconnect", source))
}

async fn connect(dsn: &str) -> Result<Conn> {
    // the address names a password: it stays out of the words of the error
    let opts = Opts::from_url(dsn).map_err(|error| at("shop", "read its address", error.into()))?;
    Conn::new(opts).await.map_err(|source| at("shop", "connect", source))
}

fn at(database: &str, action: &str, source: mysql_async::Error) -> Error {
    Error::Sql { database: database.to_owned(), action: action.to_owned(), source }
}

/// One statement for a row change; nothing where an update changes nothing.
fn statement(database: &str, row: &RowChange, zone: Zone) -> Option<(String, Vec<mysql_async::Value>)> {
    let columns = row.table.columns();
    let table = physical(row);
    let bound = |i: usize| value(&row.after[i], zone);
    let Some(before) = &row.before else {
        let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("insert into {database}.{table} ({}) values ({marks})", names.join(", "));
        return Some((sql, (0..columns.len()).map(bound).collect()));
    };
    let changed: Vec<usize> = (0..columns.len()).filter(|i| before[*i] != row.after[*i]).collect();
    if changed.is_empty() {
        return None;
    }
    let named = |i: &usize| format!("{} = ?", columns[*i].name);
    let sets: Vec<String> = changed.iter().map(named).collect();
    let keys: Vec<usize> = (0..row.table.key_columns()).collect();
    let wheres: Vec<String> = keys.iter().map(named).collect();
    let sql = format!("update {database}.{table} set {} where {}", sets.join(", "), wheres.join(" and "));
    Some((sql, changed.into_iter().chain(keys).map(bound).collect()))
}

fn value(value: &Value, zone: Zone) -> mysql_async::Value {
    match value {
        Value::Null => mysql_async::Value::NULL,
        Value::Int(n) => (*n).into(),
        Value::UInt(n) => (*n).into(),
        Value::Fen(n) => decimal(*n, 2).into(),
        Value::Micro(n) => decimal(*n, 6).into(),
        Value::Day(day) => crate::shop::date(*day).to_string().into(),
        Value::Instant(at) => wall(zone.to_wall_ms(*at)).into(),
        Value::Word(word) => (*word).into(),
        Value::Text(text) => text.to_string().into(),
    }
}

/// A wall time in ms as a DATETIME(3).
fn wall(ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}
