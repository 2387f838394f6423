//! Tasks with what a runtime does around them, in memory: routing, epochs, crashes, forwards and the stores' versions.

use std::collections::BTreeMap;

use linli_schemas::metric::{Metric, MetricRecord, PartKey, Version};
use linli_schemas::partition::partition_of;
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};
use linli_stream_jobs::effect::Effect;
use linli_stream_jobs::task::{Counts, RawRecord, Task, TaskConfig};

pub const LATENESS_MS: i64 = 24 * 3_600_000;
pub const OUT_OF_ORDERNESS_MS: i64 = 5_000;

#[derive(Clone, Debug)]
pub struct Published {
    pub topic: Topic,
    pub key: String,
    pub value: Option<String>,
}

struct Shard {
    task: Task,
    base: Option<Vec<u8>>,
    deltas: Vec<Vec<u8>>,
    /// Applied since the last epoch, with offsets: what a crash makes the runtime read again.
    since: Vec<(u64, Published)>,
    offset: u64,
    epochs: u64,
    config: TaskConfig,
    /// Asked of the next epoch; a crash before it makes the runtime ask again.
    redeliver: bool,
    watermark: Option<EventTime>,
}

/// What readers of the results see: metric, window, dimension and the row's key columns → the row's values.
pub type Table = BTreeMap<(Metric, i64, i64, Vec<i64>), Vec<i64>>;

pub struct Shop {
    shards: Vec<Shard>,
    store: BTreeMap<PartKey, MetricRecord>,
    pub dead_letters: BTreeMap<(String, u32, u64), String>,
    /// Each record is published twice.
    pub twice: bool,
}

impl Shop {
    pub fn new(zone: Zone, partitions: u32) -> Shop {
        let shards = (0..partitions).map(|shard| {
            let config = TaskConfig {
                shard,
                partitions,
                zone,
                out_of_orderness_ms: OUT_OF_ORDERNESS_MS,
                lateness_ms: LATENESS_MS,
                ahead_ms: 600_000,
            };
            let task = Task::new(config.clone());
            Shard {
                task,
                base: None,
                deltas: Vec::new(),
                since: Vec::new(),
                offset: 0,
                epochs: 0,
                config,
                redeliver: false,
                watermark: None,
            }
        });
        Shop { shards: shards.collect(), store: BTreeMap::new(), dead_letters: BTreeMap::new(), twice: false }
    }

    pub fn publish(&mut self, topic: Topic, key: &str, value: Option<&str>) {
        let partition = partition_of(key.as_bytes(), self.shards.len() as u32);
        let record = Published { topic, key: key.to_owned(), value: value.map(str::to_owned) };
        for _ in 0..if self.twice { 2 } else { 1 } {
            self.shards[partition as usize].receive(record.clone());
        }
    }

    /// Ends an epoch of every task, then delivers, as a runtime does: publish first.
    pub fn epoch(&mut self) -> Vec<Effect> {
        let mut all = Vec::new();
        for shard in 0..self.shards.len() {
            let effects = self.shards[shard].finish();
            self.deliver(&effects);
            // Delivered twice equals once.
            self.deliver(&effects);
            all.extend(effects);
        }
        all
    }

    /// Epochs until nothing is on the way between tasks, and nothing waits for its turn.
    pub fn drain(&mut self) -> Vec<Effect> {
        let mut all = Vec::new();
        for _ in 0..4 {
            all.extend(self.epoch());
        }
        assert!(self.shards.iter().all(|shard| shard.since.is_empty() && !shard.task.unfinished()), "drained");
        all
    }

    pub fn crash(&mut self) {
        for shard in &mut self.shards {
            shard.crash();
        }
    }

    pub fn redeliver(&mut self) {
        self.store.clear();
        self.redeliver_keeping();
    }

    /// The stores lost nothing, but the tasks think so.
    pub fn redeliver_keeping(&mut self) {
        for shard in &mut self.shards {
            shard.redeliver = true;
            shard.task.redeliver();
        }
    }

    pub fn advance_watermark(&mut self, at: i64) {
        for shard in &mut self.shards {
            shard.watermark = Some(EventTime(at));
            shard.task.advance_watermark(EventTime(at));
        }
    }

    fn deliver(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Metric(record) => {
                    let newer = |held: &MetricRecord| held.version <= record.version;
                    if self.store.get(&record.key).is_none_or(newer) {
                        self.store.insert(record.key, record.clone());
                    }
                }
                Effect::Forward { topic, partition, key, value } => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
                    let record = Published { topic: *topic, key: text(key), value: Some(text(value)) };
                    self.shards[*partition as usize].receive(record);
                }
                Effect::DeadLetter { letter, .. } => {
                    let partition = letter.partition.expect("a partition");
                    let place = (letter.topic.clone(), partition, letter.offset.expect("an offset"));
                    self.dead_letters.insert(place, letter.code.clone());
                }
            }
        }
    }

    /// The results summed over shards.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        for record in self.store.values() {
            assert_eq!(record.columns.len(), record.key.metric.columns().len());
            for row in 0..record.rows() {
                let cells: Vec<i64> = record.columns.iter().map(|column| column[row]).collect();
                let (key, values) = cells.split_at(key_columns(record.key.metric));
                let at = (record.key.metric, record.key.window_start, record.key.dimension, key.to_vec());
                let sums = table.entry(at).or_insert_with(|| vec![0; values.len()]);
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        table
    }

    /// Counts over all shards, by job and topic.
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), Counts> {
        let mut all: BTreeMap<_, Counts> = BTreeMap::new();
        for shard in &self.shards {
            for (job, topics) in shard.task.conservation() {
                for (topic, counts) in topics {
                    assert!(counts.conserved(), "{job} {topic}: {counts:?}");
                    let sum = all.entry((job, topic)).or_default();
                    sum.received += counts.received;
                    sum.applied += counts.applied;
                    sum.duplicate += counts.duplicate;
                    sum.late += counts.late;
                    sum.history += counts.history;
                    sum.dead_lettered += counts.dead_lettered;
                }
            }
        }
        all
    }
}

/// How many columns of a row name it; the rest are values.
pub fn key_columns(metric: Metric) -> usize {
    match metric {
        Metric::TopMin | Metric::TopDay => 2,
        Metric::UvMinTotal | Metric::UvHourTotal | Metric::UvDayTotal | Metric::BuyersDayTotal => 0,
        _ => 1,
    }
}

impl Shard {
    fn receive(&mut self, record: Published) {
        self.offset += 1;
        self.since.push((self.offset, record.clone()));
        apply(&mut self.task, self.offset, &record);
    }

    fn finish(&mut self) -> Vec<Effect> {
        self.epochs += 1;
        let output = self.task.finish_epoch(Version { generation: 1, epoch: self.epochs, sequence: 0 });
        self.since.clear();
        (self.redeliver, self.watermark) = (false, None);
        self.deltas.push(output.delta);
        if self.epochs.is_multiple_of(3) {
            self.base = Some(self.task.base());
            self.deltas.clear();
        }
        output.effects
    }

    fn crash(&mut self) {
        let deltas: Vec<&[u8]> = self.deltas.iter().map(Vec::as_slice).collect();
        let restored = Task::restore(self.config.clone(), self.base.as_deref(), &deltas);
        self.task = restored.expect("a state that was published");
        for (offset, record) in &self.since {
            apply(&mut self.task, *offset, record);
        }
        if self.redeliver {
            self.task.redeliver();
        }
        if let Some(watermark) = self.watermark {
            self.task.advance_watermark(watermark);
        }
    }
}

fn apply(task: &mut Task, offset: u64, record: &Published) {
    task.apply(RawRecord {
        topic: record.topic,
        offset,
        timestamp_ms: 0,
        key: record.key.as_bytes(),
        value: record.value.as_deref().map(str::as_bytes),
    });
}
