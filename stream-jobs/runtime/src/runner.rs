//! All tasks of a process: which run here, started and stopped as the assignment changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::log::TopicSpec;
use linli_schemas::Topic;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Ports;
use crate::backoff::Patience;
use crate::control::{Control, watch_control};
use crate::error::{Error, Result};
use crate::meters::Meters;
use crate::options::{Assignment, JobsOptions};
use crate::status::{Snapshot, StatusBoard, TaskStatus};
use crate::task_runner::{TaskContext, run_task};

/// How the run ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The tasks that ran here when the end came, with everything published and, unless cut off, delivered.
    pub tasks: Snapshot,
    /// How often a task was found to be another runner's.
    pub fenced: u64,
}

/// Runs the jobs until `shutdown`, then publishes and delivers the last epochs.
pub async fn run(
    ports: Ports,
    options: JobsOptions,
    meters: Meters,
    board: StatusBoard,
    shutdown: CancellationToken,
) -> Result<Report> {
    options.check()?;
    let patience = Patience { clock: ports.clock.clone(), random: ports.random.clone(), meters: meters.clone() };
    let specs = topics(options.partitions);
    tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(Report::default()),
        made = patience.retry(None, "create topics", || ports.log.create_topics(&specs)) => made?,
    }
    let seen = Arc::new(watch::Sender::new(Control::default()));
    let mut background = JoinSet::new();
    let interval = options.control_interval;
    background.spawn(watch_control(ports.clone(), meters.clone(), board.clone(), interval, Arc::clone(&seen)));
    let wanted = Arc::new(watch::Sender::new(BTreeSet::new()));
    let membership = match &options.assignment {
        Assignment::All => {
            wanted.send_replace((0..options.partitions).collect());
            None
        }
        Assignment::Group(group) => {
            let leaving = CancellationToken::new();
            let mut following = JoinSet::new(); // ends with this future, however it ends
            following.spawn(follow(
                ports.clone(),
                patience.clone(),
                group.clone(),
                Arc::clone(&wanted),
                leaving.clone(),
            ));
            Some((following, leaving))
        }
    };
    let context = TaskContext { ports, options: Arc::new(options), meters, board, control: seen.subscribe() };
    let report = Tasks::new(context, patience)?.run(wanted.subscribe(), &shutdown).await;
    if let Some((mut following, leaving)) = membership {
        // Only now: whoever gets the tasks finds them finished.
        leaving.cancel();
        if let Some(Err(error)) = following.join_next().await {
            tracing::warn!(error = %error, "the group was not left in order");
        }
    }
    report
}

/// Every topic that Linli reads or writes by name.
pub fn topics(partitions: u32) -> Vec<TopicSpec> {
    let spec = |topic: Topic| TopicSpec { name: topic.name().to_owned(), partitions, compacted: topic.compacted() };
    Topic::ALL.into_iter().map(spec).collect()
}

/// Keeps `wanted` at what the group gives this member, and leaves it at the end.
async fn follow(
    ports: Ports,
    patience: Patience,
    group: String,
    wanted: Arc<watch::Sender<BTreeSet<u32>>>,
    leaving: CancellationToken,
) {
    let mut failures = 0;
    while !leaving.is_cancelled() {
        let mut membership = match ports.log.join(&group, Topic::Orders.name()).await {
            Ok(membership) => membership,
            Err(error) => {
                failures += 1;
                tracing::warn!(group, failures, error = %error, "cannot join the group, trying again");
                tokio::select! {
                    biased;
                    () = leaving.cancelled() => return,
                    () = ports.clock.sleep(patience.delay(failures)) => continue,
                }
            }
        };
        loop {
            let changed = tokio::select! {
                biased;
                () = leaving.cancelled() => break,
                changed = membership.changed() => changed,
            };
            match changed {
                Ok(partitions) => {
                    failures = 0;
                    tracing::info!(group, tasks = ?partitions, "assignment changed");
                    wanted.send_replace(partitions);
                }
                Err(error) => {
                    failures += 1;
                    patience.meters.retried("follow group");
                    tracing::warn!(group, failures, error = %error, "lost the group, joining again");
                    ports.clock.sleep(patience.delay(failures)).await;
                    break;
                }
            }
        }
        if let Err(error) = membership.leave().await {
            tracing::debug!(group, error = %error, "the group will notice by its time-out");
        }
    }
}

/// The running tasks.
struct Tasks {
    context: TaskContext,
    patience: Patience,
    threads: Threads,
    running: BTreeMap<u32, CancellationToken>,
    /// How often in a row a task was lost to another runner while the group gave it to this one.
    fenced: HashMap<u32, u32>,
    joins: JoinSet<Result<Option<TaskStatus>>>,
    numbers: HashMap<Id, u32>,
    report: Report,
    failure: Option<Error>,
}

impl Tasks {
    fn new(context: TaskContext, patience: Patience) -> Result<Tasks> {
        Ok(Tasks {
            threads: Threads::new(context.options.threads)?,
            context,
            patience,
            running: BTreeMap::new(),
            fenced: HashMap::new(),
            joins: JoinSet::new(),
            numbers: HashMap::new(),
            report: Report::default(),
            failure: None,
        })
    }

    async fn run(mut self, mut wanted: watch::Receiver<BTreeSet<u32>>, shutdown: &CancellationToken) -> Result<Report> {
        loop {
            let stopping = shutdown.is_cancelled() || self.failure.is_some();
            let tasks = if stopping { BTreeSet::new() } else { wanted.borrow_and_update().clone() };
            self.reconcile(&tasks);
            if stopping && self.running.is_empty() {
                return match self.failure {
                    Some(error) => Err(error),
                    None => Ok(self.report),
                };
            }
            tokio::select! {
                biased;
                Some(ended) = self.joins.join_next_with_id() => self.ended(ended, stopping),
                Ok(()) = wanted.changed(), if !stopping => {}
                () = shutdown.cancelled(), if !stopping => {}
            }
        }
    }

    /// Stops what is not wanted and starts what is. A task that still stops is started again when it has ended.
    fn reconcile(&mut self, wanted: &BTreeSet<u32>) {
        for (task, stop) in &self.running {
            if !wanted.contains(task) {
                stop.cancel();
            }
        }
        for task in wanted {
            if !self.running.contains_key(task) {
                self.start(*task);
            }
        }
    }

    fn start(&mut self, task: u32) {
        let stop = CancellationToken::new();
        let context = self.context.clone();
        let delay = match self.fenced.get(&task) {
            // The group's words reach its members at different times: leave the other some.
            Some(times) => self.patience.delay(times + 5),
            None => Duration::ZERO,
        };
        let token = stop.clone();
        let run = async move {
            tokio::select! {
                biased;
                () = token.cancelled() => return Ok(None),
                () = context.ports.clock.sleep(delay) => {}
            }
            run_task(context, task, token).await
        };
        let handle = match self.threads.handle() {
            Some(handle) => self.joins.spawn_on(run, handle),
            None => self.joins.spawn(run),
        };
        self.numbers.insert(handle.id(), task);
        self.running.insert(task, stop);
    }

    fn ended(&mut self, ended: Result<(Id, Result<Option<TaskStatus>>), JoinError>, stopping: bool) {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => {
                let task = self.numbers.get(&error.id()).copied().unwrap_or(u32::MAX);
                (error.id(), Err(Error::Panicked { task, cause: error.to_string() }))
            }
        };
        let Some(task) = self.numbers.remove(&id) else { return };
        self.running.remove(&task);
        match result {
            Ok(status) => {
                self.fenced.remove(&task);
                if let (true, Some(status)) = (stopping, status) {
                    self.report.tasks.insert(task, status);
                }
            }
            Err(Error::Fenced { .. }) if matches!(self.context.options.assignment, Assignment::Group(_)) => {
                self.report.fenced += 1;
                *self.fenced.entry(task).or_default() += 1;
            }
            Err(error) => {
                tracing::error!(task, error = %error, "task failed: stopping the others");
                self.failure.get_or_insert(error);
            }
        }
    }
}

/// Threads of the tasks' own, so that applying records never delays whoever shares the caller's.
struct Threads(Option<tokio::runtime::Runtime>);

impl Threads {
    fn new(threads: Option<usize>) -> Result<Threads> {
        let Some(threads) = threads else {
            return Ok(Threads(None));
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("linli-jobs")
            .enable_all()
            .build()
            .map_err(|error| Error::Options { cause: format!("{threads} threads cannot be started: {error}") })?;
        Ok(Threads(Some(runtime)))
    }

    fn handle(&self) -> Option<&tokio::runtime::Handle> {
        self.0.as_ref().map(tokio::runtime::Runtime::handle)
    }
}

impl Drop for Threads {
    /// A runtime must not be waited for inside another.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
