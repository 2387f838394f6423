//! A run becomes what readers see: rows of MySQL and records on the log, all of it or nothing.
//!
//! The order is what makes it so. Rows are written under the id of the run, which no reader sees; they are counted; their
//! records go to the topics, and behind them, in each partition, a mark with the counts; then one transaction names the
//! run, and the views `demand_forecast` and `restock_suggestion` show it. Rows of old runs are removed after that.
//! Killed anywhere before the naming, readers see the old run; begun again under the same id, it goes on: rows have
//! their keys, and a record that is published twice is the same. A consumer of the topics may act on a run a moment
//! before the views show it, never on a part of one.

mod error;
mod record;
mod store;
mod topics;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_schemas::EventTime;
use linli_schemas::forecast::{Day, DemandStep, End, LineStatus, RestockLine, RunId};
use linli_schemas::zone::Zone;
use mysql_async::Opts;

pub use error::{Error, Result};
pub use record::{record, terms_of};
use store::{State, Store};
use topics::Topics;

/// How many complete runs are kept to go back to.
pub const RUNS_KEPT: usize = 7;

#[derive(Clone, Debug)]
pub struct Options {
    /// The shop's first database.
    pub database: String,
    /// The shop's wall time.
    pub zone: Zone,
    /// Of every topic.
    pub partitions: u32,
    /// Complete runs whose rows are kept, at least 1: the rows of older ones are removed.
    pub runs_kept: usize,
}

/// What is told of a run before its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    /// The day at whose close it is made.
    pub business_date: NaiveDate,
    pub policy: String,
    pub policy_version: String,
    /// Purchase orders that it knew of, as [`End::orders_known`].
    pub orders_known: Option<BTreeMap<String, u32>>,
}

/// What a run holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub demand_rows: u64,
    pub lines: u64,
    /// Lines that may be acted on.
    pub ready: u64,
    /// Sum of the quantities of all lines.
    pub pieces: u64,
}

impl Totals {
    pub fn add_line(&mut self, line: &RestockLine) {
        self.lines += 1;
        self.ready += u64::from(line.status == LineStatus::Ready);
        self.pieces += u64::try_from(line.quantity).unwrap_or(0);
    }
}

/// Publishes runs into one shop; alone, as long as it is open.
pub struct Publisher {
    store: Store,
    topics: Topics,
    clock: SharedClock,
    runs_kept: usize,
}

/// What `begin` found.
pub enum Begun<'p> {
    /// Rows may be written.
    Open(Publication<'p>),
    /// The run is complete; nothing is to be done.
    Complete,
}

/// A run whose rows are written.
pub struct Publication<'p> {
    publisher: &'p mut Publisher,
    run: Run,
}

impl Publisher {
    /// Connects, makes tables and views that are missing, and keeps other publishers away. The topics have to be there.
    pub async fn open(server: Opts, log: SharedLog, clock: SharedClock, options: Options) -> Result<Publisher> {
        let store = Store::open(server, options.database, options.zone).await?;
        let topics = Topics { log, clock: SharedClock::clone(&clock), partitions: options.partitions };
        Ok(Publisher { store, topics, clock, runs_kept: options.runs_kept.max(1) })
    }

    /// The run that readers see.
    pub async fn current(&mut self) -> Result<Option<RunId>> {
        self.store.current().await
    }

    /// Begins a run, or goes on with one that was not completed. All its rows may be written again.
    pub async fn begin(&mut self, run: Run) -> Result<Begun<'_>> {
        let now = self.clock.now_ms();
        self.store.insert_run(&run, now).await?;
        let known = self.store.run(&run.id).await?;
        if (known.business_date, known.policy.as_str()) != (run.business_date, run.policy.as_str()) {
            let (begun, policy) = (known.business_date, known.policy);
            return Err(Error::OtherRun { run: run.id, date: run.business_date, begun, policy });
        }
        match known.state {
            State::Building => {
                self.store.refuse_if_overtaken(&run.id).await?;
                tracing::info!(run = %run.id, "run begun");
                Ok(Begun::Open(Publication { publisher: self, run }))
            }
            State::Complete => Ok(Begun::Complete),
            State::Withdrawn | State::Removing | State::Removed => {
                Err(Error::State { run: run.id, state: known.state.name().to_owned(), wanted: "published" })
            }
        }
    }

    /// Takes a run back: nobody acts on it any more, and readers see the last good one before it, if there is one.
    /// Saying it again after a crash finishes it. Returns the run that readers see then.
    pub async fn withdraw(&mut self, run: &RunId) -> Result<Option<RunId>> {
        let known = self.store.run(run).await?;
        if matches!(known.state, State::Removing | State::Removed) {
            return Err(Error::State { run: run.clone(), state: known.state.name().to_owned(), wanted: "withdrawn" });
        }
        // whoever orders goods hears of it first
        self.topics.withdraw(run).await?;
        let named = self.store.withdraw(std::slice::from_ref(run), None, self.clock.now_ms()).await?;
        tracing::info!(%run, named = named.as_ref().map(RunId::as_str), "run withdrawn");
        Ok(named)
    }

    /// Goes back to a run that is complete, or to the last good one before that which readers see: all newer ones are
    /// withdrawn. Returns the run that readers see then.
    pub async fn roll_back(&mut self, to: Option<&RunId>) -> Result<RunId> {
        let good = self.store.complete_runs().await?;
        let current = self.store.current().await?;
        let target = match (to, &current) {
            (Some(to), _) => {
                let known = self.store.run(to).await?;
                if known.state != State::Complete {
                    let state = known.state.name().to_owned();
                    return Err(Error::State { run: to.clone(), state, wanted: "shown again" });
                }
                to.clone()
            }
            (None, Some(current)) => {
                let before = good.iter().skip_while(|run| *run != current).nth(1);
                before.cloned().ok_or_else(|| Error::NoEarlier { run: current.clone() })?
            }
            (None, None) => match good.first() {
                Some(newest) => newest.clone(),
                None => return Err(Error::NoEarlier { run: self.store.any_run().await? }),
            },
        };
        let newer: Vec<RunId> = good.into_iter().take_while(|run| *run != target).collect();
        for run in &newer {
            self.topics.withdraw(run).await?;
        }
        self.store.withdraw(&newer, Some(&target), self.clock.now_ms()).await?;
        tracing::info!(run = %target, withdrawn = newer.len(), "rolled back");
        Ok(target)
    }

    /// Ends the connection.
    pub async fn close(self) {
        self.store.close().await;
    }
}

impl Publication<'_> {
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Writes rows of demand; one that is there already is written over.
    pub async fn demand(&mut self, rows: &[DemandStep]) -> Result<()> {
        let row = |cause: String| Error::Row { run: self.run.id.clone(), cause };
        for step in rows {
            let place = || format!("community {}, SKU {}, {}", step.community_id, step.sku_id, step.step_on);
            if step.run != self.run.id {
                return Err(row(format!("{} is of run {}", place(), step.run)));
            }
            let numbers = [step.mean, step.q10, step.q25, step.q50, step.q75, step.q80, step.q90, step.q95, step.q99];
            if let Some(number) = numbers.into_iter().find(|number| !number.is_finite() || *number < 0.0) {
                return Err(row(format!("{}: {number} is no demand", place())));
            }
        }
        self.publisher.store.write_demand(&self.run.id, rows).await
    }

    /// Writes order lines; one that is there already is written over.
    pub async fn lines(&mut self, lines: &[RestockLine]) -> Result<()> {
        if let Some(line) = lines.iter().find(|line| line.run != self.run.id) {
            let cause = format!("the line of SKU {} is of run {}", line.sku_id, line.run);
            return Err(Error::Row { run: self.run.id.clone(), cause });
        }
        self.publisher.store.write_lines(&self.run.id, lines).await
    }

    /// Counts what was written, publishes it on the topics, shows it to readers, and removes what is old.
    pub async fn complete(self, told: &Totals) -> Result<()> {
        let Publication { publisher, run } = self;
        let now = publisher.clock.now_ms();
        let found = publisher.store.count(&run.id).await?;
        compare(&run.id, &found, told)?;
        publisher.store.refuse_if_overtaken(&run.id).await?;
        publisher.store.refuse_if_ordered_since(&run).await?;
        let published_at = publisher.store.counted(&run.id, told, now).await?;
        tracing::info!(run = %run.id, lines = told.lines, demand = told.demand_rows, "run counted");

        let end = |lines| End {
            run: run.id.clone(),
            business_date: Day(run.business_date),
            published_at,
            lines,
            lines_in_partition: 0,
            orders_known: run.orders_known.clone(),
        };
        publisher.topics.demand(&mut publisher.store, &end(told.demand_rows)).await?;
        publisher.topics.restock(&mut publisher.store, &end(told.lines)).await?;
        tracing::info!(run = %run.id, "run on the topics");

        publisher.store.name(&run.id, publisher.clock.now_ms()).await?;
        tracing::info!(run = %run.id, "run named");
        let removed = publisher.store.remove_old(publisher.runs_kept).await?;
        tracing::info!(run = %run.id, removed, "old runs removed");
        Ok(())
    }
}

fn compare(run: &RunId, found: &Totals, told: &Totals) -> Result<()> {
    for (table, what, found, told) in [
        ("demand_forecast_rows", "rows", found.demand_rows, told.demand_rows),
        ("restock_suggestion_rows", "rows", found.lines, told.lines),
        ("restock_suggestion_rows", "lines that are ready", found.ready, told.ready),
        ("restock_suggestion_rows", "pieces", found.pieces, told.pieces),
    ] {
        if found != told {
            return Err(Error::Counts { run: run.clone(), table, what, found, told });
        }
    }
    Ok(())
}

/// A wall time of the shop as SQL takes it.
fn wall(zone: Zone, at_ms: i64) -> String {
    format!("{}.{:03}", zone.wall_text(EventTime(at_ms)), at_ms.rem_euclid(1000))
}
