use std::sync::Arc;
use std::time::Duration;

use linli_connectors::log::{
    self, Batch, MemoryLog, NewRecord, OpenOptions, SharedLog, TopicPartition, TopicSpec, conformance,
};
use linli_tests::stack::Kafka;

use crate::report;

fn options() -> OpenOptions {
    OpenOptions { namespace: "conformance".to_owned(), ..OpenOptions::default() }
}

fn opener(url: String) -> conformance::Opener {
    Arc::new(move || {
        let url = url.clone();
        Box::pin(async move { log::open(&url, options()).await.expect("the log opens") })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka() {
    let kafka = Kafka::start();
    let cases = conformance::run(opener(kafka.url())).await;
    report(&format!("kafka {}", kafka.version().expect("a version")), cases);
}

/// Not the suite: the markers of transactions take offsets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_transactions_show_whole_and_fence_the_producer_before() {
    let kafka = Kafka::start();
    let open =
        async |setting: &str| log::open(&format!("{}?{setting}", kafka.url()), options()).await.expect("the log opens");
    let first = open("transactional.id=reader").await;
    let spec = TopicSpec { name: "whole".to_owned(), partitions: 2, compacted: false };
    first.create_topics(&[spec]).await.expect("a topic");
    let records = |keys: std::ops::Range<u8>| -> Vec<NewRecord> {
        keys.map(|key| NewRecord {
            topic: "whole".into(),
            partition: u32::from(key % 2),
            timestamp_ms: 1,
            key: vec![key].into(),
            value: Some(vec![key; 3].into()),
        })
        .collect()
    };
    first.append(records(0..10)).await.expect("a first transaction");
    first.append(records(10..20)).await.expect("a second one");

    let second = open("transactional.id=reader").await;
    second.append(records(20..25)).await.expect("another producer takes over");
    let error = first.append(records(90..99)).await.expect_err("the first is fenced");
    assert_eq!(error.kind, linli_connectors::ErrorKind::Fenced, "{error}");

    let reading = open("isolation.level=read_committed").await;
    let places = (0..2).map(|partition| (TopicPartition { topic: "whole".into(), partition }, 0)).collect();
    let (mut reader, mut batch, mut seen) =
        (reading.reader(places).await.expect("a reader"), Batch::default(), Vec::new());
    while seen.len() < 25 {
        reader.poll(&mut batch, 100, Duration::from_secs(10)).await.expect("records");
        assert!(!batch.is_empty(), "{seen:?}");
        seen.extend(batch.iter().map(|record| record.key[0]));
    }
    reader.poll(&mut batch, 100, Duration::from_millis(300)).await.expect("no more records");
    assert!(batch.is_empty(), "what the fenced producer sent does not show");
    let (even, odd): (Vec<u8>, Vec<u8>) = seen.iter().partition(|key| **key % 2 == 0);
    assert!(even.is_sorted() && odd.is_sorted(), "{seen:?}");
    assert_eq!(even.len() + odd.len(), 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let cases = conformance::run(opener(format!("file://{}", directory.path().display()))).await;
    report("file log", cases);
}

#[tokio::test]
async fn memory_log() {
    let shared = MemoryLog::new(options());
    let open = move || {
        let log: SharedLog = Arc::new(shared.clone());
        Box::pin(async move { log }) as _
    };
    report("memory log", conformance::run(Arc::new(open)).await);
}
