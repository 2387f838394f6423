//! The forecasts that a policy orders by.

use linli_forecasting::arima::{Arima, Order};
use linli_forecasting::demand::{DemandModel, SeriesForecast};
use linli_forecasting::distribution::{Distribution, LEVELS, Summary};
use linli_forecasting::panel::View;
use linli_forecasting::{Result, Series};
use rayon::prelude::*;

use crate::policy::{Outlook, Policy, Rule};

/// Days that the rule of the shop's first system looks at.
const RULE_DAYS: usize = 7;

/// Forecasts of every series after the view, in their order, and the name of the model.
///
/// # Errors
/// [`linli_forecasting::Error`] for a history of less than a week, or a horizon that no model has.
pub fn forecast(policy: &Policy, view: View<'_>, horizon: usize) -> Result<(&'static str, Vec<SeriesForecast>)> {
    match policy.rule {
        Rule::Newsvendor => {
            let all: Vec<usize> = (0..view.len()).collect();
            Ok(("linli", DemandModel::new(horizon)?.fit(view)?.forecast_in_parallel(view, &all)))
        }
        Rule::Multiple { .. } => {
            let rule = |series: usize| of_seven_days(view.window(series, RULE_DAYS), horizon);
            Ok(("arima(1,1,1)", (0..view.len()).into_par_iter().map(rule).collect()))
        }
    }
}

/// ARIMA(1,1,1) of the days given, never below 0; their mean where they do not bear a fit, such as all zeros.
pub fn of_seven_days(history: &[f64], horizon: usize) -> SeriesForecast {
    let fitted = Series::new(history.to_vec()).and_then(|series| Arima::new(Order::new(1, 1, 1)).fit(&series));
    let forecast = fitted.and_then(|fitted| fitted.forecast(horizon));
    let seen: Vec<f64> = history.iter().copied().filter(|units| units.is_finite()).collect();
    let mean = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
    let summary = |days: std::ops::RangeInclusive<usize>| match &forecast {
        Ok(forecast) => {
            let total = forecast.total(days);
            Distribution::Censored { mean: total.mean, deviation: total.variance.max(0.0).sqrt() }.summary()
        }
        Err(_) => {
            let mean = mean * days.count() as f64;
            Summary { mean, quantiles: LEVELS.map(|_| mean) }
        }
    };
    SeriesForecast {
        steps: (1..=horizon).map(|day| summary(day..=day)).collect(),
        totals: (2..=horizon).map(|days| summary(1..=days)).collect(),
    }
}

/// A forecast as a policy looks at it.
pub fn outlook(model: &str, forecast: SeriesForecast) -> Outlook {
    Outlook { model: model.to_owned(), steps: forecast.steps, totals: forecast.totals }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_seven_days_answers_whatever_the_history() {
        for history in [&[0.0; 7][..], &[3.0; 7], &[], &[f64::NAN; 7], &[1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0], &[5.0]] {
            let forecast = of_seven_days(history, 3);
            assert_eq!((forecast.steps.len(), forecast.totals.len()), (3, 2));
            assert!(outlook("rule", forecast).is_sound(), "{history:?}");
        }
        assert!((of_seven_days(&[3.0; 7], 3).totals[1].mean - 9.0).abs() < 1e-6);
    }
}
