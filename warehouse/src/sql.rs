//! The way to the tables: statements, row blocks and typed answers, with errors that say what to do.

use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;
use clickhouse::query::Query;
use linli_connectors::tables::Tables;

use crate::{Error, ErrorKind, Result};

/// What is handed to the connection at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// A healthy server takes a chunk, and ends an insert, long before.
const SEND_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(300);

/// A connection to the database of the warehouse. Cheap to clone.
#[derive(Clone)]
pub struct Warehouse {
    client: Client,
    /// For the words of errors.
    object: String,
    /// Keeps an engine that was started with it alive.
    tables: Option<Tables>,
}

impl From<Tables> for Warehouse {
    fn from(tables: Tables) -> Warehouse {
        let object = format!("warehouse database \"{}\" on {}", tables.database(), tables.address());
        Warehouse { client: tables.client().clone(), object, tables: Some(tables) }
    }
}

/// Rows of one table in RowBinary, to be inserted at once.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub table: &'static str,
    pub columns: &'static str,
    pub bytes: Bytes,
    pub rows: u64,
}

impl Warehouse {
    /// `client` has its database set; `object` names it in errors, as in `warehouse chdb:///var/lib/linli`.
    pub fn new(client: Client, object: impl Into<String>) -> Warehouse {
        Warehouse { client, object: object.into(), tables: None }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a statement that returns nothing.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        // `query_raw`: a statement of ours may hold a question mark that is no placeholder.
        self.client.query_raw(statement).execute().await.map_err(|error| self.failure(error))
    }

    /// A query whose parameters are bound by name with [`Query::param`].
    pub fn query(&self, sql: &str) -> Query {
        self.client.query_raw(sql)
    }

    /// As [`Warehouse::query`], which the server gives up on after `limit`.
    pub fn query_within(&self, sql: &str, limit: Duration) -> Query {
        self.query(sql).with_setting("max_execution_time", format!("{:.3}", limit.as_secs_f64()))
    }

    /// Inserts a block. `token` lets the server drop a repetition of the same block; correctness does not rest on it.
    pub(crate) async fn insert(&self, block: &Block, token: &str) -> Result<()> {
        let sql = format!("insert into {} ({}) format RowBinary", block.table, block.columns);
        let mut insert = self
            .client
            .insert_formatted_with(sql)
            .with_setting("insert_deduplication_token", format!("{token}/{}", block.table))
            // An import may touch more months in one block than the server's guard allows.
            .with_setting("max_partitions_per_insert_block", "0")
            .with_setting("async_insert", "0")
            .with_timeouts(Some(SEND_WITHIN), Some(END_WITHIN));
        let mut sent = Ok(());
        for start in (0..block.bytes.len()).step_by(CHUNK_BYTES) {
            let end = block.bytes.len().min(start + CHUNK_BYTES);
            sent = insert.send(block.bytes.slice(start..end)).await;
            if sent.is_err() {
                break;
            }
        }
        // The reason for a send that broke off, when the server gave one, comes with the end.
        let outcome = insert.end().await.and(sent);
        outcome.map_err(|error| {
            let mut failure = self.failure(error);
            failure.object = format!("table \"{}\" of {}", block.table, self.object);
            failure
        })
    }

    /// An error of the client as ours: what to do about it, and where it happened.
    pub(crate) fn failure(&self, error: clickhouse::error::Error) -> Error {
        if let Some(tables) = &self.tables {
            return tables.error(error);
        }
        let kind = kind_of(&error);
        let failure = Error::new(kind, self.object.clone(), error.to_string());
        match kind {
            ErrorKind::Config => failure.hint("run `linli warehouse migrate`, and check the URL, user and password"),
            _ => failure,
        }
        .caused_by(error)
    }
}

/// Codes of ClickHouse that pass by themselves: memory, too many parts or queries, shutting down, time-outs, keeper.
const PASSING: [u32; 12] = [159, 160, 202, 209, 210, 241, 242, 243, 252, 236, 319, 999];
/// Unknown table, database, column, function or setting; not allowed; wrong user or password.
const CONFIG: [u32; 9] = [16, 47, 60, 81, 115, 192, 193, 194, 516];

fn kind_of(error: &clickhouse::error::Error) -> ErrorKind {
    use clickhouse::error::Error as E;
    match error {
        E::Network(_) | E::TimedOut => ErrorKind::Retry,
        E::BadResponse(text) => match code_of(text) {
            Some(code) if PASSING.contains(&code) => ErrorKind::Retry,
            Some(code) if CONFIG.contains(&code) => ErrorKind::Config,
            Some(_) => ErrorKind::Reject,
            // No code: a proxy, or an answer cut off.
            None => ErrorKind::Retry,
        },
        _ => ErrorKind::Corrupt,
    }
}

/// The number in `Code: 60. DB::Exception: …`.
fn code_of(text: &str) -> Option<u32> {
    let rest = &text[text.find("Code: ")? + 6..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_table_is_configuration_and_full_memory_passes() {
        let kind = |text: &str| kind_of(&clickhouse::error::Error::BadResponse(text.to_owned()));
        assert_eq!(kind("Code: 60. DB::Exception: Table t does not exist."), ErrorKind::Config);
        assert_eq!(kind("Code: 241. DB::Exception: memory limit exceeded"), ErrorKind::Retry);
        assert_eq!(kind("Code: 33. DB::Exception: cannot read all data"), ErrorKind::Reject);
        assert_eq!(kind("502 Bad Gateway"), ErrorKind::Retry);
    }
}
