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
    #[error("shop database \"{database}\": {action}")]
    Sql {
        database: String,
        action: String,
        #[source]
        source: mysql_async::Error,
    },
    #[error("the generator of the simulated shop stopped: {0}")]
    Generator(#[from] tokio::task::JoinError),
}
