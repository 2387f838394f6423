//! Change data capture: follows the binlogs of MySQL and MariaDB and publishes every change of a row.
//!
//! One [`Reader`] a server. Events become records in [`follow`], without I/O; [`stream`] moves bytes, batches and
//! acknowledgements around it; [`store`] keeps position and schema as one record. Design: `docs/design/0002`.

mod adopt;
mod apply;
mod batch;
mod canal;
mod captured;
mod catalog;
mod changed;
pub mod control;
mod cure;
mod ddl;
mod encoded;
mod envelope;
mod exposition;
mod first;
mod follow;
mod gtid;
mod hold;
mod incremental;
mod kept;
mod lag;
mod meters;
mod options;
mod position;
mod prepared;
mod progress;
mod publish;
mod quarantine;
mod reader;
pub mod requests;
mod resolve;
mod resume;
mod route;
mod scan;
mod schema;
mod server;
mod snapshot;
mod soft_delete;
mod spool;
mod store;
mod stream;
mod truncate;
mod view;
mod wire;
mod written;
mod xa;

pub use exposition::Exposition;
pub use linli_binlog::MaskStyle;
pub use meters::{Meters, Snapshot as Figures};
pub use options::{CdcOptions, ColumnAction, ColumnSetting, ORDER_TABLES};
pub use position::{Place, Position};
pub use reader::{Begin, Parts, Reader, Until};
pub use wire::Address;
