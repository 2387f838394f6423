//! Files of cases with reference fits: `fits` name a model each, `auto` leaves its choice to us.

use std::collections::BTreeMap;

use linli_forecasting::arima::{Arima, Effort, FittedArima, Forecast, Order, Seasonal};
use linli_forecasting::select::AutoArima;
use linli_forecasting::{Error, Regressors, Series};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
pub struct Cases {
    #[serde(default)]
    fits: Vec<FitCase>,
    #[serde(default)]
    auto: Vec<AutoCase>,
}

#[derive(Debug, Deserialize)]
struct FitCase {
    id: String,
    /// `null` is a missing value.
    y: Vec<Option<f64>>,
    period: usize,
    /// p, d, q.
    order: [usize; 3],
    /// P, D, Q.
    seasonal: [usize; 3],
    #[serde(default)]
    include_mean: bool,
    #[serde(default)]
    include_drift: bool,
    /// One regressor.
    xreg: Option<Vec<f64>>,
    xreg_future: Option<Vec<f64>>,
    horizon: usize,
}

#[derive(Debug, Deserialize)]
struct AutoCase {
    series: String,
    y: Vec<Option<f64>>,
    period: usize,
}

#[derive(Debug, Serialize)]
pub struct Results {
    fits: Vec<Fit>,
    auto: Vec<Auto>,
    /// Cases without an answer, and why.
    pub refused: Vec<Refusal>,
}

#[derive(Debug, Serialize)]
pub struct Refusal {
    pub name: String,
    pub error: String,
}

#[derive(Debug, Serialize)]
struct Fit {
    id: String,
    #[serde(flatten)]
    estimates: Estimates,
    mean: Vec<f64>,
    lo80: Vec<f64>,
    hi80: Vec<f64>,
    lo95: Vec<f64>,
    hi95: Vec<f64>,
}

/// What a fit found.
#[derive(Debug, Serialize)]
pub(super) struct Estimates {
    pub loglik: f64,
    aicc: Option<f64>,
    /// S / (n_eff − coefficients), from which the intervals come.
    sigma2: f64,
    coef: BTreeMap<String, f64>,
    standard_error: BTreeMap<String, Option<f64>>,
}

impl Estimates {
    pub fn of(fitted: &FittedArima) -> Estimates {
        Estimates {
            loglik: fitted.log_likelihood(),
            aicc: fitted.aicc(),
            sigma2: fitted.sigma2_adjusted(),
            coef: by_term(fitted, |estimate| estimate.value),
            standard_error: by_term(fitted, |estimate| estimate.standard_error),
        }
    }
}

#[derive(Debug, Serialize)]
struct Auto {
    series: String,
    order: [usize; 3],
    seasonal: [usize; 3],
    constant: bool,
    aicc: Option<f64>,
    loglik: f64,
    models_compared: usize,
}

/// Fits all; the order is that of the file.
pub fn run(cases: &Cases) -> Results {
    let mut results = Results { fits: Vec::new(), auto: Vec::new(), refused: Vec::new() };
    for case in &cases.fits {
        match fit(case) {
            Ok(fit) => results.fits.push(fit),
            Err(error) => results.refused.push(refusal(&case.id, &error)),
        }
    }
    for case in &cases.auto {
        match choose(case) {
            Ok(auto) => results.auto.push(auto),
            Err(error) => results.refused.push(refusal(&case.series, &error)),
        }
    }
    results
}

pub(super) fn refusal(name: &str, error: &Error) -> Refusal {
    Refusal { name: name.to_owned(), error: format!("{error} ({})", error.hint()) }
}

fn series(y: &[Option<f64>]) -> Result<Series, Error> {
    Series::new(y.iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<f64>>())
}

impl FitCase {
    fn model(&self) -> Arima {
        let [p, d, q] = self.order;
        let [seasonal_p, seasonal_d, seasonal_q] = self.seasonal;
        let mut model = Arima::new(Order::new(p, d, q));
        if self.seasonal != [0, 0, 0] {
            model = model.with_seasonal(Seasonal::new(seasonal_p, seasonal_d, seasonal_q, self.period));
        }
        // R leaves the mean of a differenced series out without a word.
        if self.include_mean && d + seasonal_d == 0 {
            model = model.with_mean();
        }
        if self.include_drift { model.with_drift() } else { model }
    }

    fn regressors(column: Option<&Vec<f64>>) -> Result<Regressors, Error> {
        Regressors::new(column.into_iter().cloned().collect())
    }
}

fn fit(case: &FitCase) -> Result<Fit, Error> {
    let fitted =
        case.model().fit_with(&series(&case.y)?, &FitCase::regressors(case.xreg.as_ref())?, Effort::Thorough)?;
    let forecast = match &case.xreg_future {
        Some(future) if case.xreg.is_some() => fitted.forecast_with(&FitCase::regressors(Some(future))?)?,
        _ => fitted.forecast(case.horizon)?,
    };
    let (lo80, hi80) = interval(&forecast, 0.8);
    let (lo95, hi95) = interval(&forecast, 0.95);
    Ok(Fit {
        id: case.id.clone(),
        estimates: Estimates::of(&fitted),
        mean: forecast.steps().map(|step| step.mean).collect(),
        lo80,
        hi80,
        lo95,
        hi95,
    })
}

fn by_term<T>(fitted: &FittedArima, value: impl Fn(&linli_forecasting::arima::Estimate) -> T) -> BTreeMap<String, T> {
    fitted.estimates().iter().map(|estimate| (estimate.term.to_string(), value(estimate))).collect()
}

pub(super) fn interval(forecast: &Forecast, level: f64) -> (Vec<f64>, Vec<f64>) {
    forecast.steps().map(|step| step.interval(level)).unzip()
}

fn choose(case: &AutoCase) -> Result<Auto, Error> {
    let selected = AutoArima::new(case.period).fit(&series(&case.y)?)?;
    let model = selected.fitted.model();
    let (order, seasonal) = (model.order(), model.seasonal());
    Ok(Auto {
        series: case.series.clone(),
        order: [order.p, order.d, order.q],
        seasonal: [seasonal.p, seasonal.d, seasonal.q],
        constant: model.has_mean() || model.has_drift(),
        aicc: selected.fitted.aicc(),
        loglik: selected.fitted.log_likelihood(),
        models_compared: selected.compared,
    })
}

/// For people: one line a case.
pub fn text(results: &Results) -> String {
    let fits = results.fits.iter().map(|fit| {
        let coefficients: Vec<String> =
            fit.estimates.coef.iter().map(|(term, value)| format!("{term} {value:.4}")).collect();
        format!("{:44} loglik {:.4}  {}", fit.id, fit.estimates.loglik, coefficients.join("  "))
    });
    let auto = results.auto.iter().map(|auto| {
        let aicc = auto.aicc.map_or_else(|| "–".to_owned(), |aicc| format!("{aicc:.3}"));
        format!("{:44} {:?}{:?} aicc {aicc}", auto.series, auto.order, auto.seasonal)
    });
    fits.chain(auto).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_answered_in_order_and_refusals_say_why() {
        let text = r#"{"fits": [
            {"id": "sales", "y": [3, 5, null, 6, 4, 8, 7, 5, 9, 8, 6, 10], "period": 1, "order": [0, 1, 1],
             "seasonal": [0, 0, 0], "include_mean": true, "xreg": null, "xreg_future": null, "horizon": 3},
            {"id": "none", "y": [0, 0, 0, 0, 0, 0, 0], "period": 1, "order": [1, 1, 1], "seasonal": [0, 0, 0],
             "horizon": 3},
            {"id": "promoted", "y": [1, 9, 2, 3, 8, 1, 2, 9], "period": 1, "order": [0, 0, 0], "seasonal": [0, 0, 0],
             "include_mean": true, "xreg": [0, 1, 0, 0, 1, 0, 0, 1], "xreg_future": [0, 1], "horizon": 2}],
            "auto": [{"series": "waves", "y": [1, 4, 2, 5, 1, 4, 3, 5, 2, 4, 1, 5], "period": 1}]}"#;
        let cases: Cases = serde_json::from_str(text).expect("cases");
        let results = run(&cases);
        let names: Vec<&str> = results.fits.iter().map(|fit| fit.id.as_str()).collect();
        assert_eq!(names, ["sales", "promoted"]);
        assert_eq!(
            results.fits[0].estimates.coef.keys().collect::<Vec<_>>(),
            ["ma1"],
            "a differenced series has no mean"
        );
        assert_eq!(results.fits[0].mean.len(), 3);
        let promoted = &results.fits[1];
        assert!((promoted.mean[1] - promoted.mean[0] - promoted.estimates.coef["x1"]).abs() < 1e-9);
        assert!(promoted.lo95[0] < promoted.lo80[0] && promoted.hi80[0] < promoted.hi95[0]);
        assert_eq!(results.auto.len(), 1);
        assert_eq!(results.refused.len(), 1);
        assert!(results.refused[0].name == "none" && results.refused[0].error.contains("constant"));
    }
}
