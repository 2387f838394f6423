//! `linli forecast run`: the nightly run, made, written down and published.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use linli_restock::Policy;
use linli_restock::books::Problem;
use linli_schemas::EventTime;
use serde::Serialize;

use super::night::{self, Made};
use super::record;
use crate::args::ForecastRunArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::{OpenWarehouse, Parts};

/// What a run came to.
#[derive(Debug, Serialize)]
struct Report {
    run: String,
    /// The local day that has closed.
    date: String,
    policy: String,
    model: String,
    /// Series that were forecast: of warehouses and of communities.
    series: usize,
    lines: usize,
    /// Lines that order something.
    ordered: usize,
    pieces: i64,
    /// Lines that wait for a person.
    held: usize,
    conflicts: usize,
    /// Batches that will not be sold before they expire, and what that costs, fen.
    at_risk: usize,
    loss: i64,
    problems: Vec<Problem>,
}

pub async fn run(args: &ForecastRunArgs, parts: &Parts, output: &Output) -> Outcome {
    let settings = &parts.config.forecast;
    let policy = night::policy(args.policy.unwrap_or(settings.policy), settings)?;
    let date = night::date(args, parts, EventTime(parts.clock.now_ms()))?;
    let open = parts.migrated_warehouse().await?;
    let made = night::make(args, (parts, &open.warehouse, output), &policy, date).await?;
    match &args.out {
        Some(path) => write(path, &made)?,
        None => publish(parts, &open, &made, &policy).await?,
    }
    open.tables.close().await?;
    let report = report(&made, &policy);
    output.result(&report, text);
    Ok(())
}

/// Writes a run down where nobody looks yet, and then names it.
async fn publish(parts: &Parts, open: &OpenWarehouse, made: &Made, policy: &Policy) -> Outcome {
    let version = parts.clock.now_ms().max(0) as u64;
    record::run(&open.warehouse, made, parts.config.forecast.publish_days, version).await?;
    record::near_expiry(&open.warehouse, made.date, &made.at_risk, version).await?;
    let _alerts = record::value(&open.warehouse, made.judged, &made.value, (parts, version)).await?;
    let words = format!("{} {}", policy.name, policy.version);
    record::name(&open.warehouse, made, &words, parts.clock.now_ms()).await
}

fn write(path: &Path, made: &Made) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Input, format!("{} cannot be written: {error}", path.display()))
            .hint("name a file in a directory that exists")
    };
    let mut file = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for planned in &made.plan.lines {
        let mut object = serde_json::to_value(&planned.line)
            .map_err(|error| Failure::new(Kind::Internal, format!("a line cannot be written as JSON: {error}")))?;
        object["run"] = made.run.as_str().into();
        object["must_order_by"] = planned.must_order_by.into();
        writeln!(file, "{object}").map_err(failed)?;
    }
    file.flush().map_err(failed)
}

fn report(made: &Made, policy: &Policy) -> Report {
    let lines = &made.plan.lines;
    Report {
        run: made.run.clone(),
        date: made.date.to_string(),
        policy: format!("{} {}", policy.name, policy.version),
        model: made.model.to_owned(),
        series: made.built.series.len(),
        lines: lines.len(),
        ordered: lines.iter().filter(|planned| planned.line.quantity > 0).count(),
        pieces: lines.iter().map(|planned| planned.line.quantity).sum(),
        held: lines.iter().filter(|planned| !planned.line.holds.is_empty()).count(),
        conflicts: lines.iter().filter(|planned| !planned.line.conflicts.is_empty()).count(),
        at_risk: made.at_risk.len(),
        loss: made.at_risk.iter().map(|of| of.loss).sum(),
        problems: made.plan.problems.clone(),
    }
}

fn text(report: &Report) -> String {
    let Report { run, policy, model, series, lines, ordered, pieces, held, conflicts, at_risk, loss, .. } = report;
    let mut text = format!(
        "run {run} ({policy}, {model}): {series} series, {lines} lines; {ordered} order {pieces} pieces; \
         {held} wait for a person, {conflicts} hold a conflict; {at_risk} batches will not be sold in time, \
         a loss of {loss} fen"
    );
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for problem in &report.problems {
        let kind = serde_json::to_value(problem).ok().and_then(|value| Some(value["problem"].as_str()?.to_owned()));
        *kinds.entry(kind.unwrap_or_default()).or_default() += 1;
    }
    for (kind, count) in kinds {
        text.push_str(&format!("\n  {count} × {}", kind.replace('_', " ")));
    }
    if !report.problems.is_empty() {
        text.push_str("\n  --json lists each");
    }
    text
}
