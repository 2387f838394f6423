//! Why a task, or the runner, stops.

use linli_connectors::ErrorKind;
use linli_stream_jobs::task::CorruptState;

use crate::epoch::{CorruptBlob, Generation};
use crate::recovery::Refusal;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Port(#[from] linli_connectors::Error),
    #[error("task {task} of generation {generation} was taken over by generation {by}")]
    Fenced { task: u32, generation: Generation, by: Generation },
    #[error("task {task} does not start: {refusal}")]
    Refused { task: u32, refusal: Refusal },
    #[error(transparent)]
    CorruptBlob(#[from] CorruptBlob),
    #[error(transparent)]
    CorruptState(#[from] CorruptState),
    #[error("the options of the jobs do not fit: {cause}")]
    Options { cause: String },
    #[error("task {task} ended by a panic: {cause}")]
    Panicked { task: u32, cause: String },
}

impl Error {
    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Port(error) => error.kind,
            Error::Fenced { .. } => ErrorKind::Fenced,
            Error::Refused { .. } | Error::Options { .. } => ErrorKind::Config,
            Error::CorruptBlob(_) | Error::CorruptState(_) | Error::Panicked { .. } => ErrorKind::Corrupt,
        }
    }

    pub fn is_retry(&self) -> bool {
        self.kind() == ErrorKind::Retry
    }

    /// The remedy, where there is one to name.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Port(error) => error.hint.clone(),
            Error::Fenced { .. } => {
                Some("another runner owns the task now; run one `here`, or several in one group".to_owned())
            }
            Error::Refused { refusal, .. } => Some(refusal.remedy()),
            Error::CorruptBlob(_) | Error::CorruptState(_) => {
                Some("restore the blobs from a backup, or replay the log under a new --namespace".to_owned())
            }
            Error::Options { .. } | Error::Panicked { .. } => None,
        }
    }
}
