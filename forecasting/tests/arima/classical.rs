//! R's classical series: `classical/figures.R` made `classical/figures.json`.

use linli_forecasting::arima::{Arima, Effort, FittedArima, Order, Seasonal};
use linli_forecasting::select::{AutoArima, OrderSearch, kpss, ocsb_with_lags, strength};
use linli_forecasting::{Regressors, Series};
use serde_json::Value;

fn figures() -> Value {
    serde_json::from_str(include_str!("classical/figures.json")).expect("figures.json")
}

/// Numbers; `null` is missing, and a lone number a list of one.
fn numbers(value: &Value) -> Vec<f64> {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    value.as_array().map_or_else(|| vec![number(value)], |list| list.iter().map(number).collect())
}

fn orders(value: &Value) -> [usize; 3] {
    let list: Vec<usize> = numbers(value).iter().map(|order| *order as usize).collect();
    [list[0], list[1], list[2]]
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} of {}", case["series"]))
}

fn series(figures: &Value, case: &Value) -> Series {
    Series::new(numbers(&figures["series"][case["series"].as_str().expect("a name")])).expect("finite")
}

fn model(case: &Value) -> Arima {
    let [p, d, q] = orders(&case["order"]);
    let [seasonal_p, seasonal_d, seasonal_q] = orders(&case["seasonal"]);
    let period = case["period"].as_u64().expect("a period") as usize;
    let mut model = Arima::new(Order::new(p, d, q));
    if seasonal_p + seasonal_d + seasonal_q > 0 {
        model = model.with_seasonal(Seasonal::new(seasonal_p, seasonal_d, seasonal_q, period));
    }
    if case["mean"] == true {
        model = model.with_mean();
    }
    if case["drift"] == true { model.with_drift() } else { model }
}

fn regressors(case: &Value, key: &str) -> Regressors {
    if case[key].is_null() {
        Regressors::none()
    } else {
        Regressors::new(vec![numbers(&case[key])]).expect("a regressor")
    }
}

fn each_fit(mut check: impl FnMut(&str, &Value, &FittedArima)) {
    let figures = figures();
    let cases = figures["fits"].as_array().expect("fits");
    assert!(cases.len() >= 25);
    for case in cases {
        let model = model(case);
        let name = format!("{} {model}", case["series"]);
        let fitted = model
            .fit_with(&series(&figures, case), &regressors(case, "regressor"), Effort::Thorough)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&name, case, &fitted);
    }
}

/// R starts levels with a variance of 10⁶ where ours is infinite: its likelihood is off by up to about 0.005 here.
const DIFFUSE: f64 = 0.006;

/// Cases in which a moving average is at the boundary, where R's optimiser stops anywhere near.
fn at_the_boundary(case: &Value) -> bool {
    case["series"] == "ldeaths"
}

#[test]
fn likelihoods_are_those_of_r() {
    each_fit(|name, case, fitted| {
        let differenced = fitted.model().differenced() > 0;
        let tolerance = if differenced { DIFFUSE } else { 1e-5 };
        let difference = fitted.log_likelihood() - number(case, "loglik");
        assert!(difference.abs() < tolerance, "{name}: {} {}", fitted.log_likelihood(), case["loglik"]);
        assert!(fitted.search().converged, "{name}: {:?}", fitted.search());
        for (criterion, found) in [("aic", Some(fitted.aic())), ("aicc", fitted.aicc()), ("bic", Some(fitted.bic()))] {
            let error = found.expect("enough observations") - number(case, criterion);
            assert!(error.abs() < 2.0 * tolerance + 1e-9, "{name} {criterion}: {error}");
        }
    });
}

#[test]
fn coefficients_and_their_errors_are_those_of_r() {
    each_fit(|name, case, fitted| {
        if at_the_boundary(case) {
            return;
        }
        for estimate in fitted.estimates() {
            let term = estimate.term.to_string();
            let error = number(&case["standard_error"], &term);
            let difference = estimate.value - number(&case["coef"], &term);
            // A fiftieth of a standard error is what the diffuse start and the optimiser's tolerance make.
            assert!(difference.abs() < 0.02 * error, "{name} {term}: {} {}", estimate.value, case["coef"][&term]);
            let found = estimate.standard_error.unwrap_or_else(|| panic!("{name} {term} has an error"));
            assert!((found / error - 1.0).abs() < 0.02, "{name} {term}: error {found} {error}");
        }
    });
}

#[test]
fn forecasts_are_those_of_r() {
    let figures = figures();
    each_fit(|name, case, fitted| {
        if at_the_boundary(case) {
            return;
        }
        let means = numbers(&case["forecast"]);
        let future = regressors(case, "regressor_future");
        let forecast = if future.columns().is_empty() {
            fitted.forecast(means.len()).expect("a forecast")
        } else {
            fitted.forecast_with(&future).expect("a forecast")
        };
        let ratio = number(case, "sigma2") / fitted.sigma2_adjusted();
        // R counts what its prior leaves of the first levels among the squares, about `d y₁² / 10⁶`.
        let values = numbers(&figures["series"][case["series"].as_str().expect("a name")]);
        let first = values.into_iter().find(|value| !value.is_nan()).expect("a value");
        let squares = fitted.sigma2() * fitted.effective_observations() as f64;
        let excess = 2.0 * fitted.model().differenced() as f64 * first * first / 1e6 / squares;
        assert!((1.0 - 1e-3..1.0 + 1e-3 + excess).contains(&ratio), "{name}: σ² {ratio} {excess}");
        for ((step, mean), high) in forecast.steps().zip(&means).zip(numbers(&case["hi80"])) {
            let half = high - mean;
            let (low, found) = step.interval(0.8);
            assert!((step.mean - mean).abs() < 0.01 * half, "{name}: {} {mean}", step.mean);
            let shape = (found - low) / 2.0 * ratio.sqrt() / half;
            assert!((shape - 1.0).abs() < 0.005, "{name}: {shape}");
        }
    });
}

#[test]
fn what_is_left_in_residuals_is_what_r_finds() {
    let mut tested = 0;
    each_fit(|name, case, fitted| {
        let Some(statistic) = case["ljung_box"].as_f64() else { return };
        let test = fitted.ljung_box(12).expect("degrees of freedom");
        let tolerance = if at_the_boundary(case) { 0.2 } else { 0.02 };
        assert!((test.statistic - statistic).abs() < tolerance * (1.0 + statistic), "{name}: {test:?} {statistic}");
        assert!((test.p_value - number(case, "ljung_box_p")).abs() < tolerance, "{name}: {test:?}");
        tested += 1;
    });
    assert!(tested > 15);
}

#[test]
fn chosen_orders_are_at_least_as_good_as_those_of_r() {
    let figures = figures();
    for case in figures["auto"].as_array().expect("auto") {
        let period = case["period"].as_u64().expect("a period") as usize;
        let selected = AutoArima::new(period).fit(&series(&figures, case)).expect("a choice");
        let model = selected.fitted.model();
        let (d, seasonal_d) = (orders(&case["order"])[1], orders(&case["seasonal"])[1]);
        assert_eq!((model.order().d, model.seasonal().d), (d, seasonal_d), "{}: {model}", case["series"]);
        let found = selected.fitted.aicc().expect("enough observations");
        assert!(found < number(case, "aicc") + 0.02, "{}: {model} {found} {}", case["series"], case["aicc"]);
    }
}

#[test]
fn an_exhaustive_search_is_never_worse() {
    let figures = figures();
    for name in ["Nile", "lh", "WWWusage"] {
        let series = Series::new(numbers(&figures["series"][name])).expect("finite");
        let stepwise = AutoArima::new(1).fit(&series).expect("a choice");
        let all = AutoArima { search: OrderSearch::Exhaustive, ..AutoArima::new(1) }.fit(&series).expect("a choice");
        let (stepwise_aicc, all_aicc) = (stepwise.fitted.aicc().expect("aicc"), all.fitted.aicc().expect("aicc"));
        assert!(all.compared > stepwise.compared);
        assert!(all_aicc <= stepwise_aicc + 1e-6, "{name}: {all_aicc} {stepwise_aicc}");
    }
}

#[test]
fn unit_roots_and_seasons_are_measured_as_r_does() {
    let figures = figures();
    for case in figures["tests"].as_array().expect("tests") {
        let name = case["series"].as_str().expect("a name");
        let values = numbers(&figures["series"][name]);
        let level = kpss(&values).expect("a statistic");
        assert!((level - number(case, "kpss")).abs() < 1e-9, "{name}: {level}");
        let period = case["period"].as_u64().expect("a period") as usize;
        if period > 1 {
            let season = strength(&values, period);
            assert!((season - number(case, "strength")).abs() < 1e-6, "{name}: {season} {}", case["strength"]);
            for (lags, expected) in numbers(&case["ocsb"]).iter().enumerate() {
                let statistic = ocsb_with_lags(&values, period, lags).expect("a statistic");
                assert!((statistic - expected).abs() < 1e-6, "{name} {lags}: {statistic} {expected}");
            }
        }
    }
}
