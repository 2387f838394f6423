//! The stream jobs and the loaders, running in the background of a command.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{SharedLog, TopicPartition};
use linli_connectors::serving::SharedServing;
use linli_schemas::{EventTime, Topic};
use linli_stream_runtime::progress::{Remaining, wait_until_drained};
use linli_stream_runtime::{Assignment, JobsOptions, Meters, Ports, StatusBoard};
use linli_warehouse::Warehouse;
use linli_warehouse::loader::{self, LoaderHandle, LoaderOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::{OpenWarehouse, Parts};

/// How often the end of the work is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Answers over a whole history may take their time.
const ANSWER_LIMIT: Duration = Duration::from_secs(300);

/// What runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages {
    pub jobs: bool,
    pub results: bool,
    pub facts: bool,
}

impl Stages {
    pub const ALL: Stages = Stages { jobs: true, results: true, facts: true };
}

pub struct Pipeline {
    log: SharedLog,
    blobs: SharedBlobs,
    clock: SharedClock,
    pub serving: SharedServing,
    pub open: OpenWarehouse,
    pub board: StatusBoard,
    partitions: u32,
    stages: Stages,
    results: LoaderHandle,
    facts: LoaderHandle,
    /// The jobs end before the loaders, so that what they deliver last is loaded too.
    stop_jobs: CancellationToken,
    stop_loaders: CancellationToken,
    failed: CancellationToken,
    jobs: JoinSet<Outcome>,
    loaders: JoinSet<Outcome>,
}

pub fn jobs_options(config: &Config, parts: &Parts, assignment: Assignment) -> JobsOptions {
    let mut options = JobsOptions::new(assignment, config.partitions, parts.zone);
    options.out_of_orderness = config.jobs.out_of_orderness.0;
    options.lateness = config.jobs.lateness.0;
    options.ahead = config.jobs.ahead.0;
    options.epoch_interval = config.jobs.epoch_interval.0;
    options.catch_up_interval = config.jobs.catch_up_interval.0;
    options.catch_up_records = config.jobs.catch_up_records;
    options.idle_after = config.jobs.idle_after.0;
    options
}

fn loader_options(config: &Config, mut options: LoaderOptions) -> LoaderOptions {
    options.interval_ms = config.loader.interval.ms();
    options.rows_max = config.loader.rows_max;
    options
}

impl Pipeline {
    pub async fn start(parts: &Parts, log: SharedLog, blobs: SharedBlobs, stages: Stages) -> Outcome<Pipeline> {
        let serving = parts.serving().await?;
        let open = parts.migrated_warehouse().await?;
        let mut pipeline = Pipeline {
            log,
            blobs,
            clock: Arc::clone(&parts.clock),
            serving,
            open,
            board: StatusBoard::default(),
            partitions: parts.config.partitions,
            stages,
            results: LoaderHandle::new(),
            facts: LoaderHandle::new(),
            stop_jobs: CancellationToken::new(),
            stop_loaders: CancellationToken::new(),
            failed: CancellationToken::new(),
            jobs: JoinSet::new(),
            loaders: JoinSet::new(),
        };
        if stages.jobs {
            pipeline.start_jobs(parts);
        }
        if stages.results {
            pipeline.start_results(parts);
        }
        if stages.facts {
            pipeline.start_facts(parts);
        }
        Ok(pipeline)
    }

    pub fn start_jobs(&mut self, parts: &Parts) {
        self.stages.jobs = true;
        let options = jobs_options(&parts.config, parts, Assignment::All);
        let ports = Ports {
            log: self.log.clone(),
            serving: self.serving.clone(),
            blobs: self.blobs.clone(),
            clock: self.clock.clone(),
            random: parts.random.clone(),
        };
        let (board, stop, failed) = (self.board.clone(), self.stop_jobs.clone(), self.failed.clone());
        self.jobs.spawn(async move {
            let _failed = failed.drop_guard();
            linli_stream_runtime::run(ports, options, Meters::unregistered(), board, stop).await?;
            Ok(())
        });
    }

    pub fn start_results(&mut self, parts: &Parts) {
        self.stages.results = true;
        let options = loader_options(&parts.config, LoaderOptions::results(parts.zone, self.partitions));
        let (handle, stop, failed) = (self.results.clone(), self.stop_loaders.clone(), self.failed.clone());
        let endpoints = self.endpoints();
        self.loaders.spawn(async move {
            let _failed = failed.drop_guard();
            Ok(loader::run_results(endpoints, options, handle, stop).await?)
        });
    }

    pub fn start_facts(&mut self, parts: &Parts) {
        self.stages.facts = true;
        let options = loader_options(&parts.config, LoaderOptions::facts(parts.zone, self.partitions));
        let (handle, stop, failed) = (self.facts.clone(), self.stop_loaders.clone(), self.failed.clone());
        let endpoints = self.endpoints();
        self.loaders.spawn(async move {
            let _failed = failed.drop_guard();
            Ok(loader::run_facts(endpoints, options, handle, stop).await?)
        });
    }

    fn endpoints(&self) -> loader::Endpoints {
        loader::Endpoints {
            log: self.log.clone(),
            warehouse: self.open.warehouse.clone(),
            blobs: self.blobs.clone(),
            clock: self.clock.clone(),
        }
    }

    pub fn warehouse(&self) -> &Warehouse {
        &self.open.warehouse
    }

    /// Runs `work`, unless a part of the pipeline ends before: then its failure is found by [`Pipeline::stop`].
    pub async fn until_it_fails<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        tokio::select! {
            outcome = work => outcome,
            () = self.failed.cancelled() => Err(Failure::new(Kind::Internal, "a part of the pipeline ended early")),
        }
    }

    /// Waits until the jobs have read and delivered everything, and have been told that the import ended.
    pub async fn end_of_import(&self, watermark: EventTime, output: &Output) -> Outcome {
        self.jobs_drained(output).await?;
        linli_stream_runtime::end_of_import(&self.blobs, watermark).await?;
        self.jobs_drained(output).await
    }

    pub async fn jobs_drained(&self, output: &Output) -> Outcome {
        let bar = output.progress(0, "jobs");
        let look = |remaining: Remaining| {
            let total = bar.length().unwrap_or(0).max(remaining.records);
            bar.set_length(total);
            bar.set_position(total - remaining.records);
        };
        wait_until_drained(&self.log, &self.blobs, &self.clock, self.partitions, LOOK_INTERVAL, look).await?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Waits until the loaders that run here have loaded everything that is on the log now.
    pub async fn loaded(&self) -> Outcome {
        if self.stages.results {
            let ends = self.ends(&Topic::METRICS).await?;
            self.results.wait_until(&ends).await.map_err(stopped)?;
        }
        if self.stages.facts {
            let ends = self.ends(&loader::FACTS).await?;
            self.facts.wait_until(&ends).await.map_err(stopped)?;
        }
        Ok(())
    }

    async fn ends(&self, topics: &[Topic]) -> Outcome<BTreeMap<Topic, Vec<u64>>> {
        let mut ends = BTreeMap::new();
        for topic in topics {
            let places: Vec<TopicPartition> = (0..self.partitions)
                .map(|partition| TopicPartition { topic: topic.name().into(), partition })
                .collect();
            ends.insert(*topic, self.log.ends(&places).await?);
        }
        Ok(ends)
    }

    pub async fn write_answers(&self, out: &Path) -> Outcome {
        linli_warehouse::answers::write_all(&self.open.warehouse, &self.serving, out, ANSWER_LIMIT).await?;
        Ok(())
    }

    /// Publishes, delivers and loads what was begun, and closes the warehouse. The first failure of a part is returned.
    pub async fn stop(mut self) -> Outcome {
        self.stop_jobs.cancel();
        let jobs = all(&mut self.jobs).await;
        self.stop_loaders.cancel();
        let loaders = all(&mut self.loaders).await;
        let closed = self.open.tables.close().await;
        jobs?;
        loaders?;
        Ok(closed?)
    }
}

fn stopped(error: loader::Stopped) -> Failure {
    Failure::new(Kind::Internal, error.to_string())
}

async fn all(parts: &mut JoinSet<Outcome>) -> Outcome {
    let mut outcome = Ok(());
    while let Some(ended) = parts.join_next().await {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => Err(Failure::new(Kind::Internal, format!("a part ended by a defect: {error}"))),
        };
        if outcome.is_ok() {
            outcome = ended;
        }
    }
    outcome
}
