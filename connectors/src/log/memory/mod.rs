//! The log in memory: for simulation, with failures by a seed, and for a demo that need not last.
//!
//! Deterministic: no threads, no order of hashing; waits go through the clock and tokio's wake-ups alone.

mod faults;
mod groups;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use super::{EventLog, LogReader, Membership, NewRecord, OpenOptions, TopicPartition, TopicSpec, topics};
use crate::Result;
use faults::{AppendFate, Faults};
use groups::{Groups, MemoryMembership};
use reader::MemoryReader;

pub use faults::LogFaults;

/// A handle on a log in memory. [`MemoryLog::fork`] makes more handles on the same records.
#[derive(Clone)]
pub struct MemoryLog {
    records: Arc<Records>,
    options: OpenOptions,
    faults: Arc<Faults>,
}

/// What all handles share.
struct Records {
    topics: Mutex<BTreeMap<String, Topic>>,
    groups: Groups,
    appended: Notify,
}

struct Topic {
    spec: TopicSpec,
    partitions: Vec<Vec<Stored>>,
}

#[derive(Clone)]
struct Stored {
    timestamp_ms: i64,
    key: Bytes,
    value: Option<Bytes>,
}

impl Records {
    fn topics(&self) -> MutexGuard<'_, BTreeMap<String, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryLog {
    /// A log of its own, empty and without faults.
    pub fn new(options: OpenOptions) -> MemoryLog {
        MemoryLog {
            records: Arc::new(Records { topics: Mutex::default(), groups: Groups::default(), appended: Notify::new() }),
            options,
            faults: Arc::new(Faults::none()),
        }
    }

    /// Another handle on the same records and groups, for a client of this name, with failures of its own.
    pub fn fork(&self, client_id: &str, seed: u64, faults: LogFaults) -> MemoryLog {
        MemoryLog {
            records: Arc::clone(&self.records),
            options: OpenOptions { client_id: client_id.to_owned(), ..self.options.clone() },
            faults: Arc::new(Faults::new(seed, faults)),
        }
    }

    /// Changes the rates of failure of this handle, its clones and their readers from now on; `LogFaults::default()` heals.
    pub fn set_faults(&self, faults: LogFaults) {
        self.faults.set(faults);
    }

    /// Gives `member` (a client id) of `group` these partitions. From the first call on, the group's members own what
    /// they are given here and nothing else, so that a test can make two own the same; before, the members that
    /// joined share the partitions as Kafka's range assignor does.
    pub fn assign(&self, group: &str, member: &str, partitions: BTreeSet<u32>) {
        self.records.groups.assign(&self.full_name(group), member, partitions);
    }

    fn full_name(&self, name: &str) -> String {
        topics::full_name(&self.options.namespace, name)
    }

    fn partitions_of(&self, topic: &str) -> Result<u32> {
        let topics = self.records.topics();
        topics
            .get(&self.full_name(topic))
            .map(|found| found.spec.partitions)
            .ok_or_else(|| topics::unknown_topic(topic))
    }

    fn check(&self, topic: &str, partition: u32) -> Result<()> {
        let partitions = self.partitions_of(topic)?;
        if partition < partitions { Ok(()) } else { Err(topics::unknown_partition(topic, partition, partitions)) }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn create_topics(&self, specs: &[TopicSpec]) -> Result<()> {
        self.faults.call("create topics")?;
        let mut all = self.records.topics();
        for spec in specs {
            topics::check_spec(spec)?;
            let name = self.full_name(&spec.name);
            match all.get(&name) {
                Some(found) if found.spec.partitions != spec.partitions => {
                    return Err(topics::other_partition_count(&spec.name, found.spec.partitions, spec.partitions));
                }
                Some(_) => {}
                None => {
                    let partitions = (0..spec.partitions).map(|_| Vec::new()).collect();
                    all.insert(name, Topic { spec: spec.clone(), partitions });
                }
            }
        }
        Ok(())
    }

    async fn partition_count(&self, topic: &str) -> Result<Option<u32>> {
        self.faults.call("partitions of a topic")?;
        Ok(self.partitions_of(topic).ok())
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<()> {
        for record in &records {
            topics::check_size(record)?;
            self.check(&record.topic, record.partition)?;
        }
        let fate = self.faults.append(records.len());
        let appended = match fate {
            AppendFate::Whole | AppendFate::WholeThenError => records.len(),
            AppendFate::PrefixThenError(kept) => kept,
        };
        {
            let mut all = self.records.topics();
            for record in records.into_iter().take(appended) {
                let topic =
                    all.get_mut(&self.full_name(&record.topic)).ok_or_else(|| topics::unknown_topic(&record.topic))?;
                topic.partitions[record.partition as usize].push(Stored {
                    timestamp_ms: record.timestamp_ms,
                    key: record.key,
                    value: record.value,
                });
            }
        }
        if appended > 0 {
            self.records.appended.notify_waiters();
        }
        fate.result()
    }

    async fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>> {
        self.faults.call("ends of partitions")?;
        partitions
            .iter()
            .map(|partition| {
                self.check(&partition.topic, partition.partition)?;
                let all = self.records.topics();
                let topic = all.get(&self.full_name(&partition.topic));
                Ok(topic.map_or(0, |topic| topic.partitions[partition.partition as usize].len() as u64))
            })
            .collect()
    }

    async fn reader(&self, from: Vec<(TopicPartition, u64)>) -> Result<Box<dyn LogReader>> {
        let ends = self.ends(&from.iter().map(|(partition, _)| partition.clone()).collect::<Vec<_>>()).await?;
        for ((partition, offset), end) in from.iter().zip(ends) {
            if *offset > end {
                return Err(topics::out_of_range(&partition.topic, partition.partition, *offset, end));
            }
        }
        let sources = from
            .into_iter()
            .map(|(partition, offset)| (self.full_name(&partition.topic), partition.partition as usize, offset))
            .collect();
        Ok(Box::new(MemoryReader::new(self.clone(), sources)))
    }

    async fn join(&self, group: &str, leading_topic: &str) -> Result<Box<dyn Membership>> {
        let partitions = self.partitions_of(leading_topic)?;
        let records = Arc::clone(&self.records);
        Ok(Box::new(MemoryMembership::join(records, self.full_name(group), self.options.client_id.clone(), partitions)))
    }
}
