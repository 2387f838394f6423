//! Rows of many megabytes reach their topic like any other, on both logs.

use std::path::Path;
use std::time::Duration;

use linli_connectors::log::{Batch, OpenOptions, SharedLog, TopicPartition, open};
use linli_tests::program::{self, Running};
use linli_tests::stack::{Kafka, Mysql};
use serde_json::Value;

use crate::runs::PARTITIONS;
use crate::shop::Shop;
use crate::{DEADLINE, wait};

/// What the reader may hold at its most for rows of 20 MiB: the event, two batches, and what the client of the log copies.
const PEAK_KB_MAX: u64 = 600 << 10;

fn places(topic: &str) -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|partition| TopicPartition { topic: topic.into(), partition }).collect()
}

async fn count(log: &SharedLog, topic: &str) -> u64 {
    log.ends(&places(topic)).await.expect("ends").iter().sum()
}

/// All records of a topic, in order of their partition.
async fn records(log: &SharedLog, topic: &str) -> Vec<Value> {
    let places = places(topic);
    let mut left: u64 = log.ends(&places).await.expect("ends").iter().sum();
    let mut reader = log.reader(places.into_iter().map(|place| (place, 0)).collect()).await.expect("a reader");
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    while left > 0 {
        reader.poll(&mut batch, 100, Duration::from_secs(20)).await.expect("records");
        assert!(!batch.is_empty(), "{left} records of {topic} do not come");
        left = left.saturating_sub(batch.len() as u64);
        found.extend(batch.iter().map(|record| serde_json::from_slice(record.value.expect("a value")).expect("JSON")));
    }
    found
}

/// What base64 of a repeated group of three bytes is.
fn base64_of(group: &str, bytes: usize) -> String {
    assert_eq!(bytes % 3, 0);
    group.repeat(bytes / 3)
}

fn peak_kb(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

async fn long_rows(log: &str, dir: &Path) {
    let server = Mysql::start();
    let mut shop = Shop::connect(&server.url()).await;
    shop.create().await;
    shop.sql("CREATE TABLE shop_0.documents (id INT PRIMARY KEY, body LONGBLOB, note VARCHAR(20))").await;
    let partitions = PARTITIONS.to_string();
    let command = || {
        let mut command = program::linli(["ingest", "cdc", "--partitions", &partitions, "--shop", &server.url()]);
        command.args(["--log", log, "--data-dir"]).arg(dir);
        command
    };
    program::run(command().arg("--until-caught-up")).succeeded();
    let topics = open(log, OpenOptions::default()).await.expect("the log opens");
    let long = 21_000_000; // a little over 20 MiB, in groups of three bytes
    let mut running = Running::start(&mut command());
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    shop.sql("INSERT INTO shop_0.documents VALUES (1, 'short', 'a')").await;
    shop.sql(&format!("INSERT INTO shop_0.documents VALUES (2, REPEAT('abc', {}), 'long')", long / 3)).await;
    shop.sql("UPDATE shop_0.documents SET note = 'changed' WHERE id = 2").await;
    shop.sql(&format!("UPDATE shop_0.documents SET body = REPEAT('xyz', {}) WHERE id = 2", long / 3)).await;
    shop.sql("INSERT INTO shop_0.documents VALUES (3, 'short', 'z')").await;
    // 40 MiB before and after: over what a record may have.
    shop.sql(&format!("INSERT INTO shop_0.documents VALUES (4, REPEAT('abc', {}), 'longer')", 2 * long / 3)).await;
    shop.sql("UPDATE shop_0.documents SET note = 'too long' WHERE id = 4").await;
    shop.sql("DELETE FROM shop_0.documents WHERE id = 3").await;
    let place = running.wait_for(DEADLINE, |line| line.contains("is kept in the blob store"));
    crate::wait_until("all is published", async || count(&topics, "shop.documents").await == 7).await;
    let peak = peak_kb(&running);
    running.kill();

    let mut found = records(&topics, "shop.documents").await;
    found.sort_by_key(|record| record["source"]["pos"].as_u64());
    let told = |record: &Value| {
        let image = if record["op"] == "d" { &record["before"] } else { &record["after"] };
        format!("{} {} {}", record["op"].as_str().expect("op"), image["id"], image["note"].as_str().expect("note"))
    };
    let (abc, xyz) = (base64_of("YWJj", long), base64_of("eHl6", long));
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        ["c 1 a", "c 2 long", "u 2 changed", "u 2 changed", "c 3 z", "c 4 longer", "d 3 z"]
    );
    assert!(found[1]["after"]["body"].as_str() == Some(&abc));
    assert!(found[2]["before"]["body"].as_str() == Some(&abc) && found[2]["after"]["body"].as_str() == Some(&abc));
    assert!(found[3]["before"]["body"].as_str() == Some(&abc) && found[3]["after"]["body"].as_str() == Some(&xyz));
    let notes = records(&topics, "cdc.quarantine").await;
    assert_eq!(notes.len(), 1, "{place}");
    let object =
        std::fs::read(dir.join("blobs").join(notes[0]["object"].as_str().expect("an object"))).expect("it is kept");
    let kept: Value = serde_json::from_slice(&object).expect("JSON");
    assert_eq!((notes[0]["topic"].as_str(), told(&kept).as_str()), (Some("shop.documents"), "u 4 too long"));
    println!("peak of the reader: {} MB", peak >> 10);
    assert!(peak < PEAK_KB_MAX, "{} MB at the peak", peak >> 10);
}

#[test]
fn rows_of_many_megabytes_reach_their_topic_on_the_file_log() {
    let dir = tempfile::tempdir().expect("a folder");
    wait(long_rows(&format!("file://{}", dir.path().join("log").display()), dir.path()));
}

#[test]
fn rows_of_many_megabytes_reach_their_topic_on_kafka() {
    let (dir, kafka) = (tempfile::tempdir().expect("a folder"), Kafka::start());
    wait(long_rows(&kafka.url(), dir.path()));
}
