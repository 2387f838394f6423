//! `linli bench cdc`: what change data capture costs, on the binlogs and tables that a server has.

use std::sync::Arc;

use linli_connectors::blobs;
use linli_ingest::cdc::{Address, Begin, CdcOptions, Meters, Parts as ReaderParts, Reader, Until};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::cdc::{addresses, options, reader_parts};
use super::seconds_since;
use crate::accounting::{Process, reset_peak};
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
}

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
pub async fn run(parts: &Parts, output: &Output) -> Outcome {
    let options = Arc::new(options(&parts.config.cdc, parts)?);
    // Positions of a measurement are nobody's.
    let blobs = blobs::open("memory://", blobs::OpenOptions::default()).await?;
    let reader = ReaderParts { blobs, ..reader_parts(parts).await? };
    let addresses = addresses(parts)?;
    let follow = measure(parts, &reader, &options, &addresses, Begin::OldestBinlog).await?;
    let blobs = blobs::open("memory://", blobs::OpenOptions::default()).await?;
    let reader = ReaderParts { blobs, ..reader };
    let snapshot = measure(parts, &reader, &options, &addresses, Begin::Snapshot).await?;
    let figures = Figures {
        bench: "cdc",
        log: crate::config::redacted(&parts.log_url()),
        rows_per_cpu_second: follow.rows as f64 / follow.cpu_seconds.max(0.01),
        follow,
        snapshot,
    };
    output.result(&figures, |figures| {
        format!(
            "{} changes in {:.1} s ({:.0} a second), {:.2} CPU seconds a million, {:.0} MB at the peak\n\
             snapshot: {} rows in {:.1} s ({:.0} a second), {:.2} CPU seconds a million",
            figures.follow.rows,
            figures.follow.seconds,
            figures.follow.rows_per_second,
            figures.follow.cpu_seconds_per_million_rows,
            figures.follow.peak_rss_mb,
            figures.snapshot.rows,
            figures.snapshot.seconds,
            figures.snapshot.rows_per_second,
            figures.snapshot.cpu_seconds_per_million_rows,
        )
    });
    Ok(())
}

async fn measure(
    parts: &Parts,
    reader: &ReaderParts,
    options: &Arc<CdcOptions>,
    addresses: &[Address],
    begin: Begin,
) -> Outcome<Stage> {
    reset_peak();
    let (started_ms, cpu) = (parts.clock.now_ms(), Process::Own.cpu_seconds());
    let mut rows = 0;
    for address in addresses {
        let meters = Meters::default();
        let one = Reader::new(address.clone(), Arc::clone(options), reader.clone(), meters.clone())?;
        one.begin(begin).until(Until::CaughtUp).run(CancellationToken::new()).await?;
        rows += if begin == Begin::Snapshot { meters.snapshot() } else { meters.rows() };
    }
    let (seconds, cpu_seconds) = (seconds_since(&*parts.clock, started_ms), Process::Own.cpu_seconds() - cpu);
    Ok(Stage {
        rows,
        seconds,
        cpu_seconds,
        rows_per_second: rows as f64 / seconds.max(0.001),
        cpu_seconds_per_million_rows: cpu_seconds / (rows.max(1) as f64 / 1e6),
        peak_rss_mb: Process::Own.peak_rss_mb(),
    })
}
