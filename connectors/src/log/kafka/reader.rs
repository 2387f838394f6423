//! Reading partitions from given offsets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use super::client::{Client, Context};
use super::consume::{Failure, Fetcher};
use crate::clock::SharedClock;
use crate::log::{Batch, LogReader};
use crate::{Error, ErrorKind, Result};

const SETTINGS: &[(&str, &str)] = &[
    ("isolation.level", "read_uncommitted"), // nobody writes transactions here
    ("allow.auto.create.topics", "false"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // An offset that is gone is an error, never silently another one.
    ("auto.offset.reset", "error"),
    // What a reader holds of records not yet polled.
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.queue.backoff.ms", "5"),
    // A longer record comes alone, so these stay small and what is taken at most is large.
    ("fetch.max.bytes", "16777216"),
    ("message.max.bytes", "16777216"),
    ("max.partition.fetch.bytes", "1048576"),
    ("receive.message.max.bytes", "134217728"),
    ("fetch.wait.max.ms", "500"),
    ("fetch.error.backoff.ms", "100"),
];

/// A wake-up that was missed costs no more than this.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct KafkaReader {
    client: Arc<Client>,
    fetcher: Fetcher,
    places: Vec<(String, i32, u64)>,
    clock: SharedClock,
    /// Told once the records before it were taken.
    failure: Option<Failure>,
}

impl KafkaReader {
    pub(super) fn open(
        client: &Arc<Client>,
        clock: SharedClock,
        places: Vec<(String, i32, u64)>,
    ) -> Result<KafkaReader> {
        let consumer: BaseConsumer<Context> = client.create(SETTINGS, Context)?;
        let fetcher = Fetcher::start(consumer, &places)
            .map_err(|code| client.failed("a reader", "cannot start", &KafkaError::MessageConsumption(code)))?;
        Ok(KafkaReader { client: Arc::clone(client), fetcher, places, clock, failure: None })
    }

    /// Without waiting.
    fn fill(&mut self, batch: &mut Batch, records_max: usize) -> Result<()> {
        if self.failure.is_none() {
            self.failure = self.fetcher.take(batch, records_max);
        }
        match self.failure {
            Some(failure) if batch.is_empty() => {
                let error = self.error(failure);
                if error.kind != ErrorKind::Corrupt {
                    self.failure = None; // librdkafka goes on by itself
                }
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn error(&self, failure: Failure) -> Error {
        let what = match failure.source.and_then(|source| self.places.get(source)) {
            Some((topic, partition, _)) => format!("topic {topic:?} partition {partition}"),
            None => "reading".to_owned(),
        };
        self.client.failed(&what, "failed", &KafkaError::MessageConsumption(failure.code))
    }
}

#[async_trait]
impl LogReader for KafkaReader {
    async fn poll(&mut self, batch: &mut Batch, records_max: usize, wait: Duration) -> Result<()> {
        batch.clear();
        let clock = Arc::clone(&self.clock);
        let filled = self.fetcher.filled();
        let mut timeout = clock.sleep(wait);
        loop {
            match self.fill(batch, records_max) {
                // The partition's leader moves or the broker restarts: librdkafka finds its way.
                Err(error) if error.kind == ErrorKind::Retry => {
                    tracing::warn!(%error, "reading from kafka is interrupted");
                }
                other => other?,
            }
            if !batch.is_empty() {
                return Ok(());
            }
            self.fetcher.serve();
            if wait.is_zero() {
                return Ok(());
            }
            tokio::select! {
                () = filled.notified() => {}
                () = clock.sleep(LOOK_EVERY) => {}
                () = &mut timeout => return Ok(()),
            }
        }
    }
}
