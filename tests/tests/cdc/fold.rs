//! The topics, folded: the last state of each row, and each change once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use linli_connectors::log::{Batch, OpenOptions, TopicPartition, open};
use linli_schemas::partition::partition_of;
use serde_json::Value;

/// Table and primary key.
type Key = (String, String);
/// File, byte, row; a delete stands before the create that it is moved by.
type Place = (u64, u64, i64, bool);

#[derive(Debug, Default)]
pub struct Folded {
    /// Rows that are there, by table and primary key.
    pub rows: BTreeMap<Key, Value>,
    /// What was last said of each row: in which partition, at which place, and the row where it is there.
    last: BTreeMap<Key, (usize, Place, Option<Value>)>,
    /// The place of the newest change in each partition of a topic.
    high: BTreeMap<(String, usize), Place>,
    /// Distinct changes by operation; a moved row is one update.
    pub changes: usize,
    pub repeats: usize,
    pub snapshot_rows: usize,
    pub problems: Vec<String>,
}

/// Reads `topics` of the embedded log in `data_dir`. `key` names the columns of a table's primary key.
pub async fn fold(
    data_dir: &Path,
    topics: &[&str],
    partitions: u32,
    key: impl Fn(&str) -> Vec<&'static str>,
) -> Folded {
    let mut folded = Folded::default();
    let url = format!("file://{}", data_dir.join("log").display());
    let log = open(&url, OpenOptions::default()).await.expect("the log opens");
    let (mut seen, mut orders) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<u64>>::new());
    for topic in topics {
        let places: Vec<TopicPartition> =
            (0..partitions).map(|partition| TopicPartition { topic: (*topic).into(), partition }).collect();
        let ends = log.ends(&places).await.expect("ends");
        let mut left: u64 = ends.iter().sum();
        let from = places.into_iter().map(|place| (place, 0)).collect();
        let mut reader = log.reader(from).await.expect("a reader");
        let mut batch = Batch::default();
        while left > 0 {
            reader.poll(&mut batch, 10_000, Duration::from_secs(5)).await.expect("records");
            assert!(!batch.is_empty(), "{left} records of {topic} do not come");
            left = left.saturating_sub(batch.len() as u64); // it may grow meanwhile
            for record in batch.iter() {
                if partition_of(record.key, partitions) != record.source as u32 {
                    folded.problems.push(format!("{topic}: a record lies in another partition than its key"));
                }
                let Some(value) = record.value else { continue };
                let value: Value = serde_json::from_slice(value).expect("JSON");
                folded.record(topic, record.source, &value, &key, &mut seen, &mut orders);
            }
        }
    }
    for (transaction, orders) in orders {
        if orders.last().copied() != Some(orders.len() as u64) {
            folded.problems.push(format!("total_order of {transaction} has a gap"));
        }
    }
    let last = std::mem::take(&mut folded.last);
    folded.rows = last.into_iter().filter_map(|(key, (_, _, row))| Some((key, row?))).collect();
    folded.changes = seen.keys().map(|(identity, _)| identity).collect::<BTreeSet<_>>().len();
    folded
}

impl Folded {
    /// Whether an order that is there has an id that `wanted` accepts.
    pub fn any_order(&self, wanted: impl Fn(u64) -> bool) -> bool {
        self.rows.values().filter_map(|row| row["order_id"].as_u64()).any(wanted)
    }

    fn record(
        &mut self,
        topic: &str,
        partition: usize,
        value: &Value,
        key: &impl Fn(&str) -> Vec<&'static str>,
        seen: &mut BTreeMap<(String, String), String>,
        orders: &mut BTreeMap<String, BTreeSet<u64>>,
    ) {
        let (source, op) = (&value["source"], value["op"].as_str().expect("op").to_owned());
        let table = format!("{}.{}", source["db"].as_str().expect("db"), source["table"].as_str().expect("table"));
        let row_key = |row: &Value| {
            let columns = key(topic);
            (table.clone(), columns.iter().map(|column| row[*column].to_string()).collect::<Vec<_>>().join("/"))
        };
        let file =
            source["file"].as_str().and_then(|file| file.rsplit('.').next()).and_then(|number| number.parse().ok());
        let (file, pos) = (file.expect("a file"), source["pos"].as_u64().expect("a byte"));
        if op == "r" {
            self.snapshot_rows += 1;
            self.say(row_key(&value["after"]), partition, (file, pos, -1, false), Some(value["after"].clone()));
            return;
        }
        if op == "t" {
            let place = (file, pos, 0, true);
            for (key, (_, at, row)) in &mut self.last {
                if key.0 == table && *at < place {
                    (*at, *row) = (place, None);
                }
            }
        }
        if source["snapshot"] == "true" {
            return; // a table emptied before its snapshot: nobody changed it
        }
        let transaction = value["transaction"]["id"].as_str().expect("a transaction").to_owned();
        let identity = format!("{transaction} {} {}", source["pos"], source["row"]);
        let images = format!("{} {}", value["before"], value["after"]);
        if let Some(first) = seen.get(&(identity.clone(), op.clone())) {
            self.repeats += 1;
            if *first != images {
                self.problems.push(format!("{identity} {op} was repeated with other content"));
            }
            return;
        }
        seen.insert((identity.clone(), op.clone()), images);
        orders
            .entry(transaction)
            .or_default()
            .insert(value["transaction"]["total_order"].as_u64().expect("total_order"));
        let row = source["row"].as_i64().expect("a row");
        let high = self.high.entry((topic.to_owned(), partition)).or_default();
        if (file, pos, row, op != "d") < *high {
            self.problems.push(format!("{topic}/{partition}: {identity} {op} stands behind {high:?}"));
        }
        *high = (file, pos, row, op != "d");
        if op == "u" || op == "d" {
            self.say(row_key(&value["before"]), partition, (file, pos, row, false), None);
        }
        if op != "d" && op != "t" {
            self.say(row_key(&value["after"]), partition, (file, pos, row, true), Some(value["after"].clone()));
        }
    }

    /// Within a partition the later record holds; between partitions the one of the later place.
    fn say(&mut self, key: Key, partition: usize, place: Place, row: Option<Value>) {
        let holds = self.last.get(&key).is_none_or(|(there, old, _)| *there == partition || *old < place);
        if holds {
            self.last.insert(key, (partition, place, row));
        }
    }
}
