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

/// MariaDB's word for two replicas of one id; MySQL has none of its own for it.
const SAME_ID: u16 = 4052;
const OTHER_ID: &str = "stop one of the two, or set cdc.server_id to an id that no replica of this server has; 0 makes \
                        one of the reader's name";

pub type WireResult<T> = Result<T, WireError>;

impl WireError {
    pub fn code(&self) -> Option<u16> {
        match self {
            WireError::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The bytes were not those that the server sent, or no server's.
    pub fn is_damage(&self) -> bool {
        matches!(self, WireError::Protocol(_))
    }

    /// The server ended the dump, since another replica came with the same id.
    pub fn is_same_id(&self) -> bool {
        matches!(self, WireError::Server { code: 1236 | SAME_ID, .. }) && self.advice().0 == ErrorKind::Config
    }

    /// As an error of the port, with what to do about it.
    pub fn at(self, object: impl Into<String>) -> Error {
        let (kind, hint) = self.advice();
        let error = Error::new(kind, object, self.to_string()).caused_by(self);
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
        1236 => dump_advice(message),
        SAME_ID => (ErrorKind::Config, OTHER_ID),
        1040 | 1053 | 1152 | 1158..=1161 | 1184 | 1205 | 1213 | 2006 | 2013 | 3024 | 1317 | 1927 | 1129 => {
            (ErrorKind::Retry, "check the server's load and limits")
        }
        _ => (ErrorKind::Retry, ""),
    }
}

/// Why a server ends a replication dump is told by its words alone.
fn dump_advice(message: &str) -> (ErrorKind, &'static str) {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["server_uuid", "server_id", "same server"]) {
        return (ErrorKind::Config, OTHER_ID);
    }
    let hint = if says(&["crc check", "bogus", "truncat", "corrupt", "max_allowed_packet"]) {
        "the binlog is damaged on the server, or the position is none of its events: restore the file, go on behind it \
         with `linli ingest cdc position set`, or begin anew with a snapshot by `linli ingest cdc position reset`"
    } else if says(&["diverged", "higher sequence numbers", "not in the master"]) {
        "the server's history is another than the one that was read: follow the server that was read before, or begin \
         anew with a snapshot by `linli ingest cdc position reset`"
    } else {
        "the server no longer has the binlog from here on: begin anew with a snapshot by `linli ingest cdc position reset`"
    };
    (ErrorKind::Corrupt, hint)
}
