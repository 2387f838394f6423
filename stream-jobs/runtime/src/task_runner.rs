//! The loop of one task: poll, apply, end the epoch, publish it, deliver it while the next one is applied.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::log::{Batch, LogReader};
use linli_connectors::serving::Incarnation;
use linli_schemas::metric::Version;
use linli_schemas::{EventTime, Topic};
use linli_stream_jobs::task::{RawRecord, Task};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Ports;
use crate::backoff::Patience;
use crate::control::{Control, inputs_of};
use crate::delivery::{Courier, Delivered};
use crate::epoch::{Epoch, EpochHeader, EpochObject, EpochStore, Outbox, Positions, by_name};
use crate::error::{Error, Result};
use crate::idle::Idleness;
use crate::meters::Meters;
use crate::options::{JobsOptions, ms};
use crate::recovery::Windows;
use crate::skew::{Reading, held_back};
use crate::status::{StatusBoard, TaskStatus};
use crate::takeover::{TakenOver, Taker, publish};

/// Blobs deleted with one epoch.
const GARBAGE_PER_EPOCH: usize = 64;

/// What the tasks of a runner share.
#[derive(Clone)]
pub(crate) struct TaskContext {
    pub ports: Ports,
    pub options: Arc<JobsOptions>,
    pub meters: Meters,
    pub board: StatusBoard,
    pub control: watch::Receiver<Control>,
}

/// Runs the task until it is told to stop (then its last epoch is published and, within the grace, delivered) or fails.
/// `None`: it was stopped before it was owned.
pub(crate) async fn run_task(context: TaskContext, task: u32, stop: CancellationToken) -> Result<Option<TaskStatus>> {
    let grace = context.options.stop_grace;
    let clock = context.ports.clock.clone();
    let (board, meters) = (context.board.clone(), context.meters.clone());
    let ended = tokio::select! {
        biased;
        ended = own_task(context, task, &stop) => ended,
        () = async { stop.cancelled().await; clock.sleep(grace).await } => {
            tracing::warn!(task, "stopped with its last epoch undelivered: the next owner delivers it");
            Ok(board.snapshot().remove(&task))
        }
    };
    board.remove(task);
    meters.forget(task);
    ended
}

async fn own_task(context: TaskContext, task: u32, stop: &CancellationToken) -> Result<Option<TaskStatus>> {
    let patience = Patience {
        clock: context.ports.clock.clone(),
        random: context.ports.random.clone(),
        meters: context.meters.clone(),
    };
    let store = EpochStore::new(context.ports.blobs.clone(), task);
    let taker = Taker { ports: &context.ports, patience: &patience, store: &store, options: &context.options };
    let taken = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(None),
        taken = taker.take_over() => taken?,
    };
    Owned::new(context, patience, store, taken).run(stop).await.map(Some)
}

/// A task that this runner owns.
struct Owned {
    context: TaskContext,
    patience: Patience,
    store: EpochStore,
    task: Task,
    /// Of the newest epoch published.
    header: EpochHeader,
    delivered: Epoch,
    deltas: u64,
    /// Ahead of the header's by what is applied since.
    positions: Positions,
    incarnation: Incarnation,
    import_watermark: Option<EventTime>,
    pending: Pending,
    /// At most one delivery, of the newest epoch.
    delivery: JoinSet<Result<Delivered>>,
    garbage: Vec<String>,
    /// Far ahead of the topic that it is joined with: not read for now.
    resting: Option<Topic>,
    idleness: Idleness,
}

/// A reader, and to which of [`Topic::INPUTS`] its sources belong.
struct Source {
    reader: Box<dyn LogReader>,
    inputs: Vec<usize>,
}

/// What the next epoch will hold.
struct Pending {
    since_ms: i64,
    records: u64,
    bytes: u64,
    /// Something but records asks for an epoch: windows to deliver again, the end of an import.
    asked: bool,
}

impl Pending {
    fn since(since_ms: i64) -> Pending {
        Pending { since_ms, records: 0, bytes: 0, asked: false }
    }
}

impl Owned {
    fn new(mut context: TaskContext, patience: Patience, store: EpochStore, taken: TakenOver) -> Owned {
        context.control.mark_changed(); // what was seen before counts too
        let TakenOver { task, claim, incarnation, windows } = taken;
        let now = context.ports.clock.now_ms();
        let epoch = claim.header.epoch;
        let mut owned = Owned {
            deltas: epoch.0 - claim.header.base.as_ref().map_or(0, |base| base.epoch.0),
            positions: claim.header.positions,
            import_watermark: claim.header.import_watermark,
            delivered: Epoch(epoch.0.saturating_sub(1)),
            pending: Pending::since(now),
            delivery: JoinSet::new(),
            garbage: Vec::new(),
            resting: None,
            idleness: Idleness::default(),
            header: claim.header.clone(),
            context,
            patience,
            store,
            task,
            incarnation,
        };
        #[cfg(feature = "mutants")]
        if owned.context.options.mutated(crate::options::Mutation::PositionsForgotten) {
            owned.positions = Positions::default();
        }
        owned.task.set_idle(Default::default()); // what the owner before saw
        if windows == Windows::Redeliver {
            owned.redeliver();
        }
        owned.context.board.published(&owned.header, owned.delivered);
        owned.start_delivery(claim);
        owned
    }

    async fn run(mut self, stop: &CancellationToken) -> Result<TaskStatus> {
        let mut source = None;
        let mut batch = Batch::default();
        let mut failures = 0;
        while !stop.is_cancelled() {
            self.heed_control();
            if let Some(delivered) = self.delivery.try_join_next() {
                self.settle(delivered)?;
            }
            self.heed_idleness();
            if self.due() {
                self.end_epoch().await?;
                continue;
            }
            let resting = self.topic_to_rest();
            if resting != self.resting {
                tracing::debug!(task = self.header.task, ?resting, "waiting for the topic that is behind");
                self.resting = resting;
                source = None;
            }
            let polled = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                polled = self.poll(&mut source, &mut batch) => polled,
            };
            match polled {
                Ok(()) => failures = 0,
                Err(error) if error.is_retry() => {
                    // Whatever the reader's state is now, a new one begins where the task stands.
                    source = None;
                    failures += 1;
                    self.context.meters.retried("poll");
                    tracing::debug!(task = self.header.task, failures, error = %error, "poll failed, trying again");
                    self.context.ports.clock.sleep(self.patience.delay(failures)).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
            if let Some(source) = &source {
                self.apply(&source.inputs, &batch);
            }
            tokio::task::yield_now().await;
        }
        if self.pending.records > 0 || self.pending.asked {
            self.end_epoch().await?;
        }
        self.finish_delivery().await?;
        Ok(TaskStatus::of(&self.header, self.delivered))
    }

    async fn poll(&self, source: &mut Option<Source>, batch: &mut Batch) -> Result<()> {
        let options = &self.context.options;
        let source = match source {
            Some(source) => source,
            None => {
                let inputs: Vec<usize> =
                    (0..Topic::INPUTS.len()).filter(|input| self.resting != Some(Topic::INPUTS[*input])).collect();
                let from = inputs_of(self.header.task).zip(self.positions.0).enumerate();
                let from = from.filter(|(input, _)| inputs.contains(input)).map(|(_, from)| from).collect();
                let reader = self.context.ports.log.reader(from).await?;
                source.insert(Source { reader, inputs })
            }
        };
        let wait = if self.settled() { options.poll_wait } else { options.poll_wait.min(self.until_due()) };
        Ok(source.reader.poll(batch, options.poll_records, wait).await?)
    }

    fn heed_idleness(&mut self) {
        let now = self.context.ports.clock.now_ms();
        let control = self.context.control.borrow();
        let Some(ends) = control.ends.get(&self.header.task) else {
            return;
        };
        let idle_after = ms(self.context.options.idle_after);
        if let Some(idle) = self.idleness.look(&self.positions, ends, now, idle_after) {
            self.task.set_idle(idle);
            self.pending.asked = true;
        }
    }

    fn topic_to_rest(&self) -> Option<Topic> {
        let control = self.context.control.borrow();
        let ends = control.ends.get(&self.header.task)?;
        let reading = |topic: Topic| {
            let input = Topic::INPUTS.iter().position(|found| *found == topic).unwrap_or_default();
            let unread = ends.0[input].saturating_sub(self.positions.0[input]);
            Reading { progress: self.task.progress(topic), unread }
        };
        held_back(reading(Topic::Orders), reading(Topic::OrderItems), self.resting)
    }

    fn apply(&mut self, inputs: &[usize], batch: &Batch) {
        for fetched in batch.iter() {
            let Some(input) = inputs.get(fetched.source).copied() else {
                continue;
            };
            let position = &mut self.positions.0[input];
            if fetched.offset < *position {
                continue; // read twice
            }
            *position = fetched.offset + 1;
            self.pending.records += 1;
            self.pending.bytes += (fetched.key.len() + fetched.value.map_or(0, <[u8]>::len)) as u64;
            let record = RawRecord {
                topic: Topic::INPUTS[input],
                offset: fetched.offset,
                timestamp_ms: fetched.timestamp_ms,
                key: fetched.key,
                value: fetched.value,
            };
            #[cfg(feature = "mutants")]
            if self.context.options.mutated(crate::options::Mutation::DeduplicationOff) {
                let value = fetched.value.map(|value| renamed(value, fetched.offset));
                self.task.apply(RawRecord { value: value.as_deref(), ..record });
                continue;
            }
            self.task.apply(record);
        }
    }

    /// Takes up what the runner has seen since.
    fn heed_control(&mut self) {
        if !self.context.control.has_changed().unwrap_or(false) {
            return;
        }
        let (import_watermark, incarnation) = {
            let control = self.context.control.borrow_and_update();
            (control.import_watermark, control.incarnation.clone())
        };
        if let Some(watermark) = import_watermark.filter(|at| Some(*at) > self.import_watermark) {
            self.task.advance_watermark(watermark);
            self.import_watermark = Some(watermark);
            self.pending.asked = true;
        }
        // While a delivery is under way its own answer is newer than what was seen before.
        if let Some(incarnation) = incarnation.filter(|_| self.delivery.is_empty()) {
            self.meet(incarnation);
        }
    }

    fn meet(&mut self, incarnation: Incarnation) {
        if incarnation != self.incarnation {
            tracing::info!(task = self.header.task, "serving store lost data: redelivering open windows");
            self.incarnation = incarnation;
            self.redeliver();
        }
    }

    fn redeliver(&mut self) {
        self.task.redeliver();
        self.pending.asked = true;
    }

    /// Nothing asks for an epoch.
    fn settled(&self) -> bool {
        self.pending.records == 0 && !self.pending.asked && !self.task.unfinished()
    }

    fn behind(&self) -> bool {
        let control = self.context.control.borrow();
        let ends = control.ends.get(&self.header.task);
        ends.is_some_and(|ends| self.positions.lag(ends) > self.context.options.behind_records)
    }

    fn interval(&self) -> Duration {
        let options = &self.context.options;
        if self.behind() { options.catch_up_interval } else { options.epoch_interval }
    }

    fn until_due(&self) -> Duration {
        let due_ms = self.pending.since_ms.saturating_add(ms(self.interval()));
        Duration::from_millis(due_ms.saturating_sub(self.context.ports.clock.now_ms()).max(1) as u64)
    }

    fn due(&self) -> bool {
        let options = &self.context.options;
        if self.settled() {
            return false;
        }
        self.pending.records >= options.catch_up_records
            || self.pending.bytes >= options.epoch_bytes_max
            || self.context.ports.clock.now_ms() >= self.pending.since_ms.saturating_add(ms(self.interval()))
    }

    /// Waits for the delivery of the epoch before, publishes this one, begins its delivery.
    async fn end_epoch(&mut self) -> Result<()> {
        self.finish_delivery().await?;
        let started = self.context.ports.clock.now_ms();
        let object = self.next_epoch().await?;
        #[cfg(feature = "mutants")]
        if self.context.options.mutated(crate::options::Mutation::DeliverBeforePublish) {
            self.courier().send(self.header.task, &object.outbox).await?;
        }
        self.publish(&object).await?;
        let now = self.context.ports.clock.now_ms();
        self.context.meters.records(&self.header.conservation, &object.header.conservation);
        self.header = object.header.clone();
        let state_bytes = self.header.base.as_ref().map_or(0, |base| base.bytes) + self.header.deltas_bytes;
        let took_ms = (now - started).max(0);
        let as_of = self.header.as_of.map(|at| at.0);
        self.context.meters.published(self.header.task, Duration::from_millis(took_ms as u64), state_bytes, as_of);
        self.context.board.published(&self.header, self.delivered);
        tracing::info!(
            task = self.header.task,
            generation = self.header.generation.0,
            epoch = self.header.epoch.0,
            records = self.pending.records,
            effects = object.outbox.len(),
            delta_bytes = object.delta.len(),
            took_ms,
            "epoch published"
        );
        self.pending = Pending::since(now);
        self.start_delivery(object);
        Ok(())
    }

    async fn publish(&mut self, object: &EpochObject) -> Result<()> {
        let published = publish(&self.patience, &self.store, object).await;
        #[cfg(feature = "mutants")]
        if self.context.options.mutated(crate::options::Mutation::FencingOff)
            && matches!(published, Err(Error::Fenced { .. }))
        {
            return self.store.overwrite(object.header.epoch, object.encode()).await;
        }
        if let Err(Error::Fenced { by, .. }) = &published {
            self.context.meters.took_over("fenced");
            tracing::warn!(task = self.header.task, by = by.0, "task was taken over: stopping");
        }
        published
    }

    async fn next_epoch(&mut self) -> Result<EpochObject> {
        let epoch = self.header.epoch.next();
        let version = Version { generation: self.header.generation.0, epoch: epoch.0, sequence: 0 };
        let output = self.task.finish_epoch(version);
        let mut header = EpochHeader {
            epoch,
            deltas_bytes: self.header.deltas_bytes + output.delta.len() as u64,
            positions: self.positions,
            import_watermark: self.import_watermark,
            as_of: self.task.as_of(),
            unfinished: self.task.unfinished(),
            incarnation: Some(self.incarnation.clone()),
            conservation: by_name(&self.task.conservation()),
            ..self.header.clone()
        };
        let mut delta = Bytes::from(output.delta);
        self.deltas += 1;
        let base_bytes = header.base.as_ref().map_or(0, |base| base.bytes);
        let options = &self.context.options;
        if header.deltas_bytes > base_bytes.max(options.base_bytes_min) || self.deltas >= options.deltas_max {
            let state = Bytes::from(self.task.base());
            let put = || self.store.put_base(epoch, header.writer, state.clone());
            let base = self.patience.retry(Some(header.task), "put base", put).await?;
            header.base_before = header.base.as_ref().map(|base| base.epoch);
            header.base = Some(base);
            header.deltas_bytes = 0;
            delta = Bytes::new();
            self.deltas = 0;
            self.garbage =
                self.patience.retry(Some(header.task), "list garbage", || self.store.garbage(&header)).await?;
        }
        Ok(EpochObject { header, delta, outbox: Outbox::from_effects(&output.effects) })
    }

    fn courier(&self) -> Courier {
        Courier {
            ports: self.context.ports.clone(),
            patience: self.patience.clone(),
            store: self.store.clone(),
            partitions: self.context.options.partitions,
            serving_expires_after: self.context.options.serving_expires_after,
        }
    }

    fn start_delivery(&mut self, object: EpochObject) {
        let kept = self.garbage.len().saturating_sub(GARBAGE_PER_EPOCH);
        let garbage = self.garbage.split_off(kept);
        self.delivery.spawn(self.courier().deliver(object.header, object.outbox, garbage));
    }

    async fn finish_delivery(&mut self) -> Result<()> {
        while let Some(delivered) = self.delivery.join_next().await {
            self.settle(delivered)?;
        }
        Ok(())
    }

    fn settle(&mut self, delivered: Result<Result<Delivered>, tokio::task::JoinError>) -> Result<()> {
        let task = self.header.task;
        let delivered = delivered.map_err(|error| Error::Panicked { task, cause: error.to_string() })??;
        self.delivered = delivered.epoch;
        self.context.board.delivered(task, delivered.epoch);
        if let Some(incarnation) = delivered.incarnation {
            self.meet(incarnation);
        }
        Ok(())
    }
}

/// The record as though it had another identity.
#[cfg(feature = "mutants")]
fn renamed(value: &[u8], offset: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    text.replacen("\"event_id\":\"", &format!("\"event_id\":\"{offset}-"), 1).into_bytes()
}
