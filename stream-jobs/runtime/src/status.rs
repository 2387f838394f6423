//! Where the tasks of this process stand, for whoever shows it or waits on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use linli_schemas::EventTime;
use tokio::sync::watch;

use crate::epoch::{ConservationByName, Epoch, EpochHeader, Generation, Positions};

/// As of the newest epoch published here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStatus {
    pub generation: Generation,
    pub epoch: Epoch,
    /// The newest epoch whose effects have been delivered.
    pub delivered: Epoch,
    pub positions: Positions,
    pub import_watermark: Option<EventTime>,
    pub as_of: Option<EventTime>,
    pub conservation: ConservationByName,
}

impl TaskStatus {
    pub(crate) fn of(header: &EpochHeader, delivered: Epoch) -> TaskStatus {
        TaskStatus {
            generation: header.generation,
            epoch: header.epoch,
            delivered,
            positions: header.positions,
            import_watermark: header.import_watermark,
            as_of: header.as_of,
            conservation: header.conservation.clone(),
        }
    }
}

/// The tasks that run in this process, by number.
pub type Snapshot = BTreeMap<u32, TaskStatus>;

/// Clones show the same.
#[derive(Clone, Debug)]
pub struct StatusBoard(Arc<watch::Sender<Snapshot>>);

impl Default for StatusBoard {
    fn default() -> StatusBoard {
        StatusBoard(Arc::new(watch::Sender::new(Snapshot::new())))
    }
}

impl StatusBoard {
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.0.subscribe()
    }

    pub fn snapshot(&self) -> Snapshot {
        self.0.borrow().clone()
    }

    pub(crate) fn published(&self, header: &EpochHeader, delivered: Epoch) {
        self.0.send_modify(|tasks| {
            tasks.insert(header.task, TaskStatus::of(header, delivered));
        });
    }

    pub(crate) fn delivered(&self, task: u32, epoch: Epoch) {
        self.0.send_modify(|tasks| {
            if let Some(status) = tasks.get_mut(&task) {
                status.delivered = epoch;
            }
        });
    }

    pub(crate) fn remove(&self, task: u32) {
        self.0.send_modify(|tasks| {
            tasks.remove(&task);
        });
    }

    pub(crate) fn positions(&self) -> BTreeMap<u32, Positions> {
        self.0.borrow().iter().map(|(task, status)| (*task, status.positions)).collect()
    }
}
