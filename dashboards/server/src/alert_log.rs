//! Follows topic `alerts` from its beginning, and tells what fires.
//!
//! What cannot be read is told as such: "nothing fires" is said only when the whole topic was read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{Batch, EventLog, SharedLog, TopicPartition};
use linli_connectors::{Error, Result};
use linli_schemas::Topic;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::alerts::{AlertFold, Firing};
use crate::meters::Meters;

/// How often the log is looked at, and tried again when it cannot be read.
const TICK: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(5);
/// Every so many ticks the log is asked where it ends: a reader alone does not notice a log that is gone.
const ENDS_EVERY_TICKS: u32 = 10;
/// So many ticks without a record are the end, too: Kafka ends a transaction with an offset that no reader sees.
const QUIET_TICKS: u32 = 3;
const RECORDS_A_POLL: usize = 1_000;

/// Where alerts are read from.
#[async_trait]
pub trait AlertLog: Send + Sync + 'static {
    /// Opens the log. Asked again, now and then, while that fails or the log cannot be read.
    async fn open(&self) -> Result<SharedLog>;
}

/// A log that is open already.
#[async_trait]
impl AlertLog for SharedLog {
    async fn open(&self) -> Result<SharedLog> {
        Ok(SharedLog::clone(self))
    }
}

/// What is known of the alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertsState {
    /// Not read to the end yet.
    Starting,
    /// What fires.
    Known(Arc<[Firing]>),
    /// The log cannot be read: what fires is not known. What fired when it was read last, if it was.
    Lost(Option<Arc<[Firing]>>),
}

impl AlertsState {
    fn firing(&self) -> Option<&Arc<[Firing]>> {
        match self {
            AlertsState::Starting | AlertsState::Lost(None) => None,
            AlertsState::Known(firing) | AlertsState::Lost(Some(firing)) => Some(firing),
        }
    }
}

pub struct AlertFollower {
    log: Arc<dyn AlertLog>,
    clock: SharedClock,
    meters: Arc<Meters>,
    state: watch::Sender<AlertsState>,
}

/// How far each partition was read, and where it ended when the log was asked last.
struct Progress {
    read: Vec<u64>,
    ends: Vec<u64>,
}

impl AlertFollower {
    pub fn new(log: Arc<dyn AlertLog>, clock: SharedClock, meters: Arc<Meters>) -> AlertFollower {
        AlertFollower { log, clock, meters, state: watch::Sender::new(AlertsState::Starting) }
    }

    /// Tells when what fires changes.
    pub fn follow(&self) -> watch::Receiver<AlertsState> {
        self.state.subscribe()
    }

    /// Reads until `shutdown`; a log that cannot be read is tried again.
    pub async fn run(&self, shutdown: CancellationToken) {
        let reading = async {
            loop {
                match self.read().await {
                    Ok(()) => tracing::info!("alerts are read anew"),
                    Err(error) => self.lost(&error),
                }
                self.clock.sleep(RETRY).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = reading => {}
        }
    }

    /// Reads from the beginning and follows, until the topic has to be read anew.
    async fn read(&self) -> Result<()> {
        let log = self.log.open().await?;
        let places = self.places(&*log).await?;
        let from = places.iter().map(|place| (place.clone(), 0)).collect();
        let mut reader = log.reader(from).await?;
        let mut progress = Progress { read: vec![0; places.len()], ends: log.ends(&places).await? };
        let (mut fold, mut batch) = (AlertFold::default(), Batch::default());
        let (mut is_whole, mut quiet_ticks) = (false, 0u32);
        loop {
            reader.poll(&mut batch, RECORDS_A_POLL, Duration::ZERO).await?;
            self.take(&batch, &places, &mut fold, &mut progress);
            if !batch.is_empty() {
                quiet_ticks = 0;
            } else if quiet_ticks.is_multiple_of(ENDS_EVERY_TICKS) || (!is_whole && quiet_ticks >= QUIET_TICKS) {
                progress.ends = log.ends(&places).await?;
                if progress.is_past_the_end() {
                    return Ok(()); // another log stands there
                }
            }
            let was_whole = is_whole;
            is_whole = is_whole || progress.is_at_the_end() || quiet_ticks >= QUIET_TICKS;
            if is_whole && !(was_whole && batch.is_empty()) {
                self.known(fold.firing());
                if fold.lacks_some() {
                    return Ok(());
                }
            }
            if batch.is_empty() {
                quiet_ticks = quiet_ticks.saturating_add(1);
                self.clock.sleep(TICK).await;
            }
        }
    }

    /// The topic's partitions, once it is there. Until then nothing fires.
    async fn places(&self, log: &dyn EventLog) -> Result<Vec<TopicPartition>> {
        let topic: Arc<str> = Topic::Alerts.name().into();
        loop {
            if let Some(count) = log.partition_count(&topic).await? {
                return Ok((0..count).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect());
            }
            self.known(Vec::new());
            self.clock.sleep(RETRY).await;
        }
    }

    fn take(&self, batch: &Batch, places: &[TopicPartition], fold: &mut AlertFold, progress: &mut Progress) {
        for record in batch.iter() {
            progress.read[record.source] = record.offset + 1;
            if let Err(error) = fold.take(record.value) {
                self.meters.alerts_unreadable.inc();
                let partition = places[record.source].partition;
                tracing::warn!(error = %error, partition, offset = record.offset, "record of topic alerts passed over");
            }
        }
    }

    fn known(&self, firing: Vec<Firing>) {
        self.meters.alerts_firing.set(i64::try_from(firing.len()).unwrap_or(i64::MAX));
        let next = AlertsState::Known(firing.into());
        self.state.send_if_modified(|state| {
            if matches!(state, AlertsState::Lost(_)) {
                tracing::info!("alerts can be read again");
            }
            let changed = *state != next;
            if changed {
                *state = next;
            }
            changed
        });
    }

    fn lost(&self, error: &Error) {
        self.state.send_if_modified(|state| {
            let changed = !matches!(state, AlertsState::Lost(_));
            if changed {
                let hint = error.hint.as_deref().unwrap_or_default();
                tracing::warn!(error = %error, hint, "alerts cannot be read, trying again");
                *state = AlertsState::Lost(state.firing().cloned());
            }
            changed
        });
    }
}

impl Progress {
    fn is_at_the_end(&self) -> bool {
        self.read.iter().zip(&self.ends).all(|(read, end)| read >= end)
    }

    fn is_past_the_end(&self) -> bool {
        self.read.iter().zip(&self.ends).any(|(read, end)| read > end)
    }
}
