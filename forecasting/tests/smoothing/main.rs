//! Smoothing and intermittent methods against statsmodels and statsforecast: `figures.py` made `figures.json`.

use linli_forecasting::intermittent::Intermittent;
use linli_forecasting::smoothing::{
    AutoEts, Components, ErrorKind, Ets, FittedEts, Season, States, Theta, Trend, Weights,
};
use linli_forecasting::{Error, Series};
use serde_json::Value;

fn figures() -> Value {
    serde_json::from_str(include_str!("figures.json")).expect("figures.json")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn series(values: Vec<f64>) -> Series {
    Series::new(values).expect("finite")
}

#[test]
fn intermittent_methods_are_those_of_statsforecast() {
    let figures = figures();
    for case in figures["intermittent"].as_array().expect("cases") {
        let y = series(numbers(&case["y"]));
        let check = |method: Intermittent, key: &str, tolerance: f64| {
            let ours = method.fit(&y).expect("fits").mean();
            let theirs = number(&case[key]);
            assert!((ours - theirs).abs() <= tolerance * theirs, "{key}: {ours} for {theirs}");
        };
        check(Intermittent::Croston { alpha: 0.1 }, "croston", 1e-12);
        // They take off 5 % whatever the weight; at 0.1 it is the same.
        check(Intermittent::Sba { alpha: 0.1 }, "sba", 1e-12);
        check(Intermittent::Tsb { size: 0.2, probability: 0.1 }, "tsb", 1e-12);
        // The weight is searched for between the same ends.
        check(Intermittent::Adida, "adida", 1e-4);
    }
}

fn components(case: &Value) -> Components {
    let season = match case["season"].as_str() {
        None => Season::None,
        Some("add") => Season::Additive,
        Some(_) => Season::Multiplicative,
    };
    let trend = match (case["trend"].is_null(), case["damped"] == true) {
        (true, _) => Trend::None,
        (false, false) => Trend::Additive,
        (false, true) => Trend::Damped,
    };
    let error = if case["error"] == "add" { ErrorKind::Additive } else { ErrorKind::Multiplicative };
    Components { error, trend, season, period: 7 }
}

#[test]
fn likelihood_and_forecasts_at_given_weights_are_those_of_statsmodels() {
    let figures = figures();
    let y = series(numbers(&figures["ets"]["y"]));
    for case in figures["ets"]["cases"].as_array().expect("cases") {
        let weight = |name: &str| number(&case["weights"][name]);
        let weights =
            Weights { alpha: weight("alpha"), beta: weight("beta"), gamma: weight("gamma"), phi: weight("phi") };
        let initial = States {
            level: number(&case["level"]),
            trend: number(&case["initial_trend"]),
            season: numbers(&case["terms"]),
        };
        let components = components(case);
        let fitted = FittedEts::with(components, weights, initial, &y);
        let name = components.name();
        let (ours, theirs) = (fitted.log_likelihood(), number(&case["loglik"]));
        assert!((ours - theirs).abs() < 1e-6 * theirs.abs(), "{name}: {ours} for {theirs}");
        let forecast = fitted.forecast(10).expect("ten steps");
        for (ours, theirs) in forecast.iter().zip(numbers(&case["forecast"])) {
            assert!((ours - theirs).abs() < 1e-8 * theirs.abs(), "{name}: {ours} for {theirs}");
        }
    }
}

#[test]
fn fits_come_near_the_likelihood_that_statsmodels_finds() {
    let figures = figures();
    let y = series(numbers(&figures["ets"]["y"]));
    for case in figures["ets"]["cases"].as_array().expect("cases") {
        let components = components(case);
        let fitted = Ets::new(components).expect("a model").fit(&y).expect("fits");
        let (ours, theirs) = (fitted.log_likelihood(), number(&case["best_loglik"]));
        // They search the seasonal terms too, ours are averages.
        assert!(ours > theirs - 4.0, "{}: {ours} for {theirs}", components.name());
    }
    let best = AutoEts::new(7).fit(&y).expect("fits");
    assert_ne!(best.components().season, Season::None, "{}", best.components().name());
}

#[test]
fn theta_is_simple_smoothing_with_half_the_slope() {
    let figures = figures();
    let case = &figures["theta"];
    let fitted = Theta.fit(&series(numbers(&case["y"]))).expect("fits");
    // They estimate the weight by maximum likelihood with a free start.
    assert!((fitted.alpha() - number(&case["alpha"])).abs() < 0.1, "{}", fitted.alpha());
    for (ours, theirs) in fitted.forecast(5).iter().zip(numbers(&case["forecast"])) {
        assert!((ours - theirs).abs() < 0.01 * theirs, "{ours} for {theirs}");
    }
}

#[test]
fn variance_of_a_total_is_that_of_simulated_paths() {
    use rand::RngExt;
    use rand::SeedableRng;
    let components =
        Components { error: ErrorKind::Additive, trend: Trend::Damped, season: Season::Additive, period: 3 };
    let weights = Weights { alpha: 0.4, beta: 0.2, gamma: 0.3, phi: 0.9 };
    let initial = || States { level: 10.0, trend: 0.5, season: vec![1.0, -2.0, 1.0] };
    let y = series(vec![11.0, 9.0, 12.5, 13.0, 9.0, 12.0, 12.0, 8.0]);
    let fitted = FittedEts::with(components, weights, initial(), &y);
    let means = fitted.forecast(5).expect("five steps");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let (mut squares, paths) = (0.0, 40_000);
    for _ in 0..paths {
        let mut values = y.values().to_vec();
        for _ in 0..5 {
            let next = FittedEts::with(components, weights, initial(), &series(values.clone()));
            // A sum of twelve uniform numbers is near enough to normal, of variance 1.
            let error: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            values.push(next.forecast(1).expect("a step")[0] + error * fitted.variance().sqrt());
        }
        let total: f64 = values[y.len()..].iter().sum::<f64>() - means.iter().sum::<f64>();
        squares += total * total;
    }
    let (simulated, ours) = (squares / f64::from(paths), fitted.total_variance(5).expect("five steps"));
    assert!((simulated / ours - 1.0).abs() < 0.03, "{ours} for {simulated}");
}

#[test]
fn every_input_gets_a_finite_answer_or_an_error_that_names_it() {
    let nan = f64::NAN;
    let inputs = [
        vec![],
        vec![nan; 20],
        vec![0.0; 30],
        vec![5.0; 30],
        vec![1.0],
        vec![3.0, nan],
        vec![1e99; 30],
        (0..30).map(|day| if day == 17 { 4.0 } else { 0.0 }).collect(),
        (0..30).map(|day| if day % 3 == 0 { nan } else { f64::from(day % 7) }).collect(),
        (0..30).map(|day| 1e90 * f64::from(day % 5)).collect(),
        (0..30).map(|day| f64::from(day) - 15.0).collect(),
    ];
    for input in inputs {
        let y = series(input.clone());
        for trend in [Trend::None, Trend::Additive, Trend::Damped] {
            for season in [Season::None, Season::Additive, Season::Multiplicative] {
                for error in [ErrorKind::Additive, ErrorKind::Multiplicative] {
                    let components = Components { error, trend, season, period: 7 };
                    if let Ok(fitted) = Ets::new(components).and_then(|ets| ets.fit(&y)) {
                        let forecast = fitted.forecast(9).expect("nine steps");
                        assert!(forecast.iter().all(|value| value.is_finite()), "{} {input:?}", components.name());
                        assert!(fitted.total_variance(3).expect("three steps").is_finite());
                    }
                }
            }
        }
        let intermittent = [
            Intermittent::Croston { alpha: 0.1 },
            Intermittent::Sba { alpha: 0.1 },
            Intermittent::Tsb { size: 0.1, probability: 0.1 },
            Intermittent::Adida,
        ];
        for method in intermittent {
            match method.fit(&y) {
                Ok(fitted) => assert!(fitted.mean().is_finite() && fitted.mean() >= 0.0, "{method:?} {input:?}"),
                Err(Error::TooShort { .. }) => assert!(y.observed() == 0),
                Err(Error::Demand { value, .. }) => assert!(value < 0.0),
                Err(error) => panic!("{error}"),
            }
        }
        if let Ok(fitted) = Theta.fit(&y) {
            assert!(fitted.forecast(3).iter().all(|value| value.is_finite()));
        }
    }
    assert!(Intermittent::Croston { alpha: 0.0 }.fit(&series(vec![1.0])).is_err());
}

#[test]
fn shifted_and_scaled_series_have_shifted_and_scaled_forecasts() {
    let y: Vec<f64> = (0..42).map(|day| 30.0 + f64::from(day * day % 11) + 3.0 * f64::from(day % 7)).collect();
    let forecast = |values: Vec<f64>| {
        let components =
            Components { error: ErrorKind::Additive, trend: Trend::Additive, season: Season::Additive, period: 7 };
        Ets::new(components).and_then(|ets| ets.fit(&series(values))?.forecast(7)).expect("fits")
    };
    let plain = forecast(y.clone());
    for (ours, plain) in forecast(y.iter().map(|value| 100.0 + 8.0 * value).collect()).iter().zip(&plain) {
        assert!((ours - 100.0 - 8.0 * plain).abs() < 1e-3 * ours.abs(), "{ours} for 100 + 8 × {plain}");
    }
    let croston = |values: Vec<f64>| Intermittent::Croston { alpha: 0.1 }.fit(&series(values)).expect("fits").mean();
    assert!((croston(y.iter().map(|value| 4.0 * value).collect()) - 4.0 * croston(y)).abs() < 1e-9);
}
