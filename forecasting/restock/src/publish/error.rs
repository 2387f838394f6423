//! What publishing can fail with.

use linli_connectors::ErrorKind;
use linli_schemas::forecast::RunId;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{server}: {action}: {source}")]
    Sql {
        server: String,
        action: String,
        #[source]
        source: mysql_async::Error,
    },
    #[error("the topics of run {run}: {source}")]
    Log {
        run: RunId,
        #[source]
        source: linli_connectors::Error,
    },
    #[error("{server}: somebody else publishes a run into {database}")]
    Taken { server: String, database: String },
    #[error("run {run} is not there")]
    NoRun { run: RunId },
    #[error("run {run} is {state}: it cannot be {wanted}")]
    State { run: RunId, state: String, wanted: &'static str },
    #[error("run {run} of {date} was begun as one of {begun} by policy {policy}")]
    OtherRun { run: RunId, date: chrono::NaiveDate, begun: chrono::NaiveDate, policy: String },
    #[error("run {run} was overtaken: {by} is newer and complete")]
    Overtaken { run: RunId, by: RunId },
    #[error("goods were ordered by run {by} after run {run} had read what is under way")]
    OrderedSince { run: RunId, by: String },
    #[error("run {run}: {table} holds {found} {what}, not {told}")]
    Counts { run: RunId, table: &'static str, what: &'static str, found: u64, told: u64 },
    #[error("run {run}: {cause}")]
    Row { run: RunId, cause: String },
    #[error("run {run}: table {table} holds what cannot be read: {cause}")]
    Unreadable { run: RunId, table: &'static str, cause: String },
    #[error("no run before {run} can be shown")]
    NoEarlier { run: RunId },
}

impl Error {
    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Sql { source, .. } if passes(source) => ErrorKind::Retry,
            Error::Sql { .. } | Error::NoRun { .. } | Error::State { .. } | Error::NoEarlier { .. } => {
                ErrorKind::Config
            }
            Error::Log { source, .. } => source.kind,
            Error::Taken { .. } => ErrorKind::Retry,
            Error::Overtaken { .. } | Error::OrderedSince { .. } => ErrorKind::Fenced,
            Error::OtherRun { .. } | Error::Row { .. } => ErrorKind::Reject,
            Error::Counts { .. } | Error::Unreadable { .. } => ErrorKind::Corrupt,
        }
    }

    /// The remedy.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Sql { source, .. } if passes(source) => {
                "start it again when the server answers: a run goes on where it stopped".to_owned()
            }
            Error::Sql { .. } => "its user needs CREATE, CREATE VIEW, SELECT, INSERT, UPDATE and DELETE on the shop's \
                                  first database; a table or view of an earlier version is to be dropped"
                .to_owned(),
            Error::Log { source, .. } => return source.hint.clone(),
            Error::Taken { .. } => "wait until it has ended, or end it".to_owned(),
            Error::NoRun { .. } => "the runs that were there are in table restock_runs".to_owned(),
            Error::State { state, .. } if state.starts_with("remov") => {
                "its rows were removed as those of an old run: make it anew".to_owned()
            }
            Error::State { .. } => "make a new run: one that was withdrawn is not published again".to_owned(),
            Error::OtherRun { .. } => "an id belongs to one date and policy: give this run another".to_owned(),
            Error::Overtaken { .. } => "withdraw the newer one first, or leave this one".to_owned(),
            Error::OrderedSince { .. } => {
                "make a new run: this one would order the same goods again; nothing of it is shown".to_owned()
            }
            Error::Counts { .. } => {
                "withdraw it and make a run with another id: rows of another try are under this one".to_owned()
            }
            Error::Row { .. } => "mend the row; nothing of the run is shown yet".to_owned(),
            Error::Unreadable { .. } => {
                "withdraw it and make a run with another id: somebody altered its rows".to_owned()
            }
            Error::NoEarlier { .. } => "name one that is complete, or withdraw this one: then none is shown".to_owned(),
        })
    }
}

/// Whether the same may succeed a while later, on a connection of its own.
fn passes(error: &mysql_async::Error) -> bool {
    match error {
        mysql_async::Error::Io(_) => true,
        mysql_async::Error::Driver(error) => matches!(error, mysql_async::DriverError::ConnectionClosed),
        // too many connections, shutting down, blocked, cut off, waited too long for a lock, deadlock, killed
        mysql_async::Error::Server(error) => matches!(
            error.code,
            1040 | 1053 | 1129 | 1152 | 1158..=1161 | 1184 | 1205 | 1213 | 1317 | 1927 | 2006 | 2013 | 3024 | 4031
        ),
        _ => false,
    }
}
