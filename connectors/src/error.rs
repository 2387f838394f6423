//! What a port can fail with, and what the caller must do about it.

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Passing: try again with backoff.
    Retry,
    /// This input is not acceptable; the next may be.
    Reject,
    /// Another owner took over: stop.
    Fenced,
    /// What was read cannot be right: halt and page.
    Corrupt,
    /// Wrong configuration or environment: fix and restart.
    Config,
}

/// An error of a port. Names the object; the remedy is in `hint`.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {cause}")]
pub struct Error {
    pub kind: ErrorKind,
    /// `topic "shop.orders" on kafka://127.0.0.1:9092`
    pub object: String,
    pub cause: String,
    pub hint: Option<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, object: impl Into<String>, cause: impl Into<String>) -> Error {
        Error { kind, object: object.into(), cause: cause.into(), hint: None, source: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.source = Some(Box::new(source));
        self
    }

    pub fn is_retry(&self) -> bool {
        self.kind == ErrorKind::Retry
    }
}
