//! One schedule: runners that come, die and sleep, stores that fail and forget, a shop that repeats itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::blobs::{self, BlobFaults, FaultyBlobs, SharedBlobs};
use linli_connectors::clock::{SharedClock, SimulatedClock};
use linli_connectors::log::{EventLog, LogFaults, MemoryLog, NewRecord, OpenOptions, SharedLog, TopicPartition};
use linli_connectors::random::{SeededRandom, SharedRandom};
use linli_connectors::serving::{self, FaultyServing, MemoryServing, ServingFaults, SharedServing};
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};
use linli_stream_runtime::options::Mutation;
use linli_stream_runtime::progress::{self, TaskProgress};
use linli_stream_runtime::{Assignment, Error, JobsOptions, Meters, Ports, Report, StatusBoard, end_of_import, run};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::auditor::{self, Auditor};
use super::chaos::{AuditedBlobs, Chaos, ChaosBlobs, ChaosLog, ChaosServing, Fate, When};
use super::shop::Shop;

/// A minute before a local midnight, so that minutes, hours and days all change while it runs.
const START_MS: i64 = 1_793_577_540_000;
const PARTITIONS: u32 = 3;
const MEMBERS: u64 = 3;
const GROUP: &str = "jobs";
const ZOMBIE_MS_MAX: u64 = 20_000;

/// What came of a schedule.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub violations: Vec<String>,
    pub trace: (u64, u64),
    pub deaths: u64,
    pub deaths_in_between: u64,
    /// Takeovers that slept until their number had been freed.
    pub strays: u64,
}

struct World {
    random: SharedRandom,
    clock: SharedClock,
    log: MemoryLog,
    serving: Arc<MemoryServing>,
    blobs: SharedBlobs,
    auditor: Arc<Auditor>,
    options: JobsOptions,
    lives: JoinSet<(u64, Option<Result<Report, Error>>)>,
    last_life: u32,
    /// What fails, healed at the end.
    healers: Vec<Box<dyn Fn()>>,
    shutdown: CancellationToken,
}

pub fn simulate(seed: u64, mutation: Option<Mutation>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be built").block_on(async {
        let mut world = World::new(seed, mutation).await;
        let mut violations = world.live().await;
        violations.extend(world.auditor.violations());
        let (deaths, deaths_in_between, strays) = world.auditor.deaths_and_strays();
        Outcome { violations, trace: world.auditor.trace_hash(), deaths, deaths_in_between, strays }
    })
}

impl World {
    async fn new(seed: u64, mutation: Option<Mutation>) -> World {
        let seeds = SeededRandom::new(seed);
        let random: SharedRandom = Arc::new(seeds.fork("world"));
        let clock: SharedClock = Arc::new(SimulatedClock::starting_at(START_MS));
        let log = MemoryLog::new(OpenOptions { clock: clock.clone(), ..OpenOptions::default() });
        let marks: SharedRandom = Arc::new(seeds.fork("serving"));
        let serving = serving::OpenOptions { namespace: String::new(), clock: clock.clone(), random: marks };
        let blobs = blobs::open("memory://", blobs::OpenOptions::default()).await.expect("memory opens");
        let options = JobsOptions {
            epoch_interval: Duration::from_millis(500 + random.below(2000)),
            catch_up_interval: Duration::from_secs(3),
            catch_up_records: 20 + random.below(60),
            behind_records: 30,
            poll_records: 1 + random.below(40) as usize,
            control_interval: Duration::from_millis(1500),
            deltas_max: 2 + random.below(6),
            stop_grace: Duration::from_secs(3),
            mutation,
            ..JobsOptions::new(Assignment::Group(GROUP.to_owned()), PARTITIONS, Zone::UTC)
        };
        World {
            random,
            clock,
            log,
            serving: Arc::new(MemoryServing::new(serving)),
            blobs,
            auditor: Arc::new(Auditor::default()),
            options,
            lives: JoinSet::new(),
            last_life: 0,
            healers: Vec::new(),
            shutdown: CancellationToken::new(),
        }
    }

    async fn live(&mut self) -> Vec<String> {
        let topics = linli_stream_runtime::topics(PARTITIONS);
        self.log.create_topics(&topics).await.expect("no faults here");
        let events = 40 + self.random.below(60);
        let shop = Shop::plan(&self.random, PARTITIONS, START_MS, 70_000, events);
        for member in 0..MEMBERS {
            self.reassign();
            self.start(member, Trouble::Some);
        }
        for planned in &shop.planned {
            self.wait_until(planned.at_ms).await;
            let record = NewRecord { timestamp_ms: self.clock.now_ms(), ..planned.record.clone() };
            self.log.append(vec![record]).await.expect("no faults here");
            self.disturb().await;
        }
        self.heal();
        match self.drain_and_end().await {
            Ok(tasks) => self.audit(&shop, &tasks).await.unwrap_or_else(|error| vec![error]),
            Err(error) => vec![error],
        }
    }

    async fn wait_until(&mut self, at_ms: i64) {
        let wait = at_ms - self.clock.now_ms();
        if wait > 0 {
            let clock = self.clock.clone();
            let mut slept = clock.sleep(Duration::from_millis(wait as u64));
            loop {
                tokio::select! {
                    biased;
                    () = &mut slept => return,
                    Some(ended) = self.lives.join_next() => self.restart(ended),
                }
            }
        }
    }

    fn restart(&mut self, ended: Result<(u64, Option<Result<Report, Error>>), tokio::task::JoinError>) {
        match ended {
            Ok((member, None)) => self.start(member, Trouble::Some),
            Ok((member, Some(Err(error)))) => {
                self.auditor.violated(format!("member {member} failed: {error}"));
            }
            Ok((_, Some(Ok(_)))) => {}
            Err(error) => self.auditor.violated(format!("a runner panicked: {error}")),
        }
    }

    /// Now and then, the group gives the tasks to others, or two of them the same, or the store forgets.
    async fn disturb(&mut self) {
        if self.random.happens(0.04) {
            self.reassign();
        }
        if self.random.happens(0.008) {
            self.serving.flush();
        }
    }

    fn reassign(&self) {
        let mut assigned: BTreeMap<u64, BTreeSet<u32>> = (0..MEMBERS).map(|member| (member, BTreeSet::new())).collect();
        for partition in 0..PARTITIONS {
            for _ in 0..1 + u64::from(self.random.happens(0.3)) {
                assigned.entry(self.random.below(MEMBERS)).or_default().insert(partition);
            }
        }
        for (member, partitions) in assigned {
            self.log.assign(GROUP, &name(member), partitions);
        }
    }

    fn start(&mut self, member: u64, trouble: Trouble) {
        self.last_life += 1;
        let life = self.last_life;
        let seed = self.random.next_u64();
        let rate = if trouble == Trouble::Some && self.random.happens(0.6) { 0.05 } else { 0.0 };
        let fate = match self.random.below(4) {
            _ if trouble == Trouble::None => Fate::None,
            0 => Fate::None,
            1 => Fate::Sleep(Duration::from_millis(self.random.below(ZOMBIE_MS_MAX))),
            _ => Fate::Crash,
        };
        let chaos = Arc::new(Chaos {
            life,
            fate,
            when: if self.random.happens(0.5) { When::BeforeEffect } else { When::AfterEffect },
            at_call: self.random.below(60),
            calls: Default::default(),
            crashed: CancellationToken::new(),
            clock: self.clock.clone(),
            auditor: self.auditor.clone(),
        });
        let ports = self.ports(member, seed, rate, &chaos);
        let options = self.options.clone();
        let shutdown = self.shutdown.clone();
        self.lives.spawn(async move {
            let run = run(ports, options, Meters::unregistered(), StatusBoard::default(), shutdown);
            tokio::select! {
                biased;
                () = chaos.crashed.cancelled() => (member, None),
                ended = run => (member, Some(ended)),
            }
        });
    }

    fn ports(&mut self, member: u64, seed: u64, rate: f64, chaos: &Arc<Chaos>) -> Ports {
        let faults = LogFaults {
            append_fails_before: rate,
            append_fails_midway: rate,
            append_fails_after: rate,
            poll_fails: rate,
            poll_is_slow: rate,
            poll_delay_max: Duration::from_secs(2),
            other_calls_fail: rate,
        };
        let log = self.log.fork(&name(member), seed, faults);
        let audited = AuditedBlobs { life: chaos.life, auditor: self.auditor.clone(), inner: self.blobs.clone() };
        let blob_faults = BlobFaults { before: rate, after: rate };
        let blobs = Arc::new(FaultyBlobs::new(Arc::new(audited), seed ^ 1, blob_faults));
        let serving_faults = ServingFaults { before: rate, after: rate, flush: 0.0 };
        let serving = Arc::new(FaultyServing::new(self.serving.clone(), seed ^ 2, serving_faults));
        let (healed_log, healed_blobs, healed_serving) = (log.clone(), blobs.clone(), serving.clone());
        self.healers.push(Box::new(move || {
            healed_log.set_faults(LogFaults::default());
            healed_blobs.set_faults(BlobFaults::default());
            healed_serving.set_faults(ServingFaults::default());
        }));
        Ports {
            log: Arc::new(ChaosLog(chaos.clone(), Arc::new(log))),
            serving: Arc::new(ChaosServing(chaos.clone(), serving)),
            blobs: Arc::new(ChaosBlobs(chaos.clone(), blobs)),
            clock: self.clock.clone(),
            random: Arc::new(SeededRandom::new(seed ^ 3)),
        }
    }

    /// No more failures; each task has one owner, which lives.
    fn heal(&mut self) {
        for heal in &self.healers {
            heal();
        }
        let healthy = MEMBERS; // a member that knows no trouble
        for member in 0..MEMBERS {
            self.log.assign(GROUP, &name(member), BTreeSet::new());
        }
        self.log.assign(GROUP, &name(healthy), (0..PARTITIONS).collect());
        self.start(healthy, Trouble::None);
    }

    async fn drain_and_end(&mut self) -> Result<Vec<TaskProgress>, String> {
        self.drain().await?;
        end_of_import(&self.blobs, EventTime(START_MS + 3_600_000)).await.map_err(|error| error.to_string())?;
        self.drain().await?;
        // Whoever sleeps wakes, and may still do harm.
        self.wait_until(self.clock.now_ms() + ZOMBIE_MS_MAX as i64 + 10_000).await;
        let tasks = self.drain().await?;
        self.shutdown.cancel();
        while let Some(ended) = self.lives.join_next().await {
            if let Ok((_, Some(Err(error)))) = ended {
                return Err(format!("a runner failed at the end: {error}"));
            }
        }
        Ok(tasks)
    }

    async fn drain(&mut self) -> Result<Vec<TaskProgress>, String> {
        let log: SharedLog = Arc::new(self.log.clone());
        let (clock, blobs) = (self.clock.clone(), self.blobs.clone());
        let last = std::cell::Cell::new(None);
        let look = |remaining| last.set(Some(remaining));
        let drained = progress::wait_until_drained(&log, &blobs, &clock, PARTITIONS, Duration::from_millis(500), look);
        tokio::pin!(drained);
        let mut patience = clock.sleep(Duration::from_secs(300));
        let drained = loop {
            tokio::select! {
                biased;
                drained = &mut drained => break Some(drained),
                Some(ended) = self.lives.join_next() => self.restart(ended),
                () = &mut patience => break None,
            }
        };
        match drained {
            Some(Ok(tasks)) => Ok(tasks.into_iter().flatten().collect()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(format!("it did not drain within five minutes: {:?}", last.get())),
        }
    }

    async fn audit(&self, shop: &Shop, tasks: &[TaskProgress]) -> Result<Vec<String>, String> {
        let log: SharedLog = Arc::new(self.log.clone());
        let serving: SharedServing = self.serving.clone();
        let expected = shop.expected();
        let in_log = auditor::log_parts(&log, PARTITIONS).await?;
        let in_serving = auditor::serving_parts(&serving).await?;
        let mut violations = auditor::difference("log", &auditor::merged(&in_log), &expected);
        violations.extend(auditor::difference("serving", &auditor::merged(&in_serving), &expected));
        violations.extend(auditor::dead_letters(&log, shop, PARTITIONS).await?);
        let counted = progress::conservation(tasks.iter().map(|task| &task.header));
        violations.extend(auditor::conservation(&counted, shop, &self.ends().await?));
        let keys = self.blobs.list("tasks").await.map_err(|error| error.to_string())?;
        let bound = PARTITIONS as usize * (8 * self.options.deltas_max as usize + 8 + self.last_life as usize * 3);
        if keys.len() > bound {
            violations.push(format!("{} blobs are left, at most {bound} were expected", keys.len()));
        }
        Ok(violations)
    }

    async fn ends(&self) -> Result<BTreeMap<Topic, u64>, String> {
        let mut ends = BTreeMap::new();
        for topic in Topic::INPUTS {
            let partitions: Vec<TopicPartition> =
                (0..PARTITIONS).map(|partition| TopicPartition { topic: Arc::from(topic.name()), partition }).collect();
            let found = self.log.ends(&partitions).await.map_err(|error| error.to_string())?;
            ends.insert(topic, found.into_iter().sum());
        }
        Ok(ends)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Some,
    None,
}

fn name(member: u64) -> String {
    format!("member-{member}")
}
