//! A task: one partition number over all the topics of the jobs, with the state of every job.

use std::collections::BTreeMap;

use linli_schemas::metric::Version;
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};
use serde::{Deserialize, Serialize};

use crate::effect::Effect;

/// What the answers depend on besides the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskConfig {
    pub shard: u32,
    pub partitions: u32,
    pub zone: Zone,
    pub out_of_orderness_ms: i64,
    pub lateness_ms: i64,
    /// How far an event time may be ahead of the time the record was received.
    pub ahead_ms: i64,
}

/// A record as fetched, not yet decoded.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    pub topic: Topic,
    pub offset: u64,
    /// Of the log; for the dead letter's time, so that it is the same each time.
    pub timestamp_ms: i64,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// `received = applied + duplicate + late + history + dead_lettered`, by job and topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub received: u64,
    pub applied: u64,
    pub duplicate: u64,
    pub late: u64,
    pub history: u64,
    pub dead_lettered: u64,
}

pub type Conservation = BTreeMap<&'static str, BTreeMap<&'static str, Counts>>;

/// What an epoch publishes of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochOutput {
    pub effects: Vec<Effect>,
    /// What changed in the state since the last epoch.
    pub delta: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("state of task {shard} cannot be read: {cause}")]
pub struct CorruptState {
    pub shard: u32,
    pub cause: String,
}

/// The state of all jobs for one shard.
pub struct Task {
    config: TaskConfig,
}

#[allow(unused_variables)]
impl Task {
    /// The version of the state's format: another one found is refused.
    pub const STATE_VERSION: u32 = 1;

    pub fn new(config: TaskConfig) -> Task {
        Task { config }
    }

    /// The task as it was after the last of `deltas`, each of which follows on the one before, the first on `base`.
    pub fn restore(config: TaskConfig, base: Option<&[u8]>, deltas: &[&[u8]]) -> Result<Task, CorruptState> {
        Ok(Task::new(config))
    }

    /// Applies one record. Decoding, lateness, duplicates and rejects are settled here.
    pub fn apply(&mut self, record: RawRecord<'_>) {}

    /// Ends the epoch: every window that changed, whole, and the state's delta.
    pub fn finish_epoch(&mut self, version: Version) -> EpochOutput {
        EpochOutput { effects: Vec::new(), delta: Vec::new() }
    }

    /// The whole state, as of the last finished epoch, for a new base.
    pub fn base(&self) -> Vec<u8> {
        Vec::new()
    }

    /// The next epoch delivers every open window again: a store lost its data.
    pub fn redeliver(&mut self) {}

    /// The end of an import: the next epoch takes the watermark to be at `watermark`, so that every window is written.
    /// Lateness goes on being measured from the events.
    pub fn advance_watermark(&mut self, watermark: EventTime) {}

    pub fn conservation(&self) -> Conservation {
        Conservation::new()
    }

    /// How far this task has come: the lowest watermark of the topics that have one.
    pub fn as_of(&self) -> Option<EventTime> {
        None
    }
}
