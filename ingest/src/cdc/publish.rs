//! One append at a time, tried until the log takes it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, RECORD_BYTES_MAX, SharedLog, TopicSpec};
use linli_connectors::{Error, ErrorKind};
use linli_schemas::Topic;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use super::options::CdcOptions;
use super::quarantine;
use super::route::Router;

const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// For an append that is under way when the reader is told to stop.
const GRACE: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Publisher {
    log: SharedLog,
    clock: SharedClock,
    partitions: u32,
    record_bytes_max: usize,
    stop: CancellationToken,
}

impl Publisher {
    pub fn new(log: SharedLog, clock: SharedClock, options: &CdcOptions) -> Publisher {
        let record_bytes_max = options.record_bytes_max.min(RECORD_BYTES_MAX);
        let stop = CancellationToken::new();
        Publisher { log, clock, partitions: options.partitions, record_bytes_max, stop }
    }

    /// Does not wait for the log any longer once `stop` says so.
    pub fn until(self, stop: CancellationToken) -> Publisher {
        Publisher { stop, ..self }
    }

    /// Makes the topics of all tables that are followed.
    pub async fn create_topics(&self, catalog: &Catalog, router: &Router) -> Result<(), Error> {
        let mut names: BTreeSet<String> = catalog
            .tables()
            .filter(|known| router.follows(&known.table.db, &known.table.name))
            .map(|known| router.topic(&known.table.name))
            .collect();
        names.extend([quarantine::TOPIC.to_owned(), Topic::Alerts.name().to_owned()]);
        let specs: Vec<TopicSpec> =
            names.into_iter().map(|name| TopicSpec { name, partitions: self.partitions, compacted: false }).collect();
        self.log.create_topics(&specs).await
    }

    /// Puts records that are longer than they may be into the blob store, each with a record in quarantine that names it.
    pub async fn set_aside(
        &self,
        blobs: &SharedBlobs,
        prefix: &str,
        records: Vec<NewRecord>,
    ) -> Result<Vec<NewRecord>, Error> {
        let max = self.record_bytes_max;
        let length = |record: &NewRecord| record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
        if records.iter().all(|record| length(record) <= max) {
            return Ok(records);
        }
        let mut kept = Vec::with_capacity(records.len());
        for record in records {
            let bytes = length(&record);
            if bytes <= max {
                kept.push(record);
                continue;
            }
            let value = record.value.clone().unwrap_or_default();
            let hash: String = Sha256::digest(&value).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            let object = format!("{prefix}/large/{hash}");
            tracing::error!(topic = %record.topic, bytes, object, "a record is longer than the log takes: it is kept in the blob store");
            blobs.put(&object, value).await?;
            let note = serde_json::json!({
                "topic": &*record.topic,
                "partition": record.partition,
                "key": String::from_utf8_lossy(&record.key),
                "reason": format!("a record of {bytes} bytes is over the limit of {max}"),
                "at": record.timestamp_ms,
                "object": object,
            });
            kept.push(NewRecord {
                topic: quarantine::TOPIC.into(),
                value: Some(Bytes::from(note.to_string())),
                ..record
            });
        }
        Ok(kept)
    }

    /// Appends, and waits as long as the log may come back, or until the reader is told to stop: then it is not known what
    /// of the records is there, and who begins again publishes them again.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<(), Error> {
        let mut backoff = Duration::from_millis(100);
        loop {
            let outcome = tokio::select! {
                outcome = self.log.append(records.clone()) => outcome,
                () = self.given_up() => {
                    return Err(Error::new(ErrorKind::Retry, "the log", "did not take a batch before the reader was stopped"));
                }
            };
            match outcome {
                Err(error) if error.kind == ErrorKind::Retry => {
                    tracing::warn!(%error, "the log did not take a batch: trying again");
                    tokio::select! {
                        () = self.clock.sleep(backoff) => {}
                        () = self.stop.cancelled() => return Err(error),
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
                outcome => return outcome,
            }
        }
    }

    /// An append under way is given some time to end, so that nothing is published twice without need.
    async fn given_up(&self) {
        self.stop.cancelled().await;
        self.clock.sleep(GRACE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use linli_connectors::clock::SystemClock;
    use linli_connectors::log::{EventLog, LogFaults, MemoryLog, OpenOptions};

    use super::*;

    #[tokio::test]
    async fn a_log_that_takes_nothing_is_not_waited_for_once_the_reader_is_told_to_stop() {
        let log = MemoryLog::new(OpenOptions::default());
        let topic = TopicSpec { name: "t".to_owned(), partitions: 1, compacted: false };
        log.create_topics(&[topic]).await.expect("a topic");
        log.set_faults(LogFaults { append_fails_before: 1.0, ..LogFaults::default() });
        let stop = CancellationToken::new();
        let options = CdcOptions::default();
        let publisher = Publisher::new(Arc::new(log.clone()), Arc::new(SystemClock), &options).until(stop.clone());
        let record = NewRecord {
            topic: "t".into(),
            partition: 0,
            timestamp_ms: 1,
            key: Bytes::new(),
            value: Some(Bytes::new()),
        };
        let append = publisher.append(vec![record]);
        tokio::pin!(append);
        let early = tokio::time::timeout(Duration::from_millis(400), &mut append).await;
        assert!(early.is_err(), "it tries again while nobody stops it: {early:?}");
        stop.cancel();
        let ended = tokio::time::timeout(GRACE / 2, append).await.expect("at once");
        assert_eq!(ended.expect_err("nothing was taken").kind, ErrorKind::Retry);
    }
}
