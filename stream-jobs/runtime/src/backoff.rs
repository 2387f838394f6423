//! Waiting between attempts: doubled each time up to a cap, with jitter, so that runners do not come back in step.

use std::time::Duration;

use linli_connectors::clock::SharedClock;
use linli_connectors::random::SharedRandom;

use crate::error::{Error, Result};
use crate::meters::Meters;

const FIRST: Duration = Duration::from_millis(20);
const CAP: Duration = Duration::from_secs(5);
/// After so many failures in a row each is worth a warning: a hiccup is not.
const WARN_AFTER: u32 = 3;

/// What attempts need from outside.
#[derive(Clone)]
pub(crate) struct Patience {
    pub clock: SharedClock,
    pub random: SharedRandom,
    pub meters: Meters,
}

impl Patience {
    /// Calls until it succeeds or fails with something that is not passing. Never gives up by itself: whoever must
    /// stop drops the future.
    pub(crate) async fn retry<T, E, F>(
        &self,
        task: Option<u32>,
        what: &'static str,
        mut call: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<Error>,
    {
        let mut failures = 0;
        loop {
            let error: Error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error.into(),
            };
            if !error.is_retry() {
                return Err(error);
            }
            failures += 1;
            self.meters.retried(what);
            if failures >= WARN_AFTER {
                tracing::warn!(task, what, failures, error = %error, "still failing, trying again");
            }
            self.clock.sleep(self.delay(failures)).await;
        }
    }

    pub(crate) fn delay(&self, failures: u32) -> Duration {
        let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(CAP);
        let half = doubled / 2;
        half + Duration::from_millis(self.random.below(1 + u64::try_from(half.as_millis()).unwrap_or(0)))
    }
}
