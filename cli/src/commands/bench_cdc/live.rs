//! While others write: how long a row is under way, how fast a reader that stood still catches up, and what the snapshot of
//! one table costs.

use std::sync::Arc;
use std::time::Duration;

use linli_connectors::log::{Batch, LogReader, SharedLog, TopicPartition, TopicSpec};
use linli_ingest::cdc::{Address, CdcOptions, Meters, Parts as ReaderParts, Reader};
use linli_simulator::load::{DATABASE, LINES, Load, Pace, TICKS};
use linli_simulator::sql::Server;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Begin, Stage, Stopwatch, without_past};
use crate::args::BenchCdcArgs;
use crate::commands::{join, seconds_since};
use crate::failure::{Failure, Kind, Outcome};
use crate::parts::Parts;

/// Before its topics, so that they are not the shop's.
const TOPIC_PREFIX: &str = "bench.";
const WRITERS: u32 = 4;
/// How often it is looked whether a reader has caught up.
const LOOK: Duration = Duration::from_millis(20);
/// A reader that is no further behind than this has caught up.
const BEHIND_ROWS_MAX: u64 = 1_000;
/// A reader that has not caught up after so long never will.
const CATCH_UP_S_MAX: f64 = 600.0;

#[derive(Debug, Serialize)]
pub struct Figures {
    /// From sending a transaction to its row being read from the topic: the server's commit is part of it.
    latency_ms: Percentiles,
    /// Rows a second that were written meanwhile, and how many of them were seen.
    latency_rows_per_second: f64,
    latency_rows: u64,
    catch_up: CatchUp,
    /// Of one table, apart.
    snapshot_table: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Percentiles {
    p50: i64,
    p95: i64,
    p99: i64,
}

/// A reader stood still while others wrote as fast as the server commits, and then caught up while they went on.
#[derive(Debug, Serialize)]
struct CatchUp {
    stopped_seconds: f64,
    /// What the writers committed while the reader caught up, a second.
    live_rows_per_second: f64,
    /// What the reader published meanwhile.
    rows: u64,
    seconds: f64,
    rows_per_second: f64,
    /// How many times the live rate that is.
    ratio: f64,
}

pub async fn measure(
    parts: &Parts,
    reader: &ReaderParts,
    options: &CdcOptions,
    address: &Address,
    args: &BenchCdcArgs,
) -> Outcome<Figures> {
    let first = parts.config.shop.url.split_whitespace().next().unwrap_or_default();
    let load = Load::create(Server::parse(first)?, Arc::clone(&parts.clock)).await?;
    let bench = Bench { parts, reader, options, address, load, args };
    let figures = bench.run().await;
    let dropped = bench.load.drop_database().await;
    let figures = figures?;
    dropped?;
    Ok(figures)
}

struct Bench<'a> {
    parts: &'a Parts,
    reader: &'a ReaderParts,
    options: &'a CdcOptions,
    address: &'a Address,
    load: Load,
    args: &'a BenchCdcArgs,
}

/// A reader at work.
struct Running {
    task: JoinHandle<Outcome>,
    meters: Meters,
    stop: CancellationToken,
}

impl Running {
    async fn stop(self) -> Outcome {
        self.stop.cancel();
        join("the reader", self.task).await
    }
}

impl Bench<'_> {
    async fn run(&self) -> Outcome<Figures> {
        let (latencies, rate) = self.latencies().await?;
        let catch_up = self.catch_up().await?;
        self.load.fill_lines(self.args.table_rows).await?;
        let stopwatch = Stopwatch::start(self.parts);
        let running = self.start(LINES, &without_past(self.reader).await?)?;
        self.until(&running, |meters| meters.expected().is_none()).await?;
        let rows = running.meters.snapshot();
        let snapshot_table = stopwatch.stage(self.parts, rows);
        running.stop().await?;
        Ok(Figures {
            latency_ms: percentiles(&latencies),
            latency_rows_per_second: rate,
            latency_rows: latencies.len() as u64,
            catch_up,
            snapshot_table,
        })
    }

    /// A reader of one table of the load.
    fn start(&self, table: &str, reader: &ReaderParts) -> Outcome<Running> {
        let options = CdcOptions {
            databases: DATABASE.to_owned(),
            tables: format!(r"{DATABASE}\.{table}"),
            topic_prefix: TOPIC_PREFIX.to_owned(),
            ..self.options.clone()
        };
        let (meters, stop) = (Meters::default(), CancellationToken::new());
        let reader = Reader::new(self.address.clone(), Arc::new(options), reader.clone(), meters.clone())?;
        let reader = reader.begin(Begin::Snapshot);
        let running = reader.run(stop.clone());
        let task = tokio::spawn(async move { Ok(running.await?) });
        Ok(Running { task, meters, stop })
    }

    async fn until(&self, running: &Running, done: impl Fn(&Meters) -> bool) -> Outcome {
        let started_ms = self.parts.clock.now_ms();
        while !done(&running.meters) {
            if running.task.is_finished() || seconds_since(&*self.parts.clock, started_ms) > CATCH_UP_S_MAX {
                return Err(Failure::new(Kind::Unavailable, "the reader ended or did not get there in time")
                    .hint("run `linli ingest cdc` on the same server, which says why"));
            }
            self.parts.clock.sleep(LOOK).await;
        }
        Ok(())
    }

    /// Milliseconds of each row, and the rows a second that were written.
    async fn latencies(&self) -> Outcome<(Vec<i64>, f64)> {
        let topic = format!("{TOPIC_PREFIX}{TICKS}");
        let log = Arc::clone(&self.reader.log);
        let spec = TopicSpec { name: topic.clone(), partitions: self.options.partitions, compacted: false };
        log.create_topics(&[spec]).await?;
        let seen = tokio::spawn(watch(self.parts.clock.clone(), self.open(&log, &topic).await?, self.args.seconds));
        let running = self.start(TICKS, &without_past(self.reader).await?)?;
        self.until(&running, |meters| meters.expected().is_none()).await?;
        let (stop, started_ms) = (CancellationToken::new(), self.parts.clock.now_ms());
        let (load, rate, pause) = (self.load.clone(), self.args.rate, Duration::from_secs(self.args.seconds.into()));
        let writing = load.write(WRITERS, Pace::RowsPerSecond(rate), stop.clone());
        let (written, ()) = tokio::join!(writing, async {
            self.parts.clock.sleep(pause).await;
            stop.cancel();
        });
        let written = written?;
        let seconds = seconds_since(&*self.parts.clock, started_ms);
        let latencies = join("the watcher", seen).await?;
        running.stop().await?;
        if (latencies.len() as u64) < written {
            let cause = format!("{written} rows were written and {} seen on the topic", latencies.len());
            return Err(Failure::new(Kind::Internal, cause).hint("give the measurement a --namespace of its own"));
        }
        Ok((latencies, written as f64 / seconds.max(0.001)))
    }

    async fn open(&self, log: &SharedLog, topic: &str) -> Outcome<Box<dyn LogReader>> {
        let places: Vec<TopicPartition> =
            (0..self.options.partitions).map(|partition| TopicPartition { topic: topic.into(), partition }).collect();
        let ends = log.ends(&places).await?;
        Ok(log.reader(places.into_iter().zip(ends).collect()).await?)
    }

    async fn catch_up(&self) -> Outcome<CatchUp> {
        let past = without_past(self.reader).await?;
        let first = self.start(TICKS, &past)?;
        self.until(&first, |meters| meters.expected().is_none()).await?;
        first.stop().await?;

        let (stop, clock) = (CancellationToken::new(), &self.parts.clock);
        let (load, stopped) = (self.load.clone(), stop.clone());
        let base = self.load.committed();
        let writing = tokio::spawn(async move { Ok(load.write(WRITERS, Pace::Unbounded, stopped).await?) });
        let stood_ms = clock.now_ms();
        clock.sleep(Duration::from_secs(self.args.stopped.into())).await;
        let stopped_seconds = seconds_since(&**clock, stood_ms);

        let (started_ms, committed) = (clock.now_ms(), self.load.committed());
        let running = self.start(TICKS, &past)?;
        let caught_up = |meters: &Meters| meters.rows() + BEHIND_ROWS_MAX >= self.load.committed() - base;
        let outcome = self.until(&running, caught_up).await;
        let (seconds, rows) = (seconds_since(&**clock, started_ms).max(0.001), running.meters.rows());
        let live = (self.load.committed() - committed) as f64 / seconds;
        stop.cancel();
        join("the writers", writing).await?;
        running.stop().await?;
        outcome?;
        let rows_per_second = rows as f64 / seconds;
        let ratio = rows_per_second / live.max(1.0);
        Ok(CatchUp { stopped_seconds, live_rows_per_second: live, rows, seconds, rows_per_second, ratio })
    }
}

#[derive(Deserialize)]
struct Record {
    after: Option<Tick>,
}

#[derive(Deserialize)]
struct Tick {
    sent_ms: i64,
}

/// Reads a topic until nothing has come for a while behind the first row; how long each row was under way.
async fn watch(
    clock: linli_connectors::clock::SharedClock,
    mut reader: Box<dyn LogReader>,
    seconds: u32,
) -> Outcome<Vec<i64>> {
    const SILENCE_S: f64 = 3.0;
    let patience_s = f64::from(seconds) + 60.0;
    let (mut latencies, mut batch) = (Vec::new(), Batch::default());
    let (started_ms, mut last_ms) = (clock.now_ms(), clock.now_ms());
    loop {
        reader.poll(&mut batch, 10_000, Duration::from_millis(200)).await?;
        let now_ms = clock.now_ms();
        for record in batch.iter() {
            let tick = record.value.and_then(|value| serde_json::from_slice::<Record>(value).ok()?.after);
            latencies.extend(tick.map(|tick| now_ms - tick.sent_ms));
            last_ms = now_ms;
        }
        let silent = !latencies.is_empty() && seconds_since(&*clock, last_ms) > SILENCE_S;
        if silent || seconds_since(&*clock, started_ms) > patience_s {
            return Ok(latencies);
        }
    }
}

fn percentiles(values: &[i64]) -> Percentiles {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| {
        let rank = (sorted.len() * share).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied().unwrap_or(0)
    };
    Percentiles { p50: at(50), p95: at(95), p99: at(99) }
}

impl Figures {
    pub fn text(&self) -> String {
        let (latency, catch_up) = (&self.latency_ms, &self.catch_up);
        format!(
            "one table {}\nlatency   p50 {} ms, p95 {} ms, p99 {} ms at {:.0} rows a second ({} rows)\n\
             catch up  {} rows in {:.1} s after {:.0} s, {:.0} a second: {:.1} times the live rate of {:.0}",
            self.snapshot_table.text(),
            latency.p50,
            latency.p95,
            latency.p99,
            self.latency_rows_per_second,
            self.latency_rows,
            catch_up.rows,
            catch_up.seconds,
            catch_up.stopped_seconds,
            catch_up.rows_per_second,
            catch_up.ratio,
            catch_up.live_rows_per_second,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_of_what_was_seen() {
        let values: Vec<i64> = (1..=200).rev().collect();
        assert_eq!(percentiles(&values), Percentiles { p50: 100, p95: 190, p99: 198 });
        assert_eq!(percentiles(&[7]), Percentiles { p50: 7, p95: 7, p99: 7 });
        assert_eq!(percentiles(&[]), Percentiles::default());
    }
}
