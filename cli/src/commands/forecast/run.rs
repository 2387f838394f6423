//! `linli forecast run`: the nightly way from the history of sales and the shop's books to forecasts and order lines.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::{Datelike, Days, NaiveDate, Timelike};
use linli_forecasting::demand::SeriesForecast;
use linli_restock::books::mysql::{Read, Reader};
use linli_restock::books::{Problem, Shares};
use linli_restock::history::{Built, HISTORY_DAYS, History, Sale};
use linli_restock::plan::{Frame, Plan, RecentMax, plan, reconcile};
use linli_restock::{Policy, models};
use linli_schemas::EventTime;
use linli_warehouse::query;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::holidays;
use crate::args::ForecastRunArgs;
use crate::config::{Forecast, PolicyName};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

/// Days whose largest is what an absurd order is measured by.
const RECENT_DAYS: usize = 28;
/// Hour of the day until which the day that has closed is yesterday.
const NOON: u32 = 12;

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
    problems: Vec<Problem>,
}

/// A run before it is published.
struct Made {
    run: String,
    model: &'static str,
    built: Built,
    forecasts: Vec<SeriesForecast>,
    plan: Plan,
}

pub async fn run(args: &ForecastRunArgs, parts: &Parts, output: &Output) -> Outcome {
    let settings = &parts.config.forecast;
    let policy = policy(args.policy.unwrap_or(settings.policy), settings)?;
    let now = EventTime(parts.clock.now_ms());
    let date = date(args, parts, now)?;
    let made = make(args, parts, output, &policy, date).await?;
    if let Some(path) = &args.out {
        write(path, &made)?;
    }
    let report = report(&made, date, &policy);
    output.result(&report, text);
    Ok(())
}

/// The day that has closed.
fn date(args: &ForecastRunArgs, parts: &Parts, now: EventTime) -> Outcome<NaiveDate> {
    let today = parts.zone.date_of(now);
    let closed = if local_hour(parts, now) < NOON { today.pred_opt().unwrap_or(today) } else { today };
    let date = args.date.unwrap_or(closed);
    if date > today {
        return Err(Failure::new(Kind::Config, format!("{date} has not closed: today is {today} in {}", parts.zone.name()))
            .hint("check the clock of this machine and --zone, or name an earlier day by --date"));
    }
    Ok(date)
}

fn local_hour(parts: &Parts, at: EventTime) -> u32 {
    let wall_ms = parts.zone.to_wall_ms(at);
    chrono::DateTime::from_timestamp_millis(wall_ms).map_or(NOON, |wall| wall.hour())
}

fn policy(name: PolicyName, settings: &Forecast) -> Outcome<Policy> {
    let shares = [("service_level", settings.service_level), ("sell_through", settings.sell_through)];
    if let Some((name, value)) = shares.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
        return Err(Failure::new(Kind::Config, format!("forecast.{name} = {value}: a share is 0 to 1")));
    }
    if !(3..=28).contains(&settings.horizon) || !(1..=settings.horizon).contains(&settings.publish_days) {
        let Forecast { horizon, publish_days, .. } = settings;
        return Err(Failure::new(
            Kind::Config,
            format!("forecast.horizon = {horizon}, forecast.publish_days = {publish_days}"),
        )
        .hint("3 to 28 days are forecast, and some of them published"));
    }
    let ours = match name {
        PolicyName::Newsvendor => Policy::newsvendor(),
        PolicyName::Document => Policy::document(),
    };
    Ok(Policy {
        // Settings are part of what a line came from.
        version: format!("{}/{}", ours.version, settings.fingerprint()),
        sell_through: ours.sell_through.map(|_| settings.sell_through),
        guard_multiple: settings.guard_multiple,
        service_level: settings.service_level,
        ..ours
    })
}

async fn make(
    args: &ForecastRunArgs,
    parts: &Parts,
    output: &Output,
    policy: &Policy,
    date: NaiveDate,
) -> Outcome<Made> {
    let settings = &parts.config.forecast;
    let stages = output.progress(4, "run");
    stages.set_message("books");
    let first = History { date, ..History::default() }.first();
    let Read { books, promoted } = books(parts, date, first).await?;
    stages.inc(1);
    stages.set_message("history");
    let mut history = history(args, parts, date).await?;
    history.promoted = promoted;
    history.holidays = holidays::parse(&settings.holidays)?;
    let run = id(date, policy, &books, &history);
    stages.inc(1);
    stages.set_message("forecasts");
    let mut built = history.panel(&books, settings.horizon)?;
    drop(history.sales);
    let view = built.panel.observed(built.panel.days())?;
    let (model, mut forecasts) = models::forecast(policy, view, settings.horizon)?;
    reconcile(&built.series, &mut forecasts);
    stages.inc(1);
    stages.set_message("orders");
    let (mut outlooks, mut recent) = (HashMap::new(), RecentMax::new());
    for (at, of) in built.series.iter().enumerate().filter(|(_, of)| of.place.community_id == 0) {
        let shelf = (of.place.warehouse_id, of.sku_id);
        outlooks.insert(shelf, models::outlook(model, &forecasts[at]));
        let days = built.panel.demand(at);
        let most = days[days.len().saturating_sub(RECENT_DAYS)..].iter().copied().filter(|units| units.is_finite());
        recent.insert(shelf, most.fold(0.0, f64::max));
    }
    let shares = Shares { goodwill_percent: settings.goodwill_percent, holding_e4: settings.holding_e4 };
    let frame = Frame { date, zone: parts.zone, now_ms: parts.clock.now_ms(), policy, shares };
    let mut plan = plan(&frame, &books, &outlooks, &recent);
    plan.problems.append(&mut built.problems);
    plan.problems.sort();
    plan.problems.dedup();
    stages.finish_and_clear();
    Ok(Made { run, model, built, forecasts, plan })
}

/// The shop's books and promotions.
async fn books(parts: &Parts, date: NaiveDate, first: NaiveDate) -> Outcome<Read> {
    let settings = &parts.config.forecast;
    let (mut conn, object) = parts.shop_database().await?;
    let ahead = date + Days::new(settings.horizon as u64);
    let read = Reader::new(&mut conn, &settings.database, object).read(date, first, ahead, parts.zone).await?;
    // All was read: a farewell that does not arrive changes nothing.
    let _ = conn.disconnect().await;
    Ok(read)
}

/// Daily sales of the warehouse.
async fn history(args: &ForecastRunArgs, parts: &Parts, date: NaiveDate) -> Outcome<History> {
    let mut history = History { date, ..History::default() };
    let open = parts.migrated_warehouse().await?;
    let mut newest = None;
    query::sales_history(&open.warehouse, day_number(history.first()), day_number(date), |sale| {
        newest = newest.max(Some(sale.event_date));
        history.sales.push(Sale {
            community_id: sale.community_id,
            sku_id: sale.sku_id,
            date: of_number(sale.event_date),
            pieces: sale.quantity,
        });
    })
    .await?;
    open.tables.close().await?;
    let stale = match newest.map(of_number) {
        None => Some(format!("the warehouse holds no sale of the {HISTORY_DAYS} days until {date}")),
        Some(newest) if newest < date => Some(format!("the warehouse's newest sale until {date} is of {newest}")),
        Some(_) => None,
    };
    match stale {
        Some(cause) if !args.stale => Err(Failure::new(Kind::Input, cause).hint(
            "see that the loader (`linli warehouse load`) is running and has caught up; --stale runs on what there is",
        )),
        _ => Ok(history),
    }
}

fn day_number(date: NaiveDate) -> u16 {
    u16::try_from(date.num_days_from_ce() - 719_163).unwrap_or(0)
}

fn of_number(day: u16) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(719_163 + i32::from(day)).unwrap_or_default()
}

/// Names a run: the same inputs on the same day make the same run.
fn id(date: NaiveDate, policy: &Policy, books: &linli_restock::books::Books, history: &History) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(format!("{policy:?}{books:?}{:?}{:?}{:?}", history.promoted, history.holidays, history.sold_out));
    // Rows come in any order: their sum does not.
    let mut sales: Vec<&Sale> = history.sales.iter().collect();
    sales.sort_unstable_by_key(|sale| (sale.community_id, sale.sku_id, sale.date));
    for sale in sales {
        hash.update(sale.community_id.to_le_bytes());
        hash.update(sale.sku_id.to_le_bytes());
        hash.update(day_number(sale.date).to_le_bytes());
        hash.update(sale.pieces.to_le_bytes());
    }
    let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{date}-{digest}")
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

fn report(made: &Made, date: NaiveDate, policy: &Policy) -> Report {
    let lines = &made.plan.lines;
    Report {
        run: made.run.clone(),
        date: date.to_string(),
        policy: format!("{} {}", policy.name, policy.version),
        model: made.model.to_owned(),
        series: made.built.series.len(),
        lines: lines.len(),
        ordered: lines.iter().filter(|planned| planned.line.quantity > 0).count(),
        pieces: lines.iter().map(|planned| planned.line.quantity).sum(),
        held: lines.iter().filter(|planned| !planned.line.holds.is_empty()).count(),
        conflicts: lines.iter().filter(|planned| !planned.line.conflicts.is_empty()).count(),
        problems: made.plan.problems.clone(),
    }
}

fn text(report: &Report) -> String {
    let Report { run, policy, model, series, lines, ordered, pieces, held, conflicts, .. } = report;
    let mut text = format!(
        "run {run} ({policy}, {model}): {series} series, {lines} lines; {ordered} order {pieces} pieces; \
         {held} wait for a person, {conflicts} hold a conflict"
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
