//! Blobs that fail now and then, by a seed: the same seed and the same calls give the same failures.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Blobs, PutOutcome, SharedBlobs};
use crate::random::{SeededRandom, SharedRandom};
use crate::{Error, ErrorKind, Result};

/// How likely each failure of one call is, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlobFaults {
    /// The call fails and nothing happened.
    pub before: f64,
    /// The call took effect, and then fails: the caller cannot know.
    pub after: f64,
}

/// A wrapper that injects failures of kind `Retry`.
pub struct FaultyBlobs {
    inner: SharedBlobs,
    random: SharedRandom,
    faults: Mutex<BlobFaults>,
}

impl FaultyBlobs {
    pub fn new(inner: SharedBlobs, seed: u64, faults: BlobFaults) -> FaultyBlobs {
        FaultyBlobs { inner, random: Arc::new(SeededRandom::new(seed)), faults: Mutex::new(faults) }
    }

    /// Changes the rates from now on; `BlobFaults::default()` heals.
    pub fn set_faults(&self, faults: BlobFaults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Draws both failures, so that a change of one rate does not shift the other's draws.
    fn draw(&self, key: &str) -> (Result<()>, Result<()>) {
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, after) = (self.random.happens(faults.before), self.random.happens(faults.after));
        (
            fail_if(before, key, "injected failure before the effect"),
            fail_if(after, key, "injected failure after the effect"),
        )
    }
}

fn fail_if(fails: bool, key: &str, cause: &str) -> Result<()> {
    if fails { Err(Error::new(ErrorKind::Retry, format!("blob {key:?}"), cause)) } else { Ok(()) }
}

#[async_trait]
impl Blobs for FaultyBlobs {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        let (before, after) = self.draw(key);
        before?;
        let outcome = self.inner.put_if_absent(key, bytes).await?;
        after.map(|()| outcome)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let (before, after) = self.draw(key);
        before?;
        self.inner.put(key, bytes).await?;
        after
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let (before, after) = self.draw(key);
        before?;
        let found = self.inner.get(key).await?;
        after.map(|()| found)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (before, after) = self.draw(prefix);
        before?;
        let keys = self.inner.list(prefix).await?;
        after.map(|()| keys)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let (before, after) = self.draw(key);
        before?;
        self.inner.delete(key).await?;
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::{OpenOptions, open};

    async fn outcomes(seed: u64) -> Vec<bool> {
        let inner = open("memory://", OpenOptions::default()).await.expect("memory opens");
        let blobs = FaultyBlobs::new(inner, seed, BlobFaults { before: 0.2, after: 0.2 });
        let mut outcomes = Vec::new();
        for i in 0..50 {
            outcomes.push(blobs.put_if_absent(&format!("k/{i}"), Bytes::from_static(b"v")).await.is_ok());
        }
        blobs.set_faults(BlobFaults::default());
        // A failure after the effect leaves the object: more stand there than calls succeeded.
        assert!(blobs.list("k").await.expect("healed").len() > outcomes.iter().filter(|ok| **ok).count());
        outcomes
    }

    #[tokio::test]
    async fn the_same_seed_fails_alike() {
        assert_eq!(outcomes(3).await, outcomes(3).await);
        assert_ne!(outcomes(3).await, outcomes(4).await);
    }
}
