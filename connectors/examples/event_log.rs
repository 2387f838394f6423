//! Tries an event log out.
//!
//! `event_log conformance URL` runs the suite that every event log must pass.
//! `event_log throughput URL [RECORDS [BYTES]]` appends and reads back, and prints rates and CPU seconds.
#![allow(clippy::disallowed_methods)] // it measures

use std::sync::Arc;
use std::time::{Duration, Instant};

use linli_connectors::log::{self, Batch, NewRecord, OpenOptions, SharedLog, TopicPartition, TopicSpec};
use linli_connectors::random::{SharedRandom, SystemRandom};

const PARTITIONS: u32 = 8;
const BATCH: usize = 20_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, otherwise: usize| arguments.get(index).map_or(otherwise, |text| text.parse().expect("a number"));
    match (arguments.first().map(String::as_str), arguments.get(1)) {
        (Some("conformance"), Some(url)) => conformance(url).await,
        (Some("throughput"), Some(url)) => throughput(url, number(2, 1_000_000), number(3, 350)).await,
        _ => eprintln!("usage: event_log conformance URL | throughput URL [RECORDS [BYTES]]"),
    }
}

fn fresh() -> OpenOptions {
    let random: SharedRandom = Arc::new(SystemRandom::new());
    OpenOptions { namespace: format!("try-{}", random.token()), ..OpenOptions::default() }
}

async fn conformance(url: &str) {
    let (url, options) = (url.to_owned(), fresh());
    let open = move || {
        let (url, options) = (url.clone(), options.clone());
        Box::pin(async move { log::open(&url, options).await.expect("the log opens") }) as _
    };
    println!("{} cases passed", log::conformance::run(Arc::new(open)).await);
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

struct Measured {
    started: Instant,
    cpu: f64,
}

impl Measured {
    fn start() -> Measured {
        Measured { started: Instant::now(), cpu: cpu_seconds() }
    }

    fn print(&self, what: &str, records: usize) {
        let (seconds, cpu) = (self.started.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        let millions = records as f64 / 1e6;
        println!(
            "{what}: {seconds:.2} s, {:.0} records/s, {:.2} CPU seconds a million",
            records as f64 / seconds,
            cpu / millions
        );
    }
}

async fn throughput(url: &str, records: usize, bytes: usize) {
    let log = log::open(url, fresh()).await.expect("the log opens");
    let topic: Arc<str> = "throughput".into();
    let spec = TopicSpec { name: topic.to_string(), partitions: PARTITIONS, compacted: false };
    log.create_topics(&[spec]).await.expect("the topic is created");
    let text = |i: usize| format!("{{\"order_id\":{i},\"note\":\"{:x}", i.wrapping_mul(2_654_435_761)).into_bytes();
    let made: Vec<Vec<u8>> = (0..BATCH)
        .map(|i| {
            let mut v = text(i);
            v.resize(bytes, b'x');
            v
        })
        .collect();
    let values: Vec<bytes::Bytes> = made.into_iter().map(Into::into).collect();

    let measured = Measured::start();
    for start in (0..records).step_by(BATCH) {
        let batch = (start..(start + BATCH).min(records)).map(|i| NewRecord {
            topic: Arc::clone(&topic),
            partition: (i % PARTITIONS as usize) as u32,
            timestamp_ms: 1_700_000_000_000,
            key: values[i % BATCH].slice(..12),
            value: Some(values[i % BATCH].clone()),
        });
        log.append(batch.collect()).await.expect("an append succeeds");
    }
    measured.print("append", records);
    read_back(&log, &topic, records).await;
}

async fn read_back(log: &SharedLog, topic: &Arc<str>, records: usize) {
    let from = (0..PARTITIONS).map(|partition| (TopicPartition { topic: Arc::clone(topic), partition }, 0)).collect();
    let places: Vec<_> =
        (0..PARTITIONS).map(|partition| TopicPartition { topic: Arc::clone(topic), partition }).collect();
    let ends: u64 = log.ends(&places).await.expect("the log has ends").iter().sum();
    println!("{ends} records in the log of {records} appended");
    let measured = Measured::start();
    let mut reader = log.reader(from).await.expect("a reader opens");
    let (mut batch, mut seen, mut checksum, mut slowest) = (Batch::default(), 0, 0_usize, Duration::ZERO);
    while seen < records {
        let polled = Instant::now();
        reader.poll(&mut batch, BATCH, Duration::from_secs(1)).await.expect("a poll succeeds");
        slowest = slowest.max(polled.elapsed());
        checksum += batch.iter().map(|record| record.value.map_or(0, <[u8]>::len)).sum::<usize>();
        seen += batch.len();
    }
    measured.print("read", seen);
    println!("{checksum} bytes of values; the slowest poll took {slowest:?}");
}
