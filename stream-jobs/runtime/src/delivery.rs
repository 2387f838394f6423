//! Delivering an outbox: to the log and to the serving store side by side, then the mark.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::log::NewRecord;
use linli_connectors::serving::{Incarnation, Upsert};
use linli_schemas::Topic;
use linli_schemas::partition::partition_of;

use crate::Ports;
use crate::backoff::Patience;
use crate::epoch::{Epoch, EpochHeader, EpochStore, Outbox, OutboxItem};
use crate::error::Result;

const APPEND_RECORDS_MAX: usize = 1024;
const APPEND_BYTES_MAX: usize = 4 << 20;
const UPSERTS_MAX: usize = 256;
const UPSERT_BYTES_MAX: usize = 1 << 20;

/// What a delivery needs, so that it can run while the task goes on.
#[derive(Clone)]
pub(crate) struct Courier {
    pub ports: Ports,
    pub patience: Patience,
    pub store: EpochStore,
    pub partitions: u32,
    pub serving_expires_after: Duration,
}

/// A delivery that is complete and marked.
pub(crate) struct Delivered {
    pub epoch: Epoch,
    /// Of the serving store as it answered last; `None` when nothing was written to it.
    pub incarnation: Option<Incarnation>,
}

impl Courier {
    /// Delivers everything, marks it, and deletes a portion of garbage. Retries passing failures without end.
    pub(crate) async fn deliver(self, header: EpochHeader, outbox: Outbox, garbage: Vec<String>) -> Result<Delivered> {
        let started = self.ports.clock.now_ms();
        let task = header.task;
        let incarnation = self.send(task, &outbox).await?;
        self.patience.retry(Some(task), "mark delivered", || self.store.mark_delivered(&header)).await?;
        let took_ms = self.ports.clock.now_ms() - started;
        self.patience.meters.delivered(Duration::from_millis(took_ms.max(0) as u64));
        tracing::info!(
            task,
            generation = header.generation.0,
            epoch = header.epoch.0,
            effects = outbox.len(),
            took_ms,
            "epoch delivered"
        );
        for key in garbage {
            // What fails to be deleted is found again with the next base.
            if let Err(error) = self.store.delete(&key).await {
                tracing::debug!(task, key, error = %error, "garbage stays for now");
            }
        }
        Ok(Delivered { epoch: header.epoch, incarnation })
    }

    /// The effects alone.
    pub(crate) async fn send(&self, task: u32, outbox: &Outbox) -> Result<Option<Incarnation>> {
        let ((), incarnation) = futures::try_join!(self.append(task, outbox), self.upsert(task, outbox))?;
        Ok(incarnation)
    }

    async fn append(&self, task: u32, outbox: &Outbox) -> Result<()> {
        let topics = Names::new();
        let now = self.ports.clock.now_ms();
        let (mut records, mut bytes) = (Vec::new(), 0);
        for item in outbox.iter() {
            let record = self.record(&topics, item, now);
            bytes += record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
            records.push(record);
            if records.len() >= APPEND_RECORDS_MAX || bytes >= APPEND_BYTES_MAX {
                self.append_batch(task, std::mem::take(&mut records)).await?;
                bytes = 0;
            }
        }
        self.append_batch(task, records).await
    }

    async fn append_batch(&self, task: u32, records: Vec<NewRecord>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.patience.retry(Some(task), "append effects", || self.ports.log.append(records.clone())).await
    }

    fn record(&self, topics: &Names, item: OutboxItem, now: i64) -> NewRecord {
        let meters = &self.patience.meters;
        let (topic, partition, key, value) = match item {
            OutboxItem::Metric { key, value, .. } => {
                meters.effects("metric", 1);
                let log_key = Bytes::from(key.log_key());
                (key.metric.topic(), partition_of(&log_key, self.partitions), log_key, value)
            }
            OutboxItem::Forward { topic, partition, key, value } => {
                meters.effects("forward", 1);
                (topic, partition, key, value)
            }
            OutboxItem::DeadLetter { key, value } => {
                meters.effects("dead_letter", 1);
                (Topic::DeadLetter, partition_of(&key, self.partitions), key, value)
            }
        };
        NewRecord { topic: topics.of(topic), partition, timestamp_ms: now, key, value: Some(value) }
    }

    async fn upsert(&self, task: u32, outbox: &Outbox) -> Result<Option<Incarnation>> {
        let mut incarnation = None;
        let (mut values, mut bytes) = (Vec::new(), 0);
        for item in outbox.iter() {
            let OutboxItem::Metric { key, version, value } = item else {
                continue;
            };
            bytes += value.len();
            values.push(Upsert {
                key: key.serving_key(),
                field: key.serving_field(),
                version: version.as_u64(),
                value,
                expire_after: Some(self.serving_expires_after),
            });
            if values.len() >= UPSERTS_MAX || bytes >= UPSERT_BYTES_MAX {
                incarnation = Some(self.upsert_batch(task, &values).await?);
                values.clear();
                bytes = 0;
            }
        }
        if !values.is_empty() {
            incarnation = Some(self.upsert_batch(task, &values).await?);
        }
        Ok(incarnation)
    }

    async fn upsert_batch(&self, task: u32, values: &[Upsert]) -> Result<Incarnation> {
        self.patience.retry(Some(task), "upsert effects", || self.ports.serving.upsert(values)).await
    }
}

/// The topics' names, shared by all records of a delivery.
struct Names([(Topic, Arc<str>); Topic::ALL.len()]);

impl Names {
    fn new() -> Names {
        Names(Topic::ALL.map(|topic| (topic, Arc::from(topic.name()))))
    }

    fn of(&self, topic: Topic) -> Arc<str> {
        let found = self.0.iter().find(|(named, _)| *named == topic);
        found.map_or_else(|| Arc::from(topic.name()), |(_, name)| Arc::clone(name))
    }
}
