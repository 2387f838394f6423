//! Choosing the order: the algorithm of Hyndman and Khandakar (2008), and an exhaustive search.
//!
//! Differences come from tests (`stationarity`), orders from a walk over neighbouring models by a corrected
//! information criterion. Every candidate's likelihood is exact; R approximates it for long series.

mod candidates;
mod stationarity;
mod stl;
mod walk;

pub use stationarity::{SeasonalTest, kpss, ocsb, ocsb_critical, ocsb_with_lags, strength};
pub use stl::{Decomposition, decompose};

use rayon::prelude::*;

use crate::arima::{Arima, FittedArima, Order, Seasonal};
use crate::{Error, Result, Series};
use candidates::Candidates;
use stationarity::{differences, is_constant, lagged_difference, seasonal_differences};

/// How the orders are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderSearch {
    /// From four simple models along neighbours, as long as one is better.
    #[default]
    Stepwise,
    /// All models within the limits, and with at most `order_max` coefficients.
    Exhaustive,
}

/// What may be chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AutoArima {
    /// Periods a season; 1 for none.
    pub period: usize,
    pub p_max: usize,
    pub q_max: usize,
    pub seasonal_p_max: usize,
    pub seasonal_q_max: usize,
    /// Most ARMA coefficients of an exhaustive search.
    pub order_max: usize,
    /// Most differences that the level test may ask for.
    pub d_max: usize,
    pub seasonal_test: SeasonalTest,
    pub search: OrderSearch,
}

/// Models that a stepwise search fits at most.
pub const MODELS_MAX: usize = 94;

/// The chosen model, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    pub fitted: FittedArima,
    /// Models that were compared.
    pub compared: usize,
}

impl AutoArima {
    /// R's defaults for a season of this many periods.
    pub const fn new(period: usize) -> AutoArima {
        AutoArima {
            period,
            p_max: 5,
            q_max: 5,
            seasonal_p_max: 2,
            seasonal_q_max: 2,
            order_max: 5,
            d_max: 2,
            seasonal_test: SeasonalTest::Strength,
            search: OrderSearch::Stepwise,
        }
    }

    /// Chooses and fits.
    ///
    /// # Errors
    /// [`Error::NoVariation`] for a constant series, [`Error::TooShort`] where not even a mean can be compared,
    /// [`Error::InvalidModel`] for limits that no model may have.
    pub fn fit(&self, series: &Series) -> Result<Selected> {
        let base = Arima::new(Order::default());
        let widest = Arima::new(Order::new(self.p_max, self.d_max, self.q_max));
        widest.check()?;
        if self.period > 1 {
            let seasonal = Seasonal::new(self.seasonal_p_max, 1, self.seasonal_q_max, self.period);
            base.with_seasonal(seasonal).check()?;
        }
        if series.constant().is_some() {
            return Err(Error::NoVariation { model: "any".to_owned() });
        }
        if series.observed() < 3 {
            return Err(Error::TooShort { model: "any".to_owned(), observed: series.observed(), needed: 3 });
        }
        let (d, seasonal_d) = self.differences(series);
        let mut candidates = Candidates::new(self, series, d, seasonal_d)?;
        match self.search {
            OrderSearch::Stepwise => walk::stepwise(&mut candidates),
            OrderSearch::Exhaustive => walk::exhaustive(&mut candidates),
        }
        candidates.best(series)
    }

    /// Chooses for each series by itself, on the threads of the current rayon pool; results in the order of the series,
    /// the same on any number of threads.
    ///
    /// # Errors
    /// One for each series, as of [`AutoArima::fit`].
    pub fn fit_in_parallel(&self, series: &[Series]) -> Vec<Result<Selected>> {
        series.par_iter().map(|series| self.fit(series)).collect()
    }

    /// `d` and `D`, the seasonal one first.
    fn differences(&self, series: &Series) -> (usize, usize) {
        let complete = interpolated(series.values());
        let mut seasonal_d = seasonal_differences(&complete, self.period, self.seasonal_test);
        let mut values: Vec<f64> = complete.clone();
        if seasonal_d > 0 {
            values = lagged_difference(&complete, self.period);
            if is_constant(&values) {
                seasonal_d = 0;
                values = complete;
            }
        }
        let mut d = differences(&values, self.d_max.min(2));
        if d > 0 && is_constant(&repeated_difference(&values, d)) {
            d -= 1;
        }
        (d, seasonal_d)
    }
}

fn repeated_difference(x: &[f64], times: usize) -> Vec<f64> {
    (0..times).fold(x.to_vec(), |values, _| lagged_difference(&values, 1))
}

/// Gaps filled by straight lines, the ends by the nearest observation.
fn interpolated(values: &[f64]) -> Vec<f64> {
    let mut filled = values.to_vec();
    let mut before: Option<usize> = None;
    for t in (0..values.len()).filter(|t| !values[*t].is_nan()) {
        match before {
            Some(left) => {
                let slope = (values[t] - values[left]) / (t - left) as f64;
                let inside = filled[left + 1..t].iter_mut().enumerate();
                inside.for_each(|(i, value)| *value = values[left] + slope * (i + 1) as f64);
            }
            None => filled[..t].fill(values[t]),
        }
        before = Some(t);
    }
    if let Some(last) = before {
        filled[last + 1..].fill(values[last]);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::interpolated;

    #[test]
    fn gaps_are_bridged() {
        let missing = f64::NAN;
        let filled = interpolated(&[missing, 1.0, missing, missing, 4.0, missing]);
        assert_eq!(filled, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
    }
}
