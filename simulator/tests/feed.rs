use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use linli_connectors::clock::Clock;
use linli_connectors::log::{self, Batch, SharedLog, TopicPartition};
use linli_connectors::{ErrorKind, blobs};
use linli_simulator::feed::{FeedOptions, run};
use linli_simulator::records::Records;
use linli_simulator::{Error, Shop};
use tokio_util::sync::CancellationToken;

use super::options;

const PARTITIONS: u32 = 4;

/// A clock that moves when someone sleeps.
struct SleepersClock(AtomicI64);

impl SleepersClock {
    fn starting_at(ms: i64) -> Arc<SleepersClock> {
        Arc::new(SleepersClock(AtomicI64::new(ms)))
    }

    /// Lets the others sleep until it is `ms`.
    async fn reaches(&self, ms: i64) {
        while self.now_ms() < ms {
            tokio::task::yield_now().await;
        }
    }
}

impl Clock for SleepersClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.0.fetch_add(duration.as_millis() as i64, Ordering::SeqCst);
            tokio::task::yield_now().await;
        })
    }
}

/// What a log holds: (topic, partition) → values in order.
type Held = BTreeMap<(String, u32), Vec<Vec<u8>>>;

async fn held(log: &SharedLog, topics: &[String]) -> Held {
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|t| (0..PARTITIONS).map(|partition| TopicPartition { topic: t.as_str().into(), partition }))
        .collect();
    let mut left: u64 = log.ends(&partitions).await.expect("ends").iter().sum();
    let from = partitions.iter().map(|p| (p.clone(), 0)).collect();
    let mut reader = log.reader(from).await.expect("a reader");
    let mut held = Held::new();
    let mut batch = Batch::default();
    while left > 0 {
        reader.poll(&mut batch, 10_000, Duration::from_secs(1)).await.expect("records");
        for record in batch.iter() {
            let from = &partitions[record.source];
            let values = held.entry((from.topic.to_string(), from.partition)).or_default();
            values.push(record.value.expect("a value").to_vec());
            left -= 1;
        }
    }
    held
}

/// What the log must hold once everything up to `now` is appended.
fn expected(now: i64) -> Held {
    let shop = Shop::new(options(4)).expect("sound options");
    let records = Records::new(shop.options().zone, PARTITIONS);
    let mut out = Vec::new();
    for change in shop.changes(shop.start()).take_while(|change| change.at.0 <= now) {
        records.write(&change, &mut out);
    }
    let mut held = Held::new();
    for record in out {
        let values = held.entry((record.topic.to_string(), record.partition)).or_default();
        values.push(record.value.expect("a value").to_vec());
    }
    held
}

/// 10:30 in Shanghai on the day of the opening.
fn morning() -> i64 {
    options(4).zone.midnight(options(4).opened_on).0 + 10 * 3_600_000 + 1_800_000
}

#[tokio::test]
async fn a_feed_catches_up_follows_and_goes_on_after_a_crash() {
    let log = log::open("memory://", log::OpenOptions::default()).await.expect("a log");
    let positions = blobs::open("memory://", blobs::OpenOptions::default()).await.expect("blobs");
    let clock = SleepersClock::starting_at(morning());
    let feed = FeedOptions { batch_changes: 700, ..FeedOptions::new(options(4), PARTITIONS) };
    let topics: Vec<String> = Records::new(feed.shop.zone, PARTITIONS).topics().into_iter().map(|t| t.name).collect();
    let start = |shutdown: CancellationToken| {
        tokio::spawn(run(log.clone(), clock.clone(), feed.clone(), positions.clone(), shutdown))
    };
    // follows for a while, then is killed between two writings of its position
    let first = start(CancellationToken::new());
    clock.reaches(morning() + 600_350).await;
    first.abort();
    assert!(first.await.expect_err("aborted").is_cancelled());
    clock.sleep(Duration::from_secs(120)).await;

    let shutdown = CancellationToken::new();
    let second = start(shutdown.clone());
    clock.reaches(morning() + 780_000).await;
    shutdown.cancel();
    let report = second.await.expect("no panic").expect("no failure");
    assert!(report.changes > 0);

    let found = held(&log, &topics).await;
    let now = clock.now_ms();
    let (least, most) = (expected(now - 1_000), expected(now));
    for (place, values) in &most {
        let mut distinct: Vec<Vec<u8>> = Vec::new();
        for value in found.get(place).into_iter().flatten() {
            if !distinct.contains(value) {
                distinct.push(value.clone());
            }
        }
        let complete = least.get(place).map_or(0, Vec::len);
        assert!(distinct.len() >= complete, "{place:?}: {} of {complete}", distinct.len());
        assert_eq!(distinct, values[..distinct.len()], "{place:?}");
    }
    assert!(found.keys().all(|place| most.contains_key(place)));
}

#[tokio::test]
async fn a_feed_refuses_the_position_of_another_shop() {
    let log = log::open("memory://", log::OpenOptions::default()).await.expect("a log");
    let positions = blobs::open("memory://", blobs::OpenOptions::default()).await.expect("blobs");
    let clock = SleepersClock::starting_at(morning());
    let stopped = CancellationToken::new();
    stopped.cancel();
    let feed = |seed| FeedOptions::new(options(seed), PARTITIONS);
    run(log.clone(), clock.clone(), feed(4), positions.clone(), stopped.clone()).await.expect("stops at once");
    let error = run(log, clock, feed(5), positions, stopped).await.expect_err("another shop");
    assert!(matches!(error, Error::OtherShop { .. }), "{error}");
}

#[tokio::test]
async fn a_log_with_other_partitions_ends_the_feed_with_its_remedy() {
    let log = log::open("memory://", log::OpenOptions::default()).await.expect("a log");
    let mut other = Records::new(options(4).zone, PARTITIONS + 1).topics();
    other.truncate(1);
    log.create_topics(&other).await.expect("topics");
    let positions = blobs::open("memory://", blobs::OpenOptions::default()).await.expect("blobs");
    let clock = SleepersClock::starting_at(morning());
    let feed = FeedOptions::new(options(4), PARTITIONS);
    let error = run(log, clock, feed, positions, CancellationToken::new()).await.expect_err("refused");
    assert!(matches!(&error, Error::Port(port) if port.kind == ErrorKind::Config), "{error}");
}
