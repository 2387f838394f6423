//! The making of a nightly run: from the history of sales and the shop's books to forecasts and order lines.

use std::collections::{BTreeMap, HashMap};

use chrono::{Days, NaiveDate, Timelike};
use linli_forecasting::demand::SeriesForecast;
use linli_restock::books::mysql::{Read, Reader, Span};
use linli_restock::books::{Books, Shares, Shelf};
use linli_restock::expiry::{AtRisk, at_risk};
use linli_restock::history::{Built, HISTORY_DAYS, History, Sale};
use linli_restock::plan::{Frame, Plan, RecentMax, plan, reconcile};
use linli_restock::value::{Group, Value, compare};
use linli_restock::{Policy, Release, models};
use linli_schemas::EventTime;
use linli_schemas::forecast::RunId;
use linli_warehouse::{Warehouse, query};
use sha2::{Digest, Sha256};

use super::{holidays, record, release};
use crate::args::ForecastRunArgs;
use crate::config::{Forecast, PolicyName};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

/// Days whose largest is what an absurd order is measured by.
const RECENT_DAYS: usize = 28;
/// Hour of the day until which the day that has closed is yesterday.
const NOON: u32 = 12;

/// A run before it is published.
pub struct Made {
    pub run: RunId,
    /// The local day that has closed.
    pub date: NaiveDate,
    pub model: &'static str,
    pub built: Built,
    pub forecasts: Vec<SeriesForecast>,
    pub plan: Plan,
    /// Purchase orders that the plan knows of, by run.
    pub orders_known: BTreeMap<String, u32>,
    pub at_risk: Vec<AtRisk>,
    /// The last day that is over.
    pub judged: NaiveDate,
    /// How good its forecasts were.
    pub value: BTreeMap<Group, Value>,
}

/// The day that has closed.
pub fn date(args: &ForecastRunArgs, parts: &Parts, now: EventTime) -> Outcome<NaiveDate> {
    let today = parts.zone.date_of(now);
    let closed = if local_hour(parts, now) < NOON { today.pred_opt().unwrap_or(today) } else { today };
    let date = args.date.unwrap_or(closed);
    if date > today {
        return Err(Failure::new(
            Kind::Config,
            format!("{date} has not closed: today is {today} in {}", parts.zone.name()),
        )
        .hint("check the clock of this machine and --zone, or name an earlier day by --date"));
    }
    Ok(date)
}

fn local_hour(parts: &Parts, at: EventTime) -> u32 {
    let wall_ms = parts.zone.to_wall_ms(at);
    chrono::DateTime::from_timestamp_millis(wall_ms).map_or(NOON, |wall| wall.hour())
}

pub fn policy(name: PolicyName, settings: &Forecast) -> Outcome<Policy> {
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

/// Makes a run; nothing is written.
pub async fn make(
    args: &ForecastRunArgs,
    (parts, warehouse, output): (&Parts, &Warehouse, &Output),
    policy: &Policy,
    date: NaiveDate,
) -> Outcome<Made> {
    let settings = &parts.config.forecast;
    let releases = release::parse(&args.releases, args.by.as_deref())?;
    let stages = output.progress(4, "run");
    stages.set_message("books");
    let open = EventTime(parts.clock.now_ms()) < parts.zone.midnight(date + Days::new(1));
    let mut history = History { date, open, ..History::default() };
    let Read { books, promoted, moved } = books(parts, &history).await?;
    stages.inc(1);
    stages.set_message("history");
    fill(&mut history, args, (parts, warehouse)).await?;
    history.promoted = promoted;
    history.holidays = holidays::within(settings, &(history.first()..=date + Days::new(settings.horizon as u64)))?;
    let run = id((policy, settings, &releases), &books, &history);
    stages.inc(1);
    stages.set_message("forecasts");
    let mut built = history.panel(&books, settings.horizon)?;
    let expected = record::expected(warehouse, history.closed()).await?;
    let value = compare(&history, &built, &books, &expected, &moved);
    history.sales = Vec::new(); // large, and not needed any more
    let view = built.panel.observed(built.panel.days())?;
    let (model, mut forecasts) = models::forecast(policy, view, settings.horizon)?;
    reconcile(&built.series, &mut forecasts);
    stages.inc(1);
    stages.set_message("orders");
    let (mut outlooks, mut recent) = (HashMap::new(), RecentMax::new());
    for (at, of) in built.series.iter().enumerate().filter(|(_, of)| of.place.community_id == 0) {
        let shelf = (of.place.warehouse_id, of.sku_id);
        outlooks.insert(shelf, models::outlook(model, forecasts[at].clone()));
        let days = built.panel.demand(at);
        let most = days[days.len().saturating_sub(RECENT_DAYS)..].iter().copied().filter(|units| units.is_finite());
        recent.insert(shelf, most.fold(0.0, f64::max));
    }
    let shares = Shares { goodwill_percent: settings.goodwill_percent, holding_e4: settings.holding_e4 };
    let frame = Frame { date, zone: parts.zone, now_ms: parts.clock.now_ms(), policy, shares, releases };
    let mut plan = plan(&frame, &books, &outlooks, &recent);
    release::found(&frame.releases, &plan)?;
    plan.problems.append(&mut built.problems);
    plan.problems.sort();
    plan.problems.dedup();
    let at_risk = at_risk(date, &books, &outlooks);
    stages.finish_and_clear();
    let (judged, orders_known) = (history.closed(), books.orders_known);
    Ok(Made { run, date, model, built, forecasts, plan, orders_known, at_risk, judged, value })
}

/// The shop's books and promotions.
async fn books(parts: &Parts, history: &History) -> Outcome<Read> {
    let settings = &parts.config.forecast;
    let (mut conn, object) = parts.shop_database().await?;
    let to = history.date + Days::new(settings.horizon as u64);
    let span = Span { date: history.date, judged: history.closed(), from: history.first(), to };
    let read = Reader::new(&mut conn, &settings.database, object).read(span, parts.zone).await?;
    // All was read: a farewell that does not arrive changes nothing.
    let _ = conn.disconnect().await;
    Ok(read)
}

/// Adds daily sales and empty shelves of the warehouse.
async fn fill(history: &mut History, args: &ForecastRunArgs, (parts, warehouse): (&Parts, &Warehouse)) -> Outcome {
    let date = history.date;
    let mut newest = None;
    query::sales_history(warehouse, day_number(history.first()), day_number(date), |sale| {
        newest = newest.max(Some(sale.event_date));
        history.sales.push(Sale {
            community_id: sale.community_id,
            sku_id: sale.sku_id,
            date: of_number(sale.event_date),
            pieces: sale.quantity,
        });
    })
    .await?;
    let (first, last) = (day_number(history.first()), day_number(date));
    for day in query::sold_out_days(warehouse, parts.zone.name(), first, last).await? {
        history.sold_out.insert(((day.warehouse_id, day.sku_id), of_number(day.event_date)));
    }
    history.eves = record::eves(warehouse, &history.sold_out).await?;
    let stale = match newest.map(of_number) {
        None => Some(format!("the warehouse holds no sale of the {HISTORY_DAYS} days until {date}")),
        Some(newest) if newest < history.closed() => {
            Some(format!("the warehouse's newest sale until {date} is of {newest}"))
        }
        Some(_) => None,
    };
    match stale {
        Some(cause) if !args.stale => Err(Failure::new(Kind::Input, cause).hint(
            "see that the loader (`linli warehouse load`) is running and has caught up; --stale runs on what there is",
        )),
        _ => Ok(()),
    }
}

pub fn day_number(date: NaiveDate) -> u16 {
    u16::try_from(date.to_epoch_days()).unwrap_or(0)
}

fn of_number(day: u16) -> NaiveDate {
    NaiveDate::from_epoch_days(i32::from(day)).unwrap_or_default()
}

/// Names a run: the same inputs on the same day make the same run.
fn id(
    (policy, settings, releases): (&Policy, &Forecast, &BTreeMap<Shelf, Release>),
    books: &Books,
    history: &History,
) -> RunId {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(format!("{} {} {}", settings.horizon, settings.publish_days, history.open));
    hash.update(format!(
        "{policy:?}{releases:?}{books:?}{:?}{:?}{:?}",
        history.promoted, history.holidays, history.sold_out
    ));
    // Rows come in any order: their sum does not.
    let mut sales: Vec<&Sale> = history.sales.iter().collect();
    sales.sort_unstable_by_key(|sale| (sale.community_id, sale.sku_id, sale.date));
    for sale in sales {
        hash.update(sale.community_id.to_le_bytes());
        hash.update(sale.sku_id.to_le_bytes());
        hash.update(day_number(sale.date).to_le_bytes());
        hash.update(sale.pieces.to_le_bytes());
    }
    let digest = hash.finalize();
    RunId::of(history.date, u64::from_be_bytes(std::array::from_fn(|at| digest[at])))
}
