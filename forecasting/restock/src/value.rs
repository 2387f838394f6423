//! The value loop: how good the forecasts and orders of a day were, against what simpler rules would have said.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use rayon::prelude::*;

use crate::books::{Books, Shelf};
use crate::history::{Built, History, SeriesOf};
use crate::line::Place;
use crate::models::of_seven_days;

/// Days of the rule of the shop's first system.
const RULE_DAYS: usize = 7;
const WEEK: usize = 7;

/// Pieces of a shelf on a day, as the shop's books tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// On purchase orders made that day.
    pub ordered: i64,
    /// Thrown away because it had expired.
    pub thrown_away: i64,
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    pub supplier_id: i64,
    pub category_id: i64,
    pub place: Place,
}

/// Sums over the SKUs of a group; pieces, money in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Value {
    pub series: u64,
    pub sold: i64,
    pub forecast: f64,
    /// Σ |forecast − sold| over series that were not sold out, and that had a forecast.
    pub error: f64,
    /// The same of ARIMA(1,1,1) on the seven days before.
    pub error_document: f64,
    /// The same of the sales of a week before.
    pub error_naive: f64,
    /// Sold and forecast of the series that the errors are of.
    pub compared_sold: i64,
    pub compared_forecast: f64,
    pub ordered: i64,
    /// Forecast less sold where the shelf was empty: what was wanted and not there, as far as anybody knows.
    pub lost: f64,
    pub sold_out: u64,
    pub thrown_away: i64,
    pub thrown_away_cost: i64,
}

/// Compares the last day of a history that is over with what was `expected` of it the evening before.
///
/// Errors are told of demand that was seen: what a shelf sold that was empty for hours says nothing about a forecast.
pub fn compare(
    history: &History,
    built: &Built,
    books: &Books,
    expected: &HashMap<SeriesOf, f64>,
    moved: &HashMap<Shelf, Moved>,
) -> BTreeMap<Group, Value> {
    let day = history.closed();
    let sold = sold_on(day, history, books);
    let values: Vec<(Group, Value)> = built
        .series
        .par_iter()
        .enumerate()
        .filter_map(|(at, of)| {
            let sku = books.skus.get(&of.sku_id)?;
            let group = Group { supplier_id: sku.supplier_id, category_id: sku.category_id, place: of.place };
            let shelf = (of.place.warehouse_id, of.sku_id);
            let empty = history.sold_out.contains(&(shelf, day));
            let mut value = Value { series: 1, sold: sold.get(of).copied().unwrap_or(0), ..Value::default() };
            let demand = built.panel.demand(at);
            let seen = &demand[..demand.len() - usize::from(history.open)];
            compare_series(&mut value, seen, expected.get(of).copied(), empty);
            if of.place.community_id == 0 {
                let Moved { ordered, thrown_away } = moved.get(&shelf).copied().unwrap_or_default();
                value.ordered = ordered;
                value.thrown_away = thrown_away;
                value.thrown_away_cost = thrown_away.saturating_mul(sku.cost.unwrap_or(0));
                value.sold_out = u64::from(empty);
            }
            Some((group, value))
        })
        .collect();
    // In the order of the series: sums of floats come out the same on any number of threads.
    let mut groups: BTreeMap<Group, Value> = BTreeMap::new();
    for (group, value) in values {
        groups.entry(group).or_default().add(&value);
    }
    groups
}

fn compare_series(value: &mut Value, demand: &[f64], forecast: Option<f64>, empty: bool) {
    let Some(forecast) = forecast else { return };
    let sold = value.sold.max(0) as f64;
    value.forecast = forecast;
    if empty {
        value.lost = (forecast - sold).max(0.0);
        return;
    }
    let before = &demand[..demand.len().saturating_sub(1)];
    let week = &before[before.len().saturating_sub(RULE_DAYS)..];
    let document = of_seven_days(week, 1).steps.first().map_or(0.0, |step| step.mean);
    let naive = demand.len().checked_sub(1 + WEEK).map_or(0.0, |at| demand[at]);
    value.error = (forecast - sold).abs();
    value.error_document = (document - sold).abs();
    value.error_naive = (if naive.is_nan() { 0.0 } else { naive } - sold).abs();
    value.compared_sold = value.sold;
    value.compared_forecast = forecast;
}

fn sold_on(date: NaiveDate, history: &History, books: &Books) -> HashMap<SeriesOf, i64> {
    let mut sold: HashMap<SeriesOf, i64> = HashMap::new();
    for sale in history.sales.iter().filter(|sale| sale.date == date) {
        let Some(warehouse_id) = books.warehouse_of.get(&sale.community_id).copied() else { continue };
        for community_id in [sale.community_id, 0] {
            let place = Place { warehouse_id, community_id };
            *sold.entry(SeriesOf { place, sku_id: sale.sku_id }).or_default() += sale.pieces;
        }
    }
    sold
}

impl Value {
    fn add(&mut self, other: &Value) {
        self.series += other.series;
        self.sold += other.sold;
        self.forecast += other.forecast;
        self.error += other.error;
        self.error_document += other.error_document;
        self.error_naive += other.error_naive;
        self.compared_sold += other.compared_sold;
        self.compared_forecast += other.compared_forecast;
        self.ordered += other.ordered;
        self.lost += other.lost;
        self.sold_out += other.sold_out;
        self.thrown_away += other.thrown_away;
        self.thrown_away_cost += other.thrown_away_cost;
    }
}

/// Days that drift is looked for in, and those that must be there.
pub const DRIFT_DAYS: u32 = 28;
const DRIFT_DAYS_MIN: usize = 14;
/// Mean absolute deviations beyond which the sum of errors is no chance. With independent errors the sum over 28 days has
/// a deviation of about 1.25 · √28 = 6.6 of them: this is hit in a group once in some three hundred days.
pub const DRIFT_LIMIT: f64 = 20.0;

/// Whether forecasts drift away from what is sold: Trigg's tracking signal, the sum of the errors (forecast − sold) over
/// their mean absolute size. `None` where there are too few days or no error at all.
///
/// Trigg (1964), "Monitoring a forecasting system".
pub fn tracking_signal(days: &[(f64, f64)]) -> Option<f64> {
    if days.len() < DRIFT_DAYS_MIN {
        return None;
    }
    let errors = days.iter().map(|(forecast, sold)| forecast - sold);
    let size = errors.clone().map(f64::abs).sum::<f64>() / days.len() as f64;
    (size > 0.0).then(|| errors.sum::<f64>() / size)
}
