//! What the mail can fail with, and what to do about it.

use linli_connectors::ErrorKind;
use linli_schemas::forecast::RunId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("\"{text}\" is no address that mail can be sent from or to")]
    Address { text: String },
    #[error("the workbook for supplier {supplier_id} cannot be written")]
    Workbook {
        supplier_id: i64,
        #[source]
        source: rust_xlsxwriter::XlsxError,
    },
    #[error("the mail to supplier {supplier_id} cannot be written")]
    Message { supplier_id: i64 },
    #[error("suppliers were told that run {run} does not hold")]
    Withdrawn { run: RunId },
    #[error(transparent)]
    Port(#[from] linli_connectors::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Address { .. } => ErrorKind::Config,
            Error::Workbook { .. } | Error::Message { .. } | Error::Withdrawn { .. } => ErrorKind::Reject,
            Error::Port(error) => error.kind,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Address { .. } => {
                Some("write it as in orders@example.com, or \"Orders\" <orders@example.com>".to_owned())
            }
            Error::Workbook { .. } | Error::Message { .. } => None,
            Error::Withdrawn { .. } => Some("make a new run: `linli forecast run`".to_owned()),
            Error::Port(error) => error.hint.clone(),
        }
    }
}
