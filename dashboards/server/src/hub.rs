//! One reading of the source a second for all readers of a view, published as whole frames that never change.
//!
//! A view is read while somebody looks at it, and a little longer.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use linli_connectors::clock::SharedClock;
use linli_schemas::SkuId;
use linli_schemas::zone::{MINUTE_MS, Zone};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::meters::Meters;
use crate::problem::Problem;
use crate::source::{LiveSource, Names, Snapshot, SourceError, Top, View};

/// How often the source is asked.
const TICK: Duration = Duration::from_secs(1);
/// A question that takes longer counts as failed.
const QUESTION_LIMIT: Duration = Duration::from_secs(10);
/// How many views are asked for at the same time.
const QUESTIONS_AT_ONCE: usize = 4;
/// Different views kept at once; above it an idle one makes room, and a busy server refuses.
const VIEWS_MAX: usize = 256;
/// A view nobody looks at is dropped after so many ticks.
const IDLE_TICKS_MAX: u32 = 20;
const NAMES_EVERY_TICKS: u64 = 30;
/// A shop that has only just begun has no names yet: for so many ticks they are asked for often.
const BEGINNING_TICKS: u64 = 60;
const NAMES_EVERY_TICKS_AT_THE_BEGINNING: u64 = 3;
/// Rank movement is told against the list of about so long ago.
const COMPARED_MS: i64 = 10 * MINUTE_MS;

/// What a view showed at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub version: u64,
    pub snapshot: Arc<Snapshot>,
    /// The source has stopped answering; the snapshot is the last there was.
    pub failing: bool,
    /// The list that the ranks are compared with.
    pub previous: Option<Arc<Ranks>>,
}

/// The ranks of an earlier list.
#[derive(Debug, PartialEq, Eq)]
pub struct Ranks {
    pub at: i64,
    pub ranks: HashMap<SkuId, u32>,
}

#[derive(Clone, Debug)]
pub enum ViewState {
    /// Not asked for yet.
    Starting,
    /// Asked for, and never answered.
    Unread,
    Read(Arc<Frame>),
}

struct Slot {
    sender: watch::Sender<ViewState>,
    idle_ticks: u32,
    /// Earlier lists, oldest first, a minute apart.
    history: VecDeque<Arc<Ranks>>,
}

pub struct Hub {
    source: Arc<dyn LiveSource>,
    clock: SharedClock,
    zone: Zone,
    meters: Arc<Meters>,
    version: AtomicU64,
    names: watch::Sender<Arc<Names>>,
    views: Mutex<HashMap<View, Slot>>,
    wanted: Notify,
}

impl Hub {
    pub fn new(source: Arc<dyn LiveSource>, clock: SharedClock, zone: Zone, meters: Arc<Meters>) -> Hub {
        Hub {
            source,
            clock,
            zone,
            meters,
            version: AtomicU64::new(0),
            names: watch::Sender::new(Arc::new(Names::default())),
            views: Mutex::new(HashMap::new()),
            wanted: Notify::new(),
        }
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn zone(&self) -> Zone {
        self.zone
    }

    pub fn names(&self) -> Arc<Names> {
        self.names.borrow().clone()
    }

    /// Tells when names change.
    pub fn follow_names(&self) -> watch::Receiver<Arc<Names>> {
        self.names.subscribe()
    }

    /// Follows a view; it is read from now on, as long as a receiver lives.
    pub fn follow(&self, view: View) -> Result<watch::Receiver<ViewState>, Problem> {
        let mut views = self.lock();
        if let Some(slot) = views.get_mut(&view) {
            slot.idle_ticks = 0;
            return Ok(slot.sender.subscribe());
        }
        if views.len() >= VIEWS_MAX {
            let idle = views.iter().find(|(_, slot)| slot.sender.receiver_count() == 0).map(|(view, _)| *view);
            match idle {
                Some(idle) => drop(views.remove(&idle)),
                None => return Err(Problem::TooManyViews),
            }
        }
        let (sender, receiver) = watch::channel(ViewState::Starting);
        views.insert(view, Slot { sender, idle_ticks: 0, history: VecDeque::new() });
        drop(views);
        self.wanted.notify_one();
        Ok(receiver)
    }

    /// Reads the source until `shutdown`. The whole shop's day is read even when nobody looks,
    /// so that the first reader need not wait and the metrics tell how fresh the numbers are.
    pub async fn run(&self, shutdown: CancellationToken) {
        let _always = self.follow(View::default());
        let mut tick = 0u64;
        loop {
            let reading = async {
                self.read(self.due()).await;
                if tick.is_multiple_of(self.names_every_ticks(tick)) {
                    self.read_names().await;
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = reading => tick += 1,
            }
            let pause = self.clock.sleep(TICK);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = &mut pause => break,
                    () = self.wanted.notified() => self.read(self.unread()).await,
                }
            }
        }
    }

    fn names_every_ticks(&self, tick: u64) -> u64 {
        let names = self.names.borrow();
        let lacking = names.communities.is_empty() || names.skus.values().any(|sku| sku.name.is_none());
        if tick < BEGINNING_TICKS && lacking { NAMES_EVERY_TICKS_AT_THE_BEGINNING } else { NAMES_EVERY_TICKS }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<View, Slot>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rises, also over restarts: the time in milliseconds, or one more than the last.
    fn next_version(&self) -> u64 {
        let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        let next = |last: u64| Some(now.max(last + 1));
        match self.version.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(last) | Err(last) => now.max(last + 1),
        }
    }

    async fn ask<T>(
        &self,
        question: &'static str,
        answer: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        self.meters.questions.with_label_values(&[question]).inc();
        let limit = self.clock.sleep(QUESTION_LIMIT);
        let result = tokio::select! {
            answer = answer => answer,
            () = limit => Err(SourceError::new(question, "no answer within 10 s")),
        };
        if result.is_err() {
            self.meters.failures.with_label_values(&[question]).inc();
        }
        result
    }

    async fn read_names(&self) {
        match self.ask("names", self.source.names()).await {
            Ok(names) => {
                self.names.send_if_modified(|last| {
                    let changed = **last != names;
                    if changed {
                        *last = Arc::new(names);
                    }
                    changed
                });
            }
            Err(error) => tracing::warn!(error = %error, "names not read, keeping the last"),
        }
    }

    /// The views to read at a tick; forgets those nobody has looked at for a while.
    fn due(&self) -> Vec<View> {
        let mut views = self.lock();
        views.retain(|_, slot| {
            slot.idle_ticks = if slot.sender.receiver_count() == 0 { slot.idle_ticks + 1 } else { 0 };
            slot.idle_ticks <= IDLE_TICKS_MAX
        });
        self.meters.views.set(i64::try_from(views.len()).unwrap_or(i64::MAX));
        views.keys().copied().collect()
    }

    fn unread(&self) -> Vec<View> {
        let views = self.lock();
        let starting = views.iter().filter(|(_, slot)| matches!(*slot.sender.borrow(), ViewState::Starting));
        starting.map(|(view, _)| *view).collect()
    }

    async fn read(&self, views: Vec<View>) {
        futures::stream::iter(views)
            .for_each_concurrent(QUESTIONS_AT_ONCE, |view| async move {
                let answer = self.ask("snapshot", self.source.snapshot(view)).await;
                match answer {
                    Ok(snapshot) => self.answered(view, snapshot),
                    Err(error) => self.failed(view, &error),
                }
            })
            .await;
    }

    fn answered(&self, view: View, snapshot: Snapshot) {
        if view == View::default() {
            self.meters.as_of.set(snapshot.as_of.map_or(0, |at| at.0 / 1000));
        }
        let now = self.clock.now_ms();
        let mut views = self.lock();
        let Some(slot) = views.get_mut(&view) else { return };
        let previous = remember(&mut slot.history, &snapshot.top, now);
        let before = slot.sender.borrow().clone();
        let same = matches!(&before, ViewState::Read(last)
            if !last.failing && *last.snapshot == snapshot && last.previous == previous);
        if same {
            return;
        }
        if is_failing(&before) {
            tracing::info!("source answers again");
        }
        let frame = Frame { version: self.next_version(), snapshot: Arc::new(snapshot), failing: false, previous };
        slot.sender.send_replace(ViewState::Read(Arc::new(frame)));
    }

    fn failed(&self, view: View, error: &SourceError) {
        let views = self.lock();
        let Some(slot) = views.get(&view) else { return };
        let before = slot.sender.borrow().clone();
        if is_failing(&before) {
            return;
        }
        tracing::warn!(error = %error, "source does not answer, keeping the last numbers");
        let next = match before {
            ViewState::Read(last) => {
                let version = self.next_version();
                ViewState::Read(Arc::new(Frame { version, failing: true, ..last.as_ref().clone() }))
            }
            ViewState::Starting | ViewState::Unread => ViewState::Unread,
        };
        slot.sender.send_replace(next);
    }
}

fn is_failing(state: &ViewState) -> bool {
    match state {
        ViewState::Starting => false,
        ViewState::Unread => true,
        ViewState::Read(frame) => frame.failing,
    }
}

/// Keeps a list a minute for [`COMPARED_MS`] and gives the oldest of them, once it is a minute old.
/// A list of another day has nothing to compare with.
fn remember(history: &mut VecDeque<Arc<Ranks>>, top: &Top, now: i64) -> Option<Arc<Ranks>> {
    if history.back().is_none_or(|newest| now - newest.at >= MINUTE_MS) && !top.rows.is_empty() {
        let ranks = top.rows.iter().zip(1u32..).map(|(row, rank)| (row.sku, rank)).collect();
        history.push_back(Arc::new(Ranks { at: now, ranks }));
    }
    while history.len() > 1 && history.front().is_some_and(|oldest| now - oldest.at > COMPARED_MS) {
        history.pop_front();
    }
    history.front().filter(|oldest| now - oldest.at >= MINUTE_MS && oldest.at >= top.window_start.0).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::TopRow;
    use linli_schemas::EventTime;

    fn list(skus: &[i64]) -> Top {
        let row = |sku: &i64| TopRow { sku: SkuId(*sku), qty: 1 };
        Top { window_start: EventTime(0), window_end: EventTime(1), rows: skus.iter().map(row).collect() }
    }

    #[test]
    fn ranks_are_compared_with_ten_minutes_ago_or_the_oldest_there_is() {
        let mut history = VecDeque::new();
        assert!(remember(&mut history, &list(&[1, 2]), 0).is_none());
        assert!(remember(&mut history, &list(&[2, 1]), MINUTE_MS - 1).is_none());
        let first = remember(&mut history, &list(&[2, 1]), MINUTE_MS).unwrap();
        assert_eq!((first.at, first.ranks[&SkuId(1)]), (0, 1));
        for minute in 2..=30 {
            remember(&mut history, &list(&[2, 1]), minute * MINUTE_MS);
        }
        let last = remember(&mut history, &list(&[2, 1]), 30 * MINUTE_MS + 500).unwrap();
        assert!(last.at >= 20 * MINUTE_MS && last.at <= 21 * MINUTE_MS, "{}", last.at);
        assert!(history.len() <= 12);
    }

    #[test]
    fn a_new_day_is_not_compared_with_the_old_one() {
        let mut history = VecDeque::new();
        remember(&mut history, &list(&[1]), 0);
        let today = Top { window_start: EventTime(MINUTE_MS), ..list(&[2]) };
        assert!(remember(&mut history, &today, 2 * MINUTE_MS).is_none());
    }
}
