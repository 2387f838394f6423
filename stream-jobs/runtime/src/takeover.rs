//! Becoming the owner of a task: read the newest epoch, decide, restore, fence.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use linli_connectors::blobs::PutOutcome;
use linli_connectors::serving::Incarnation;
use linli_stream_jobs::task::Task;

use crate::Ports;
use crate::backoff::Patience;
use crate::epoch::{
    BaseRef, CorruptBlob, Epoch, EpochHeader, EpochObject, EpochStore, Generation, Outbox, Positions, WriterNonce,
};
use crate::error::{Error, Result};
use crate::options::JobsOptions;
use crate::recovery::{Decision, Facts, Marked, Owner, PublishDecision, Wanted, Windows, decide, publish_decision};

/// Epochs read at the same time to restore a state.
const READ_AHEAD: usize = 16;

/// A task that is ours, with the epoch that made it so.
pub(crate) struct TakenOver {
    pub task: Task,
    pub claim: EpochObject,
    pub incarnation: Incarnation,
    pub windows: Windows,
}

pub(crate) struct Taker<'a> {
    pub ports: &'a Ports,
    pub patience: &'a Patience,
    pub store: &'a EpochStore,
    pub options: &'a JobsOptions,
}

impl Taker<'_> {
    /// Tries until the task is owned. Each lost race is to an owner that published, so some runner makes progress.
    pub(crate) async fn take_over(&self) -> Result<TakenOver> {
        loop {
            if let Some(taken) = self.attempt().await? {
                return Ok(taken);
            }
            self.ports.clock.sleep(self.patience.delay(1)).await;
        }
    }

    async fn attempt(&self) -> Result<Option<TakenOver>> {
        let task = Some(self.store.task());
        let newest = self.patience.retry(task, "find newest epoch", || self.store.newest()).await?;
        let newest = match newest {
            Some(epoch) => match self.patience.retry(task, "read epoch", || self.store.read(epoch)).await? {
                Some(object) => Some(object),
                None => return Ok(None), // deleted since: the task goes on elsewhere
            },
            None => None,
        };
        let marked = match &newest {
            Some(object) => self.marked(object.header.epoch).await?,
            None => Marked::Delivered,
        };
        let incarnation = self.patience.retry(task, "ask incarnation", || self.ports.serving.incarnation()).await?;
        let wanted = self.options.wanted();
        let facts = Facts {
            wanted: &wanted,
            newest: newest.as_ref().map(|object| (&object.header, marked)),
            incarnation: &incarnation,
        };
        let (generation, outbox, windows) = match decide(&facts) {
            Decision::Refuse(refusal) => {
                return Err(Error::Refused { task: self.store.task(), refusal });
            }
            Decision::StartFresh => (Generation(1), Marked::Delivered, Windows::Stand),
            Decision::TakeOver { generation, outbox, windows, .. } => (generation, outbox, windows),
        };
        let Some(state) = self.restore(newest.as_ref()).await? else {
            return Ok(None);
        };
        let claim = match &newest {
            Some(newest) => self.claim(newest, generation, outbox),
            None => self.first(wanted, generation, &incarnation),
        };
        if !self.publish_claim(&claim).await? {
            return Ok(None);
        }
        self.announce(newest.as_ref(), &claim, outbox, windows);
        Ok(Some(TakenOver { task: state, claim, incarnation, windows }))
    }

    async fn marked(&self, epoch: Epoch) -> Result<Marked> {
        #[cfg(feature = "mutants")]
        if self.options.mutated(crate::options::Mutation::OutboxForgotten) {
            return Ok(Marked::Delivered);
        }
        let task = Some(self.store.task());
        let found = self.patience.retry(task, "look for mark", || self.store.delivered(epoch)).await?;
        Ok(if found { Marked::Delivered } else { Marked::Undelivered })
    }

    /// The state as of `newest`: its base and the deltas since. `None` where the owner collected them meanwhile.
    async fn restore(&self, newest: Option<&EpochObject>) -> Result<Option<Task>> {
        let config = self.options.task_config(self.store.task());
        let Some(newest) = newest else {
            return Ok(Some(Task::new(config)));
        };
        let base = match &newest.header.base {
            Some(base) => match self.read_base(base).await {
                Ok(bytes) => Some(bytes),
                Err(error) => return self.unless_moved_on(newest, error).await.map(|()| None),
            },
            None => None,
        };
        let first = newest.header.base.as_ref().map_or(Epoch(1), |base| base.epoch.next());
        let earlier: Vec<Result<Option<EpochObject>>> = stream::iter(first.0..newest.header.epoch.0)
            .map(|epoch| {
                self.patience.retry(Some(self.store.task()), "read epoch", move || self.store.read(Epoch(epoch)))
            })
            .buffered(READ_AHEAD)
            .collect()
            .await;
        let mut deltas: Vec<Bytes> = Vec::with_capacity(earlier.len() + 1);
        for (epoch, object) in (first.0..).zip(earlier) {
            match object? {
                Some(object) => deltas.push(object.delta),
                None => {
                    let key = self.store.epoch_key(Epoch(epoch));
                    let error = CorruptBlob { key, cause: "it is not there".to_owned() }.into();
                    return self.unless_moved_on(newest, error).await.map(|()| None);
                }
            }
        }
        deltas.push(newest.delta.clone());
        // A takeover's epoch changes no state, an epoch with its own base needs no delta.
        let deltas: Vec<&[u8]> = deltas.iter().map(AsRef::as_ref).filter(|delta| !delta.is_empty()).collect();
        Ok(Some(Task::restore(config, base.as_deref(), &deltas)?))
    }

    async fn read_base(&self, base: &BaseRef) -> Result<Bytes> {
        self.patience.retry(Some(self.store.task()), "read base", || self.store.read_base(base)).await
    }

    /// A missing blob is damage only while its epoch is still the newest.
    async fn unless_moved_on(&self, newest: &EpochObject, error: Error) -> Result<()> {
        let now = self.patience.retry(Some(self.store.task()), "find newest epoch", || self.store.newest()).await?;
        if now == Some(newest.header.epoch) { Err(error) } else { Ok(()) }
    }

    fn first(&self, wanted: Wanted, generation: Generation, incarnation: &Incarnation) -> EpochObject {
        let header = EpochHeader {
            task: self.store.task(),
            generation,
            epoch: Epoch(1),
            writer: self.nonce(),
            partitions: wanted.partitions,
            state_version: wanted.state_version,
            zone: wanted.zone,
            base: None,
            base_before: None,
            deltas_bytes: 0,
            positions: Positions::default(),
            import_watermark: None,
            as_of: None,
            unfinished: false,
            incarnation: Some(incarnation.clone()),
            claims: vec![Epoch(1)],
            conservation: Default::default(),
        };
        EpochObject { header, delta: Bytes::new(), outbox: Outbox::default() }
    }

    /// The state as it was, the effects that may still be owed, a higher generation.
    fn claim(&self, newest: &EpochObject, generation: Generation, outbox: Marked) -> EpochObject {
        let epoch = newest.header.epoch.next();
        let mut claims = newest.header.claims.clone();
        claims.push(epoch);
        let surplus = claims.len().saturating_sub(crate::epoch::CLAIMS_KEPT);
        claims.drain(..surplus);
        let header = EpochHeader { generation, epoch, writer: self.nonce(), claims, ..newest.header.clone() };
        let outbox = match outbox {
            Marked::Undelivered => newest.outbox.clone(),
            Marked::Delivered => Outbox::default(),
        };
        EpochObject { header, delta: Bytes::new(), outbox }
    }

    fn nonce(&self) -> WriterNonce {
        let random = &self.ports.random;
        WriterNonce(u128::from(random.next_u64()) << 64 | u128::from(random.next_u64()))
    }

    /// Whether the claim stands *and* is the newest epoch: a number that was freed meanwhile proves nothing.
    async fn publish_claim(&self, claim: &EpochObject) -> Result<bool> {
        match publish(self.patience, self.store, claim).await {
            Ok(()) => {}
            Err(Error::Fenced { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let task = Some(self.store.task());
        let newest = self.patience.retry(task, "find newest epoch", || self.store.newest()).await?;
        Ok(newest == Some(claim.header.epoch))
    }

    fn announce(&self, newest: Option<&EpochObject>, claim: &EpochObject, outbox: Marked, windows: Windows) {
        let how = match (newest, outbox) {
            (None, _) => "fresh",
            (Some(_), Marked::Delivered) => "delivered",
            (Some(_), Marked::Undelivered) => "undelivered",
        };
        self.patience.meters.took_over(how);
        let effects = claim.outbox.len();
        let state = match how {
            "fresh" => "no epoch yet".to_owned(),
            "delivered" => "delivered".to_owned(),
            _ => format!("undelivered: redelivering {effects} effects"),
        };
        tracing::info!(
            task = claim.header.task,
            from_epoch = newest.map_or(0, |object| object.header.epoch.0),
            generation = claim.header.generation.0,
            epoch = claim.header.epoch.0,
            outbox = state,
            serving = if windows == Windows::Stand { "stands" } else { "lost data: redelivering open windows" },
            "task recovered"
        );
    }
}

/// Publishes as the owner that the object names. `Fenced` when another stands in its place.
pub(crate) async fn publish(patience: &Patience, store: &EpochStore, object: &EpochObject) -> Result<()> {
    let (task, epoch) = (Some(store.task()), object.header.epoch);
    let bytes = object.encode();
    loop {
        let outcome = patience.retry(task, "publish epoch", || store.put_if_absent(epoch, bytes.clone())).await?;
        if outcome == PutOutcome::Created {
            return Ok(());
        }
        let found = patience.retry(task, "read epoch", || store.read(epoch)).await?;
        match publish_decision(Owner::of(&object.header), found.map(|found| Owner::of(&found.header))) {
            PublishDecision::AlreadyOurs => return Ok(()),
            PublishDecision::Retry => {}
            PublishDecision::Fenced { by } => {
                return Err(Error::Fenced { task: store.task(), generation: object.header.generation, by });
            }
        }
    }
}
