//! Inputs that no model likes: an answer in finite numbers, or an error that says why.

use linli_forecasting::arima::batch::Batch;
use linli_forecasting::arima::{Arima, Effort, FittedArima, Order, Seasonal};
use linli_forecasting::select::AutoArima;
use linli_forecasting::{Error, Regressors, Result, Series};
use proptest::prelude::*;

fn check(model: &Arima, fitted: &Result<FittedArima>) {
    let Ok(fitted) = fitted else { return };
    assert!(fitted.log_likelihood().is_finite() && fitted.sigma2() >= 0.0, "{model}");
    assert!(fitted.sigma2_adjusted().is_finite() && fitted.aic().is_finite() && fitted.bic().is_finite(), "{model}");
    for estimate in fitted.estimates() {
        assert!(estimate.value.is_finite(), "{model} {estimate:?}");
        assert!(estimate.standard_error.is_none_or(f64::is_finite), "{model} {estimate:?}");
    }
    let forecast = fitted.forecast(10).expect("ten steps");
    for step in forecast.steps() {
        assert!(step.mean.is_finite() && step.variance >= 0.0 && step.variance.is_finite(), "{model} {step:?}");
    }
    assert!(forecast.total(1..=3).variance.is_finite());
}

fn models() -> Vec<Arima> {
    let weekly = Seasonal::new(1, 1, 1, 7);
    vec![
        Arima::new(Order::new(0, 0, 0)),
        Arima::new(Order::new(0, 0, 0)).with_mean(),
        Arima::new(Order::new(1, 1, 1)),
        Arima::new(Order::new(1, 1, 1)).with_drift(),
        Arima::new(Order::new(3, 0, 2)).with_mean(),
        Arima::new(Order::new(1, 1, 1)).with_seasonal(weekly),
        Arima::new(Order::new(0, 2, 2)),
        Arima::new(Order::new(1, 0, 0)).with_mean().with_drift(),
    ]
}

/// Fits everything there is to a series.
fn everything(values: &[f64]) {
    let batch = Batch::new(Order::new(1, 1, 1)).expect("an order");
    for fit in batch.fit(&[values, values]).into_iter().flatten() {
        assert!(fit.log_likelihood().is_finite() && fit.sigma2().is_finite(), "{values:?}");
        let forecast = fit.forecast(3).expect("three steps");
        assert!(forecast.steps().all(|step| step.mean.is_finite() && step.variance.is_finite()), "{values:?}");
    }
    let Ok(series) = Series::new(values) else { return };
    for model in models() {
        for effort in [Effort::Quick, Effort::Thorough] {
            check(&model, &model.fit_with(&series, &Regressors::none(), effort));
        }
    }
    for period in [1, 7] {
        if let Ok(selected) = AutoArima::new(period).fit(&series) {
            check(&selected.fitted.model().to_owned(), &Ok(selected.fitted));
        }
    }
}

#[test]
fn degenerate_series_have_an_answer_or_a_reason() {
    let line: Vec<f64> = (0..30).map(f64::from).collect();
    let one_sale: Vec<f64> = (0..30).map(|t| f64::from(t == 11)).collect();
    let last_sale: Vec<f64> = (0..30).map(|t| f64::from(t == 29)).collect();
    let first_sale: Vec<f64> = (0..30).map(|t| f64::from(t == 0)).collect();
    let step: Vec<f64> = (0..30).map(|t| f64::from(t > 14)).collect();
    let turns: Vec<f64> = (0..30).map(|t| f64::from(t % 2)).collect();
    let weekly: Vec<f64> = (0..42).map(|t| f64::from(t % 7)).collect();
    let growing: Vec<f64> = (0..30).map(|t| 2_f64.powi(t)).collect();
    let tiny: Vec<f64> = line.iter().map(|value| value.sin() * 1e-300).collect();
    let huge: Vec<f64> = line.iter().map(|value| value.sin() * 1e99).collect();
    let far: Vec<f64> = line.iter().map(|value| 1e12 + value.sin()).collect();
    let holes: Vec<f64> =
        line.iter().map(|t| if (*t as usize).is_multiple_of(3) { t.cos() } else { f64::NAN }).collect();
    let all = [
        vec![],
        vec![0.0],
        vec![3.0; 7],
        vec![0.0; 30],
        vec![0.1; 30],
        vec![f64::NAN; 10],
        vec![f64::INFINITY; 10],
        vec![1.0, f64::NAN, 2.0],
        line,
        one_sale,
        last_sale,
        first_sale,
        step,
        turns,
        weekly,
        growing,
        tiny,
        huge,
        far,
        holes,
    ];
    for values in all {
        everything(&values);
    }
}

#[test]
fn reasons_name_the_case() {
    let model = Arima::new(Order::new(1, 1, 1));
    let fit = |values: Vec<f64>| model.fit(&Series::new(values).expect("finite")).expect_err("refused");
    assert!(matches!(fit(vec![0.0; 20]), Error::NoVariation { .. }));
    assert!(matches!(fit(vec![1.0, 2.0]), Error::TooShort { observed: 1, needed: 3, .. }));
    assert!(matches!(fit(vec![f64::NAN; 20]), Error::TooShort { observed: 0, .. }));
    let mean = Arima::new(Order::new(0, 1, 1)).with_mean();
    assert!(matches!(mean.check(), Err(Error::InvalidModel { .. })));
    // Mondays were never seen.
    let weekly = Arima::new(Order::new(0, 0, 0)).with_seasonal(Seasonal::new(0, 1, 1, 7));
    let values: Vec<f64> = (0..40).map(|t| if t % 7 == 0 { f64::NAN } else { f64::from(t).sin() }).collect();
    let unseen = weekly.fit(&Series::new(values).expect("finite")).expect_err("refused");
    assert!(matches!(unseen, Error::UnobservedSeason { .. }), "{unseen}");
    assert!(!unseen.hint().is_empty());
    let series = Series::new((0..20).map(|t| f64::from(t).sin()).collect::<Vec<f64>>()).expect("finite");
    let twice = Regressors::new(vec![vec![1.0; 20]]).expect("a column");
    let collinear = Arima::new(Order::new(0, 0, 1)).with_mean().fit_with(&series, &twice, Effort::Quick);
    assert!(matches!(collinear, Err(Error::Collinear { column, .. }) if column == "x1"));
    let fitted = model.fit(&series).expect("a fit");
    assert!(matches!(fitted.forecast(0), Err(Error::Horizon { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_series_has_an_answer_or_a_reason(
        values in prop::collection::vec(
            prop_oneof![
                4 => (0_i32..4).prop_map(f64::from),
                2 => -5.0_f64..5.0,
                1 => Just(f64::NAN),
                1 => prop_oneof![Just(1e90), Just(-1e90), Just(1e-200), Just(0.0)],
            ],
            0..40,
        )
    ) {
        everything(&values);
    }
}
