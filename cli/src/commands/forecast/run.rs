//! `linli forecast run`: the nightly run, made, written down and published.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use linli_connectors::log::{NewRecord, SharedLog};
use linli_restock::books::Problem;
use linli_restock::plan::Planned;
use linli_restock::publish::{Begun, RUNS_KEPT, Run, Totals, record as line_record};
use linli_restock::{Hold, Line, Policy};
use linli_schemas::alert::Alert;
use linli_schemas::forecast::{Day, DemandRecord, DemandStep, End, RestockLine, RestockRecord, RunId};
use linli_schemas::partition::partition_of;
use linli_schemas::{EventTime, Topic};
use serde::Serialize;

use super::night::{self, Made};
use super::record;
use crate::args::ForecastRunArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::{OpenWarehouse, Parts};

/// Rows that are handed over at once.
const BATCH_ROWS: usize = 2_000;

/// What a run came to.
#[derive(Debug, Serialize)]
struct Report {
    run: RunId,
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
    /// The first of them.
    waiting: Vec<Waiting>,
    /// Lines that a person released.
    released: usize,
    conflicts: usize,
    /// Batches that will not be sold before they expire, and what that costs, fen.
    at_risk: usize,
    loss: i64,
    problems: Vec<Problem>,
}

/// A line that waits for a person.
#[derive(Debug, Serialize)]
struct Waiting {
    supplier_id: i64,
    warehouse_id: i64,
    sku_id: i64,
    quantity: i64,
    holds: Vec<Hold>,
}

/// Lines that wait for a person and are listed; the shop's tables hold all.
const WAITING_LISTED: usize = 1_000;
/// Those that a text shows.
const WAITING_SHOWN: usize = 20;

pub async fn run(args: &ForecastRunArgs, parts: &Parts, output: &Output) -> Outcome {
    let settings = &parts.config.forecast;
    let policy = night::policy(args.policy.unwrap_or(settings.policy), settings)?;
    let date = night::date(args, parts, EventTime(parts.clock.now_ms()))?;
    let open = parts.migrated_warehouse().await?;
    let made = night::make(args, (parts, &open.warehouse, output), &policy, date).await?;
    match &args.out {
        Some(path) => write(path, &made, settings.publish_days, parts.clock.now_ms())?,
        None => publish(parts, &open, &made, &policy).await?,
    }
    open.tables.close().await?;
    let report = report(&made, &policy);
    output.result(&report, text);
    Ok(())
}

/// Writes a run down where nobody looks yet, and then names it: to the shop and on the topics, then to the pages.
async fn publish(parts: &Parts, open: &OpenWarehouse, made: &Made, policy: &Policy) -> Outcome {
    let version = parts.clock.now_ms().max(0) as u64;
    record::run(&open.warehouse, made, parts.config.forecast.publish_days, version).await?;
    record::near_expiry(&open.warehouse, made.date, &made.at_risk, version).await?;
    let alerts = record::value(&open.warehouse, made.judged, &made.value, (parts, version)).await?;
    let log = parts.log_with_topics().await?;
    show(parts, &log, made, policy).await?;
    tell(parts, &log, &alerts).await?;
    let words = format!("{} {}", policy.name, policy.version);
    record::name(&open.warehouse, made, &words, parts.clock.now_ms()).await
}

/// Shows the run to the shop, whole.
async fn show(parts: &Parts, log: &SharedLog, made: &Made, policy: &Policy) -> Outcome {
    let mut publisher = super::publish::open_on(parts, SharedLog::clone(log), RUNS_KEPT).await?;
    let run = Run {
        id: made.run.clone(),
        business_date: made.date,
        policy: policy.name.clone(),
        policy_version: policy.version.clone(),
        orders_known: Some(made.orders_known.clone()),
    };
    if let Begun::Open(mut publication) = publisher.begin(run).await? {
        let mut totals = Totals::default();
        let mut steps = record::steps(made, parts.config.forecast.publish_days).peekable();
        while steps.peek().is_some() {
            let batch: Vec<DemandStep> = steps.by_ref().take(BATCH_ROWS).collect();
            publication.demand(&batch).await?;
            totals.demand_rows += batch.len() as u64;
        }
        for batch in made.plan.lines.chunks(BATCH_ROWS) {
            let of = |planned: &Planned| line_record(&made.run, &planned.line, EventTime(planned.must_order_by));
            let lines: Vec<RestockLine> = batch.iter().map(of).collect();
            publication.lines(&lines).await?;
            lines.iter().for_each(|line| totals.add_line(line));
        }
        publication.complete(&totals).await?;
    }
    publisher.close().await;
    Ok(())
}

/// Tells what drifts on the topic of alerts.
async fn tell(parts: &Parts, log: &SharedLog, alerts: &[Alert]) -> Outcome {
    let records: Vec<NewRecord> = alerts
        .iter()
        .map(|alert| {
            let key = alert.log_key();
            NewRecord {
                topic: Topic::Alerts.name().into(),
                partition: partition_of(key.as_bytes(), parts.config.partitions),
                timestamp_ms: parts.clock.now_ms(),
                key: key.into_bytes().into(),
                value: Some(alert.encode().into()),
            }
        })
        .collect();
    if !records.is_empty() {
        log.append(records).await?;
    }
    Ok(())
}

/// Writes what `linli forecast publish` takes.
fn write(path: &Path, made: &Made, publish_days: usize, now_ms: i64) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Input, format!("{} cannot be written: {error}", path.display()))
            .hint("name a file in a directory that exists")
    };
    let mut file = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    let mut put = |record: serde_json::Result<String>| {
        let text = record
            .map_err(|error| Failure::new(Kind::Internal, format!("a record cannot be written as JSON: {error}")))?;
        writeln!(file, "{text}").map_err(failed)
    };
    for step in record::steps(made, publish_days) {
        put(serde_json::to_string(&DemandRecord::Step(step)))?;
    }
    for planned in &made.plan.lines {
        let line = line_record(&made.run, &planned.line, EventTime(planned.must_order_by));
        put(serde_json::to_string(&RestockRecord::Line(line)))?;
    }
    let end = End {
        run: made.run.clone(),
        business_date: Day(made.date),
        published_at: now_ms,
        lines: made.plan.lines.len() as u64,
        lines_in_partition: 0,
        orders_known: Some(made.orders_known.clone()),
    };
    put(serde_json::to_string(&RestockRecord::End(end)))?;
    file.flush().map_err(failed)
}

fn report(made: &Made, policy: &Policy) -> Report {
    let lines = &made.plan.lines;
    let held = || lines.iter().filter(|planned| !planned.line.holds.is_empty());
    Report {
        run: made.run.clone(),
        date: made.date.to_string(),
        policy: format!("{} {}", policy.name, policy.version),
        model: made.model.to_owned(),
        series: made.built.series.len(),
        lines: lines.len(),
        ordered: lines.iter().filter(|planned| planned.line.quantity > 0).count(),
        pieces: lines.iter().map(|planned| planned.line.quantity).sum(),
        held: held().count(),
        waiting: held().take(WAITING_LISTED).map(|planned| waiting(&planned.line)).collect(),
        released: lines.iter().filter(|planned| planned.line.terms.released.is_some()).count(),
        conflicts: lines.iter().filter(|planned| !planned.line.conflicts.is_empty()).count(),
        at_risk: made.at_risk.len(),
        loss: made.at_risk.iter().map(|of| of.loss).sum(),
        problems: made.plan.problems.clone(),
    }
}

fn waiting(line: &Line) -> Waiting {
    Waiting {
        supplier_id: line.supplier_id,
        warehouse_id: line.place.warehouse_id,
        sku_id: line.sku_id,
        quantity: line.quantity,
        holds: line.holds.clone(),
    }
}

/// Lines that wait, by the name under which they are released.
fn waiting_text(report: &Report, text: &mut String) {
    for Waiting { warehouse_id, sku_id, quantity, holds, .. } in report.waiting.iter().take(WAITING_SHOWN) {
        let names = holds.iter().filter_map(|hold| {
            let value = serde_json::to_value(hold).ok()?;
            Some(value["hold"].as_str()?.replace('_', " "))
        });
        let names = names.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("\n  {warehouse_id}/{sku_id} waits: {quantity} pieces, {names}"));
    }
    if report.held > WAITING_SHOWN {
        text.push_str(&format!("\n  … and {} more", report.held - WAITING_SHOWN));
    }
    if report.held > 0 {
        text.push_str("\n  the same command with --release WAREHOUSE/SKU[=PIECES] --by NAME releases a line");
    }
}

fn text(report: &Report) -> String {
    let Report { run, policy, model, series, lines, ordered, pieces, held, conflicts, at_risk, loss, .. } = report;
    let mut text = format!(
        "run {run} ({policy}, {model}): {series} series, {lines} lines; {ordered} order {pieces} pieces; \
         {held} wait for a person, {conflicts} hold a conflict; {at_risk} batches will not be sold in time, \
         a loss of {loss} fen"
    );
    waiting_text(report, &mut text);
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
