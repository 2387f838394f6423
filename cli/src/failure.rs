//! How a command fails: what happened, to what, what to do, and the exit code.

use std::fmt;

use linli_connectors::ErrorKind;

/// The kinds of failure, as the exit code tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything unforeseen.
    Internal,
    /// Wrong flags, settings or environment: fix and start again.
    Config,
    /// An endpoint did not answer: may pass by itself.
    Unavailable,
    /// An input was not acceptable.
    Input,
    /// Another process took over.
    Fenced,
    /// Stored data cannot be right: do not go on.
    Corrupt,
}

impl Kind {
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Internal => 1,
            Kind::Config => 2,
            Kind::Unavailable => 3,
            Kind::Input => 4,
            Kind::Fenced => 5,
            Kind::Corrupt => 6,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Kind::Internal => "internal",
            Kind::Config => "config",
            Kind::Unavailable => "unavailable",
            Kind::Input => "input",
            Kind::Fenced => "fenced",
            Kind::Corrupt => "corrupt",
        }
    }
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Kind {
        match kind {
            ErrorKind::Retry => Kind::Unavailable,
            ErrorKind::Reject => Kind::Input,
            ErrorKind::Fenced => Kind::Fenced,
            ErrorKind::Corrupt => Kind::Corrupt,
            ErrorKind::Config => Kind::Config,
        }
    }
}

#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<linli_connectors::Error> for Failure {
    fn from(error: linli_connectors::Error) -> Failure {
        Failure { kind: error.kind.into(), message: error.to_string(), hint: error.hint }
    }
}

impl From<linli_stream_runtime::Error> for Failure {
    fn from(error: linli_stream_runtime::Error) -> Failure {
        Failure { kind: error.kind().into(), hint: error.hint(), message: error.to_string() }
    }
}

impl From<linli_dashboards::ServeError> for Failure {
    fn from(error: linli_dashboards::ServeError) -> Failure {
        Failure { kind: Kind::Config, hint: error.hint(), message: error.to_string() }
    }
}

impl From<linli_simulator::Error> for Failure {
    fn from(error: linli_simulator::Error) -> Failure {
        match error {
            linli_simulator::Error::Port(error) => error.into(),
            linli_simulator::Error::Sql { ref source, .. } => {
                let kind = if error.is_retry() { Kind::Unavailable } else { Kind::Config };
                Failure::new(kind, format!("{error}: {source}"))
                    .hint("the simulated shop's user needs all privileges on shop_0, shop_1 and linli_simulator, for measuring on linli_bench")
            }
            error => Failure::new(Kind::Config, error.to_string()),
        }
    }
}

impl From<linli_forecasting::Error> for Failure {
    fn from(error: linli_forecasting::Error) -> Failure {
        Failure::new(Kind::Input, error.to_string()).hint(error.hint())
    }
}

impl From<linli_restock::publish::Error> for Failure {
    fn from(error: linli_restock::publish::Error) -> Failure {
        Failure { kind: error.kind().into(), hint: error.hint(), message: error.to_string() }
    }
}

impl From<linli_restock::mail::Error> for Failure {
    fn from(error: linli_restock::mail::Error) -> Failure {
        Failure { kind: error.kind().into(), hint: error.hint(), message: error.to_string() }
    }
}

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;
