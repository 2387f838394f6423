//! What enters Linli: imported history and collected clicks, held to the schemas and put on the event log.

pub mod cdc;
pub mod collect;
pub mod import;
