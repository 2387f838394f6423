//! What can go wrong around the shop; the shop itself cannot fail.

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("option \"{option}\" of the simulated shop is {value}; it must be {remedy}")]
    Option { option: &'static str, value: String, remedy: String },
    #[error(
        "the feed's position under \"{key}\" belongs to another shop ({found}, asked for {asked}); start with the same options, or with an empty data directory"
    )]
    OtherShop { key: String, found: String, asked: String },
    #[error("the feed's position under \"{key}\" cannot be read; delete it together with the log it belongs to")]
    CorruptPosition {
        key: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the simulated shop's feed")]
    Port(#[from] linli_connectors::Error),
    #[error("{server}: {action}")]
    Sql {
        /// And which of its databases, where it is about one.
        server: String,
        action: String,
        #[source]
        source: mysql_async::Error,
    },
    #[error("the address of the shop: {cause}; write it as in mysql://USER:PASSWORD@HOST:3306")]
    Address { cause: String },
    #[error(
        "{server} holds another shop ({found}, asked for {asked}); start with the same options, or with an empty server"
    )]
    OtherDatabase { server: String, found: String, asked: String },
    #[error(
        "table {table} at {server} holds rows that are not the simulated shop's; nothing was written: name an empty server, or follow this one with `linli ingest cdc`"
    )]
    NotOurs { server: String, table: String },
    #[error("another simulated shop commits at {server}; stop it first")]
    Taken { server: String },
    #[error("another buyer orders at {server}; stop it first")]
    BuyerTaken { server: String },
    #[error("the buyer's tables hold what cannot be read of run \"{run}\"; delete the run from linli_buyer.runs")]
    BuyerRow { run: String },
    #[error(
        "purchase order {id} is there and not of run {run}: ids of other orders may not be hashes of runs; move that order"
    )]
    OtherPurchaseOrder { id: u64, run: String },
    #[error("the generator of the simulated shop stopped: {0}")]
    Generator(#[from] tokio::task::JoinError),
}

impl Error {
    /// It may pass by itself.
    pub fn is_retry(&self) -> bool {
        match self {
            Error::Port(error) => error.is_retry(),
            Error::Sql { source, .. } => crate::sql::passes(source),
            _ => false,
        }
    }
}
