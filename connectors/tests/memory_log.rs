//! The log in memory: its failures, and that they are the same each time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::clock::{Clock, SimulatedClock};
use linli_connectors::log::{Batch, EventLog, LogFaults, MemoryLog, NewRecord, OpenOptions, TopicPartition, TopicSpec};

const FAULTS: LogFaults = LogFaults {
    append_fails_before: 0.1,
    append_fails_midway: 0.1,
    append_fails_after: 0.1,
    poll_fails: 0.1,
    poll_is_slow: 0.3,
    poll_delay_max: Duration::from_millis(300),
    other_calls_fail: 0.0,
};

async fn fresh() -> (MemoryLog, Arc<SimulatedClock>) {
    let clock = Arc::new(SimulatedClock::starting_at(1_000_000));
    let log = MemoryLog::new(OpenOptions { clock: Arc::clone(&clock) as _, ..OpenOptions::default() });
    log.create_topics(&[TopicSpec { name: "t".to_owned(), partitions: 2, compacted: false }]).await.expect("created");
    (log, clock)
}

fn records(from: u32) -> Vec<NewRecord> {
    (from..from + 10)
        .map(|i| NewRecord {
            topic: "t".into(),
            partition: i % 2,
            timestamp_ms: 0,
            key: "k".into(),
            value: Some(format!("{i}").into()),
        })
        .collect()
}

/// Everything that happened, as text.
async fn run(seed: u64) -> String {
    let (log, clock) = fresh().await;
    let faulty = log.fork("faulty", seed, FAULTS);
    let mut trace = Vec::new();
    let writer = faulty.clone();
    let writing = tokio::spawn(async move {
        let mut outcomes = Vec::new();
        for i in 0..50 {
            outcomes.push(writer.append(records(i * 10)).await.map_err(|error| error.cause));
            tokio::task::yield_now().await;
        }
        outcomes
    });
    let from = (0..2).map(|partition| (TopicPartition { topic: "t".into(), partition }, 0)).collect();
    let mut reader = faulty.reader(from).await.expect("a reader");
    let mut batch = Batch::default();
    for _ in 0..100 {
        match reader.poll(&mut batch, 7, Duration::from_secs(1)).await {
            Ok(()) => trace.extend(batch.iter().map(|record| format!("{record:?}"))),
            Err(error) => trace.push(error.cause),
        }
        trace.push(format!("at {}", clock.now_ms()));
    }
    trace.push(format!("{:?}", writing.await.expect("written")));
    trace.join("\n")
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run() {
    let (one, again, other) = (run(1).await, run(1).await, run(2).await);
    let relative = |trace: &str| trace.to_owned();
    assert_eq!(relative(&one), relative(&again));
    assert_ne!(one, other);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failed_append_happens_and_a_failed_poll_loses_nothing() {
    let (log, _) = fresh().await;
    let faulty = log.fork("faulty", 5, FAULTS);
    let ends = async || {
        let places = [0, 1].map(|partition| TopicPartition { topic: "t".into(), partition });
        log.ends(&places).await.expect("ends").iter().sum::<u64>()
    };
    let mut kinds = BTreeSet::new();
    for i in 0..200 {
        let before = ends().await;
        let outcome = faulty.append(records(i * 10)).await;
        kinds.insert((outcome.is_ok(), (ends().await - before).min(10) / 10, ends().await == before));
    }
    // Succeeded; failed before, midway, and after the whole.
    assert_eq!(kinds, BTreeSet::from([(true, 1, false), (false, 0, true), (false, 0, false), (false, 1, false)]));

    let total = ends().await;
    let from = (0..2).map(|partition| (TopicPartition { topic: "t".into(), partition }, 0)).collect();
    let mut reader = faulty.reader(from).await.expect("a reader");
    let (mut batch, mut seen, mut failures) = (Batch::default(), 0, 0);
    while seen < total {
        match reader.poll(&mut batch, 50, Duration::from_secs(1)).await {
            Ok(()) => seen += batch.len() as u64,
            Err(_) => failures += 1,
        }
    }
    assert_eq!(seen, total);
    assert!(failures > 0);
}

#[tokio::test(start_paused = true)]
async fn a_test_assigns_even_the_same_to_two() {
    let (log, _) = fresh().await;
    let (one, two) = (log.fork("one", 0, LogFaults::default()), log.fork("two", 0, LogFaults::default()));
    let mut one = one.join("g", "t").await.expect("joins");
    assert_eq!(one.changed().await.expect("all"), BTreeSet::from([0, 1]));
    let mut two = two.join("g", "t").await.expect("joins");
    assert_eq!(one.changed().await.expect("half"), BTreeSet::from([0]));
    assert_eq!(two.changed().await.expect("half"), BTreeSet::from([1]));
    log.assign("g", "two", BTreeSet::from([0, 1]));
    assert_eq!(two.changed().await.expect("all"), BTreeSet::from([0, 1]));
    assert_eq!(one.changed().await.expect("nothing"), BTreeSet::new());
    log.assign("g", "one", BTreeSet::from([0]));
    assert_eq!(one.changed().await.expect("a zombie"), BTreeSet::from([0]));
}
