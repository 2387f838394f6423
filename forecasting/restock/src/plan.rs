//! All lines of a run: one for each shelf, from the books and the forecasts.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use linli_forecasting::demand::SeriesForecast;
use linli_forecasting::distribution::Summary;
use linli_schemas::EventTime;
use linli_schemas::zone::Zone;

use crate::books::{Books, Problem, Shares, Shelf};
use crate::history::SeriesOf;
use crate::line::{Hold, Line, Place, Situation, order};
use crate::policy::{Outlook, Policy};
use crate::release::Release;

/// What is the same for all lines of a run.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The day that has closed.
    pub date: NaiveDate,
    pub zone: Zone,
    /// When the run is made, epoch ms: whose cut-off is over then waits for a person.
    pub now_ms: i64,
    pub policy: &'a Policy,
    pub shares: Shares,
    /// Lines of which a person has decided.
    pub releases: BTreeMap<Shelf, Release>,
}

/// A line with the instant until which the supplier takes it, epoch ms.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub line: Line,
    pub must_order_by: i64,
}

/// The lines of a run, in order of supplier, warehouse and SKU, and what a person has to mend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub lines: Vec<Planned>,
    pub problems: Vec<Problem>,
}

/// Most that a day of the history sold, by shelf; a shelf that is not in it has no history.
pub type RecentMax = HashMap<Shelf, f64>;

/// Plans the orders of every shelf that the books know. `outlooks` are those of the warehouses.
pub fn plan(frame: &Frame<'_>, books: &Books, outlooks: &HashMap<Shelf, Outlook>, recent: &RecentMax) -> Plan {
    let mut plan = Plan { problems: books.problems(), ..Plan::default() };
    let nothing = Outlook { model: "none".to_owned(), ..Outlook::default() };
    for shelf in books.stock.keys() {
        let (batches, problems) = books.batches(*shelf);
        plan.problems.extend(problems);
        let Some(sku) = books.skus.get(&shelf.1) else {
            plan.problems.push(Problem::UnknownSku { sku_id: shelf.1 });
            continue;
        };
        // Named among the books' problems.
        let Some(supplier) = books.suppliers.get(&sku.supplier_id) else { continue };
        let under_way = books.under_way.get(shelf).copied().unwrap_or_default();
        let situation = Situation {
            place: Place { warehouse_id: shelf.0, community_id: 0 },
            sku_id: shelf.1,
            supplier_id: sku.supplier_id,
            calendar: supplier.calendar,
            margins: sku.margins(frame.shares),
            service_level: sku.service_level,
            life_days: sku.shelf_days,
            pack: sku.pack,
            min_order: sku.min_order,
            min_stock: books.stock[shelf].min_stock,
            batches,
            in_transit: under_way.in_transit,
            on_order: under_way.on_order,
            recent_max: recent.get(shelf).copied(),
        };
        let mut line = order(frame.date, &situation, outlooks.get(shelf).unwrap_or(&nothing), frame.policy);
        let EventTime(must_order_by) = frame.zone.instant(supplier.calendar.must_order_by(line.terms.order_on));
        if must_order_by < frame.now_ms && line.quantity > 0 {
            line.holds.push(Hold::CutOffMissed);
            plan.problems.push(Problem::CutOffMissed { supplier_id: sku.supplier_id, must_order_by });
        }
        if let Some(release) = frame.releases.get(shelf) {
            line.release(release);
        }
        plan.lines.push(Planned { line, must_order_by });
    }
    plan.lines.sort_by_key(|planned| (planned.line.supplier_id, planned.line.place, planned.line.sku_id));
    plan.problems.extend(below_minimum(books, &plan.lines));
    plan.problems.sort();
    plan.problems.dedup();
    plan
}

/// Suppliers whose lines together are worth less than they deliver.
fn below_minimum(books: &Books, lines: &[Planned]) -> Vec<Problem> {
    let mut amounts: BTreeMap<i64, i64> = BTreeMap::new();
    for Planned { line, .. } in lines.iter().filter(|planned| planned.line.quantity > 0) {
        let cost = books.skus.get(&line.sku_id).and_then(|sku| sku.cost).unwrap_or(0);
        let amount = amounts.entry(line.supplier_id).or_default();
        *amount = amount.saturating_add(cost.saturating_mul(line.quantity));
    }
    let below = amounts.into_iter().filter_map(|(supplier_id, amount)| {
        let minimum = books.suppliers.get(&supplier_id)?.min_amount;
        (amount < minimum).then_some(Problem::BelowMinimumAmount { supplier_id, amount, minimum })
    });
    below.collect()
}

/// Scales the forecasts of communities, so that their means add up to those of their warehouse: of the days, and of the
/// totals, which are sums of days.
///
/// Quantiles move with their mean: a factor on a distribution is a factor on all of it. Where communities expect nothing
/// on a day, the warehouse's expectation is not theirs to share, and it stays alone.
pub fn reconcile(series: &[SeriesOf], forecasts: &mut [SeriesForecast]) {
    let mut wholes: HashMap<Shelf, usize> = HashMap::new();
    let mut parts: HashMap<Shelf, Vec<usize>> = HashMap::new();
    for (at, of) in series.iter().enumerate() {
        let shelf = (of.place.warehouse_id, of.sku_id);
        if of.place.community_id == 0 {
            wholes.insert(shelf, at);
        } else {
            parts.entry(shelf).or_default().push(at);
        }
    }
    for (shelf, members) in parts {
        let Some(whole) = wholes.get(&shelf).map(|at| forecasts[*at].clone()) else { continue };
        for day in 0..whole.steps.len() {
            let sum: f64 = members.iter().map(|at| forecasts[*at].steps[day].mean).sum();
            if sum > 0.0 {
                let factor = whole.steps[day].mean / sum;
                members.iter().for_each(|at| scale(&mut forecasts[*at].steps[day], factor));
            }
        }
        for at in &members {
            let SeriesForecast { steps, totals } = &mut forecasts[*at];
            for (more, total) in totals.iter_mut().enumerate() {
                let mean: f64 = steps[..more + 2].iter().map(|step| step.mean).sum();
                if total.mean > 0.0 {
                    scale(total, mean / total.mean);
                }
            }
        }
    }
}

fn scale(summary: &mut Summary, factor: f64) {
    summary.mean *= factor;
    summary.quantiles.iter_mut().for_each(|quantile| *quantile *= factor);
}
