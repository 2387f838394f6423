//! `linli bench`: figures of one run on this machine.

use indicatif::ProgressBar;
use linli_schemas::EventTime;
use linli_schemas::zone::HOUR_MS;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::backfill::{Input, Pump};
use super::seconds_since;
use crate::accounting::{Process, reset_peak};
use crate::args::BenchStreamArgs;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;
use crate::pipeline::{Pipeline, Stages};

/// From a filled log to every result readable; `rows` are input lines.
#[derive(Debug, Serialize)]
struct StreamFigures {
    bench: &'static str,
    log: String,
    rows: u64,
    seconds: f64,
    /// Of the stream jobs and the loading of their results.
    cpu_seconds: f64,
    cpu_seconds_per_million_rows: f64,
    /// Of the warehouse engine in the same time.
    server_cpu_seconds: f64,
    rows_per_cpu_second: f64,
    /// The highest resident size of this process in that time; the warehouse engine is a process of its own.
    peak_rss_mb: f64,
    server_peak_rss_mb: f64,
    /// Filling the log, timed apart.
    import: Stage,
    /// Loading orders, items and clicks into the warehouse, timed apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    loader: Option<Stage>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Stage {
    seconds: f64,
    cpu_seconds: f64,
    server_cpu_seconds: f64,
}

/// Where clocks stood when a stage began.
struct Started {
    at_ms: i64,
    cpu: f64,
    server_cpu: f64,
}

impl Started {
    fn now(parts: &Parts, server: Option<Process>) -> Started {
        Started {
            at_ms: parts.clock.now_ms(),
            cpu: Process::Own.cpu_seconds(),
            server_cpu: server.map_or(0.0, Process::cpu_seconds),
        }
    }

    fn stage(&self, parts: &Parts, server: Option<Process>) -> Stage {
        Stage {
            seconds: seconds_since(&*parts.clock, self.at_ms),
            cpu_seconds: Process::Own.cpu_seconds() - self.cpu,
            server_cpu_seconds: server.map_or(0.0, Process::cpu_seconds) - self.server_cpu,
        }
    }
}

pub async fn stream(parts: &Parts, args: &BenchStreamArgs, output: &Output) -> Outcome {
    let blobs = parts.blobs().await?;
    let log = parts.log_with_topics().await?;
    let nothing = Stages { jobs: false, results: false, facts: false };
    let mut pipeline = Pipeline::start(parts, log.clone(), blobs.clone(), nothing).await?;
    let server = pipeline.open.tables.engine_pid().map(Process::Other);

    let started = Started::now(parts, None);
    let input = Input::open(&args.file, &*blobs, parts.clock.now_ms(), output).await?;
    let pump = Pump {
        log: &*log,
        blobs: &*blobs,
        clock: &*parts.clock,
        partitions: parts.config.partitions,
        ahead_ms: parts.config.jobs.ahead.ms(),
        throttle: None,
        bar: ProgressBar::hidden(),
        shutdown: CancellationToken::new(),
    };
    let progress = pump.run(&input).await?;
    let import = started.stage(parts, None);

    reset_peak();
    let started = Started::now(parts, server);
    pipeline.start_jobs(parts);
    pipeline.start_results(parts);
    pipeline
        .until_it_fails(async {
            pipeline.end_of_import(EventTime(progress.last_event_ms + HOUR_MS), output).await?;
            pipeline.loaded().await
        })
        .await?;
    let results = started.stage(parts, server);
    let (peak_rss_mb, server_peak_rss_mb) = (Process::Own.peak_rss_mb(), server.map_or(0.0, Process::peak_rss_mb));

    let loader = if args.no_facts {
        None
    } else {
        let started = Started::now(parts, server);
        pipeline.start_facts(parts);
        pipeline.until_it_fails(pipeline.loaded()).await?;
        Some(started.stage(parts, server))
    };
    pipeline.stop().await?;
    let figures = StreamFigures {
        bench: "stream",
        log: crate::config::redacted(&parts.log_url()),
        rows: progress.lines,
        seconds: results.seconds,
        cpu_seconds: results.cpu_seconds,
        cpu_seconds_per_million_rows: results.cpu_seconds / (progress.lines.max(1) as f64 / 1e6),
        server_cpu_seconds: results.server_cpu_seconds,
        rows_per_cpu_second: progress.lines as f64 / results.cpu_seconds.max(0.01),
        peak_rss_mb,
        server_peak_rss_mb,
        import,
        loader,
    };
    output.result(&figures, text);
    Ok(())
}

fn text(figures: &StreamFigures) -> String {
    format!(
        "{} lines from a filled log to every result in {:.1} s\n{:.2} CPU seconds a million lines, {:.0} MB at the peak (engine apart: {:.1} CPU s, {:.0} MB)\nimport {:.1} CPU s{}",
        figures.rows,
        figures.seconds,
        figures.cpu_seconds_per_million_rows,
        figures.peak_rss_mb,
        figures.server_cpu_seconds,
        figures.server_peak_rss_mb,
        figures.import.cpu_seconds,
        figures.loader.map_or(String::new(), |loader| format!(", facts {:.1} CPU s", loader.cpu_seconds)),
    )
}
