//! What must hold for every series.

use linli_forecasting::arima::batch::{Batch, BatchFit};
use linli_forecasting::arima::{Arima, Effort, FittedArima, Order, Seasonal, Term};
use linli_forecasting::{Regressors, Series};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
}

/// A wandering series with a weekly season.
fn wandering(seed: u64, length: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut level = 10.0;
    (0..length)
        .map(|t| {
            level += 0.5 * normal(&mut random);
            level + normal(&mut random) + 2.0 * f64::from(t as u32 % 7 == 5)
        })
        .collect()
}

/// Counts, many of them zero.
fn counts(seed: u64, length: usize, rate: f64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..length)
        .map(|_| {
            let (floor, mut product, mut count) = ((-rate).exp(), random.random::<f64>(), 0.0);
            while product > floor {
                count += 1.0;
                product *= random.random::<f64>();
            }
            count
        })
        .collect()
}

fn models() -> Vec<Arima> {
    vec![
        Arima::new(Order::new(1, 1, 1)),
        Arima::new(Order::new(1, 0, 1)).with_mean(),
        Arima::new(Order::new(2, 0, 0)).with_mean().with_drift(),
        Arima::new(Order::new(0, 1, 1)).with_seasonal(Seasonal::new(0, 1, 1, 7)),
        Arima::new(Order::new(1, 0, 0)).with_seasonal(Seasonal::new(1, 0, 0, 7)).with_mean(),
    ]
}

fn fit(model: &Arima, values: Vec<f64>) -> FittedArima {
    model.fit(&Series::new(values).expect("finite")).unwrap_or_else(|error| panic!("{model}: {error}"))
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `a·y + b` has forecasts `a·ŷ + b`, standard deviations `|a|·s`, and a log-likelihood less by `n log |a|`.
    #[test]
    fn shift_and_scale_go_through(seed in 0_u64..1000, scale in -6_i32..6, shift in -1000.0_f64..1000.0, turn in any::<bool>()) {
        let values = wandering(seed, 50);
        let factor = 10_f64.powi(scale) * if turn { -1.0 } else { 1.0 };
        let changed: Vec<f64> = values.iter().map(|value| factor * (value + shift)).collect();
        for model in models() {
            let (plain, moved) = (fit(&model, values.clone()), fit(&model, changed.clone()));
            let n = plain.effective_observations() as f64;
            let expected = plain.log_likelihood() - n * factor.abs().ln();
            prop_assert!(near(moved.log_likelihood(), expected, 1e-4), "{model}: {} {expected}", moved.log_likelihood());
            let (before, after) = (plain.forecast(5).expect("steps"), moved.forecast(5).expect("steps"));
            for (before, after) in before.steps().zip(after.steps()) {
                let deviation = before.variance.sqrt();
                prop_assert!(near(after.mean / factor - shift, before.mean, 0.02 * deviation), "{model}");
                prop_assert!(near(after.variance.sqrt() / factor.abs(), deviation, 0.02 * deviation), "{model}");
            }
        }
    }

    /// A batch gives a series the same bits alone, in company, in any order and on any number of threads.
    #[test]
    fn company_order_and_threads_change_nothing(seed in 0_u64..1000, count in 1_usize..60, turn in 0_usize..60) {
        let lengths = [7, 8, 30];
        let all: Vec<Vec<f64>> = (0..count)
            .map(|i| counts(seed * 100 + i as u64, lengths[i % 3], 0.2 + i as f64 * 0.1))
            .collect();
        let views: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
        let batch = Batch::new(Order::new(1, 1, 1)).expect("an order");
        let together = batch.fit(&views);
        let mut turned = views.clone();
        turned.rotate_left(turn % count);
        let mut elsewhere = batch.fit(&turned);
        elsewhere.rotate_right(turn % count);
        prop_assert_eq!(&together, &elsewhere);
        for (view, fit) in views.iter().zip(&together) {
            prop_assert_eq!(&batch.fit(&[*view])[0], fit);
        }
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            prop_assert_eq!(&pool.install(|| batch.fit_in_parallel(&views)), &together);
        }
    }

    /// The batch finds what many starts find, and forecasts what the single fit forecasts.
    #[test]
    fn a_batch_is_as_good_as_single_fits(seed in 0_u64..10_000, length in 7_usize..80, rate in 0.1_f64..6.0) {
        let mut all: Vec<Vec<f64>> = (0..12).map(|i| counts(seed * 50 + i, length, rate)).collect();
        all.push(wandering(seed, length));
        let views: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
        for order in [Order::new(1, 1, 1), Order::new(0, 1, 1), Order::new(1, 0, 0), Order::new(0, 0, 1), Order::new(1, 2, 1)] {
            let fits = Batch::new(order).expect("an order").fit(&views);
            for (values, fit) in all.iter().zip(fits) {
                let single = Arima::new(order).fit(&Series::new(values.clone()).expect("finite"));
                let (fit, single): (BatchFit, FittedArima) = match (fit, single) {
                    (Ok(fit), Ok(single)) => (fit, single),
                    (Err(fit), Err(single)) => {
                        prop_assert_eq!(fit.to_string(), single.to_string());
                        continue;
                    }
                    (fit, single) => panic!("{values:?}: {:?} {:?}", fit.err(), single.err()),
                };
                let behind = single.log_likelihood() - fit.log_likelihood();
                prop_assert!(behind < 0.01, "{order:?} {values:?}: {behind}");
                // Two hills may be equally high; forecasts are those of the hill.
                let at = |term| single.coefficient(term).unwrap_or(0.0);
                let same_hill = near(fit.ar(), at(Term::Ar(1)), 1e-3) && near(fit.ma(), at(Term::Ma(1)), 1e-3);
                if same_hill {
                    let (a, b) = (fit.forecast(4).expect("steps"), single.forecast(4).expect("steps"));
                    let deviation = b.step(1).variance.sqrt();
                    prop_assert!(near(a.total(1..=4).mean, b.total(1..=4).mean, 0.1 * deviation), "{order:?} {values:?}");
                    let ratio = a.total(1..=4).variance / b.total(1..=4).variance;
                    prop_assert!(near(ratio, 1.0, 0.1), "{order:?} {values:?}: {ratio}");
                }
            }
        }
    }
}

/// Sums of steps: the variance that the model gives is the one of simulated futures.
#[test]
fn sums_of_steps_have_the_variance_of_simulated_sums() {
    const PATHS: usize = 40_000;
    const STEPS: usize = 9;
    let fitted = fit(&Arima::new(Order::new(1, 1, 1)).with_seasonal(Seasonal::new(1, 0, 0, 7)), wandering(3, 90));
    let estimates: Vec<f64> = fitted.estimates().iter().map(|estimate| estimate.value).collect();
    let (ar, ma, sar) = (estimates[0], estimates[1], estimates[2]);
    let forecast = fitted.forecast(STEPS).expect("steps");
    let deviation = fitted.sigma2_adjusted().sqrt();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let ranges = [(1, 2), (1, 3), (2, 3), (4, 9)];
    let mut squares = [0.0; 4];
    for _ in 0..PATHS {
        // Errors of the forecast follow the model from zero.
        let errors: Vec<f64> = (0..STEPS).map(|_| deviation * normal(&mut random)).collect();
        let mut changes = [0.0; STEPS];
        let mut level = 0.0;
        let mut levels = [0.0; STEPS];
        for t in 0..STEPS {
            let back = |lag: usize| if t >= lag { changes[t - lag] } else { 0.0 };
            changes[t] = ar * back(1) + sar * back(7) - ar * sar * back(8) + errors[t];
            changes[t] += if t > 0 { ma * errors[t - 1] } else { 0.0 };
            level += changes[t];
            levels[t] = level;
        }
        for (sum, (from, to)) in squares.iter_mut().zip(ranges) {
            *sum += levels[from - 1..to].iter().sum::<f64>().powi(2);
        }
    }
    for (sum, (from, to)) in squares.iter().zip(ranges) {
        let simulated = sum / PATHS as f64;
        let ratio = forecast.total(from..=to).variance / simulated;
        assert!(near(ratio, 1.0, 0.03), "{from}..={to}: {ratio}");
    }
}

#[test]
fn regressors_are_found_and_used() {
    let promoted: Vec<f64> = (0..80).map(|t| f64::from(t % 9 == 4)).collect();
    let values: Vec<f64> =
        wandering(11, 80).iter().zip(&promoted).map(|(value, promoted)| value + 25.0 * promoted).collect();
    let known = Regressors::new(vec![promoted]).expect("a column");
    let model = Arima::new(Order::new(0, 1, 1));
    let fitted = model.fit_with(&Series::new(values).expect("finite"), &known, Effort::Thorough).expect("a fit");
    let effect = fitted.estimates()[1];
    assert!(near(effect.value, 25.0, 3.0 * effect.standard_error.expect("an error")), "{effect:?}");
    assert!(fitted.forecast(2).is_err(), "the future of the regressor is needed");
    let future = Regressors::new(vec![vec![0.0, 1.0]]).expect("a column");
    let forecast = fitted.forecast_with(&future).expect("steps");
    assert!(near(forecast.step(2).mean - forecast.step(1).mean, effect.value, 1e-9));
}

#[test]
fn many_series_are_fitted_alike_on_any_number_of_threads() {
    let series: Vec<Series> = (0..20).map(|seed| Series::new(wandering(seed, 40)).expect("finite")).collect();
    let model = Arima::new(Order::new(1, 0, 1)).with_mean();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| model.fit_in_parallel(&series, Effort::Thorough))
    };
    assert_eq!(run(1), run(4));
}
