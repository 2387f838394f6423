//! One append at a time, tried until the log takes it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, RECORD_BYTES_MAX, SharedLog, TopicSpec};
use linli_connectors::{Error, ErrorKind};
use sha2::{Digest, Sha256};

use super::catalog::Catalog;
use super::options::CdcOptions;
use super::quarantine;
use super::route::Router;

const BACKOFF_MAX: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Publisher {
    log: SharedLog,
    clock: SharedClock,
    partitions: u32,
    record_bytes_max: usize,
}

impl Publisher {
    pub fn new(log: SharedLog, clock: SharedClock, options: &CdcOptions) -> Publisher {
        let record_bytes_max = options.record_bytes_max.min(RECORD_BYTES_MAX);
        Publisher { log, clock, partitions: options.partitions, record_bytes_max }
    }

    /// Makes the topics of all tables that are followed.
    pub async fn create_topics(&self, catalog: &Catalog, router: &Router) -> Result<(), Error> {
        let mut names: BTreeSet<String> = catalog
            .tables()
            .filter(|known| router.follows(&known.table.db, &known.table.name))
            .map(|known| router.topic(&known.table.name))
            .collect();
        names.insert(quarantine::TOPIC.to_owned());
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

    /// Appends, and waits as long as the log may come back. Returns what could not be taken for its length.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<(), Error> {
        let mut backoff = Duration::from_millis(100);
        loop {
            match self.log.append(records.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if error.kind == ErrorKind::Retry => {
                    tracing::warn!(%error, "the log did not take a batch: trying again");
                    self.clock.sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
