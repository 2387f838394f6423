//! The MySQL client protocol, as far as a reader of binlogs needs it: login, text queries, the replication dump.
//!
//! Packets are parsed where they lie in one buffer: an event or a row of a snapshot is never copied to be read.

mod dump;
mod login;
mod packet;
mod query;
mod tls;

pub use dump::{DumpFrom, DumpOptions};
pub use login::Address;
pub use packet::Wire;
pub use query::{Cells, literal, name};

use linli_connectors::{Error, ErrorKind};

/// What the server or the connection to it says no with.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("error {code} ({state}): {message}")]
    Server { code: u16, state: String, message: String },
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the server ended the connection")]
    Closed,
    #[error("no answer within {0} s")]
    Silent(u64),
    #[error("a packet of {bytes} bytes is over the limit of {max}")]
    TooLarge { bytes: usize, max: usize },
    #[error("not understood: {0}")]
    Protocol(&'static str),
    #[error("login needs {0:?}, which is not supported")]
    Plugin(String),
    #[error("TLS: {0}")]
    Tls(String),
}

pub type WireResult<T> = Result<T, WireError>;

impl WireError {
    pub fn code(&self) -> Option<u16> {
        match self {
            WireError::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// As an error of the port, with what to do about it.
    pub fn at(self, object: impl Into<String>) -> Error {
        let (kind, hint) = self.advice();
        let error = Error::new(kind, object, self.to_string());
        match hint {
            "" => error,
            hint => error.hint(hint),
        }
    }

    fn advice(&self) -> (ErrorKind, &'static str) {
        match self {
            WireError::Server { code, message, .. } => server_advice(*code, message),
            WireError::Io(_) | WireError::Closed | WireError::Silent(_) => {
                (ErrorKind::Retry, "check that the server is up and reachable from here")
            }
            WireError::TooLarge { .. } => (ErrorKind::Config, "no row of the binlog may be longer"),
            WireError::Protocol(_) => (ErrorKind::Retry, "check that the address is that of a MySQL or MariaDB server"),
            WireError::Plugin(_) => {
                (ErrorKind::Config, "create the user with caching_sha2_password or mysql_native_password")
            }
            WireError::Tls(_) => (
                ErrorKind::Config,
                "check ssl-ca, or choose another ssl-mode (DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY)",
            ),
        }
    }
}

fn server_advice(code: u16, message: &str) -> (ErrorKind, &'static str) {
    match code {
        1045 | 1698 => (ErrorKind::Config, "check user and password in the URL of the shop"),
        1044 | 1142 | 1143 | 1227 => (
            ErrorKind::Config,
            "grant select, reload, lock tables, replication slave, replication client on *.* to the user",
        ),
        1130 => (ErrorKind::Config, "allow this host to connect, or connect from another"),
        1236 if message.contains("server_uuid") || message.contains("server_id") || message.contains("same server") => {
            (ErrorKind::Config, "another reader uses this server id: set cdc.server_id to one of its own")
        }
        1236 => (
            ErrorKind::Corrupt,
            "the server no longer has the binlog from here on: take a new snapshot with `linli ingest cdc position reset`",
        ),
        1040 | 1053 | 1152 | 1158..=1161 | 1184 | 1205 | 1213 | 2006 | 2013 | 3024 | 1317 | 1927 | 1129 => {
            (ErrorKind::Retry, "check the server's load and limits")
        }
        _ => (ErrorKind::Retry, ""),
    }
}
