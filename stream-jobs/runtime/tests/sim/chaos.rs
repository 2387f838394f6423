//! What befalls one life of a runner: at its nth call of a port it dies, or sleeps and goes on as a zombie.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use linli_connectors::Result;
use linli_connectors::blobs::{Blobs, PutOutcome, SharedBlobs};
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{EventLog, LogReader, Membership, NewRecord, SharedLog, TopicPartition, TopicSpec};
use linli_connectors::serving::{Incarnation, ServingStore, SharedServing, Stored, Upsert};
use tokio_util::sync::CancellationToken;

use super::auditor::Auditor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Crash,
    Sleep(Duration),
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    BeforeEffect,
    AfterEffect,
}

/// The fate of one life.
pub struct Chaos {
    pub life: u32,
    pub fate: Fate,
    pub when: When,
    /// At which writing call.
    pub at_call: u64,
    pub calls: AtomicU64,
    pub crashed: CancellationToken,
    pub clock: SharedClock,
    pub auditor: Arc<Auditor>,
}

impl Chaos {
    async fn call<T>(&self, what: &str, effect: impl Future<Output = Result<T>>) -> Result<T> {
        let strikes = self.calls.fetch_add(1, Ordering::Relaxed) == self.at_call;
        if strikes && self.when == When::BeforeEffect {
            self.strike().await;
        }
        let outcome = effect.await;
        self.auditor.trace(self.life, what, outcome.is_ok());
        if strikes && self.when == When::AfterEffect {
            self.strike().await;
        }
        outcome
    }

    async fn strike(&self) {
        match self.fate {
            Fate::None => {}
            Fate::Sleep(time) => self.clock.sleep(time).await,
            Fate::Crash => {
                self.auditor.died(self.life);
                self.crashed.cancel();
                std::future::pending().await
            }
        }
    }
}

pub struct ChaosBlobs(pub Arc<Chaos>, pub SharedBlobs);

#[async_trait]
impl Blobs for ChaosBlobs {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        self.0.call(key, self.1.put_if_absent(key, bytes)).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.0.call(key, self.1.put(key, bytes)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.1.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.1.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.0.call(key, self.1.delete(key)).await
    }
}

pub struct ChaosServing(pub Arc<Chaos>, pub SharedServing);

#[async_trait]
impl ServingStore for ChaosServing {
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation> {
        self.0.auditor.upserting(values);
        self.0.call("upsert", self.1.upsert(values)).await
    }

    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>> {
        self.1.read(keys).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.1.keys(prefix).await
    }

    async fn incarnation(&self) -> Result<Incarnation> {
        self.1.incarnation().await
    }
}

pub struct ChaosLog(pub Arc<Chaos>, pub SharedLog);

#[async_trait]
impl EventLog for ChaosLog {
    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.1.create_topics(topics).await
    }

    async fn partition_count(&self, topic: &str) -> Result<Option<u32>> {
        self.1.partition_count(topic).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<()> {
        self.0.auditor.appending(&records);
        self.0.call("append", self.1.append(records)).await
    }

    async fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>> {
        self.1.ends(partitions).await
    }

    async fn reader(&self, from: Vec<(TopicPartition, u64)>) -> Result<Box<dyn LogReader>> {
        self.1.reader(from).await
    }

    async fn join(&self, group: &str, leading_topic: &str) -> Result<Box<dyn Membership>> {
        self.1.join(group, leading_topic).await
    }
}

/// Beneath the injected failures: sees what really happened.
pub struct AuditedBlobs {
    pub life: u32,
    pub auditor: Arc<Auditor>,
    pub inner: SharedBlobs,
}

#[async_trait]
impl Blobs for AuditedBlobs {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        let outcome = self.inner.put_if_absent(key, bytes.clone()).await?;
        if outcome == PutOutcome::Created {
            self.auditor.published(self.life, key, bytes);
        }
        Ok(outcome)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        if key.contains("/epochs/") {
            self.auditor.violated(format!("epoch {key} was written over"));
        }
        self.inner.put(key, bytes).await?;
        self.auditor.marked(self.life, key);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }
}
