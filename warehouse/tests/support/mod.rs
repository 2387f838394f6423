//! An engine, a log, a serving store, and records as the other parts write them.

mod engine;
pub mod records;
pub mod serving;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::blobs::{self, SharedBlobs};
use linli_connectors::clock::SystemClock;
use linli_connectors::log::{self, MemoryLog, NewRecord, SharedLog, TopicPartition, TopicSpec};
use linli_schemas::Topic;
use linli_schemas::partition::partition_of;
use linli_schemas::zone::Zone;
use linli_warehouse::loader::{Endpoints, FACTS, LoaderHandle, LoaderOptions, run_facts, run_results};
use linli_warehouse::{Warehouse, migrate};
use tokio_util::sync::CancellationToken;

pub const PARTITIONS: u32 = 4;
/// A local midnight in Shanghai: 2026-11-01, a Sunday.
pub const DAY: i64 = 1_793_462_400_000;
pub const DAY_MS: i64 = 86_400_000;
/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// A database of its own on the engine of this test run.
pub async fn empty_database(name: &str) -> Warehouse {
    Warehouse::from(engine::open(name).await)
}

/// Everything that a loader works with.
pub struct Bench {
    pub warehouse: Warehouse,
    pub log: SharedLog,
    /// The same log, to make handles that fail.
    pub memory: MemoryLog,
    pub blobs: SharedBlobs,
    pub zone: Zone,
}

impl Bench {
    pub async fn new(name: &str) -> Bench {
        let warehouse = empty_database(name).await;
        migrate(&warehouse).await.expect("migrations apply");
        let memory = MemoryLog::new(log::OpenOptions::default());
        let log: SharedLog = Arc::new(memory.clone());
        let topics: Vec<TopicSpec> = Topic::ALL
            .iter()
            .map(|topic| TopicSpec {
                name: topic.name().to_owned(),
                partitions: PARTITIONS,
                compacted: topic.compacted(),
            })
            .collect();
        log.create_topics(&topics).await.expect("topics");
        let blobs = blobs::open("memory://", blobs::OpenOptions::default()).await.expect("a blob store");
        Bench { warehouse, log, memory, blobs, zone: Zone::SHANGHAI }
    }

    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            log: Arc::clone(&self.log),
            warehouse: self.warehouse.clone(),
            blobs: Arc::clone(&self.blobs),
            clock: Arc::new(SystemClock),
        }
    }

    /// Appends values under their key's partition.
    pub async fn append(&self, topic: Topic, values: &[(String, String)]) {
        let records = values
            .iter()
            .map(|(key, value)| NewRecord {
                topic: topic.name().into(),
                partition: partition_of(key.as_bytes(), PARTITIONS),
                timestamp_ms: DAY,
                key: Bytes::copy_from_slice(key.as_bytes()),
                value: Some(Bytes::copy_from_slice(value.as_bytes())),
            })
            .collect();
        self.log.append(records).await.expect("appended");
    }

    pub async fn ends(&self, topics: &[Topic]) -> BTreeMap<Topic, Vec<u64>> {
        let mut ends = BTreeMap::new();
        for topic in topics {
            let partitions: Vec<TopicPartition> =
                (0..PARTITIONS).map(|partition| TopicPartition { topic: topic.name().into(), partition }).collect();
            ends.insert(*topic, self.log.ends(&partitions).await.expect("ends"));
        }
        ends
    }

    pub fn options(&self, facts: bool) -> LoaderOptions {
        let named = if facts { LoaderOptions::facts } else { LoaderOptions::results };
        named(self.zone, PARTITIONS)
    }

    /// Runs the loader of facts until everything on the log is loaded, and stops it.
    pub async fn load_facts(&self) -> LoaderHandle {
        self.load(true).await
    }

    pub async fn load_results(&self) -> LoaderHandle {
        self.load(false).await
    }

    async fn load(&self, facts: bool) -> LoaderHandle {
        // What a loader writes to the dead letter meanwhile is read by the next one.
        let facts_topics: Vec<Topic> = FACTS.into_iter().filter(|topic| *topic != Topic::DeadLetter).collect();
        let handle = LoaderHandle::new();
        let shutdown = CancellationToken::new();
        let (endpoints, options) = (self.endpoints(), self.options(facts));
        let running = {
            let (handle, shutdown) = (handle.clone(), shutdown.clone());
            tokio::spawn(async move {
                match facts {
                    true => run_facts(endpoints, options, handle, shutdown).await,
                    false => run_results(endpoints, options, handle, shutdown).await,
                }
            })
        };
        let ends = self.ends(if facts { &facts_topics[..] } else { &Topic::METRICS }).await;
        let waited = tokio::time::timeout(DEADLINE, handle.wait_until(&ends)).await.expect("loaded in time");
        shutdown.cancel();
        let outcome = tokio::time::timeout(DEADLINE, running).await.expect("stops in time").expect("no panic");
        outcome.expect("the loader ends without an error");
        waited.expect("the loader did not stop early");
        handle
    }

    /// Forgets how far the loaders came, so that they load everything again.
    pub async fn forget_positions(&self) {
        for name in ["facts", "results"] {
            self.blobs.delete(&format!("loader/{name}/positions")).await.expect("deleted");
        }
    }

    /// The answer to a query as tab-separated lines.
    pub async fn tsv(&self, sql: &str) -> String {
        let mut cursor = self.warehouse.query(sql).fetch_bytes("TSV").expect("a query");
        let bytes = cursor.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        String::from_utf8(bytes.to_vec()).expect("text")
    }
}

impl Bench {
    /// As [`Bench::load_facts`], twice: letters that the first run wrote are loaded by the second.
    pub async fn load_facts_with_letters(&self) -> LoaderHandle {
        let handle = self.load_facts().await;
        let letters = self.ends(&[Topic::DeadLetter]).await;
        let second = LoaderHandle::new();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run_facts(self.endpoints(), self.options(true), second.clone(), shutdown.clone()));
        tokio::time::timeout(DEADLINE, second.wait_until(&letters)).await.expect("in time").expect("goes on");
        shutdown.cancel();
        running.await.expect("no panic").expect("ends without an error");
        handle
    }

    /// `\toffset\t` of the only letter about the dead letters themselves.
    pub async fn offset_of_unreadable(&self) -> String {
        let offset = self.tsv("select offset from dead_letters final where topic = 'dead-letter'").await;
        format!("\t{}\t", offset.trim())
    }
}
