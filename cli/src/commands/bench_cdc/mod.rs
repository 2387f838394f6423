//! `linli bench cdc`: what change data capture costs, on the binlogs and tables that a server has.

mod live;

use std::sync::Arc;

use linli_connectors::blobs;
use linli_ingest::cdc::{Address, Begin, CdcOptions, Meters, Parts as ReaderParts, Reader, Until};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::cdc::{addresses, options, reader_parts};
use super::seconds_since;
use crate::accounting::{Process, reset_peak};
use crate::args::BenchCdcArgs;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;

/// `rows` are changes of rows, from the oldest binlog to the end it had at the start.
#[derive(Debug, Serialize)]
struct Figures {
    bench: &'static str,
    log: String,
    #[serde(flatten)]
    follow: Stage,
    rows_per_cpu_second: f64,
    /// Of all tables, apart.
    snapshot: Stage,
    #[serde(flatten)]
    live: Option<live::Figures>,
}

/// What a reader did from its start to its end.
#[derive(Debug, Serialize)]
struct Stage {
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    rows_per_second: f64,
    cpu_seconds_per_million_rows: f64,
    peak_rss_mb: f64,
}

/// The topics are those of `--namespace`: name one of its own.
pub async fn run(parts: &Parts, args: &BenchCdcArgs, output: &Output) -> Outcome {
    let options = Arc::new(options(&parts.config.cdc, parts)?);
    let addresses = addresses(parts)?;
    let reader = reader_parts(parts).await?;
    let follow = measure(parts, &reader, &options, &addresses, Begin::OldestBinlog).await?;
    let snapshot = measure(parts, &reader, &options, &addresses, Begin::Snapshot).await?;
    let live = match addresses.first() {
        Some(address) if !args.read_only => {
            output.note(format!(
                "writing to database {} of {}, which is dropped at the end (--read-only leaves this out)",
                linli_simulator::load::DATABASE,
                address.name
            ));
            Some(live::measure(parts, &reader, &options, address, args).await?)
        }
        _ => None,
    };
    let figures = Figures {
        bench: "cdc",
        log: crate::config::redacted(&parts.log_url()),
        rows_per_cpu_second: follow.rows as f64 / follow.cpu_seconds.max(0.01),
        follow,
        snapshot,
        live,
    };
    output.result(&figures, text);
    Ok(())
}

fn text(figures: &Figures) -> String {
    let mut text = format!("follow    {}\nsnapshot  {}", figures.follow.text(), figures.snapshot.text());
    if let Some(live) = &figures.live {
        text.push('\n');
        text.push_str(&live.text());
    }
    text
}

/// Positions of a measurement are nobody's: they are kept in memory.
async fn without_past(reader: &ReaderParts) -> Outcome<ReaderParts> {
    Ok(ReaderParts { blobs: blobs::open("memory://", blobs::OpenOptions::default()).await?, ..reader.clone() })
}

async fn measure(
    parts: &Parts,
    reader: &ReaderParts,
    options: &Arc<CdcOptions>,
    addresses: &[Address],
    begin: Begin,
) -> Outcome<Stage> {
    let reader = without_past(reader).await?;
    let stopwatch = Stopwatch::start(parts);
    let mut rows = 0;
    for address in addresses {
        let meters = Meters::default();
        let one = Reader::new(address.clone(), Arc::clone(options), reader.clone(), meters.clone())?;
        one.begin(begin).until(Until::CaughtUp).run(CancellationToken::new()).await?;
        rows += if begin == Begin::Snapshot { meters.snapshot() } else { meters.rows() };
    }
    Ok(stopwatch.stage(parts, rows))
}

struct Stopwatch {
    started_ms: i64,
    cpu_seconds: f64,
}

impl Stopwatch {
    fn start(parts: &Parts) -> Stopwatch {
        reset_peak();
        Stopwatch { started_ms: parts.clock.now_ms(), cpu_seconds: Process::Own.cpu_seconds() }
    }

    fn stage(&self, parts: &Parts, rows: u64) -> Stage {
        let seconds = seconds_since(&*parts.clock, self.started_ms);
        let cpu_seconds = Process::Own.cpu_seconds() - self.cpu_seconds;
        Stage {
            rows,
            seconds,
            cpu_seconds,
            rows_per_second: rows as f64 / seconds.max(0.001),
            cpu_seconds_per_million_rows: cpu_seconds / (rows.max(1) as f64 / 1e6),
            peak_rss_mb: Process::Own.peak_rss_mb(),
        }
    }
}

impl Stage {
    fn text(&self) -> String {
        format!(
            "{} rows in {:.1} s ({:.0} a second), {:.2} CPU seconds a million, {:.0} MB at the peak",
            self.rows, self.seconds, self.rows_per_second, self.cpu_seconds_per_million_rows, self.peak_rss_mb
        )
    }
}
