//! `linli forecast publish`, `rollback` and `withdraw`: which run the shop sees.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use linli_connectors::log::SharedLog;
use linli_restock::publish::{Begun, Options, Publication, Publisher, RUNS_KEPT, Run, Totals};
use linli_schemas::forecast::{DemandRecord, DemandStep, End, RestockLine, RestockRecord, RunId};
use serde::Deserialize;

use crate::args::ForecastPublishArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

const TELL: &str = "`linli forecast mail` tells suppliers who were sent what does not hold any more";
/// Rows that are handed over at once.
const BATCH_ROWS: usize = 2_000;

pub async fn run(args: &ForecastPublishArgs, parts: &Parts, output: &Output) -> Outcome {
    // the whole file is read before anything is written: a run with a fault in its last line is not begun
    let (run, totals) = survey(&args.file)?;
    let mut publisher = open(parts, args.keep).await?;
    let id = run.id.clone();
    let news = match publisher.begin(run).await? {
        Begun::Complete => "complete already",
        Begun::Open(mut publication) => {
            write(&args.file, &mut publication).await?;
            publication.complete(&totals).await?;
            "published"
        }
    };
    publisher.close().await;
    let shown = serde_json::json!({
        "run": id, "state": news, "demand_rows": totals.demand_rows, "lines": totals.lines, "ready": totals.ready,
        "pieces": totals.pieces,
    });
    output.result(&shown, |_| {
        format!("run {id} {news}: {} lines, {} of them ready, {} pieces", totals.lines, totals.ready, totals.pieces)
    });
    Ok(())
}

pub async fn roll_back(run: Option<&str>, parts: &Parts, output: &Output) -> Outcome {
    let run = run.map(run_id).transpose()?;
    let mut publisher = open(parts, RUNS_KEPT).await?;
    let shown = publisher.roll_back(run.as_ref()).await?;
    publisher.close().await;
    output.result(&serde_json::json!({ "run": shown }), |_| format!("the shop sees run {shown}; {TELL}"));
    Ok(())
}

pub async fn withdraw(run: &str, parts: &Parts, output: &Output) -> Outcome {
    let run = run_id(run)?;
    let mut publisher = open(parts, RUNS_KEPT).await?;
    let shown = publisher.withdraw(&run).await?;
    publisher.close().await;
    output.result(&serde_json::json!({ "withdrawn": run, "shown": shown }), |_| match &shown {
        Some(shown) => format!("run {run} is withdrawn; the shop sees run {shown}; {TELL}"),
        None => format!("run {run} is withdrawn; the shop sees none; {TELL}"),
    });
    Ok(())
}

fn run_id(text: &str) -> Outcome<RunId> {
    RunId::parse(text).map_err(|error| {
        Failure::new(Kind::Config, error.to_string()).hint("the runs that were there are in table restock_runs")
    })
}

/// A publisher for the shop of the configuration, on a log with our topics.
async fn open(parts: &Parts, keep: usize) -> Outcome<Publisher> {
    open_on(parts, parts.log_with_topics().await?, keep).await
}

/// The same on a log that is open already.
pub async fn open_on(parts: &Parts, log: SharedLog, keep: usize) -> Outcome<Publisher> {
    let server = parts.shop_server()?;
    let options = Options {
        database: parts.config.forecast.database.clone(),
        zone: parts.zone,
        partitions: parts.config.partitions,
        runs_kept: keep,
    };
    Ok(Publisher::open(server.opts(), log, parts.clock.clone(), options).await?)
}

/// A line of the file.
enum Entry {
    Step(DemandStep),
    Line(Box<RestockLine>),
    End(End),
}

#[derive(Deserialize)]
struct Head {
    kind: String,
}

fn entry(text: &str) -> Result<Entry, String> {
    let head: Head = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if head.kind == "step" {
        return match DemandRecord::decode(text.as_bytes()).map_err(|error| error.to_string())? {
            DemandRecord::Step(step) => Ok(Entry::Step(step)),
            DemandRecord::End(_) | DemandRecord::Withdrawn(_) => Err("it is no step".to_owned()),
        };
    }
    match RestockRecord::decode(text.as_bytes()).map_err(|error| error.to_string())? {
        RestockRecord::Line(line) => Ok(Entry::Line(Box::new(line))),
        RestockRecord::End(end) => Ok(Entry::End(end)),
        RestockRecord::Withdrawn(_) => Err("a run that is withdrawn is not published".to_owned()),
    }
}

/// Calls `each` with every entry of the file and the number of its line.
fn entries(file: &Path) -> Outcome<impl Iterator<Item = Outcome<(usize, Entry)>>> {
    let shown = file.display().to_string();
    let failed = {
        let shown = shown.clone();
        move |error: std::io::Error| Failure::new(Kind::Input, format!("{shown}: {error}"))
    };
    let lines = BufReader::new(File::open(file).map_err(&failed)?).lines();
    Ok(lines.enumerate().map(move |(n, line)| {
        let line = line.map_err(&failed)?;
        let bad = |cause| {
            Failure::new(Kind::Input, format!("{shown}, line {}: {cause}", n + 1))
                .hint("each line is a record of forecast.demand or forecast.restock: see schemas/json")
        };
        entry(&line).map(|entry| (n + 1, entry)).map_err(bad)
    }))
}

/// Which run a file holds, and how much of it.
fn survey(file: &Path) -> Outcome<(Run, Totals)> {
    let (mut totals, mut end, mut policy, mut ids) = (Totals::default(), None, None, None::<RunId>);
    let bad = |n: usize, cause: String| Failure::new(Kind::Input, format!("{}, line {n}: {cause}", file.display()));
    for found in entries(file)? {
        let (n, entry) = found?;
        if end.is_some() {
            return Err(bad(n, "it comes after the end of the run".to_owned()));
        }
        let id = match &entry {
            Entry::Step(step) => &step.run,
            Entry::Line(line) => &line.run,
            Entry::End(end) => &end.run,
        };
        if let Some(first) = ids.as_ref().filter(|first| *first != id) {
            return Err(bad(n, format!("it is of run {id}, the first line of run {first}")));
        }
        ids.get_or_insert_with(|| id.clone());
        match entry {
            Entry::Step(_) => totals.demand_rows += 1,
            Entry::Line(line) => {
                totals.add_line(&line);
                let name = |field: &str| line.reason.terms.get(field).and_then(|name| name.as_str()).map(str::to_owned);
                policy = policy.or_else(|| name("policy").zip(name("policy_version")));
            }
            Entry::End(last) => end = Some((n, last)),
        }
    }
    let (n, end) = end.ok_or_else(|| {
        Failure::new(Kind::Input, format!("{}: the end of the run is missing", file.display()))
            .hint("the last line is {\"kind\":\"end\",\"run\":…,\"business_date\":…,\"published_at\":…,\"lines\":N,\"lines_in_partition\":0}")
    })?;
    if end.lines != totals.lines {
        return Err(bad(n, format!("it tells of {} lines, the file has {}", end.lines, totals.lines)));
    }
    let (policy, policy_version) = policy.unwrap_or_else(|| ("none".to_owned(), "0".to_owned()));
    let End { run: id, business_date, orders_known, .. } = end;
    Ok((Run { id, business_date: business_date.0, policy, policy_version, orders_known }, totals))
}

async fn write(file: &Path, publication: &mut Publication<'_>) -> Outcome {
    let (mut steps, mut lines) = (Vec::new(), Vec::new());
    for found in entries(file)? {
        match found?.1 {
            Entry::Step(step) => steps.push(step),
            Entry::Line(line) => lines.push(*line),
            Entry::End(_) => {}
        }
        if steps.len() == BATCH_ROWS {
            publication.demand(&std::mem::take(&mut steps)).await?;
        }
        if lines.len() == BATCH_ROWS {
            publication.lines(&std::mem::take(&mut lines)).await?;
        }
    }
    publication.demand(&steps).await?;
    Ok(publication.lines(&lines).await?)
}
