//! The job that brings a run's mails out: once each, whatever crashes, until the suppliers' cut-off.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::random::SharedRandom;
use linli_schemas::forecast::RunId;
use linli_schemas::zone::Zone;
use serde::Serialize;

use super::mailer::{Failed, SharedMailer};
use super::outbox::{Entry, Outbox, Slot, State, Step, next, next_attempt_at};
use super::{Error, Kind, Language, Letter, Problem, Result, Sender, SupplierOrder, Writing, letter, message_id, sort};
use crate::answers::{Links, answered};
use crate::patient::PatientBlobs;

/// A sleep between two looks at what is due.
const SLEEP_MS: (i64, i64) = (10, 60_000);
/// A supplier who got the order so shortly before the reminder is due is not reminded.
const REMINDER_GAP_MS: i64 = 10 * 60_000;

/// A run's orders, by supplier.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOrders {
    pub run: RunId,
    pub orders: Vec<SupplierOrder>,
}

/// Where orders come from.
#[async_trait]
pub trait Orders: Send + Sync {
    /// The orders of a run, `None`: of the current one. `Ok(None)`: there is no such run.
    async fn of_run(&self, run: Option<&RunId>) -> linli_connectors::Result<Option<RunOrders>>;

    /// Runs of whose orders suppliers are to be told that they do not hold: those that were withdrawn, and those of the
    /// current run's date that came before it and led to no purchase order.
    async fn withdrawn(&self) -> linli_connectors::Result<Vec<RunId>>;
}

/// How long the job stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Every mail that is due is tried once.
    Once,
    /// Until every order is sent, refused or missed.
    UntilSent,
    /// Until the last supplier's cut-off, for the reminders.
    UntilCutOff,
}

#[derive(Clone, Debug)]
pub struct JobOptions {
    pub namespace: String,
    pub sender: Sender,
    pub zone: Zone,
    /// The page on which suppliers answer; `None`: mails carry no link.
    pub links: Option<Links>,
    /// How long one attempt may take: longer than the mailer's own bound. After it, another process takes over.
    pub attempt_ms: i64,
    /// Who has not answered so long before the cut-off is reminded; `None`: nobody.
    pub remind_before_ms: Option<i64>,
    pub stay: Stay,
}

/// A mail that the server took, now or before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentMail {
    pub supplier_id: i64,
    pub kind: Kind,
    pub message_id: String,
    pub attempts: u32,
    /// Epoch ms.
    pub at: i64,
    pub answer: String,
}

/// A mail that is still to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingMail {
    pub supplier_id: i64,
    pub kind: Kind,
    pub attempts: u32,
    pub reason: String,
    /// Epoch ms.
    pub next_at: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub run: String,
    pub sent: Vec<SentMail>,
    pub waiting: Vec<WaitingMail>,
    /// Suppliers of whom nothing is wanted: they get no mail.
    pub empty: Vec<i64>,
    pub problems: Vec<Problem>,
    /// What suppliers are told of orders that do not hold any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<Report>,
}

/// A mail that would be sent, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedMail {
    pub supplier_id: i64,
    pub to: String,
    pub language: Language,
    pub lines: usize,
    pub pieces: i64,
    /// Of the lines whose cost is known.
    pub amount_fen: i64,
    /// Epoch ms.
    pub must_order_by: i64,
    pub message_id: String,
    /// `None`: not tried yet.
    pub state: Option<State>,
}

/// What [`Job::run`] would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    pub run: String,
    pub mails: Vec<PlannedMail>,
    pub empty: Vec<i64>,
    pub problems: Vec<Problem>,
    /// Runs of which suppliers would be told that they do not hold any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

pub struct Job {
    outbox: Outbox,
    blobs: SharedBlobs,
    mailer: SharedMailer,
    clock: SharedClock,
    random: SharedRandom,
    options: JobOptions,
}

/// What became of a mail in one look at it.
enum Looked {
    /// Nothing more to do.
    Settled,
    /// Look again then, epoch ms.
    At(i64),
    /// The server cannot be reached: the others need not try.
    Unreachable(i64),
}

impl Job {
    pub fn new(
        blobs: SharedBlobs,
        mailer: SharedMailer,
        clock: SharedClock,
        random: SharedRandom,
        options: JobOptions,
    ) -> Job {
        // What a server answered must be written down: it would be asked again otherwise.
        let blobs: SharedBlobs = Arc::new(PatientBlobs { inner: blobs, clock: clock.clone() });
        Job { outbox: Outbox::new(blobs.clone()), blobs, mailer, clock, random, options }
    }

    /// Whether a supplier was asked for something by a run.
    pub async fn knows(&self, run: &RunId) -> Result<bool> {
        Ok(!self.outbox.suppliers(run).await?.is_empty())
    }

    /// Says what [`Job::run`] would do. Stores and sends nothing.
    pub async fn plan(&self, run: RunOrders) -> Result<Plan> {
        let sorted = sort(run.orders);
        let mut mails = Vec::new();
        for order in &sorted.mails {
            let (_, newest) = self.outbox.newest(&Slot::of(order, Kind::Order)).await?;
            mails.push(PlannedMail {
                supplier_id: order.supplier_id,
                to: order.email.clone().unwrap_or_default(),
                language: order.language,
                lines: order.lines.len(),
                pieces: order.pieces(),
                amount_fen: order.amount_fen(),
                must_order_by: order.must_order_by,
                message_id: message_id(&self.writing(Kind::Order, None), order),
                state: newest.map(|entry| entry.state),
            });
        }
        Ok(Plan {
            run: run.run.to_string(),
            mails,
            empty: sorted.empty,
            problems: sorted.problems,
            withdrawn: Vec::new(),
        })
    }

    fn writing<'a>(&'a self, kind: Kind, link: Option<&'a str>) -> Writing<'a> {
        let JobOptions { namespace, sender, zone, .. } = &self.options;
        Writing { kind, namespace, sender, link, at: self.clock.now_ms(), zone: *zone }
    }

    /// Brings out a run's mails. An error leaves everything so that the job can be started again.
    pub async fn run(&self, run: RunOrders) -> Result<Report> {
        if self.outbox.is_withdrawn(&run.run).await? {
            return Err(Error::Withdrawn { run: run.run });
        }
        let sorted = sort(run.orders);
        let mut kept = Vec::new();
        for order in &sorted.mails {
            kept.push(self.outbox.keep_order(order).await?);
        }
        let mut open: Vec<(usize, Kind)> = (0..kept.len()).map(|at| (at, Kind::Order)).collect();
        if self.options.remind_before_ms.is_some() {
            open.extend((0..kept.len()).map(|at| (at, Kind::Reminder)));
        }
        self.bring_out(&kept, &mut open).await?;
        let mut report =
            Report { run: run.run.to_string(), empty: sorted.empty, problems: sorted.problems, ..Report::default() };
        for order in &kept {
            self.tell(order, &[Kind::Order, Kind::Reminder], &mut report).await?;
        }
        Ok(report)
    }

    /// Tells whoever was sent an order of this run that it does not hold any more; what was not sent yet never will be. The
    /// run is withdrawn from its suppliers for good.
    pub async fn withdraw(&self, run: &RunId) -> Result<Report> {
        self.outbox.withdraw(run, self.clock.now_ms()).await?;
        let mut kept = Vec::new();
        for supplier_id in self.outbox.suppliers(run).await? {
            kept.extend(self.outbox.order(run, supplier_id).await?);
        }
        kept.retain(|order| self.clock.now_ms() < self.comes_at(order));
        let mut open = (0..kept.len()).map(|at| (at, Kind::Withdrawal)).collect();
        self.bring_out(&kept, &mut open).await?;
        let mut report = Report { run: run.to_string(), ..Report::default() };
        for order in &kept {
            self.tell(order, &[Kind::Withdrawal], &mut report).await?;
        }
        Ok(report)
    }

    /// Passes over the open mails as long as the job stays.
    async fn bring_out(&self, orders: &[SupplierOrder], open: &mut Vec<(usize, Kind)>) -> Result<()> {
        loop {
            let due = self.pass(orders, open).await?;
            let stays = match self.options.stay {
                Stay::Once => false,
                Stay::UntilSent => open.iter().any(|(_, kind)| *kind != Kind::Reminder),
                Stay::UntilCutOff => !open.is_empty(),
            };
            let Some(due) = due.filter(|_| stays) else { break };
            self.mailer.close().await;
            let wait = (due - self.clock.now_ms()).clamp(SLEEP_MS.0, SLEEP_MS.1);
            self.clock.sleep(Duration::from_millis(wait.unsigned_abs())).await;
        }
        self.mailer.close().await;
        Ok(())
    }

    /// Looks at every open mail once; the earliest time at which one is due again.
    async fn pass(&self, orders: &[SupplierOrder], open: &mut Vec<(usize, Kind)>) -> Result<Option<i64>> {
        let (mut still, mut due): (Vec<(usize, Kind)>, Option<i64>) = (Vec::new(), None);
        let mut unreachable = None;
        for (at, kind) in std::mem::take(open) {
            let slot = Slot::of(&orders[at], kind);
            let looked = match (unreachable, kind) {
                (Some(next_at), _) if self.clock.now_ms() < orders[at].must_order_by => Looked::At(next_at),
                (_, Kind::Order) => self.order(&slot, &orders[at]).await?,
                (_, Kind::Reminder) => self.reminder(&slot, &orders[at]).await?,
                (_, Kind::Withdrawal) => self.withdrawal(&slot, &orders[at]).await?,
            };
            match looked {
                Looked::Settled => continue,
                Looked::At(next_at) => due = Some(due.map_or(next_at, |due| due.min(next_at))),
                Looked::Unreachable(next_at) => {
                    unreachable = Some(next_at);
                    due = Some(due.map_or(next_at, |due| due.min(next_at)));
                }
            }
            still.push((at, kind));
        }
        *open = still;
        Ok(due)
    }

    async fn order(&self, slot: &Slot, order: &SupplierOrder) -> Result<Looked> {
        self.step(slot, order, order.must_order_by).await
    }

    /// Goes to whoever may have got the order, until the goods' own day.
    async fn withdrawal(&self, slot: &Slot, order: &SupplierOrder) -> Result<Looked> {
        let first = Slot { kind: Kind::Order, ..slot.clone() };
        match self.outbox.newest(&first).await?.1.map(|entry| entry.state) {
            Some(State::Sending { until, .. }) if self.clock.now_ms() < until => Ok(Looked::At(until)),
            // of the last attempt nobody knows what became
            Some(State::Sent { .. } | State::Sending { .. }) => self.step(slot, order, self.comes_at(order)).await,
            _ => Ok(Looked::Settled),
        }
    }

    /// When the last of the goods are to come: then it is too late to say that they are not wanted.
    fn comes_at(&self, order: &SupplierOrder) -> i64 {
        let last = order.lines.iter().map(|line| line.needed_by).max().unwrap_or(order.business_date);
        self.options.zone.midnight(last).0
    }

    async fn step(&self, slot: &Slot, order: &SupplierOrder, until: i64) -> Result<Looked> {
        let (number, newest) = self.outbox.newest(slot).await?;
        let now = self.clock.now_ms();
        let state = match next(newest.as_ref(), now, until) {
            Step::Done => return Ok(Looked::Settled),
            Step::Wait { until } => return Ok(Looked::At(until)),
            Step::Miss { attempts, reason } => State::Missed { attempts, reason },
            // looked up before each attempt: runs are withdrawn while mails wait
            Step::Send { .. } if slot.kind == Kind::Order && self.outbox.is_withdrawn(&slot.run).await? => {
                State::Withdrawn
            }
            Step::Send { attempt } => return self.attempt(slot, order, number, attempt).await,
        };
        self.outbox.advance(slot, number, &Entry { at: now, state }).await?;
        Ok(Looked::Settled)
    }

    /// A reminder goes to whoever got the order in time and has said nothing.
    async fn reminder(&self, slot: &Slot, order: &SupplierOrder) -> Result<Looked> {
        let Some(before) = self.options.remind_before_ms else { return Ok(Looked::Settled) };
        let (number, newest) = self.outbox.newest(slot).await?;
        let now = self.clock.now_ms();
        let due = order.must_order_by - before;
        let attempt = match next(newest.as_ref(), now, order.must_order_by) {
            // One that came too late is not worth a person's time.
            Step::Done | Step::Miss { .. } => return Ok(Looked::Settled),
            Step::Wait { until } => return Ok(Looked::At(until)),
            Step::Send { attempt } => attempt,
        };
        let first = Slot { kind: Kind::Order, ..slot.clone() };
        match self.outbox.newest(&first).await?.1 {
            Some(Entry { at, state: State::Sent { .. } }) if at + REMINDER_GAP_MS.min(before) > due => {
                return Ok(Looked::Settled);
            }
            Some(Entry { state: State::Sent { .. }, .. }) if now < due => return Ok(Looked::At(due)),
            Some(Entry { state: State::Sent { .. }, .. }) => {}
            Some(Entry { state: State::Refused { .. } | State::Missed { .. } | State::Withdrawn, .. }) => {
                return Ok(Looked::Settled);
            }
            _ => return Ok(Looked::At(due.max(now + SLEEP_MS.1))),
        }
        if answered(&*self.blobs, &slot.run, slot.supplier_id).await? || self.outbox.is_withdrawn(&slot.run).await? {
            return Ok(Looked::Settled);
        }
        self.attempt(slot, order, number, attempt).await
    }

    async fn prepared(&self, slot: &Slot, order: &SupplierOrder) -> Result<Letter> {
        if let Some(stored) = self.outbox.letter(slot).await? {
            return Ok(stored);
        }
        let link = self.options.links.as_ref().map(|links| links.url(order));
        let writing = self.writing(slot.kind, link.as_deref());
        Ok(self.outbox.prepare(slot, letter(order, &writing)?).await?)
    }

    /// Hands a mail over: stored first, then said that it is tried, then tried, then what came of it.
    async fn attempt(&self, slot: &Slot, order: &SupplierOrder, number: u64, attempt: u32) -> Result<Looked> {
        let letter = self.prepared(slot, order).await?;
        let at = self.clock.now_ms();
        let until = at + self.options.attempt_ms;
        let sending = Entry { at, state: State::Sending { attempt, until, owner: self.random.token() } };
        if !self.outbox.advance(slot, number, &sending).await? {
            // Another process took it.
            return Ok(Looked::At(at + SLEEP_MS.0));
        }
        let sent = self.mailer.send(&letter).await;
        let now = self.clock.now_ms();
        let later = next_attempt_at(attempt, now);
        let waiting = |reason: String| State::Waiting { attempt, reason, next_at: later };
        let (state, looked) = match sent {
            Ok(answer) => (State::Sent { attempt, answer }, Ok(Looked::Settled)),
            Err(Failed::Refused { answer }) => {
                tracing::error!(supplier_id = slot.supplier_id, %answer, "the mail server refused a supplier's mail");
                (State::Refused { attempt, answer }, Ok(Looked::Settled))
            }
            Err(Failed::Later { reason }) => (waiting(reason), Ok(Looked::At(later))),
            Err(Failed::Unreachable { reason }) => (waiting(reason), Ok(Looked::Unreachable(later))),
            // A person mends it and starts the job again: it need not wait then.
            Err(Failed::Broken(error)) => {
                (State::Waiting { attempt, reason: error.to_string(), next_at: now }, Err(Error::Port(error)))
            }
        };
        if !self.outbox.advance(slot, number + 1, &Entry { at: now, state }).await? {
            tracing::warn!(
                supplier_id = slot.supplier_id,
                "an attempt took longer than its bound: another process took over"
            );
            return Ok(Looked::At(self.clock.now_ms() + SLEEP_MS.0));
        }
        looked
    }

    /// Adds to the report what is stored of a supplier's mails.
    async fn tell(&self, order: &SupplierOrder, kinds: &[Kind], report: &mut Report) -> Result<()> {
        let supplier_id = order.supplier_id;
        for &kind in kinds {
            let slot = Slot::of(order, kind);
            let (_, newest) = self.outbox.newest(&slot).await?;
            let waiting = |attempts, reason: &str, next_at| WaitingMail {
                supplier_id,
                kind,
                attempts,
                reason: reason.to_owned(),
                next_at,
            };
            match newest {
                None if kind != Kind::Order => {}
                None => report.waiting.push(waiting(0, "not tried yet", self.clock.now_ms())),
                Some(Entry { at, state: State::Sent { attempt, answer } }) => {
                    let stored = self.outbox.letter(&slot).await?;
                    let message_id = stored.map(|letter| letter.message_id).unwrap_or_default();
                    report.sent.push(SentMail { supplier_id, kind, message_id, attempts: attempt, at, answer });
                }
                Some(Entry { state: State::Refused { answer, .. }, .. }) => {
                    report.problems.push(Problem::Refused { supplier_id, answer });
                }
                Some(Entry { state: State::Missed { attempts, reason }, .. }) => {
                    report.problems.push(Problem::Missed { supplier_id, attempts, reason });
                }
                Some(Entry { state: State::Withdrawn, .. }) => {
                    report.problems.push(Problem::Withdrawn { supplier_id });
                }
                Some(Entry { state: State::Waiting { attempt, reason, next_at }, .. }) => {
                    report.waiting.push(waiting(attempt, &reason, next_at));
                }
                Some(Entry { state: State::Sending { attempt, until, .. }, .. }) => {
                    report.waiting.push(waiting(attempt, "another process is sending it", until));
                }
            }
        }
        Ok(())
    }
}
