//! A serving store in memory that fails and loses data now and then, by a seed.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Incarnation, MemoryServing, ServingStore, Stored, Upsert};
use crate::random::{SeededRandom, SharedRandom};
use crate::{Error, ErrorKind, Result};

/// How likely each failure of one call is, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServingFaults {
    /// The call fails and nothing happened.
    pub before: f64,
    /// The call took effect, and then fails: the caller cannot know.
    pub after: f64,
    /// All data is lost just before the call.
    pub flush: f64,
}

/// A wrapper that injects failures of kind `Retry` and losses of all data: the same seed and the same calls give the
/// same failures.
pub struct FaultyServing {
    inner: Arc<MemoryServing>,
    random: SharedRandom,
    faults: Mutex<ServingFaults>,
}

impl FaultyServing {
    pub fn new(inner: Arc<MemoryServing>, seed: u64, faults: ServingFaults) -> FaultyServing {
        FaultyServing { inner, random: Arc::new(SeededRandom::new(seed)), faults: Mutex::new(faults) }
    }

    /// Changes the rates from now on; `ServingFaults::default()` heals.
    pub fn set_faults(&self, faults: ServingFaults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Draws every failure, so that a change of one rate does not shift the others' draws.
    fn draw(&self) -> (Result<()>, Result<()>) {
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let flush = self.random.happens(faults.flush);
        let (before, after) = (self.random.happens(faults.before), self.random.happens(faults.after));
        if flush {
            self.inner.flush();
        }
        (fail_if(before, "injected failure before the effect"), fail_if(after, "injected failure after the effect"))
    }
}

fn fail_if(fails: bool, cause: &str) -> Result<()> {
    if fails { Err(Error::new(ErrorKind::Retry, "serving store memory://", cause)) } else { Ok(()) }
}

#[async_trait]
impl ServingStore for FaultyServing {
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation> {
        let (before, after) = self.draw();
        before?;
        let incarnation = self.inner.upsert(values).await?;
        after.map(|()| incarnation)
    }

    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>> {
        let (before, after) = self.draw();
        before?;
        let stored = self.inner.read(keys).await?;
        after.map(|()| stored)
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let (before, after) = self.draw();
        before?;
        let keys = self.inner.keys(prefix).await?;
        after.map(|()| keys)
    }

    async fn incarnation(&self) -> Result<Incarnation> {
        let (before, after) = self.draw();
        before?;
        let incarnation = self.inner.incarnation().await?;
        after.map(|()| incarnation)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::serving::OpenOptions;

    async fn outcomes(seed: u64) -> (Vec<bool>, usize) {
        let random = Arc::new(SeededRandom::new(seed));
        let inner = Arc::new(MemoryServing::new(OpenOptions { random, ..OpenOptions::default() }));
        let store =
            FaultyServing::new(Arc::clone(&inner), seed, ServingFaults { before: 0.2, after: 0.2, flush: 0.05 });
        let mut outcomes = Vec::new();
        let mut incarnations: Vec<Incarnation> = Vec::new();
        for version in 0..100 {
            let value = Upsert {
                key: "k".into(),
                field: version.to_string(),
                version,
                value: Bytes::from_static(b"v"),
                expire_after: None,
            };
            let outcome = store.upsert(&[value]).await;
            outcomes.push(outcome.is_ok());
            if let Ok(incarnation) = outcome
                && incarnations.last() != Some(&incarnation)
            {
                incarnations.push(incarnation);
            }
        }
        (outcomes, incarnations.len())
    }

    #[tokio::test]
    async fn the_same_seed_fails_alike() {
        let (first, incarnations) = outcomes(3).await;
        assert_eq!((first.clone(), incarnations), outcomes(3).await);
        assert!(incarnations > 1, "data was lost at least once");
        assert_ne!(first, outcomes(4).await.0);
    }
}
