//! What a loader tells about itself while it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use linli_schemas::Topic;
use tokio::sync::watch;

/// A loader's state after its last load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoaderStatus {
    /// By topic: the next offset of each partition that is not loaded yet.
    pub positions: BTreeMap<Topic, Vec<u64>>,
    /// Rows inserted since the start, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Records sent to the dead letter since the start.
    pub unreadable: u64,
    /// Records that left nothing to write since the start.
    pub ignored: u64,
    /// Failed attempts since the start; each is tried again.
    pub retries: u64,
    /// Epoch ms of the last load.
    pub loaded_at: Option<i64>,
    /// Rows are in that `community_sales` does not count yet.
    pub sales_pending: bool,
    /// The error that is being tried again at this moment.
    pub failing: Option<String>,
}

impl LoaderStatus {
    /// Whether everything before the offsets is loaded and counted.
    pub fn reached(&self, ends: &BTreeMap<Topic, Vec<u64>>) -> bool {
        let reached = |(topic, ends): (&Topic, &Vec<u64>)| {
            let at = self.positions.get(topic).map_or(&[][..], Vec::as_slice);
            ends.iter().enumerate().all(|(p, end)| at.get(p).is_some_and(|position| position >= end) || *end == 0)
        };
        ends.iter().all(reached) && !self.sales_pending
    }
}

/// The loader ended before it came that far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the loader stopped before it had loaded everything")]
pub struct Stopped;

/// Given to a loader at its start; clones of it see the loader's state.
#[derive(Clone, Debug)]
pub struct LoaderHandle {
    shared: Arc<Shared>,
    status: watch::Receiver<LoaderStatus>,
}

#[derive(Debug)]
struct Shared {
    status: watch::Sender<LoaderStatus>,
    /// Somebody waits: load and count without regard to the intervals.
    hurry: watch::Sender<u64>,
    ended: watch::Sender<bool>,
}

impl Default for LoaderHandle {
    fn default() -> LoaderHandle {
        LoaderHandle::new()
    }
}

impl LoaderHandle {
    pub fn new() -> LoaderHandle {
        let (sender, status) = watch::channel(LoaderStatus::default());
        let shared = Shared { status: sender, hurry: watch::channel(0).0, ended: watch::channel(false).0 };
        LoaderHandle { shared: Arc::new(shared), status }
    }

    pub fn status(&self) -> LoaderStatus {
        self.status.borrow().clone()
    }

    /// Waits until everything before `ends` (topic → offset of each partition) is loaded, and counted in `community_sales`.
    /// Topics that the loader does not read must not be named.
    pub async fn wait_until(&self, ends: &BTreeMap<Topic, Vec<u64>>) -> Result<(), Stopped> {
        let _waiting = Waiting::new(&self.shared.hurry);
        let mut status = self.status.clone();
        let mut ended = self.shared.ended.subscribe();
        tokio::select! {
            reached = status.wait_for(|status| status.reached(ends)) => reached.map(|_| ()).map_err(|_| Stopped),
            _ = ended.wait_for(|ended| *ended) => {
                if self.status.borrow().reached(ends) { Ok(()) } else { Err(Stopped) }
            }
        }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut LoaderStatus)) {
        self.shared.status.send_modify(change);
    }

    pub(super) fn hurried(&self) -> bool {
        *self.shared.hurry.borrow() > 0
    }

    /// Tells those who wait when the loader ends, however it ends.
    pub(super) fn until_dropped(&self) -> impl Drop + use<> {
        self.shared.ended.send_replace(false);
        Ending(Arc::clone(&self.shared))
    }
}

struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}

/// Counts those who wait.
struct Waiting<'a>(&'a watch::Sender<u64>);

impl<'a> Waiting<'a> {
    fn new(hurry: &'a watch::Sender<u64>) -> Waiting<'a> {
        hurry.send_modify(|waiting| *waiting += 1);
        Waiting(hurry)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}
