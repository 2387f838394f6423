//! Binlogs of MySQL and MariaDB: events from bytes, row images to exact values, values to JSON.
//!
//! Pure: no I/O, no clock. No bytes make it panic, and what it allocates is bounded by what it is given.

mod bytes;
mod charset;
mod columns;
mod compressed;
mod decoder;
mod defaults;
mod error;
mod escape;
mod event;
mod gtid;
mod header;
mod payload;
mod query;
mod rows;
mod rules;
mod schema;
mod table_map;
mod text_row;
mod type_text;
mod value;
mod xa;

pub use charset::Charset;
pub use columns::SqlText;
pub use decoder::{Image, RowCursor, RowDecoder, RowImages, Warning, WarningKind};
pub use defaults::{ColumnDefault, Literal};
pub use error::{DecodeError, Mismatch, Result, TypeError};
pub use event::{Event, parse};
pub use gtid::{Gtid, GtidIntervals, MariadbGtid, MariadbGtidList, PreviousGtids, Uuid};
pub use header::{Checksum, FormatDescription, HEADER_LEN, Header, MAGIC, frame, kind, verify};
pub use payload::{Compression, Payload, PayloadEvents};
pub use query::{Query, Session};
pub use rows::{Rows, RowsKind};
pub use rules::{ColumnRule, MaskStyle};
pub use schema::{Column, ColumnType, Table};
pub use table_map::{LogColumn, TableLayout, TableMap, column_type};
pub use text_row::{TextRows, select_expression};
pub use xa::{XaStatement, Xid};
