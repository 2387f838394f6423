//! A blob store whose passing failures are waited out.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use linli_connectors::Result;
use linli_connectors::blobs::{Blobs, PutOutcome, SharedBlobs};
use linli_connectors::clock::SharedClock;

/// Calls before a failure is told: waiting doubles from 100 ms to a sum of about six seconds.
const CALLS_MAX: u32 = 7;

/// Calls again what failed with kind `Retry`. A conditional put that took effect before it failed is told as `Exists`, as
/// the port says: who must know whether it is its own reads it.
pub(crate) struct PatientBlobs {
    pub(crate) inner: SharedBlobs,
    pub(crate) clock: SharedClock,
}

/// Calls until it is done, fails for good or has failed too often.
macro_rules! patiently {
    ($self:ident, $call:expr) => {{
        let mut calls = 1;
        loop {
            match $call.await {
                Err(error) if error.is_retry() && calls < CALLS_MAX => {
                    $self.clock.sleep(Duration::from_millis(50 << calls)).await;
                    calls += 1;
                }
                ended => return ended,
            }
        }
    }};
}

#[async_trait]
impl Blobs for PatientBlobs {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        patiently!(self, self.inner.put_if_absent(key, bytes.clone()))
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        patiently!(self, self.inner.put(key, bytes.clone()))
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        patiently!(self, self.inner.get(key))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        patiently!(self, self.inner.list(prefix))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        patiently!(self, self.inner.delete(key))
    }
}
