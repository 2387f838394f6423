//! `linli backfill`: history through the whole pipeline, resumable, and its answers as CSV.

mod inputs;
mod pump;

use std::collections::BTreeMap;
use std::path::Path;

use linli_connectors::blobs::SharedBlobs;
use linli_schemas::EventTime;
use linli_schemas::zone::HOUR_MS;
use linli_stream_runtime::epoch::ConservationByName;
use linli_stream_runtime::progress::ProgressReader;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use inputs::{Input, Progress};
pub use pump::Pump;

use super::{seconds_since, shutdown_on_signal};
use crate::args::{BackfillArgs, JobsPlace};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;
use crate::pipeline::{Pipeline, Stages};

/// What a backfill came to.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Of all inputs, also what earlier runs imported.
    lines: u64,
    orders: u64,
    clicks: u64,
    /// Lines imported by this run.
    imported_lines: u64,
    /// Records past the allowed lateness, and what else went to the dead letter: of everything in this namespace.
    late: u64,
    dead_lettered: u64,
    seconds: f64,
}

pub async fn run(parts: &Parts, args: &BackfillArgs, output: &Output) -> Outcome {
    let shutdown = shutdown_on_signal();
    let started_ms = parts.clock.now_ms();
    let blobs = parts.blobs().await?;
    let mut inputs = Vec::new();
    for file in &args.files {
        inputs.push(Input::open(file, &*blobs, started_ms, output).await?);
    }
    let log = parts.log_with_topics().await?;
    let stages = match args.jobs {
        JobsPlace::Here => Stages::ALL,
        JobsPlace::External => Stages { jobs: false, ..Stages::ALL },
    };
    let pipeline = Pipeline::start(parts, log.clone(), blobs.clone(), stages).await?;
    let imported = pipeline
        .until_it_fails(async {
            let mut done = Vec::new();
            for input in &inputs {
                tracing::info!(file = %input.path.display(), from_byte = input.progress.byte, "importing");
                let bar = output.progress(input.identity.bytes, "import");
                let pump = Pump {
                    log: &*log,
                    blobs: &*blobs,
                    clock: &*parts.clock,
                    partitions: parts.config.partitions,
                    ahead_ms: parts.config.jobs.ahead.ms(),
                    throttle: args.throttle,
                    bar: bar.clone(),
                    shutdown: shutdown.clone(),
                };
                done.push(pump.run(input).await?);
                bar.finish_and_clear();
                interrupted(&shutdown)?;
            }
            // Every window is written: nothing of these inputs comes any more.
            let last_ms = done.iter().map(|progress| progress.last_event_ms).max().unwrap_or(0);
            let finished = async {
                pipeline.end_of_import(EventTime(last_ms + HOUR_MS), output).await?;
                pipeline.loaded().await
            };
            tokio::select! {
                finished = finished => finished?,
                () = shutdown.cancelled() => interrupted(&shutdown)?,
            }
            if let Some(out) = &args.out {
                pipeline.write_answers(out).await?;
                write_conservation(&conservation(&blobs, parts).await?, out)?;
            }
            Ok(done)
        })
        .await;
    // Also after a failure: what was applied is published and delivered, and the engine is closed.
    let stopped = pipeline.stop().await;
    // A part that failed is the cause; that the work ended early is its consequence.
    stopped?;
    let done = imported?;
    let mut summary = summarise(&inputs, &done, &conservation(&blobs, parts).await?);
    summary.seconds = seconds_since(&*parts.clock, started_ms);
    output.result(&summary, text);
    Ok(())
}

fn interrupted(shutdown: &CancellationToken) -> Outcome {
    if shutdown.is_cancelled() {
        return Err(Failure::new(Kind::Internal, "interrupted before everything was imported")
            .hint("run the same command again with the same --data-dir: it goes on"));
    }
    Ok(())
}

/// The counts of all jobs, as their newest epochs say.
async fn conservation(blobs: &SharedBlobs, parts: &Parts) -> Outcome<ConservationByName> {
    Ok(ProgressReader::new(blobs, parts.config.partitions).conservation().await?)
}

fn summarise(inputs: &[Input], done: &[Progress], conservation: &ConservationByName) -> Summary {
    let mut summary = Summary::default();
    for (input, progress) in inputs.iter().zip(done) {
        summary.lines += progress.lines;
        summary.orders += progress.orders;
        summary.clicks += progress.clicks;
        summary.imported_lines += progress.lines - input.progress.lines;
        summary.dead_lettered += progress.refused;
    }
    // A record that several jobs read is late or refused once: by topic, not by job.
    let mut by_topic = BTreeMap::new();
    for (topic, counts) in conservation.values().flatten() {
        by_topic.insert(topic, (counts.late, counts.dead_lettered));
    }
    summary.late = by_topic.values().map(|(late, _)| late).sum();
    summary.dead_lettered += by_topic.values().map(|(_, dead)| dead).sum::<u64>();
    summary
}

fn write_conservation(conservation: &ConservationByName, out: &Path) -> Outcome {
    let path = out.join("conservation.json");
    let json = serde_json::to_string_pretty(conservation)
        .map_err(|error| Failure::new(Kind::Internal, format!("conservation: {error}")))?;
    std::fs::write(&path, json + "\n").map_err(|error| {
        Failure::new(Kind::Config, format!("{}: {error}", path.display())).hint("choose another --out")
    })
}

fn text(summary: &Summary) -> String {
    let mut text = format!(
        "{} lines: {} orders, {} clicks; {} of them imported now, in {:.1} s",
        summary.lines, summary.orders, summary.clicks, summary.imported_lines, summary.seconds
    );
    if summary.late > 0 {
        text.push_str(&format!(
            "\n{} records were late and count nowhere: see `linli dead-letter list --code late`, or import into another namespace with a longer --lateness",
            summary.late
        ));
    }
    if summary.dead_lettered > 0 {
        text.push_str(&format!("\n{} records could not be used: see `linli dead-letter list`", summary.dead_lettered));
    }
    text
}
