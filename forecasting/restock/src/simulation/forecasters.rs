//! What each policy believes of the days to come, from what it has seen.

use linli_forecasting::arima::Order;
use linli_forecasting::arima::batch::{Batch, BatchFit};
use linli_forecasting::demand::{DemandModel, FittedDemand};
use linli_forecasting::distribution::{LEVELS, Summary};
use linli_forecasting::holidays::occasions;
use linli_forecasting::panel::WEEK;
use linli_forecasting::{Panel, Result};

use super::scenario::Scenario;
use super::shelf::DaySeen;
use crate::models::outlook;
use crate::policy::Outlook;

/// What is known at the close of a day.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub scenario: &'a Scenario,
    /// Days seen.
    pub days: usize,
    /// One list an item, with one day each.
    pub seen: &'a [Vec<DaySeen>],
}

/// Makes an outlook for every item, at the close of every day.
pub trait Forecaster {
    /// # Errors
    /// Of the model.
    fn outlooks(&mut self, known: Known<'_>) -> Result<Vec<Outlook>>;
}

/// Sales as demand: a day on which it was sold out is missing, since what was wanted beyond is not known. For the document's
/// rule this is kinder than sales as they are: it forgets the days of an offer, which sold out, instead of ordering for more.
fn masked(days: &[DaySeen]) -> impl Iterator<Item = f64> + '_ {
    days.iter().map(|day| if day.sold_out { f64::NAN } else { day.sold as f64 })
}

/// The default demand model, learnt anew every so many days, with the levels of the day.
///
/// Sold-out days must not simply be left out: those that are left are the days on which less was wanted, and who orders by
/// them orders ever less. Such a day counts as what the forecast made on its eve expects of days that want at least as much.
pub struct ModelForecaster {
    model: DemandModel,
    refit_days: usize,
    fitted: Option<(FittedDemand, usize)>,
    /// Of the last evening.
    outlooks: Vec<Outlook>,
    /// What each item's customers are taken to have wanted.
    wanted: Vec<Vec<f64>>,
}

impl ModelForecaster {
    /// # Errors
    /// [`linli_forecasting::Error::Horizon`] for no day ahead or too many.
    pub fn new(horizon: usize, refit_days: usize) -> Result<ModelForecaster> {
        Ok(ModelForecaster {
            model: DemandModel::new(horizon)?,
            refit_days: refit_days.max(1),
            fitted: None,
            outlooks: Vec::new(),
            wanted: Vec::new(),
        })
    }

    /// Takes in the days that have been seen since the last evening.
    fn look(&mut self, known: Known<'_>) {
        self.wanted.resize_with(known.seen.len(), Vec::new);
        for (at, (wanted, seen)) in self.wanted.iter_mut().zip(known.seen).enumerate() {
            let outlook = self.outlooks.get(at);
            let unseen = &seen[wanted.len().min(seen.len())..];
            wanted.extend(unseen.iter().map(|day| match (day.sold_out, outlook) {
                (false, _) => day.sold as f64,
                (true, Some(outlook)) => outlook.wanted_when_sold_out(day.sold).unwrap_or(f64::NAN),
                (true, None) => f64::NAN,
            }));
        }
    }
}

impl Forecaster for ModelForecaster {
    fn outlooks(&mut self, known: Known<'_>) -> Result<Vec<Outlook>> {
        self.look(known);
        let scenario = known.scenario;
        let occasions = occasions(&scenario.days_off, scenario.history_from, scenario.known_days);
        let panel = Panel::new(scenario.labels.clone(), known.days, self.wanted.concat())?
            .with_regressors(scenario.known_days, scenario.own.clone(), Vec::new())?
            .with_occasions(occasions.into())?;
        let view = panel.observed(known.days)?;
        let (fitted, _) = match self.fitted.take() {
            Some((fitted, at)) if known.days < at + self.refit_days => self.fitted.insert((fitted, at)),
            _ => self.fitted.insert((self.model.fit(view)?, known.days)),
        };
        let everything: Vec<usize> = (0..panel.len()).collect();
        let forecasts = fitted.forecast_in_parallel(view, &everything);
        self.outlooks = forecasts.into_iter().map(|forecast| outlook("linli", forecast)).collect();
        Ok(self.outlooks.clone())
    }
}

/// Days ahead of a forecast without quantiles.
const DAYS_AHEAD: usize = 14;

/// An outlook that knows means alone: they stand for every quantile.
fn means_only(model: &str, means: &[f64]) -> Outlook {
    let certain = |mean: f64| Summary { mean: mean.max(0.0), quantiles: [mean.max(0.0); LEVELS.len()] };
    let total = |days: usize| certain(means[..days].iter().sum());
    Outlook {
        model: model.to_owned(),
        steps: means.iter().map(|mean| certain(*mean)).collect(),
        totals: (2..=means.len()).map(total).collect(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.filter(|value| !value.is_nan()).fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The shop's first system: ARIMA(1,1,1) on the last seven days, their mean where it cannot be fitted.
pub struct DocumentForecaster {
    batch: Batch,
}

impl DocumentForecaster {
    /// # Errors
    /// Never for this order.
    pub fn new() -> Result<DocumentForecaster> {
        Ok(DocumentForecaster { batch: Batch::new(Order::new(1, 1, 1))? })
    }
}

impl Forecaster for DocumentForecaster {
    fn outlooks(&mut self, known: Known<'_>) -> Result<Vec<Outlook>> {
        let weeks: Vec<Vec<f64>> =
            known.seen.iter().map(|days| masked(&days[days.len().saturating_sub(WEEK)..]).collect()).collect();
        let views: Vec<&[f64]> = weeks.iter().map(Vec::as_slice).collect();
        let fits = self.batch.fit_in_parallel(&views);
        let forecast = |fit: Result<BatchFit>| fit.and_then(|fit| fit.forecast(DAYS_AHEAD)).ok();
        let outlooks = fits.into_iter().zip(&weeks).map(|(fit, week)| match forecast(fit) {
            Some(forecast) => {
                let means: Vec<f64> = forecast.steps().map(|step| step.mean).collect();
                means_only("arima111", &means)
            }
            None => means_only("mean7", &[mean(week.iter().copied()); DAYS_AHEAD]),
        });
        Ok(outlooks.collect())
    }
}

/// The same weekday of the last week on which it was seen, at most four weeks ago; else the mean of those weeks.
pub struct NaiveForecaster;

const WEEKS_BACK: usize = 4;

impl Forecaster for NaiveForecaster {
    fn outlooks(&mut self, known: Known<'_>) -> Result<Vec<Outlook>> {
        let outlook = |days: &Vec<DaySeen>| {
            let sales: Vec<f64> = masked(&days[days.len().saturating_sub(WEEKS_BACK * WEEK)..]).collect();
            let usual = mean(sales.iter().copied());
            let means: Vec<f64> = (0..DAYS_AHEAD)
                .map(|step| {
                    let before = |week: usize| sales.len().checked_sub(week * WEEK - step % WEEK).map(|at| sales[at]);
                    (1..=WEEKS_BACK).filter_map(before).find(|sold| !sold.is_nan()).unwrap_or(usual)
                })
                .collect();
            means_only("seasonal_naive", &means)
        };
        Ok(known.seen.iter().map(outlook).collect())
    }
}
