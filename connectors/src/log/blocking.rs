//! Work that waits for a disk or a server without a runtime's help.

use crate::{Error, ErrorKind, Result};

/// Runs work that may take long away from the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                Err(Error::new(ErrorKind::Retry, "event log", "the runtime is shutting down").caused_by(error))
            }
        },
    }
}
