//! Group commit: what concurrent requests bring is appended together, and each is told how it went.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, SharedLog, TopicSpec};
use linli_connectors::{ErrorKind, Result};
use linli_schemas::Topic;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::CollectOptions;
use super::body::Share;
use super::meters::Meters;

const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// The records of one request.
pub(super) struct Commit {
    pub records: Vec<NewRecord>,
    pub bytes: usize,
    /// Held until the records are gone from memory, however long the log takes.
    pub share: Share,
    pub done: oneshot::Sender<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Durable,
    Failed,
}

pub(super) struct Committer {
    log: SharedLog,
    clock: SharedClock,
    meters: Arc<Meters>,
    /// Whether the last thing asked of the log went well.
    ready: Arc<AtomicBool>,
    commits: mpsc::Receiver<Commit>,
    topics: Vec<TopicSpec>,
    append_bytes_max: usize,
}

impl Committer {
    pub fn new(
        log: SharedLog,
        clock: SharedClock,
        meters: Arc<Meters>,
        ready: Arc<AtomicBool>,
        options: &CollectOptions,
    ) -> (mpsc::Sender<Commit>, Committer) {
        let (sender, commits) = mpsc::channel(options.waiting_requests_max.max(1));
        let topics = [Topic::Clicks, Topic::DeadLetter]
            .map(|topic| TopicSpec {
                name: topic.name().to_owned(),
                partitions: options.partitions,
                compacted: topic.compacted(),
            })
            .to_vec();
        let append_bytes_max = options.append_bytes_max;
        (sender, Committer { log, clock, meters, ready, commits, topics, append_bytes_max })
    }

    /// Appends until the last sender is gone. `stop` ends the waiting for a log that never answered.
    pub async fn run(mut self, stop: CancellationToken) -> Result<()> {
        if !self.make_topics(&stop).await? {
            return Ok(());
        }
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(commit) => commit,
                None => match self.commits.recv().await {
                    Some(commit) => commit,
                    None => return Ok(()),
                },
            };
            let group = self.gather(first, &mut held);
            self.append(group).await;
        }
    }

    /// False when told to stop before the log could be reached.
    async fn make_topics(&self, stop: &CancellationToken) -> Result<bool> {
        let mut backoff = BACKOFF_MIN;
        loop {
            match self.log.create_topics(&self.topics).await {
                Ok(()) => {
                    self.ready.store(true, Ordering::Release);
                    return Ok(true);
                }
                Err(error) if matches!(error.kind, ErrorKind::Config | ErrorKind::Corrupt) => return Err(error),
                Err(error) => tracing::warn!(%error, retry_in = ?backoff, "the log cannot be reached yet"),
            }
            tokio::select! {
                () = self.clock.sleep(backoff) => {}
                () = stop.cancelled() => return Ok(false),
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// What waits already, up to the size of an append; one too many is held for the next.
    fn gather(&mut self, first: Commit, held: &mut Option<Commit>) -> Vec<Commit> {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while let Ok(commit) = self.commits.try_recv() {
            if bytes + commit.bytes > self.append_bytes_max {
                *held = Some(commit);
                break;
            }
            bytes += commit.bytes;
            group.push(commit);
        }
        group
    }

    async fn append(&self, group: Vec<Commit>) {
        let mut waiting = Vec::with_capacity(group.len());
        let mut records = Vec::new();
        for commit in group {
            records.extend(commit.records);
            waiting.push((commit.done, commit.share));
        }
        let started = self.clock.now_ms();
        let result = self.log.append(records).await;
        self.meters.append_seconds.observe((self.clock.now_ms() - started).max(0) as f64 / 1000.0);
        let was_ready = self.ready.swap(result.is_ok(), Ordering::AcqRel);
        let outcome = match result {
            Ok(()) => {
                if !was_ready {
                    tracing::info!("the log takes events again");
                }
                self.meters.appends.with_label_values(&["durable"]).inc();
                Outcome::Durable
            }
            Err(error) => {
                // Once per outage: while it lasts, the counter tells.
                if was_ready {
                    tracing::error!(%error, hint = error.hint, "the log does not take events; senders are told to come again");
                }
                self.meters.appends.with_label_values(&["failed"]).inc();
                Outcome::Failed
            }
        };
        for (done, share) in waiting {
            drop(share);
            let _ = done.send(outcome); // nobody waits any more where the answer was given up
        }
    }
}
