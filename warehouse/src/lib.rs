//! The warehouse: its tables, the loaders that fill them from the event log, and the named queries that answer from them.
//!
//! Everything is idempotent: a batch loaded twice, loaded again after a crash or loaded late leaves the same answers,
//! because every table is a ReplacingMergeTree by the identity of its rows and no answer is read without `final`.

pub mod answers;
pub mod live;
pub mod loader;
pub mod migrate;
pub mod query;
pub mod restock;
mod row_binary;
mod sql;

pub use linli_connectors::{Error, ErrorKind, Result};
pub use migrate::{Applied, migrate};
pub use sql::Warehouse;
