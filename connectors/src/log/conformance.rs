//! What every event log must do: cases to run on an implementation, each on topics of its own.
//!
//! Open the log in a fresh namespace. A case panics where the log does not conform; waits have deadlines, and end as
//! soon as what they wait for is there.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Batch, EventLog, Membership, NewRecord, SharedLog, TopicPartition, TopicSpec};
use crate::ErrorKind;

/// Opens the log under test: the same records each time, by another handle (for memory a clone).
pub type Opener = Arc<dyn Fn() -> BoxFuture<'static, SharedLog> + Send + Sync>;

type Case = fn(Opener) -> BoxFuture<'static, ()>;

/// A step that takes longer is a failure.
const DEADLINE: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_millis(500);

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// The cases by name.
        pub fn cases() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), |open| Box::pin($name(open)) as BoxFuture<'static, ()>)),*]
        }
    };
}

cases![
    order_per_partition,
    records_survive_reopening,
    offsets_are_contiguous_from_zero,
    tombstones_empty_keys_and_empty_values,
    large_values,
    the_longest_records,
    over_long_records_are_rejected,
    large_batches_over_many_partitions,
    reading_from_the_middle,
    ends_of_partitions,
    an_offset_past_the_end_is_corrupt,
    unknown_topics_and_partitions,
    another_partition_count_is_refused,
    two_readers_see_the_same,
    concurrent_appenders,
    a_waiting_reader_is_woken,
    a_full_partition_starves_none,
    an_empty_poll_is_no_error,
    membership_is_handed_over,
];

/// Runs all cases one after another; returns how many.
pub async fn run(open: Opener) -> usize {
    let cases = cases();
    for (name, case) in &cases {
        eprintln!("event log conformance: {name}");
        case(Arc::clone(&open)).await;
    }
    cases.len()
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} took longer than {DEADLINE:?}"),
    }
}

fn at(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

fn record(topic: &str, partition: u32, key: impl Into<Bytes>, value: impl Into<Bytes>) -> NewRecord {
    NewRecord {
        topic: topic.into(),
        partition,
        timestamp_ms: 1_700_000_000_000,
        key: key.into(),
        value: Some(value.into()),
    }
}

async fn opened(open: &Opener, topic: &str, partitions: u32) -> SharedLog {
    let log = open().await;
    let spec = TopicSpec { name: topic.to_owned(), partitions, compacted: false };
    in_time("creating a topic", log.create_topics(&[spec])).await.expect("the topic is created");
    log
}

type Read = (u64, i64, Vec<u8>, Option<Vec<u8>>);

/// Reads on until `count` records came in all; by source.
async fn read(log: &dyn EventLog, from: Vec<(TopicPartition, u64)>, count: usize) -> Vec<Vec<Read>> {
    let mut found = vec![Vec::new(); from.len()];
    let mut reader = in_time("opening a reader", log.reader(from)).await.expect("a reader opens");
    let mut batch = Batch::default();
    let all = async {
        let mut seen = 0;
        while seen < count {
            reader.poll(&mut batch, 10_000, WAIT).await.expect("a poll succeeds");
            for record in batch.iter() {
                let value = record.value.map(<[u8]>::to_vec);
                found[record.source].push((record.offset, record.timestamp_ms, record.key.to_vec(), value));
            }
            seen += batch.len();
        }
    };
    in_time("reading", all).await;
    found
}

async fn order_per_partition(open: Opener) {
    let topic = "order-per-partition";
    let log = opened(&open, topic, 3).await;
    for round in 0..10_u32 {
        let records = (0..30).map(|i| record(topic, i % 3, "k", format!("{}", round * 30 + i))).collect();
        in_time("append", log.append(records)).await.expect("append");
    }
    let found = read(&*log, (0..3).map(|p| (at(topic, p), 0)).collect(), 300).await;
    for (partition, records) in found.iter().enumerate() {
        let values: Vec<usize> = records.iter().map(|(_, _, _, value)| number(value.as_deref())).collect();
        let expected: Vec<usize> = (0..300).filter(|i| i % 3 == partition).collect();
        assert_eq!(values, expected, "partition {partition}");
    }
}

fn number(value: Option<&[u8]>) -> usize {
    std::str::from_utf8(value.expect("a value")).expect("text").parse().expect("a number")
}

async fn records_survive_reopening(open: Opener) {
    let topic = "records-survive-reopening";
    let log = opened(&open, topic, 1).await;
    in_time("append", log.append((0..100).map(|i| record(topic, 0, format!("k{i}"), format!("{i}"))).collect()))
        .await
        .expect("append");
    drop(log);
    let log = open().await;
    let found = read(&*log, vec![(at(topic, 0), 0)], 100).await;
    assert_eq!(found[0].len(), 100);
    in_time("append", log.append(vec![record(topic, 0, "k", "more")])).await.expect("append");
    let found = read(&*log, vec![(at(topic, 0), 100)], 1).await;
    assert_eq!(found[0], [(100, 1_700_000_000_000, b"k".to_vec(), Some(b"more".to_vec()))]);
}

async fn offsets_are_contiguous_from_zero(open: Opener) {
    let topic = "offsets-are-contiguous";
    let log = opened(&open, topic, 2).await;
    for size in [1_usize, 7, 500, 2] {
        let records = (0..size).map(|i| record(topic, (i % 2) as u32, "k", "v")).collect();
        in_time("append", log.append(records)).await.expect("append");
    }
    let found = read(&*log, vec![(at(topic, 0), 0), (at(topic, 1), 0)], 510).await;
    for records in found {
        assert!(records.iter().enumerate().all(|(i, record)| record.0 == i as u64), "offsets have a gap");
    }
}

async fn tombstones_empty_keys_and_empty_values(open: Opener) {
    let topic = "tombstones";
    let log = opened(&open, topic, 1).await;
    let tombstone = NewRecord { value: None, timestamp_ms: 7, ..record(topic, 0, "gone", "") };
    let records =
        vec![tombstone, record(topic, 0, "", "no key"), record(topic, 0, "no value", ""), record(topic, 0, "", "")];
    in_time("append", log.append(records)).await.expect("append");
    let found = read(&*log, vec![(at(topic, 0), 0)], 4).await;
    let time = 1_700_000_000_000;
    assert_eq!(
        found[0],
        [
            (0, 7, b"gone".to_vec(), None),
            (1, time, Vec::new(), Some(b"no key".to_vec())),
            (2, time, b"no value".to_vec(), Some(Vec::new())),
            (3, time, Vec::new(), Some(Vec::new())),
        ]
    );
}

/// Bytes that do not compress away, the same for the same seed.
fn noise(bytes: usize, seed: u64) -> Bytes {
    let mut state = seed | 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(next).collect::<Vec<u8>>().into()
}

async fn large_values(open: Opener) {
    let topic = "large-values";
    let log = opened(&open, topic, 1).await;
    let sizes = [1 << 20, 10, 3 << 20, 7 << 20, 1 << 20, 0, 1_500_000];
    let values: Vec<Bytes> = sizes.iter().enumerate().map(|(i, size)| noise(*size, i as u64)).collect();
    in_time("append", log.append(values.iter().map(|value| record(topic, 0, "k", value.clone())).collect()))
        .await
        .expect("append");
    let found = read(&*log, vec![(at(topic, 0), 0)], sizes.len()).await;
    for (found, value) in found[0].iter().zip(&values) {
        assert!(found.3.as_deref() == Some(&value[..]), "a value of {} bytes came back otherwise", value.len());
    }
}

/// Long ones between ordinary ones, such as compress and such as do not.
async fn the_longest_records(open: Opener) {
    let topic = "the-longest-records";
    let log = opened(&open, topic, 2).await;
    let longest = super::RECORD_BYTES_MAX - 1;
    let alike: Bytes = vec![b'x'; longest].into();
    let values = [noise(10, 1), noise(longest, 2), noise(20, 3), alike, noise(20 << 20, 4), noise(30, 5)];
    for value in &values {
        in_time("append", log.append(vec![record(topic, 1, "k", value.clone())])).await.expect("append");
    }
    let two = values[3..].iter().map(|value| record(topic, 0, "k", value.clone())).collect();
    in_time("append", log.append(two)).await.expect("append");
    let found = read(&*log, vec![(at(topic, 0), 0), (at(topic, 1), 0)], 9).await;
    for (found, value) in found[1].iter().zip(&values).chain(found[0].iter().zip(&values[3..])) {
        assert!(found.3.as_deref() == Some(&value[..]), "a value of {} bytes came back otherwise", value.len());
    }
    assert_eq!((found[0].len(), found[1].len()), (3, 6));
}

async fn over_long_records_are_rejected(open: Opener) {
    let topic = "over-long-records";
    let log = opened(&open, topic, 1).await;
    let too_long = record(topic, 0, "k", vec![0; super::RECORD_BYTES_MAX]);
    let error = log.append(vec![too_long]).await.expect_err("it is over the limit");
    assert_eq!(error.kind, ErrorKind::Reject, "{error}");
    assert_eq!(in_time("ends", log.ends(&[at(topic, 0)])).await.expect("ends"), [0]);
}

async fn large_batches_over_many_partitions(open: Opener) {
    let (topic, partitions, count) = ("large-batches", 16_u32, 40_000_u32);
    let log = opened(&open, topic, partitions).await;
    let records =
        (0..count).map(|i| record(topic, i % partitions, format!("key-{i}"), noise(300, u64::from(i)))).collect();
    in_time("append", log.append(records)).await.expect("append");
    let found = read(&*log, (0..partitions).map(|p| (at(topic, p), 0)).collect(), count as usize).await;
    for (partition, records) in found.iter().enumerate() {
        assert_eq!(records.len(), (count / partitions) as usize);
        for (i, (_, _, key, value)) in records.iter().enumerate() {
            let number = i * partitions as usize + partition;
            assert_eq!(*key, format!("key-{number}").into_bytes());
            assert!(value.as_deref() == Some(&noise(300, number as u64)[..]), "record {number} came back otherwise");
        }
    }
}

async fn reading_from_the_middle(open: Opener) {
    let topic = "reading-from-the-middle";
    let log = opened(&open, topic, 1).await;
    for round in 0..20 {
        let records = (0..500).map(|i| record(topic, 0, "k", format!("{:0300}", round * 500 + i))).collect();
        in_time("append", log.append(records)).await.expect("append");
    }
    for from in [0_u64, 1, 499, 500, 7777, 9999] {
        let found = read(&*log, vec![(at(topic, 0), from)], 10_000 - from as usize).await;
        for (i, found) in found[0].iter().enumerate() {
            assert_eq!((found.0, number(found.3.as_deref())), (from + i as u64, from as usize + i));
        }
    }
}

async fn ends_of_partitions(open: Opener) {
    let topic = "ends-of-partitions";
    let log = opened(&open, topic, 4).await;
    let places: Vec<_> = [3, 0, 1, 2].map(|p| at(topic, p)).into();
    assert_eq!(in_time("ends", log.ends(&places)).await.expect("ends"), [0; 4]);
    let records = (0..10).map(|i| record(topic, if i < 7 { 3 } else { 1 }, "k", "v")).collect();
    in_time("append", log.append(records)).await.expect("append");
    assert_eq!(in_time("ends", log.ends(&places)).await.expect("ends"), [7, 0, 3, 0]);
    assert_eq!(in_time("ends", open().await.ends(&places)).await.expect("ends by another handle"), [7, 0, 3, 0]);
}

async fn an_offset_past_the_end_is_corrupt(open: Opener) {
    let topic = "an-offset-past-the-end";
    let log = opened(&open, topic, 1).await;
    in_time("append", log.append(vec![record(topic, 0, "k", "v")])).await.expect("append");
    // Some say it when the reader is opened, some when it polls.
    let outcome = async {
        let mut reader = log.reader(vec![(at(topic, 0), 1000)]).await?;
        let mut batch = Batch::default();
        loop {
            reader.poll(&mut batch, 10, WAIT).await?;
            assert!(batch.is_empty(), "a record came from nowhere");
        }
    };
    let outcome: crate::Result<()> = in_time("the error", outcome).await;
    let error = outcome.expect_err("there is no offset 1000");
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    assert_eq!(in_time("ends", log.ends(&[at(topic, 0)])).await.expect("ends"), [1]);
}

async fn unknown_topics_and_partitions(open: Opener) {
    let topic = "unknown-partitions";
    let log = opened(&open, topic, 2).await;
    assert_eq!(in_time("count", log.partition_count(topic)).await.expect("a count"), Some(2));
    assert_eq!(in_time("count", log.partition_count("there-is-no-such-topic")).await.expect("an answer"), None);
    for place in [at(topic, 2), at("there-is-no-such-topic", 0)] {
        let record = record(&place.topic, place.partition, "k", "v");
        let errors = [
            in_time("append", log.append(vec![record])).await.err(),
            in_time("ends", log.ends(std::slice::from_ref(&place))).await.err(),
            in_time("reader", log.reader(vec![(place.clone(), 0)])).await.err(),
        ];
        for (call, error) in ["append", "ends", "reader"].iter().zip(errors) {
            let error = error.unwrap_or_else(|| panic!("{call} accepts {place:?}"));
            assert_eq!(error.kind, ErrorKind::Config, "{call} of {place:?}: {error}");
            assert!(error.object.contains(&*place.topic), "{call}: {error}");
        }
    }
    let error = in_time("join", log.join("group", "there-is-no-such-topic"))
        .await
        .err()
        .expect("join accepts an unknown topic");
    assert_eq!(error.kind, ErrorKind::Config, "{error}");
}

async fn another_partition_count_is_refused(open: Opener) {
    let topic = "another-partition-count";
    let log = opened(&open, topic, 3).await;
    let spec = |partitions| TopicSpec { name: topic.to_owned(), partitions, compacted: false };
    in_time("create", log.create_topics(&[spec(3)])).await.expect("creating it again alike is no error");
    let error = in_time("create", open().await.create_topics(&[spec(5)])).await.expect_err("it has 3");
    assert_eq!(error.kind, ErrorKind::Config, "{error}");
    let text = format!("{error} {}", error.hint.as_deref().unwrap_or_default());
    for part in [topic, "3", "5", "--partitions 3", "namespace"] {
        assert!(text.contains(part), "{text:?} does not name {part:?}");
    }
}

async fn two_readers_see_the_same(open: Opener) {
    let topic = "two-readers";
    let log = opened(&open, topic, 2).await;
    let records = (0..1000).map(|i| record(topic, i % 2, "k", format!("{i}"))).collect();
    in_time("append", log.append(records)).await.expect("append");
    let from = vec![(at(topic, 0), 0), (at(topic, 1), 0)];
    let other = open().await;
    let (one, two) = tokio::join!(read(&*log, from.clone(), 1000), read(&*other, from, 1000));
    assert!(one == two, "the readers differ");
}

async fn concurrent_appenders(open: Opener) {
    let topic = "concurrent-appenders";
    let log = opened(&open, topic, 2).await;
    let appender = |log: SharedLog, who: usize| async move {
        for round in 0..20 {
            let records = (0..20)
                .map(|i| record(topic, (i % 2) as u32, format!("{who}"), format!("{}", round * 20 + i)))
                .collect();
            in_time("append", log.append(records)).await.expect("append");
        }
    };
    let mut all = Vec::new();
    for who in 0..8 {
        // Half of them share a handle, half have their own.
        let log = if who % 2 == 0 { Arc::clone(&log) } else { open().await };
        all.push(appender(log, who));
    }
    futures::future::join_all(all).await;
    let found = read(&*log, vec![(at(topic, 0), 0), (at(topic, 1), 0)], 8 * 400).await;
    for records in found {
        assert!(records.iter().enumerate().all(|(i, record)| record.0 == i as u64), "offsets have a gap");
        let mut by_appender: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        for (_, _, key, value) in records {
            by_appender.entry(key).or_default().push(number(value.as_deref()));
        }
        assert_eq!(by_appender.len(), 8);
        for values in by_appender.into_values() {
            assert_eq!(values.len(), 200);
            assert!(values.is_sorted(), "an appender's records changed order");
        }
    }
}

async fn a_waiting_reader_is_woken(open: Opener) {
    let topic = "a-waiting-reader";
    let log = opened(&open, topic, 1).await;
    let other = open().await;
    let mut reader = log.reader(vec![(at(topic, 0), 0)]).await.expect("a reader opens");
    let waiting = async {
        let mut batch = Batch::default();
        let mut seen = 0;
        while seen < 2 {
            reader.poll(&mut batch, 10, DEADLINE).await.expect("a poll succeeds");
            seen += batch.len();
        }
    };
    let appending = async {
        in_time("append", log.append(vec![record(topic, 0, "k", "by this handle")])).await.expect("append");
        in_time("append", other.append(vec![record(topic, 0, "k", "by another")])).await.expect("append");
    };
    in_time("being woken", async { tokio::join!(waiting, appending) }).await;
}

async fn a_full_partition_starves_none(open: Opener) {
    let topic = "a-full-partition";
    let log = opened(&open, topic, 2).await;
    in_time("append", log.append((0..20_000).map(|_| record(topic, 0, "k", noise(100, 3))).collect()))
        .await
        .expect("append");
    in_time("append", log.append(vec![record(topic, 1, "k", "v")])).await.expect("append");
    let mut reader = log.reader(vec![(at(topic, 0), 0), (at(topic, 1), 0)]).await.expect("a reader opens");
    let mut batch = Batch::default();
    let mut of_full = 0;
    let mut met = false;
    in_time("meeting the other partition", async {
        while !met {
            reader.poll(&mut batch, 500, WAIT).await.expect("a poll succeeds");
            of_full += batch.iter().filter(|record| record.source == 0).count();
            met = batch.iter().any(|record| record.source == 1);
        }
    })
    .await;
    assert!(of_full <= 20_000);
}

async fn an_empty_poll_is_no_error(open: Opener) {
    let topic = "an-empty-poll";
    let log = opened(&open, topic, 1).await;
    let mut batch = Batch::default();
    let mut reader = log.reader(vec![(at(topic, 0), 0)]).await.expect("a reader opens");
    for wait in [Duration::ZERO, Duration::from_millis(50)] {
        in_time("an empty poll", reader.poll(&mut batch, 10, wait)).await.expect("empty is no error");
        assert!(batch.is_empty());
    }
    let mut of_nothing = log.reader(Vec::new()).await.expect("a reader of nothing opens");
    in_time("a poll of nothing", of_nothing.poll(&mut batch, 10, Duration::from_millis(50))).await.expect("no error");
    in_time("appending nothing", log.append(Vec::new())).await.expect("no error");
    assert!(in_time("ends of nothing", log.ends(&[])).await.expect("no error").is_empty());
}

async fn owns_all(member: &mut Box<dyn Membership>, all: &BTreeSet<u32>) {
    in_time("being assigned", async { while member.changed().await.expect("a change") != *all {} }).await;
}

async fn membership_is_handed_over(open: Opener) {
    let topic = "membership";
    let log = opened(&open, topic, 4).await;
    let all: BTreeSet<u32> = (0..4).collect();
    let mut first = in_time("joining", log.join("handed-over", topic)).await.expect("joins");
    owns_all(&mut first, &all).await;
    let mut second = in_time("joining", open().await.join("handed-over", topic)).await.expect("joins");
    in_time("leaving", first.leave()).await.expect("leaves");
    owns_all(&mut second, &all).await;
    let mut third = in_time("joining", open().await.join("handed-over", topic)).await.expect("joins");
    drop(second); // as a member that died
    owns_all(&mut third, &all).await;
    let mut elsewhere = in_time("joining", log.join("another-group", topic)).await.expect("joins");
    owns_all(&mut elsewhere, &all).await;
    in_time("leaving", elsewhere.leave()).await.expect("leaves");
    in_time("leaving", third.leave()).await.expect("leaves");
}
