//! What lies in the topics of an embedded log, and the reader that puts it there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use linli_connectors::log::{Batch, OpenOptions, TopicPartition, open};
use linli_tests::program::{self, Finished, Running};
use linli_tests::stack::{MariaDb, Mysql};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row};
use serde_json::Value;

use crate::DEADLINE;

pub const PARTITIONS: u32 = 4;

/// Servers for tests that leave their settings alone and write to databases of their own. They end with the tests.
pub static MYSQL: LazyLock<Mysql> = LazyLock::new(Mysql::start);
pub static MARIADB: LazyLock<MariaDb> = LazyLock::new(MariaDb::start);

/// A record of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub partition: usize,
    pub key: String,
    /// `None` for a tombstone.
    pub value: Option<Value>,
}

impl Record {
    pub fn op(&self) -> &str {
        self.value.as_ref().and_then(|value| value["op"].as_str()).unwrap_or_default()
    }

    pub fn value(&self) -> &Value {
        self.value.as_ref().expect("a value")
    }

    pub fn before(&self) -> &Value {
        &self.value()["before"]
    }

    pub fn after(&self) -> &Value {
        &self.value()["after"]
    }

    pub fn source(&self) -> &Value {
        &self.value()["source"]
    }

    /// Transaction and row: what tells a change from every other.
    pub fn identity(&self) -> String {
        let value = self.value();
        format!("{} {} {}", value["transaction"]["id"], value["source"]["row"], value["op"])
    }
}

/// All records of a topic, partition by partition; none where it is not there.
pub async fn records(dir: &Path, topic: &str) -> Vec<Record> {
    let mut found = Vec::new();
    each(dir, topic, |partition, key, value| {
        found.push(Record {
            partition,
            key: String::from_utf8_lossy(key).into_owned(),
            value: value.map(|value| serde_json::from_slice(value).expect("JSON")),
        });
    })
    .await;
    found.sort_by_key(|record| record.partition);
    found
}

/// Partition, key and value of each record, without keeping them.
pub async fn each(dir: &Path, topic: &str, mut take: impl FnMut(usize, &[u8], Option<&[u8]>)) {
    let url = format!("file://{}", dir.join("log").display());
    let log = open(&url, OpenOptions::default()).await.expect("the log opens");
    let places: Vec<TopicPartition> =
        (0..PARTITIONS).map(|partition| TopicPartition { topic: topic.into(), partition }).collect();
    let Ok(ends) = log.ends(&places).await else {
        return;
    };
    let mut left: u64 = ends.iter().sum();
    let mut reader = log.reader(places.into_iter().map(|place| (place, 0)).collect()).await.expect("a reader");
    let mut batch = Batch::default();
    while left > 0 {
        reader.poll(&mut batch, 10_000, Duration::from_secs(5)).await.expect("records");
        assert!(!batch.is_empty(), "{left} records of {topic} do not come");
        left = left.saturating_sub(batch.len() as u64); // the log may grow meanwhile
        batch.iter().for_each(|record| take(record.source, record.key, record.value));
    }
}

/// The rows of a table as its topic has them last, by the text of a column that tells them apart.
pub async fn last_rows(dir: &Path, topic: &str, key: &str) -> Vec<Value> {
    let mut last: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for record in records(dir, topic).await {
        // A row that moved is in two partitions, of which the first says that it is gone.
        let here = |there: &(usize, Value)| there.0 == record.partition;
        match record.op() {
            "t" => last.retain(|_, there| !here(there)),
            "d" if last.get(&record.before()[key].to_string()).is_some_and(here) => {
                last.remove(&record.before()[key].to_string());
            }
            "d" => {}
            _ => {
                last.insert(record.after()[key].to_string(), (record.partition, record.after().clone()));
            }
        }
    }
    last.into_values().map(|(_, row)| row).collect()
}

/// Changes of a topic that is read from the binlog alone, each once: a repetition has to say the same.
pub async fn changes(dir: &Path, topic: &str) -> Vec<Record> {
    let mut first: BTreeMap<String, Record> = BTreeMap::new();
    let mut kept = Vec::new();
    for record in records(dir, topic).await.into_iter().filter(|record| record.op() != "r") {
        match first.get(&record.identity()) {
            Some(first) => assert_eq!(
                (first.before(), first.after()),
                (record.before(), record.after()),
                "a repetition with other content"
            ),
            None => {
                first.insert(record.identity(), record.clone());
                kept.push(record);
            }
        }
    }
    kept
}

/// A reader has a name: two of one name would end each other.
fn named(url: &str, databases: &str) -> String {
    if url.contains('#') { url.to_owned() } else { format!("{url}#{databases}") }
}

/// `linli ingest cdc` on an embedded log in `dir`, for databases by a pattern.
pub fn reader(url: &str, dir: &Path, databases: &str, more: &[&str]) -> Command {
    let (partitions, url) = (PARTITIONS.to_string(), named(url, databases));
    let mut command = program::linli(["ingest", "cdc", "--shop", &url, "--partitions", &partitions, "--data-dir"]);
    command.arg(dir).args(more).env("LINLI__CDC__DATABASES", databases);
    command
}

/// Follows until everything is published.
pub fn catch_up(url: &str, dir: &Path, databases: &str) -> Finished {
    program::run(&mut reader(url, dir, databases, &["--until-caught-up"])).succeeded()
}

/// Starts a reader and waits until it follows the binlog.
pub fn follow(command: &mut Command) -> Running {
    let mut running = Running::start(command);
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    running
}

/// Another command on the reader's state, as `["position", "show"]`.
pub fn ask(url: &str, dir: &Path, databases: &str, words: &[&str]) -> Finished {
    let mut command = program::linli(["--json", "--shop", &named(url, databases), "--data-dir"]);
    command.arg(dir).args(["ingest", "cdc"]).args(words).env("LINLI__CDC__DATABASES", databases);
    program::run(&mut command)
}

/// A connection that panics with the statement that failed.
pub struct Sql(Conn);

impl Sql {
    pub async fn connect(url: &str) -> Sql {
        Sql(Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers"))
    }

    pub async fn run(&mut self, sql: &str) {
        self.0.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub async fn all(&mut self, statements: &[&str]) {
        for sql in statements {
            self.run(sql).await;
        }
    }

    /// The cells of all rows, as texts.
    pub async fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let rows: Vec<Row> = self.0.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let cell = |value: mysql_async::Value| match value {
            mysql_async::Value::NULL => None,
            mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => Some(other.as_sql(true)),
        };
        rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect()).collect()
    }

    pub async fn one(&mut self, sql: &str) -> String {
        self.rows(sql).await.into_iter().next().and_then(|row| row.into_iter().next().flatten()).unwrap_or_default()
    }
}

/// Waits until the topics say what is wanted.
pub async fn wait_until<F: Future<Output = bool>>(what: &str, mut wanted: impl FnMut() -> F) {
    let waiting = async {
        while !wanted().await {
            pause().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("in time: {what}"));
}

#[allow(clippy::disallowed_methods)] // looks again at what a process of its own does
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
