//! The mail port: a server that takes letters, or a directory of `.eml` files.

mod file;
mod smtp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_connectors::{Error, ErrorKind, Result};
use url::Url;

use super::Letter;

/// Takes letters.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Where letters go, without secrets.
    fn name(&self) -> &str;

    /// Hands a letter over. Returns with the taker's answer once the taker answers for it; whatever failed, the same letter
    /// may be handed over again and carries the same id.
    async fn send(&self, letter: &Letter) -> std::result::Result<String, Failed>;

    /// Whether letters could be handed over: connects, secures and signs in, and sends nothing.
    async fn check(&self) -> Result<()>;

    /// Ends a conversation that is open.
    async fn close(&self);
}

pub type SharedMailer = Arc<dyn Mailer>;

/// Why a letter was not taken, and what comes of it.
#[derive(Debug)]
pub enum Failed {
    /// For good: the recipient or the letter is refused.
    Refused { answer: String },
    /// This letter may be taken later. Where the answer got lost it may have been taken.
    Later { reason: String },
    /// No letter can be handed over now.
    Unreachable { reason: String },
    /// No letter can be handed over before a person mends something.
    Broken(Error),
}

/// How to open a mailer.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Where `file://` without a path keeps its letters: `DATA_DIR/outbox`.
    pub data_dir: Option<PathBuf>,
    /// The password where the URL has a user and no password; a secret.
    pub password: Option<String>,
    /// How long handing over one letter may take.
    pub timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions { data_dir: None, password: None, timeout: Duration::from_secs(60) }
    }
}

/// Opens `smtp://[USER[:PASSWORD]@]HOST[:PORT]` (STARTTLS; port 587), `smtps://…` (TLS from the first byte; port 465) or
/// `file:///DIR`. Options of the first two: `ca=FILE` (the only authority that is trusted, PEM), `tls=none` (no TLS: a relay
/// on this machine), `hello=NAME` (how this machine calls itself).
pub fn open(url: &str, options: &OpenOptions) -> Result<SharedMailer> {
    // What is no URL may hold a password all the same: it is not repeated.
    let parsed = Url::parse(url).map_err(|error| {
        Error::new(ErrorKind::Config, "mail server", "its URL cannot be read").caused_by(error).hint(FORMS)
    })?;
    match parsed.scheme() {
        "smtp" | "smtps" => Ok(Arc::new(smtp::SmtpMailer::open(&parsed, options)?)),
        "file" => Ok(Arc::new(file::FileMailer::open(&parsed, options)?)),
        scheme => {
            Err(Error::new(ErrorKind::Config, "mail server", format!("scheme {scheme}:// is not known")).hint(FORMS))
        }
    }
}

const FORMS: &str = "use smtp://USER:PASSWORD@HOST, smtps://USER:PASSWORD@HOST or file:///DIR";
