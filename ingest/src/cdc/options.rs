//! What is followed, where it goes, and what must not leave.

use std::collections::BTreeMap;
use std::time::Duration;

use linli_binlog::MaskStyle;
use linli_connectors::log::RECORD_BYTES_MAX;
use linli_schemas::zone::Zone;

#[derive(Clone, Debug)]
pub struct CdcOptions {
    /// The databases that are followed: a pattern for the whole name.
    pub databases: String,
    /// The tables of them that are followed: a pattern for the whole `database.table`.
    pub tables: String,
    /// Tables that are not, of those.
    pub exclude: String,
    /// From the physical to the logical table: the first group of this pattern, where it matches.
    pub route: String,
    /// Topics are this and the logical table.
    pub topic_prefix: String,
    /// Column whose value is the key, by logical table; the primary key for all others.
    pub keys: BTreeMap<String, String>,
    /// What becomes of columns before they leave. The first that matches holds.
    pub columns: Vec<ColumnSetting>,
    /// The key of hashed columns.
    pub hash_key: Vec<u8>,
    /// Topics in the format of Canal instead of Debezium's.
    pub canal: Vec<String>,
    /// Column that marks a deleted row, by logical table: marking one is published as a delete, and marked rows are not.
    pub soft_deletes: BTreeMap<String, String>,
    /// In which Canal's messages tell a TIMESTAMP.
    pub zone: Zone,
    /// A delete is followed by a record without a value, on topics in Debezium's format.
    pub tombstones: bool,
    pub partitions: u32,
    /// Tells readers of one server apart: those of two namespaces are two replicas.
    pub reader: String,
    /// This reader's id among the replicas of a server; 0 makes one from its name and the server's.
    pub server_id: u32,
    /// An idle server says how far it is this often.
    pub heartbeat: Duration,
    /// The position is written down this often.
    pub save_interval: Duration,
    /// Connections that read a first snapshot at the same time.
    pub snapshot_workers: usize,
    /// A table is read anew when a column is added or changes its type: no change of a row tells what its rows hold then.
    pub reread_altered: bool,
    /// Rows that are read in one view by a snapshot between live changes.
    pub snapshot_chunk_rows: usize,
    /// A batch is cut at this many records or bytes, if the log is slower than the server.
    pub batch_records: usize,
    pub batch_bytes: usize,
    /// A longer record, key and value together, goes to the blob store instead. At most what the log takes.
    pub record_bytes_max: usize,
}

/// Columns by pattern.
#[derive(Clone, Debug)]
pub struct ColumnSetting {
    /// Pattern for the whole `logical_table.column`.
    pub column: String,
    pub action: ColumnAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnAction {
    Keep,
    Drop,
    Mask(MaskStyle),
    Hash,
}

/// Tables about an order, keyed by its community so that they lie beside it.
pub const ORDER_TABLES: [&str; 6] = ["orders", "order_items", "payments", "refunds", "deliveries", "complaints"];

impl Default for CdcOptions {
    fn default() -> CdcOptions {
        let mask = |column: &str, style| ColumnSetting { column: column.to_owned(), action: ColumnAction::Mask(style) };
        CdcOptions {
            databases: r"shop|shop_\d+".to_owned(),
            tables: ".*".to_owned(),
            // the copies that online schema changes work on, and what the shop reads back from us
            exclude: concat!(
                r".*\.(_.*_(gho|ghc|del|new|old)|demand_forecast(_rows)?|restock_(suggestion(_rows)?|runs|current)",
                r"|community_profile|user_segment)"
            )
            .to_owned(),
            route: r"^(.*?)_\d+$".to_owned(),
            topic_prefix: "shop.".to_owned(),
            keys: ORDER_TABLES.iter().map(|table| ((*table).to_owned(), "community_id".to_owned())).collect(),
            columns: vec![
                mask(r"(orders|users|leaders)\.phone", MaskStyle::Phone),
                mask(r"(users|leaders)\.name", MaskStyle::Name),
                mask(r"orders\.address", MaskStyle::Address),
            ],
            hash_key: Vec::new(),
            canal: Vec::new(),
            soft_deletes: BTreeMap::new(),
            zone: Zone::SHANGHAI,
            tombstones: false,
            partitions: 8,
            reader: String::new(),
            server_id: 0,
            heartbeat: Duration::from_secs(1),
            save_interval: Duration::from_millis(250),
            snapshot_workers: 2,
            reread_altered: true,
            snapshot_chunk_rows: 20_000,
            batch_records: 20_000,
            batch_bytes: 8 << 20,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }
}
