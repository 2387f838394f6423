//! Watches every write while the runners work, and compares everything when they are done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::log::{Batch, NewRecord, SharedLog, TopicPartition};
use linli_connectors::serving::{SharedServing, Upsert};
use linli_schemas::Topic;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::metric::{Metric, MetricRecord, PartKey};
use linli_stream_runtime::epoch::{ConservationByName, EpochObject};

use super::shop::{Cells, Outcome, Planned, Shop};

#[derive(Default)]
pub struct Auditor(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    violations: Vec<String>,
    /// Which life wrote an epoch of a task.
    epochs: BTreeMap<(u32, u64), u32>,
    /// (task, generation, epoch)
    published: BTreeSet<(u32, u32, u64)>,
    /// The newest epoch of a life by task, while its effects are not marked delivered.
    undelivered: BTreeMap<(u32, u32), u64>,
    /// Deaths with effects published and not yet marked.
    died_in_between: u64,
    deaths: u64,
    /// Numbers published a second time after they were freed.
    strays: u64,
    trace: u64,
    calls: u64,
}

impl Auditor {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn violated(&self, what: String) {
        self.seen().violations.push(what);
    }

    pub fn violations(&self) -> Vec<String> {
        self.seen().violations.clone()
    }

    pub fn trace(&self, life: u32, what: &str, ok: bool) {
        let mut seen = self.seen();
        seen.calls += 1;
        let bytes = life.to_le_bytes().into_iter().chain(what.bytes()).chain([u8::from(ok)]);
        seen.trace = bytes.fold(seen.trace, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    }

    /// What happened, in one number; and in how many calls.
    pub fn trace_hash(&self) -> (u64, u64) {
        let seen = self.seen();
        (seen.trace, seen.calls)
    }

    /// Deaths, deaths with effects published and not marked, epochs at numbers that had been freed.
    pub fn deaths_and_strays(&self) -> (u64, u64, u64) {
        let seen = self.seen();
        (seen.deaths, seen.died_in_between, seen.strays)
    }

    pub fn died(&self, life: u32) {
        let mut seen = self.seen();
        seen.deaths += 1;
        if seen.undelivered.keys().any(|(of, _)| *of == life) {
            seen.died_in_between += 1;
        }
    }

    pub fn published(&self, life: u32, key: &str, bytes: Bytes) {
        if !key.contains("/epochs/") {
            return;
        }
        let object = match EpochObject::decode(key, bytes) {
            Ok(object) => object,
            Err(error) => return self.violated(error.to_string()),
        };
        let mut seen = self.seen();
        let (task, epoch) = (object.header.task, object.header.epoch.0);
        // A number freed by the collection of garbage may be taken by a runner that slept while taking over. It must find
        // that out before it delivers anything: what bears such a version counts as never published.
        let first = *seen.epochs.entry((task, epoch)).or_insert(life);
        if first != life {
            seen.strays += 1;
            return;
        }
        seen.published.insert((task, object.header.generation.0, epoch));
        if !object.outbox.is_empty() {
            seen.undelivered.insert((life, task), epoch);
        }
    }

    pub fn marked(&self, life: u32, key: &str) {
        let mut parts = key.split('/');
        if let (Some("tasks"), Some(task), Some("delivered")) = (parts.next(), parts.next(), parts.next()) {
            let task = task.parse().unwrap_or(u32::MAX);
            self.seen().undelivered.remove(&(life, task));
        }
    }

    pub fn upserting(&self, values: &[Upsert]) {
        for value in values {
            let shard = value.field.rsplit('/').next().and_then(|shard| shard.parse().ok());
            let (generation, epoch) = ((value.version >> 44) as u32, value.version & ((1 << 44) - 1));
            self.effect((shard.unwrap_or(u32::MAX), generation, epoch));
        }
    }

    pub fn appending(&self, records: &[NewRecord]) {
        for record in records.iter().filter(|record| record.topic.starts_with("metrics.")) {
            match MetricRecord::decode(record.value.as_deref().unwrap_or_default()) {
                Ok(MetricRecord { key, version, .. }) => self.effect((key.shard, version.generation, version.epoch)),
                Err(error) => self.violated(error.to_string()),
            }
        }
    }

    /// Nothing may be seen outside before its epoch is durable.
    fn effect(&self, epoch: (u32, u32, u64)) {
        let mut seen = self.seen();
        if !seen.published.contains(&epoch) {
            seen.violations.push(format!("an effect of {epoch:?} went out before its epoch was published"));
        }
    }
}

/// Results by key, newest version first found.
pub type Parts = BTreeMap<PartKey, MetricRecord>;

pub async fn serving_parts(serving: &SharedServing) -> Result<Parts, String> {
    let keys = serving.keys("").await.map_err(|error| error.to_string())?;
    let mut parts = Parts::new();
    for stored in serving.read(&keys).await.map_err(|error| error.to_string())?.into_iter().flatten() {
        let record = MetricRecord::decode(&stored.value).map_err(|error| error.to_string())?;
        parts.insert(record.key, record);
    }
    Ok(parts)
}

/// Everything on a topic, in the order of each partition.
pub async fn read_all(log: &SharedLog, topic: Topic, partitions: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, String> {
    let from =
        (0..partitions).map(|partition| (TopicPartition { topic: Arc::from(topic.name()), partition }, 0)).collect();
    let mut reader = log.reader(from).await.map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    let mut batch = Batch::default();
    loop {
        reader.poll(&mut batch, 10_000, Duration::ZERO).await.map_err(|error| error.to_string())?;
        if batch.is_empty() {
            return Ok(all);
        }
        all.extend(batch.iter().map(|found| (found.key.to_vec(), found.value.unwrap_or_default().to_vec())));
    }
}

/// The newest version of each key; two contents of one version are a fault.
pub async fn log_parts(log: &SharedLog, partitions: u32) -> Result<Parts, String> {
    let mut parts = Parts::new();
    for topic in Topic::METRICS {
        for (key, value) in read_all(log, topic, partitions).await? {
            let record = MetricRecord::decode(&value).map_err(|error| error.to_string())?;
            if key != record.key.log_key().into_bytes() || record.key.metric.topic() != topic {
                return Err(format!("{:?} lies under another key or topic", record.key));
            }
            match parts.get(&record.key) {
                Some(newer) if newer.version > record.version => {}
                Some(same) if same.version == record.version && *same != record => {
                    return Err(format!("two contents of {:?} at {:?}", record.key, record.version));
                }
                _ => {
                    parts.insert(record.key, record);
                }
            }
        }
    }
    Ok(parts)
}

/// Sums the shards' parts, as readers do.
pub fn merged(parts: &Parts) -> Cells {
    let mut cells = Cells::new();
    for (key, record) in parts {
        if key.metric == Metric::TopHopCommunity {
            continue; // the newest only, as of each shard
        }
        let columns = key.metric.columns();
        let dimensions = columns.iter().filter(|column| column.ends_with("_id")).count();
        for row in 0..record.rows() {
            let cell: Vec<i64> = record.columns.iter().map(|column| column[row]).collect();
            let mut place: Vec<i64> = cell[..dimensions].to_vec();
            if key.metric == Metric::TopDayCommunity {
                place.insert(0, key.dimension);
            }
            let sums = cells.entry((key.metric.name(), key.window_start, place)).or_default();
            sums.resize(columns.len() - dimensions, 0);
            for (sum, value) in sums.iter_mut().zip(&cell[dimensions..]) {
                *sum += value;
            }
        }
    }
    cells.retain(|_, values| values.iter().any(|value| *value != 0));
    cells
}

/// What differs between two sets of results, for people.
pub fn difference(name: &str, found: &Cells, expected: &Cells) -> Vec<String> {
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differing = keys.into_iter().filter(|key| found.get(*key) != expected.get(*key));
    let line = |key: &(&'static str, i64, Vec<i64>)| {
        format!("{name}: {key:?} is {:?}, should be {:?}", found.get(key), expected.get(key))
    };
    differing.map(line).take(5).collect()
}

/// Every record that stands on the log is counted, once, as what it is.
pub fn conservation(found: &ConservationByName, shop: &Shop, ends: &BTreeMap<Topic, u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (job, topics) in found {
        for (name, counts) in topics {
            let Some(topic) = Topic::from_name(name) else { continue };
            if !counts.conserved() || counts.received != ends.get(&topic).copied().unwrap_or(0) {
                wrong.push(format!("{job} {name}: {counts:?}, the log holds {:?}", ends.get(&topic)));
            }
            if topic == Topic::Buyers {
                continue; // forwards may be repeated
            }
            let count = |wanted: fn(&Planned) -> bool| {
                shop.planned.iter().filter(|planned| planned.topic == topic && wanted(planned)).count() as u64
            };
            let expected = (
                count(|planned| planned.outcome == Outcome::Applied && !planned.repetition),
                count(|planned| planned.outcome == Outcome::Applied && planned.repetition),
                count(|planned| planned.outcome == Outcome::Late),
                count(|planned| planned.outcome == Outcome::DeadLettered),
            );
            let found = (counts.applied, counts.duplicate, counts.late, counts.dead_lettered);
            if found != expected {
                wrong.push(format!("{job} {name}: applied, duplicate, late, dead {found:?}, should be {expected:?}"));
            }
        }
    }
    wrong
}

/// Each refused record has its letter, by its place on the log.
pub async fn dead_letters(log: &SharedLog, shop: &Shop, partitions: u32) -> Result<Vec<String>, String> {
    let mut places = BTreeSet::new();
    for (_, value) in read_all(log, Topic::DeadLetter, partitions).await? {
        let letter: DeadLetter = serde_json::from_slice(&value).map_err(|error| error.to_string())?;
        places.insert((letter.topic, letter.partition, letter.offset));
    }
    let refused = shop.planned.iter().filter(|planned| planned.outcome != Outcome::Applied).count();
    if places.len() == refused {
        Ok(Vec::new())
    } else {
        Ok(vec![format!("{} dead letters for {refused} refused records", places.len())])
    }
}
