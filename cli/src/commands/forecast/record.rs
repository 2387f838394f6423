//! What a run leaves in the warehouse, for the pages and for the nights to come.

use std::collections::{BTreeMap, HashMap};

use chrono::{Days, NaiveDate};
use linli_forecasting::distribution::Summary;
use linli_restock::Place;
use linli_restock::expiry::AtRisk;
use linli_restock::history::{SeriesOf, SoldOut};
use linli_restock::publish::record as line_record;
use linli_restock::value::{DRIFT_DAYS, DRIFT_LIMIT, Group, Value, tracking_signal};
use linli_schemas::EventTime;
use linli_schemas::alert::{Alert, AlertState};
use linli_schemas::forecast::{Day, DemandStep, LineStatus};
use linli_warehouse::Warehouse;
use linli_warehouse::restock::{self, CategoryDay, ForecastRow, LineRow, NearExpiryRow, RunRow, ValueRow};

use super::night::{Made, day_number};
use crate::failure::{Failure, Kind, Outcome};
use crate::parts::Parts;

/// The quantiles that are published.
const PUBLISHED: [f64; 8] = [0.10, 0.25, 0.50, 0.75, 0.80, 0.90, 0.95, 0.99];
const READY: i8 = 1;
const HELD: i8 = 2;

/// What a run publishes of its forecasts: of each series the first days.
pub fn steps(made: &Made, publish_days: usize) -> impl Iterator<Item = DemandStep> {
    made.built.series.iter().zip(&made.forecasts).flat_map(move |(of, forecast)| {
        forecast.steps.iter().take(publish_days).zip(1_u64..).map(move |(summary, day)| {
            let [q10, q25, q50, q75, q80, q90, q95, q99] = PUBLISHED.map(|probability| summary.quantile(probability));
            DemandStep {
                run: made.run.clone(),
                model: made.model.to_owned(),
                warehouse_id: of.place.warehouse_id,
                community_id: of.place.community_id,
                sku_id: of.sku_id,
                step_on: Day(made.date + Days::new(day)),
                mean: summary.mean,
                q10,
                q25,
                q50,
                q75,
                q80,
                q90,
                q95,
                q99,
            }
        })
    })
}

/// Forecasts and lines: of a run that nobody sees before [`name`].
pub async fn run(warehouse: &Warehouse, made: &Made, publish_days: usize, version: u64) -> Outcome {
    let business_date = day_number(made.date);
    let rows = steps(made, publish_days).map(|step| ForecastRow {
        run: step.run.to_string(),
        business_date,
        warehouse_id: step.warehouse_id,
        community_id: step.community_id,
        sku_id: step.sku_id,
        step_on: day_number(step.step_on.0),
        model: step.model,
        mean: step.mean,
        q10: step.q10,
        q25: step.q25,
        q50: step.q50,
        q75: step.q75,
        q80: step.q80,
        q90: step.q90,
        q95: step.q95,
        q99: step.q99,
        version,
    });
    restock::put(warehouse, rows).await?;
    let lines = made.plan.lines.iter().map(|planned| {
        let line = line_record(&made.run, &planned.line, EventTime(planned.must_order_by));
        let reason = serde_json::to_string(&line.reason)
            .map_err(|error| Failure::new(Kind::Internal, format!("a reason cannot be written as JSON: {error}")))?;
        Ok(LineRow {
            run: line.run.to_string(),
            business_date,
            supplier_id: line.supplier_id,
            warehouse_id: line.warehouse_id,
            community_id: line.community_id,
            sku_id: line.sku_id,
            quantity: line.quantity,
            status: if line.status == LineStatus::Ready { READY } else { HELD },
            must_order_by: line.must_order_by,
            needed_by: day_number(line.needed_by.0),
            reason,
            version,
        })
    });
    let lines: Vec<LineRow> = lines.collect::<Outcome<_>>()?;
    restock::put(warehouse, lines).await?;
    Ok(())
}

/// Shows readers a run.
pub async fn name(warehouse: &Warehouse, made: &Made, policy: &str, now_ms: i64) -> Outcome {
    let row = RunRow {
        run: made.run.to_string(),
        business_date: day_number(made.date),
        policy: policy.to_owned(),
        series: made.built.series.len() as u64,
        lines: made.plan.lines.len() as u64,
        named_at: now_ms,
        version: now_ms.max(0) as u64,
    };
    restock::put(warehouse, [row]).await?;
    Ok(())
}

pub async fn near_expiry(warehouse: &Warehouse, date: NaiveDate, found: &[AtRisk], version: u64) -> Outcome {
    let rows: Vec<NearExpiryRow> = found
        .iter()
        .map(|of| NearExpiryRow {
            business_date: day_number(date),
            warehouse_id: of.place.warehouse_id,
            sku_id: of.sku_id,
            batch_id: of.batch_id,
            expires_on: day_number(of.expires_on),
            days_left: of.days_left,
            quantity: of.quantity,
            sellable: of.sellable,
            at_risk: of.at_risk,
            loss: of.loss,
            actions: serde_json::to_string(&of.actions).unwrap_or_default(),
            version,
        })
        .collect();
    restock::put(warehouse, rows).await?;
    Ok(())
}

/// What the newest run before a day expected of it.
pub async fn expected(warehouse: &Warehouse, date: NaiveDate) -> Outcome<HashMap<SeriesOf, f64>> {
    let rows = restock::expected(warehouse, day_number(date)).await?;
    let of = |row: &restock::Expected| SeriesOf {
        place: Place { warehouse_id: row.warehouse_id, community_id: row.community_id },
        sku_id: row.sku_id,
    };
    Ok(rows.iter().map(|row| (of(row), row.mean)).collect())
}

/// What the evenings before expected of days that sold out.
pub async fn eves(warehouse: &Warehouse, sold_out: &SoldOut) -> Outcome<HashMap<(SeriesOf, NaiveDate), Summary>> {
    let mut shelves: BTreeMap<NaiveDate, Vec<(i64, i64)>> = BTreeMap::new();
    for (shelf, date) in sold_out {
        shelves.entry(*date).or_default().push(*shelf);
    }
    let mut found = HashMap::new();
    for (date, shelves) in shelves {
        for eve in restock::eve(warehouse, day_number(date), &shelves).await? {
            let place = Place { warehouse_id: eve.warehouse_id, community_id: eve.community_id };
            let quantiles = [eve.q10, eve.q25, eve.q50, eve.q75, eve.q90, eve.q95, eve.q99];
            let of = SeriesOf { place, sku_id: eve.sku_id };
            found.insert((of, date), Summary { mean: eve.mean, quantiles });
        }
    }
    Ok(found)
}

/// How good the forecasts of the closed day were. Returns what begins or ceases to drift.
pub async fn value(
    warehouse: &Warehouse,
    date: NaiveDate,
    values: &BTreeMap<Group, Value>,
    (parts, version): (&Parts, u64),
) -> Outcome<Vec<Alert>> {
    let rows = values.iter().map(|(group, value)| ValueRow {
        event_date: day_number(date),
        supplier_id: group.supplier_id,
        category_id: group.category_id,
        warehouse_id: group.place.warehouse_id,
        community_id: group.place.community_id,
        series: value.series,
        sold: value.sold,
        forecast: value.forecast,
        error: value.error,
        error_document: value.error_document,
        error_naive: value.error_naive,
        compared_sold: value.compared_sold,
        compared_forecast: value.compared_forecast,
        ordered: value.ordered,
        lost: value.lost,
        sold_out: value.sold_out,
        thrown_away: value.thrown_away,
        thrown_away_cost: value.thrown_away_cost,
        version,
    });
    restock::put(warehouse, rows.collect::<Vec<_>>()).await?;
    let last = day_number(date);
    let days = restock::category_days(warehouse, last.saturating_sub(DRIFT_DAYS as u16), last).await?;
    let mut by_category: BTreeMap<i64, Vec<CategoryDay>> = BTreeMap::new();
    for day in days {
        by_category.entry(day.category_id).or_default().push(day);
    }
    let EventTime(since) = parts.zone.midnight(date);
    let changes = by_category.iter().filter_map(|(category, days)| {
        let signal = |until: u16| {
            let window =
                days.iter().filter(|day| day.event_date <= until && day.event_date + DRIFT_DAYS as u16 > until);
            tracking_signal(&window.map(|day| (day.forecast, day.sold)).collect::<Vec<_>>()).unwrap_or(0.0)
        };
        let (now, before) = (signal(last), signal(last.saturating_sub(1)));
        let state = match (now.abs() > DRIFT_LIMIT, before.abs() > DRIFT_LIMIT) {
            (true, false) => AlertState::Firing,
            (false, true) => AlertState::Resolved,
            _ => return None,
        };
        Some(drift(*category, state, now, since))
    });
    Ok(changes.collect())
}

fn drift(category: i64, state: AlertState, signal: f64, since: i64) -> Alert {
    let reason =
        "the forecasts of four weeks lie on one side of what was sold: look for a change that the model does not know";
    Alert {
        rule: "forecast.drift".to_owned(),
        subject: format!("category/{category}"),
        state,
        value: signal,
        threshold: Some(DRIFT_LIMIT),
        since,
        reason: (state == AlertState::Firing).then(|| reason.to_owned()),
    }
}
