//! A task: one partition number over all the topics of the jobs, with the state of every job.

use std::collections::BTreeMap;

use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::event::{self, Reject};
use linli_schemas::metric::Version;
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};
use serde::{Deserialize, Serialize};

use crate::admission::marks::place;
use crate::admission::{self, Verdict};
use crate::codec::{Damaged, Reader, Writer};
use crate::effect::Effect;
use crate::job::{Job, Pace};
use crate::journal::{Change, Journal, Replay};
use crate::state::{EpochEnd, State, check_origin, save_origin};

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

impl Counts {
    pub fn conserved(&self) -> bool {
        self.received == self.applied + self.duplicate + self.late + self.history + self.dead_lettered
    }
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

/// An epoch of more records than this reads a backlog: what the next epoch changes again is not written each time.
const LIVE_RECORDS_MAX: u64 = 5_000;

/// The state of all jobs for one shard.
#[derive(Debug)]
pub struct Task {
    config: TaskConfig,
    state: State,
    /// The changes since the last epoch.
    journal: Journal,
    /// Effects that do not wait for windows: dead letters.
    rejected: Vec<Effect>,
    /// Records since the last epoch.
    records: u64,
    /// The next epoch writes everything that waits.
    flush: bool,
}

impl Task {
    /// The version of the state's format: another one found is refused.
    pub const STATE_VERSION: u32 = 2;

    pub fn new(config: TaskConfig) -> Task {
        Task {
            state: State::new(&config),
            config,
            journal: Journal::default(),
            rejected: Vec::new(),
            records: 0,
            flush: false,
        }
    }

    /// The task as it was after the last of `deltas`, each of which follows on the one before, the first on `base`.
    pub fn restore(config: TaskConfig, base: Option<&[u8]>, deltas: &[&[u8]]) -> Result<Task, CorruptState> {
        let shard = config.shard;
        let corrupt = |what: String| move |error: Damaged| CorruptState { shard, cause: format!("{what}: {error}") };
        let mut task = Task::new(config);
        if let Some(base) = base {
            task.load_base(base)
                .map_err(corrupt("base".to_owned()))?
                .map_or(Ok(()), |cause| Err(CorruptState { shard, cause }))?;
        }
        for (i, delta) in deltas.iter().enumerate() {
            let what = format!("delta {} of {}", i + 1, deltas.len());
            task.replay(delta).map_err(corrupt(what))?.map_or(Ok(()), |cause| Err(CorruptState { shard, cause }))?;
        }
        Ok(task)
    }

    /// Applies one record. Decoding, lateness, duplicates and rejects are settled here.
    pub fn apply(&mut self, record: RawRecord<'_>) {
        self.records += 1;
        self.state.counts[place(record.topic)].received += 1;
        let outcome = match record.value {
            // A tombstone of a compacted topic: the row's delete came before it.
            None => Verdict::Applied(None),
            Some(value) => match event::decode(record.topic, value, self.config.zone) {
                Ok(decoded) => self.admit(record.topic, &decoded),
                Err(reject) => Verdict::Rejected(reject),
            },
        };
        let counts = &mut self.state.counts[place(record.topic)];
        match outcome {
            Verdict::Applied(_) => counts.applied += 1,
            Verdict::Duplicate => counts.duplicate += 1,
            Verdict::History => counts.history += 1,
            Verdict::Rejected(reject) => {
                match reject {
                    Reject::Late { .. } => counts.late += 1,
                    _ => counts.dead_lettered += 1,
                }
                self.reject(record, &reject);
            }
        }
        debug_assert!(self.state.counts[place(record.topic)].conserved(), "every record has one outcome");
    }

    fn admit(&mut self, topic: Topic, decoded: &event::Record) -> Verdict {
        let verdict = admission::judge(&self.config, topic, decoded, &mut self.state);
        let Verdict::Applied(change) = &verdict else { return verdict };
        if let Some(change) = change {
            self.change(change);
        }
        if let Some(key) = self.state.seen_beside.take() {
            self.change(&Change::Seen { topic: place(topic) as u8, key });
        }
        let high = decoded.event_time.filter(|_| decoded.snapshot_at.is_none());
        self.state.marks.move_on(topic, high.map(|at| at.0), decoded.source_time.0);
        verdict
    }

    fn change(&mut self, change: &Change) {
        self.journal.write(change);
        self.state.apply(change);
    }

    fn reject(&mut self, record: RawRecord<'_>, reject: &Reject) {
        self.rejected.push(Effect::DeadLetter {
            key: record.key.to_vec(),
            letter: DeadLetter {
                topic: record.topic.name().to_owned(),
                partition: Some(self.config.shard),
                offset: Some(record.offset),
                code: reject.code().to_owned(),
                reason: reject.to_string(),
                at: record.timestamp_ms,
                key: DeadLetter::encode_bytes(record.key),
                value: DeadLetter::encode_bytes(record.value.unwrap_or_default()),
            },
        });
    }

    /// Ends the epoch: every window that changed, whole, and the state's delta.
    pub fn finish_epoch(&mut self, version: Version) -> EpochOutput {
        let live = self.flush || self.records <= LIVE_RECORDS_MAX;
        let pace = if live { Pace::Live } else { Pace::CatchUp };
        let delta = self.delta(version, pace);
        let mut effects = std::mem::take(&mut self.rejected);
        self.end_epoch(version, pace, &mut effects);
        EpochOutput { effects, delta }
    }

    fn end_epoch(&mut self, version: Version, pace: Pace, effects: &mut Vec<Effect>) {
        let end = EpochEnd { shard: self.config.shard, partitions: self.config.partitions, version, pace };
        self.state.end_epoch(end, effects);
        self.records = 0;
        self.flush = false;
    }

    /// Whether results of the last epoch wait for the next, though no record comes: end another one for them.
    pub fn unfinished(&self) -> bool {
        self.flush || self.state.top_n.waits()
    }

    fn delta(&mut self, version: Version, pace: Pace) -> Vec<u8> {
        let mut out = Writer::default();
        save_origin(&self.config, &mut out);
        let journal = self.journal.take();
        out.len(journal.len());
        out.append(&journal);
        self.state.save_progress(&mut out);
        out.u64(version.epoch);
        out.byte(u8::from(pace == Pace::Live));
        out.into_bytes()
    }

    /// Applies a delta. Some(cause) if it is of another origin.
    fn replay(&mut self, delta: &[u8]) -> Result<Option<String>, Damaged> {
        let mut reader = Reader::new(delta);
        if let Some(refusal) = check_origin(&self.config, &mut reader)? {
            return Ok(Some(refusal));
        }
        let len = reader.len()?;
        let mut changes = Replay::new(reader.take(len)?);
        while let Some(change) = changes.next()? {
            self.state.apply(&change);
        }
        self.state.load_progress(&mut reader)?;
        let version = Version { generation: 0, epoch: reader.u64()?, sequence: 0 };
        let pace = if reader.flag()? { Pace::Live } else { Pace::CatchUp };
        reader.finish()?;
        // What it delivered then lies in that epoch's outbox.
        self.end_epoch(version, pace, &mut Vec::new());
        Ok(None)
    }

    /// The whole state for a new base. Between [`Task::finish_epoch`] and the next [`Task::apply`] only: a base is the
    /// state as of an epoch.
    pub fn base(&self) -> Vec<u8> {
        debug_assert!(self.journal.is_empty(), "a base is taken at the end of an epoch");
        let mut out = Writer::default();
        save_origin(&self.config, &mut out);
        self.state.save(&mut out);
        out.into_bytes()
    }

    fn load_base(&mut self, base: &[u8]) -> Result<Option<String>, Damaged> {
        let mut reader = Reader::new(base);
        if let Some(refusal) = check_origin(&self.config, &mut reader)? {
            return Ok(Some(refusal));
        }
        self.state = State::load(&self.config, &mut reader)?;
        reader.finish()?;
        Ok(None)
    }

    /// The next epoch delivers every open window again: a store lost its data.
    pub fn redeliver(&mut self) {
        self.state.redeliver();
        self.flush = true;
    }

    /// Which of [`Topic::INPUTS`] have had nothing to read for a while: joins and distinct sets wait for the others only.
    pub fn set_idle(&mut self, idle: [bool; Topic::INPUTS.len()]) {
        self.state.marks.set_idle(idle);
    }

    /// The end of an import: the next epoch takes the watermark to be at `watermark`, so that every window is written.
    /// Lateness goes on being measured from the events.
    pub fn advance_watermark(&mut self, watermark: EventTime) {
        self.state.advance(watermark.0);
        self.flush = true;
    }

    pub fn conservation(&self) -> Conservation {
        fn lines<J: Job>(task: &Task) -> (&'static str, BTreeMap<&'static str, Counts>) {
            (J::NAME, J::TOPICS.iter().map(|topic| (topic.name(), task.state.counts[place(*topic)])).collect())
        }
        BTreeMap::from([
            lines::<crate::gmv::Gmv>(self),
            lines::<crate::activity::Activity>(self),
            lines::<crate::top_n::TopN>(self),
            lines::<crate::buyers::Buyers>(self),
        ])
    }

    /// How far this task has come: the lowest watermark of the topics that have one.
    pub fn as_of(&self) -> Option<EventTime> {
        let watermarks = Topic::INPUTS.into_iter().filter_map(|topic| self.state.marks.watermark(topic));
        watermarks.min().map(EventTime)
    }

    /// How far the reading of a topic has come, by the time its source wrote it. Whoever reads backlogs keeps
    /// `orders` and `order_items` within some days of each other, so that one never waits for the other in vain.
    pub fn progress(&self, topic: Topic) -> Option<EventTime> {
        self.state.marks.of(topic).progress.map(EventTime)
    }
}
