//! How the jobs run.

use std::time::Duration;

use linli_schemas::zone::Zone;
use linli_stream_jobs::task::{Task, TaskConfig};

use crate::error::{Error, Result};
use crate::recovery::Wanted;

/// Who decides which tasks run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// All of them: nobody else runs the jobs on these blobs. Being fenced is an error.
    All,
    /// The consumer group shares them out. A task lost to another runner is taken back if the group says so.
    Group(String),
}

#[derive(Clone, Debug)]
pub struct JobsOptions {
    pub assignment: Assignment,
    /// Belongs to the state: another count than the state's is refused.
    pub partitions: u32,
    pub zone: Zone,
    pub out_of_orderness: Duration,
    pub lateness: Duration,
    pub ahead: Duration,
    /// An epoch at least so often while records come and the task keeps up.
    pub epoch_interval: Duration,
    /// While a task is behind by more than `behind_records`, an epoch may take so long and so many records.
    pub catch_up_interval: Duration,
    pub catch_up_records: u64,
    pub behind_records: u64,
    /// Fetched and applied before others on the thread have their turn.
    pub poll_records: usize,
    /// The longest wait for records; bounds how long a stop takes.
    pub poll_wait: Duration,
    /// Bytes of one epoch's records, so that a task's memory is bounded whatever their size.
    pub epoch_bytes_max: u64,
    /// How often the end of an import, the serving store's incarnation and the logs' ends are looked at.
    pub control_interval: Duration,
    /// A topic is idle that has been read to its end for so long, by the clock: its partition's other topics, and other
    /// partitions, stop waiting for it. Shorter than what a writer may take from one topic to the next is too short.
    pub idle_after: Duration,
    /// A new base when the deltas since the last outgrow it and this, or are more than `deltas_max`.
    pub base_bytes_min: u64,
    pub deltas_max: u64,
    /// How long the serving store keeps a metric's day after the last write to it.
    pub serving_expires_after: Duration,
    /// At the end, how long a store that does not answer may delay a task; its effects stay pending.
    pub stop_grace: Duration,
    /// Threads of the tasks' own; `None`: those of the caller's runtime.
    pub threads: Option<usize>,
    #[cfg(feature = "mutants")]
    pub mutation: Option<Mutation>,
}

/// A fault in the protocol itself that the simulation must find.
#[cfg(feature = "mutants")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// An owner that lost a race writes over the winner's epoch.
    FencingOff,
    /// Records republished by ingest are given a new identity.
    DeduplicationOff,
    /// Effects go out before their epoch is durable.
    DeliverBeforePublish,
    /// A takeover reads from the logs' starts instead of the epoch's positions.
    PositionsForgotten,
    /// A takeover takes the newest epoch's effects to be delivered.
    OutboxForgotten,
}

impl JobsOptions {
    /// The defaults of `cli/default.toml`.
    pub fn new(assignment: Assignment, partitions: u32, zone: Zone) -> JobsOptions {
        JobsOptions {
            assignment,
            partitions,
            zone,
            out_of_orderness: Duration::from_secs(5),
            lateness: Duration::from_secs(24 * 3600),
            ahead: Duration::from_secs(600),
            epoch_interval: Duration::from_secs(1),
            catch_up_interval: Duration::from_secs(5),
            catch_up_records: 400_000,
            behind_records: 20_000,
            poll_records: 4096,
            poll_wait: Duration::from_millis(250),
            epoch_bytes_max: 256 << 20,
            control_interval: Duration::from_secs(1),
            idle_after: Duration::from_secs(600),
            base_bytes_min: 16 << 20,
            deltas_max: 512,
            serving_expires_after: Duration::from_secs(72 * 3600),
            stop_grace: Duration::from_secs(10),
            threads: None,
            #[cfg(feature = "mutants")]
            mutation: None,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let bad = |cause: &str| Err(Error::Options { cause: cause.to_owned() });
        match self {
            JobsOptions { partitions: 0, .. } => bad("there is at least one partition"),
            JobsOptions { threads: Some(0), .. } => bad("there is at least one thread"),
            JobsOptions { poll_records: 0, .. } => bad("a poll asks for at least one record"),
            JobsOptions { deltas_max: 0, .. } => bad("a base is followed by at least one delta"),
            _ => Ok(()),
        }
    }

    pub(crate) fn task_config(&self, task: u32) -> TaskConfig {
        TaskConfig {
            shard: task,
            partitions: self.partitions,
            zone: self.zone,
            out_of_orderness_ms: ms(self.out_of_orderness),
            lateness_ms: ms(self.lateness),
            ahead_ms: ms(self.ahead),
        }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { partitions: self.partitions, state_version: Task::STATE_VERSION, zone: self.zone.name().to_owned() }
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}

pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
