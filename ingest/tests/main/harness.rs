//! A collector without a socket, over a log in memory whose appends a test can hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use linli_connectors::Result;
use linli_connectors::clock::{Clock, SystemClock};
use linli_connectors::log::{
    Batch, EventLog, LogFaults, LogReader, Membership, MemoryLog, NewRecord, OpenOptions, TopicPartition, TopicSpec,
};
use linli_connectors::random::SeededRandom;
use linli_ingest::collect::{CollectOptions, router};
use linli_schemas::dead_letter::DeadLetter;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

pub const NOW: i64 = 1_793_491_200_000;

/// Passes appends on only while the gate is open.
#[derive(Clone)]
pub struct GatedLog {
    pub inner: MemoryLog,
    pub open: watch::Sender<bool>,
    pub appends: Arc<AtomicI64>,
}

impl GatedLog {
    pub fn new() -> GatedLog {
        let inner = MemoryLog::new(OpenOptions::default()).fork("collector", 1, LogFaults::default());
        GatedLog { inner, open: watch::Sender::new(true), appends: Arc::default() }
    }

    /// The values of a topic.
    pub async fn values(&self, topic: &str) -> Vec<Vec<u8>> {
        let log = self.inner.fork("test", 1, LogFaults::default());
        let from = (0..8).map(|partition| (TopicPartition { topic: topic.into(), partition }, 0)).collect();
        let Ok(mut reader) = log.reader(from).await else { return Vec::new() };
        let (mut batch, mut values) = (Batch::default(), Vec::new());
        loop {
            reader.poll(&mut batch, 10_000, Duration::ZERO).await.expect("no faults here");
            if batch.is_empty() {
                return values;
            }
            values.extend(batch.iter().map(|record| record.value.expect("no tombstones").to_vec()));
        }
    }

    pub async fn clicks(&self) -> Vec<Value> {
        let parse = |value: &Vec<u8>| serde_json::from_slice(value).expect("a click is JSON");
        self.values("clicks").await.iter().map(parse).collect()
    }

    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        let parse = |value: &Vec<u8>| DeadLetter::decode(value).expect("a dead letter");
        self.values("dead-letter").await.iter().map(parse).collect()
    }
}

#[async_trait]
impl EventLog for GatedLog {
    async fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.inner.create_topics(topics).await
    }
    async fn partition_count(&self, topic: &str) -> Result<Option<u32>> {
        self.inner.partition_count(topic).await
    }
    async fn append(&self, records: Vec<NewRecord>) -> Result<()> {
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.inner.append(records).await
    }
    async fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>> {
        self.inner.ends(partitions).await
    }
    async fn reader(&self, from: Vec<(TopicPartition, u64)>) -> Result<Box<dyn LogReader>> {
        self.inner.reader(from).await
    }
    async fn join(&self, group: &str, leading_topic: &str) -> Result<Box<dyn Membership>> {
        self.inner.join(group, leading_topic).await
    }
}

/// Always the same time of day; waits are real.
struct StandingClock;

impl Clock for StandingClock {
    fn now_ms(&self) -> i64 {
        NOW
    }
    fn sleep(&self, duration: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        SystemClock.sleep_owned(duration)
    }
}

trait SleepOwned {
    fn sleep_owned(&self, duration: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl SleepOwned for SystemClock {
    fn sleep_owned(&self, duration: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { SystemClock.sleep(duration).await })
    }
}

pub struct Collector {
    pub router: Router,
    pub log: GatedLog,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub fn retry_after(&self) -> u64 {
        let text = self.headers.get("retry-after").expect("retry-after").to_str().expect("ascii");
        text.parse().expect("seconds")
    }
}

impl Collector {
    pub fn start() -> Collector {
        Collector::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut CollectOptions)) -> Collector {
        let mut options = CollectOptions::default();
        change(&mut options);
        let log = GatedLog::new();
        let (router, committer) =
            router(Arc::new(log.clone()), Arc::new(StandingClock), Arc::new(SeededRandom::new(7)), &options)
                .expect("good options");
        tokio::spawn(committer);
        Collector { router, log }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn post(&self, body: impl Into<Body>) -> Answer {
        self.send(Request::post("/v1/clicks").body(body.into()).expect("a request")).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }
}

pub fn click(event_id: &str) -> String {
    format!(r#"{{"event_id":"{event_id}","type":"view","user_id":7,"community_id":12,"sku_id":5,"ts":{NOW}}}"#)
}
