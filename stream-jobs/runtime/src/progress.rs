//! How far the tasks have come, from the blobs alone: for importers, reports and whoever runs beside the jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_schemas::EventTime;

use crate::control::{all_ends, import_watermark};
use crate::epoch::{ConservationByName, Epoch, EpochHeader, EpochStore, Positions};
use crate::error::Result;

/// The newest epoch of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskProgress {
    pub header: EpochHeader,
    /// Its effects are in every store.
    pub delivered: bool,
}

/// Reads the newest epochs; keeps those that are delivered, since they do not change.
pub struct ProgressReader {
    stores: Vec<EpochStore>,
    delivered: BTreeMap<u32, EpochHeader>,
}

impl ProgressReader {
    pub fn new(blobs: &SharedBlobs, partitions: u32) -> ProgressReader {
        let stores = (0..partitions).map(|task| EpochStore::new(blobs.clone(), task)).collect();
        ProgressReader { stores, delivered: BTreeMap::new() }
    }

    /// By task; `None` for one that never ran.
    pub async fn read(&mut self) -> Result<Vec<Option<TaskProgress>>> {
        let mut tasks = Vec::with_capacity(self.stores.len());
        for store in &self.stores {
            let progress = match store.newest().await? {
                None => None,
                Some(epoch) => task(store, epoch, self.delivered.get(&store.task())).await?,
            };
            if let Some(TaskProgress { header, delivered: true }) = &progress {
                self.delivered.insert(store.task(), header.clone());
            }
            tasks.push(progress);
        }
        Ok(tasks)
    }

    /// The counts of all tasks together, as of their newest epochs.
    pub async fn conservation(&mut self) -> Result<ConservationByName> {
        let tasks = self.read().await?;
        Ok(conservation(tasks.iter().flatten().map(|task| &task.header)))
    }
}

async fn task(store: &EpochStore, epoch: Epoch, known: Option<&EpochHeader>) -> Result<Option<TaskProgress>> {
    if let Some(header) = known.filter(|header| header.epoch == epoch) {
        return Ok(Some(TaskProgress { header: header.clone(), delivered: true }));
    }
    if let Some(header) = store.delivered_header(epoch).await? {
        return Ok(Some(TaskProgress { header, delivered: true }));
    }
    let object = store.read(epoch).await?;
    Ok(object.map(|object| TaskProgress { header: object.header, delivered: false }))
}

/// Sums the tasks' counts.
pub fn conservation<'a>(headers: impl Iterator<Item = &'a EpochHeader>) -> ConservationByName {
    let mut sum = ConservationByName::new();
    for header in headers {
        for (job, topics) in &header.conservation {
            for (topic, counts) in topics {
                let total = sum.entry(job.clone()).or_default().entry(topic.clone()).or_default();
                total.received += counts.received;
                total.applied += counts.applied;
                total.duplicate += counts.duplicate;
                total.late += counts.late;
                total.history += counts.history;
                total.dead_lettered += counts.dead_lettered;
            }
        }
    }
    sum
}

/// What is still to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Records between the newest epochs and the logs' ends.
    pub records: u64,
    /// Tasks whose newest epoch is not delivered or leaves results to the next, or which have not yet heard of the end
    /// of the import.
    pub tasks: u32,
}

impl Remaining {
    pub fn is_none(self) -> bool {
        self == Remaining::default()
    }
}

/// Looks once. The ends are asked for *after* the positions: when the two are equal, nothing was unread in between,
/// and only records make effects.
pub async fn remaining(log: &SharedLog, blobs: &SharedBlobs, progress: &mut ProgressReader) -> Result<Remaining> {
    let watermark = import_watermark(blobs).await?;
    let tasks = progress.read().await?;
    let ends = all_ends(log, u32::try_from(tasks.len()).unwrap_or(u32::MAX)).await?;
    let mut remaining = Remaining::default();
    for (task, ends) in tasks.iter().zip(ends) {
        let position = task.as_ref().map_or_else(Positions::default, |task| task.header.positions);
        remaining.records += position.lag(&ends);
        let done = match task {
            None => watermark.is_none(),
            Some(task) => task.delivered && !task.header.unfinished && heard(&task.header, watermark),
        };
        remaining.tasks += u32::from(!done);
    }
    Ok(remaining)
}

fn heard(header: &EpochHeader, watermark: Option<EventTime>) -> bool {
    watermark.is_none_or(|at| header.import_watermark >= Some(at))
}

/// Returns when every record on the logs is in a delivered epoch and every task has heard of the end of the import, and
/// that twice in a row, since what tasks forward is read by tasks again. Passing failures are waited out.
/// `on_look` is told what remains each time. Never gives up by itself: whoever must stop drops the future.
pub async fn wait_until_drained(
    log: &SharedLog,
    blobs: &SharedBlobs,
    clock: &SharedClock,
    partitions: u32,
    interval: Duration,
    mut on_look: impl FnMut(Remaining),
) -> Result<Vec<Option<TaskProgress>>> {
    let mut progress = ProgressReader::new(blobs, partitions);
    let mut before: Option<Vec<Option<TaskProgress>>> = None;
    loop {
        match look(log, blobs, &mut progress).await {
            Ok((remaining, tasks)) => {
                on_look(remaining);
                let stable = remaining.is_none();
                if stable && before.as_ref() == Some(&tasks) {
                    return Ok(tasks);
                }
                before = stable.then_some(tasks);
            }
            Err(error) if error.is_retry() => {
                tracing::debug!(error = %error, "cannot see how far the tasks are, looking again");
                before = None;
            }
            Err(error) => return Err(error),
        }
        clock.sleep(interval).await;
    }
}

async fn look(
    log: &SharedLog,
    blobs: &SharedBlobs,
    progress: &mut ProgressReader,
) -> Result<(Remaining, Vec<Option<TaskProgress>>)> {
    let remaining = remaining(log, blobs, progress).await?;
    Ok((remaining, progress.read().await?))
}
