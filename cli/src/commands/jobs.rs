//! `linli jobs run` and `linli jobs status`.

use linli_schemas::EventTime;
use linli_stream_runtime::progress::{ProgressReader, TaskProgress};
use linli_stream_runtime::{Assignment, Meters, Ports, Report, StatusBoard};
use serde::Serialize;

use super::shutdown_on_signal;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;
use crate::pipeline::jobs_options;

#[derive(Debug, Serialize)]
struct Status {
    tasks: Vec<TaskStatus>,
}

/// A task as its newest epoch says.
#[derive(Debug, Serialize)]
struct TaskStatus {
    task: u32,
    epoch: u64,
    generation: u32,
    /// The takeover that published the epoch.
    writer: String,
    delivered: bool,
    /// Records applied, over all jobs and topics, since the beginning.
    applied: u64,
    as_of: Option<EventTime>,
}

#[derive(Debug, Serialize)]
struct Ran {
    tasks: Vec<u32>,
    fenced: u64,
}

pub async fn run(parts: &Parts, output: &Output) -> Outcome {
    let ports = Ports {
        log: parts.log_with_topics().await?,
        serving: parts.serving().await?,
        blobs: parts.blobs().await?,
        clock: parts.clock.clone(),
        random: parts.random.clone(),
    };
    let options = jobs_options(&parts.config, parts, Assignment::Group(parts.config.jobs.group.clone()));
    let shutdown = shutdown_on_signal();
    let report =
        linli_stream_runtime::run(ports, options, Meters::unregistered(), StatusBoard::default(), shutdown).await?;
    output.result(&ran(&report), |ran| format!("stopped in order with {} tasks", ran.tasks.len()));
    Ok(())
}

fn ran(report: &Report) -> Ran {
    Ran { tasks: report.tasks.keys().copied().collect(), fenced: report.fenced }
}

pub async fn status(parts: &Parts, output: &Output) -> Outcome {
    let blobs = parts.blobs().await?;
    let progress = ProgressReader::new(&blobs, parts.config.partitions).read().await?;
    let status = Status { tasks: progress.iter().flatten().map(task_status).collect() };
    output.result(&status, |status| {
        let mut lines = vec!["task  epoch       generation  applied      writer  delivered".to_owned()];
        lines.extend(status.tasks.iter().map(|task| {
            format!(
                "{:<5} {:<11} {:<11} {:<12} {:<7} {}",
                task.task, task.epoch, task.generation, task.applied, task.writer, task.delivered
            )
        }));
        lines.join("\n")
    });
    Ok(())
}

fn task_status(progress: &TaskProgress) -> TaskStatus {
    let header = &progress.header;
    TaskStatus {
        task: header.task,
        epoch: header.epoch.0,
        generation: header.generation.0,
        writer: header.writer.to_string(),
        delivered: progress.delivered,
        applied: header.conservation.values().flat_map(|topics| topics.values()).map(|counts| counts.applied).sum(),
        as_of: header.as_of,
    }
}
