//! A large table is read while others write to it, the reader is killed on the way, and no row is lost, stale or invented.
//!
//! `LINLI_SNAPSHOT_ROWS=5000000 cargo test -p linli-tests --test cdc snapshot_under_writes` reads a table of that length.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use linli_connectors::clock::{Clock, SystemClock};
use linli_connectors::log::{Batch, OpenOptions, SharedLog, TopicPartition, open};
use linli_tests::program::{self, Running};
use linli_tests::stack::{MariaDb, Mysql};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::Value;

use crate::{DEADLINE, wait, wait_until};

const ROWS: u64 = 300_000;
const PARTITIONS: u32 = 4;
/// Of a table that is read; more than these in one run would mean that rows are gathered.
const RSS_MAX_MB: u64 = 200;
const CHANGES_PER_SECOND: u64 = 1_000;
const WRITERS: u64 = 3;
const KILLS: u32 = 6;
const TOPIC: &str = "shop.lines";

/// Id, and a hash of the other columns.
type Rows = HashMap<i64, u64, BuildHasherDefault<DefaultHasher>>;

fn rows_wanted() -> u64 {
    std::env::var("LINLI_SNAPSHOT_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS)
}

fn hash_of(community: i64, qty: i64, note: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one((community, qty, note))
}

async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers")
}

/// `rows` rows with odd ids, so that others can be put between them.
async fn fill(url: &str, rows: u64) {
    let mut conn = connect(url).await;
    for sql in [
        "CREATE DATABASE shop_0 CHARACTER SET utf8mb4",
        "CREATE TABLE shop_0.lines (id BIGINT PRIMARY KEY, community_id INT NOT NULL, qty INT NOT NULL, note VARCHAR(80))",
        "INSERT INTO shop_0.lines VALUES (1, 1, 1, '第一行')",
    ] {
        conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let mut there = 1;
    while there < rows {
        let more = there.min(rows - there);
        let sql = format!(
            "INSERT INTO shop_0.lines SELECT id + 2 * {there}, (id + {there}) % 977, qty + {there} % 13, \
             CONCAT('行 ', id + {there}) FROM shop_0.lines WHERE id < 2 * {more}"
        );
        conn.query_drop(sql).await.expect("rows are put in");
        there += more;
    }
    conn.disconnect().await.expect("a connection ends");
}

/// Inserts between the rows and behind them, updates, moves to another key and deletes, at a steady rate until `stop`.
async fn write(url: String, number: u64, rows: u64, stop: Arc<AtomicBool>, changes: Arc<AtomicU64>) {
    let mut conn = connect(&url).await;
    // Each has rows of its own and no gaps are locked: writers do not wait for each other.
    conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await.expect("a setting");
    let (clock, mut random) = (SystemClock, 99 + number);
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let (started_ms, mut behind) = (clock.now_ms(), 2 * rows + 2 + number * 1_000_000_000);
    while !stop.load(Ordering::Relaxed) {
        let due = (clock.now_ms() - started_ms) as u64 * CHANGES_PER_SECOND / 1000;
        if changes.load(Ordering::Relaxed) >= due {
            clock.sleep(Duration::from_millis(5)).await;
            continue;
        }
        behind += 1;
        let mut own = || 2 * (WRITERS * draw(rows / WRITERS) + number);
        let (between, updated, moved, deleted) = (own(), own() + 1, own() + 1, own() + 1);
        conn.query_drop("BEGIN").await.expect("a transaction");
        for sql in [
            format!("INSERT IGNORE INTO shop_0.lines VALUES ({between}, {}, 5, 'zwischen')", draw(977)),
            format!("INSERT INTO shop_0.lines VALUES ({behind}, {}, 6, NULL)", draw(977)),
            format!(
                "UPDATE shop_0.lines SET qty = qty + 1, note = CONCAT(note, '!') WHERE id = {updated} AND CHAR_LENGTH(note) < 70"
            ),
            format!("UPDATE shop_0.lines SET qty = qty + 7 WHERE id = {between}"),
            format!("UPDATE shop_0.lines SET community_id = (community_id + 1) % 977 WHERE id = {moved}"),
            format!("DELETE FROM shop_0.lines WHERE id = {deleted}"),
        ] {
            conn.query_drop(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            changes.fetch_add(conn.affected_rows(), Ordering::Relaxed);
        }
        conn.query_drop("COMMIT").await.expect("a commit");
    }
}

fn reader(url: &str, dir: &Path, more: &[&str]) -> std::process::Command {
    let partitions = PARTITIONS.to_string();
    let mut command = program::linli(["ingest", "cdc", "--shop", url, "--partitions", &partitions, "--data-dir"]);
    command.arg(dir).args(more);
    command
}

/// Whether a snapshot has begun and is not done.
fn is_open(url: &str, dir: &Path) -> bool {
    let shown = program::run(&mut reader(url, dir, &["position", "show", "--json"])).succeeded().json();
    let open = shown[0]["open_snapshots"].as_array().expect("a list");
    !open.is_empty()
}

fn peak_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the reader runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("kB") / 1024
}

/// Kills the reader while a snapshot is open; how often one was, and the highest memory of a reader.
fn kill_on_the_way(url: &str, dir: &Path, pause_ms: u64) -> (u32, u64) {
    let (mut met, mut highest) = (0, 0);
    for kill in 0..KILLS {
        let mut running = Running::start(&mut reader(url, dir, &[]));
        let ended = running.run_for(Duration::from_millis(pause_ms + u64::from(kill) * 90));
        assert!(!ended, "{:#?}", running.seen);
        highest = highest.max(peak_mb(running.pid()));
        running.kill();
        met += u32::from(is_open(url, dir));
    }
    (met, highest)
}

/// Lets a reader read until no snapshot is open; its highest memory.
async fn read_to_the_end(url: &str, dir: &Path) -> u64 {
    let running = Running::start(&mut reader(url, dir, &[]));
    wait_until("the snapshot is done", async || !is_open(url, dir)).await;
    let peak = peak_mb(running.pid());
    running.kill();
    peak
}

fn places() -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|partition| TopicPartition { topic: TOPIC.into(), partition }).collect()
}

async fn log(dir: &Path) -> SharedLog {
    open(&format!("file://{}", dir.join("log").display()), OpenOptions::default()).await.expect("the log opens")
}

/// Reads the topic from these offsets to its ends.
async fn visit(dir: &Path, from: &[u64], mut see: impl FnMut(usize, &Value)) {
    let log = log(dir).await;
    let ends = log.ends(&places()).await.expect("ends");
    let mut left: u64 = ends.iter().sum::<u64>() - from.iter().sum::<u64>();
    let from = places().into_iter().zip(from.iter().copied()).collect();
    let (mut reader, mut batch) = (log.reader(from).await.expect("a reader"), Batch::default());
    while left > 0 {
        reader.poll(&mut batch, 10_000, Duration::from_secs(5)).await.expect("records");
        assert!(!batch.is_empty(), "{left} records do not come");
        left -= batch.len() as u64;
        for record in batch.iter() {
            see(record.source, &serde_json::from_slice(record.value.expect("no tombstones")).expect("JSON"));
        }
    }
}

/// The row's id, and the hash of what it is.
fn row_of(image: &Value) -> (i64, u64) {
    let number = |column: &str| image[column].as_i64().expect("a number");
    (number("id"), hash_of(number("community_id"), number("qty"), image["note"].as_str().unwrap_or("NULL")))
}

/// Of the rows that a snapshot told from these offsets on: how many more than once. Each time the same, and never one that
/// a change had told before, but where both are repeated after a kill, from the same place: a row's records tell what it was
/// at their places.
async fn told_again(dir: &Path, from: &[u64]) -> u64 {
    let (mut told, mut changed, mut again) = (HashMap::new(), HashSet::new(), 0);
    visit(dir, from, |partition, value| match value["op"].as_str() {
        Some("r") => {
            let ((id, hash), source) = (row_of(&value["after"]), &value["source"]);
            let place = hash_of(0, source["pos"].as_i64().expect("a place"), source["file"].as_str().expect("a file"));
            let before = told.insert(id, (hash, place));
            if changed.contains(&(partition, id)) {
                assert_eq!(before, Some((hash, place)), "row {id} was told by a change, and then by the snapshot");
            }
            if let Some((before, _)) = before {
                assert_eq!(before, hash, "row {id} is told twice, and not the same");
                again += 1;
            }
        }
        Some("c" | "u") => {
            changed.insert((partition, row_of(&value["after"]).0));
        }
        _ => {}
    })
    .await;
    again
}

/// What the topic says of each row in the end. A row that went to another key stands in two partitions: the create beside
/// its delete is told by the place in the binlog.
async fn folded(dir: &Path) -> Rows {
    type Last = (usize, (u64, u64, i64, bool), Option<u64>);
    let mut last: HashMap<i64, Last, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    visit(dir, &[0; PARTITIONS as usize], |partition, value| {
        let (source, op) = (&value["source"], value["op"].as_str().expect("op"));
        let file = source["file"].as_str().and_then(|file| file.rsplit('.').next()?.parse().ok()).expect("a file");
        let pos = source["pos"].as_u64().expect("a place");
        let row = if op == "r" { -1 } else { source["row"].as_i64().expect("a row") };
        let (id, hash) = row_of(if op == "d" { &value["before"] } else { &value["after"] });
        let place = (file, pos, row, op != "d");
        if last.get(&id).is_none_or(|(there, old, _)| *there == partition || *old < place) {
            last.insert(id, (partition, place, (op != "d").then_some(hash)));
        }
    })
    .await;
    last.into_iter().filter_map(|(id, (_, _, hash))| Some((id, hash?))).collect()
}

async fn in_table(url: &str) -> Rows {
    let mut conn = connect(url).await;
    let mut rows = Rows::default();
    let mut result = conn.query_iter("SELECT id, community_id, qty, note FROM shop_0.lines").await.expect("rows");
    while let Some(row) = result.next().await.expect("a row") {
        let (id, community, qty, note): (i64, i64, i64, Option<String>) = mysql_async::from_row(row);
        rows.insert(id, hash_of(community, qty, note.as_deref().unwrap_or("NULL")));
    }
    rows
}

async fn compare(url: &str, dir: &Path) {
    let (status, lines) = Running::start(&mut reader(url, dir, &["--until-caught-up"])).wait(DEADLINE);
    assert!(status.success(), "{lines:#?}");
    let (topic, table) = (folded(dir).await, in_table(url).await);
    let lost = table.keys().filter(|id| !topic.contains_key(id)).count();
    let stale: Vec<_> =
        table.iter().filter(|(id, hash)| topic.get(id).is_some_and(|there| there != *hash)).take(5).collect();
    let invented = topic.keys().filter(|id| !table.contains_key(id)).count();
    assert_eq!((lost, &stale[..], invented), (0, &[][..], 0), "of {} rows", table.len());
}

async fn survive(url: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let rows = rows_wanted();
    fill(url, rows).await;
    let (stop, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(url.to_owned(), number, rows, Arc::clone(&stop), Arc::clone(&changes))))
        .collect();
    let started_ms = SystemClock.now_ms();

    // The first snapshot: one view, read on in another after each kill.
    let (first, first_mb) = kill_on_the_way(url, dir.path(), 250);
    read_to_the_end(url, dir.path()).await;
    let first_again = told_again(dir.path(), &[0; PARTITIONS as usize]).await;
    let later = log(dir.path()).await.ends(&places()).await.expect("ends");
    // A later one: in chunks between the changes.
    program::run(&mut reader(url, dir.path(), &["snapshot", "shop_0.lines"])).succeeded();
    let (second, second_mb) = kill_on_the_way(url, dir.path(), 450);
    let third_mb = read_to_the_end(url, dir.path()).await;
    let seconds = (SystemClock.now_ms() - started_ms) as u64 / 1000;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer ends");
    }

    assert!(first > 0 && second > 0, "kills met an open snapshot: {first} in the first, {second} in the later one");
    let peak = first_mb.max(second_mb).max(third_mb);
    assert!(peak < RSS_MAX_MB, "{peak} MB at the peak");
    let second_again = told_again(dir.path(), &later).await;
    compare(url, dir.path()).await;
    println!(
        "{rows} rows read twice in {seconds} s, {} changes meanwhile, {first} and {second} kills in open snapshots \
         ({first_again} and {second_again} rows told again), {peak} MB at the peak",
        changes.load(Ordering::Relaxed)
    );
}

#[test]
fn a_snapshot_under_writes_loses_nothing_on_mysql() {
    let server = Mysql::start();
    wait(survive(&server.url()));
}

#[test]
fn a_snapshot_under_writes_loses_nothing_on_mariadb() {
    let server = MariaDb::start();
    wait(survive(&server.url()));
}
