//! The likelihood against two other ways of computing it, and its gradient against differences.

use super::design::Design;
use super::dispatch::evaluate_best;
use super::lanes::{LANES, Lanes};
use super::likelihood::{Likelihood, Regression};
use super::order::{Arima, Order, Seasonal};
use super::polynomial::difference;
use super::shape::Shape;
use super::state_space::StateSpace;
use super::stationary::Stationary;
use crate::{Regressors, Series};

/// Numbers between −1 and 1 that look random and are the same everywhere.
fn noise(count: usize, seed: f64) -> Vec<f64> {
    (0..count)
        .map(|t| ((t as f64 + 1.0) * (12.9898 + seed)).sin() * 43758.5453)
        .map(|x| 2.0 * (x - x.floor()) - 1.0)
        .collect()
}

/// A wandering series with a season.
fn demand(count: usize) -> Vec<f64> {
    let mut level = 20.0;
    let errors = noise(count, 0.0);
    (0..count)
        .map(|t| {
            level += 0.4 * errors[t];
            level + errors[(t * 7 + 3) % count] + (t % 4) as f64
        })
        .collect()
}

fn models() -> Vec<Arima> {
    vec![
        Arima::new(Order::new(1, 0, 1)).with_mean(),
        Arima::new(Order::new(3, 0, 0)).with_mean(),
        Arima::new(Order::new(0, 1, 3)),
        Arima::new(Order::new(2, 1, 2)).with_drift(),
        Arima::new(Order::new(1, 0, 1)).with_seasonal(Seasonal::new(1, 0, 1, 4)).with_mean(),
        Arima::new(Order::new(0, 1, 1)).with_seasonal(Seasonal::new(0, 1, 1, 4)),
        Arima::new(Order::new(1, 2, 1)),
    ]
}

/// Coefficients inside of the stationary and invertible region.
fn coefficients(shape: Shape, seed: f64) -> Vec<f64> {
    let mut coefficients = vec![0.0; shape.coefficients()];
    let angles: Vec<f64> = noise(shape.coefficients(), seed).iter().map(|x| 1.2 * x).collect();
    shape.coefficients_at(&angles, &mut coefficients);
    coefficients
}

fn expanded(shape: Shape, coefficients: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut phi, mut theta) = (vec![0.0; shape.phi_len()], vec![0.0; shape.theta_len()]);
    shape.expand(coefficients, &mut phi, &mut theta);
    (phi, theta)
}

/// Autocovariances by the weights of the infinite moving average: slow, and nothing in common with the filter.
fn autocovariances(phi: &[f64], theta: &[f64], count: usize) -> Vec<f64> {
    const WEIGHTS: usize = 20_000;
    let mut psi: Vec<f64> = Vec::with_capacity(WEIGHTS);
    for k in 0..WEIGHTS {
        let own = if k == 0 { 1.0 } else { theta.get(k - 1).copied().unwrap_or(0.0) };
        let past: f64 = phi.iter().take(k).enumerate().map(|(j, phi)| phi * psi[k - 1 - j]).sum();
        psi.push(own + past);
    }
    (0..count).map(|lag| psi.iter().skip(lag).zip(&psi).map(|(a, b)| a * b).sum()).collect()
}

/// `½ log(S/n) + log|Σ| / 2n` with the regression concentrated out, by the Cholesky factor of the whole covariance.
fn dense_value(design: &Design, phi: &[f64], theta: &[f64]) -> f64 {
    let n = design.response.len();
    let gamma = autocovariances(phi, theta, n);
    let mut root = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| root[i][k] * root[j][k]).sum();
            let rest = gamma[i - j] - known;
            root[i][j] = if i == j { rest.sqrt() } else { rest / root[j][j] };
        }
    }
    let whitened = |x: &[f64]| {
        let mut solved = x.to_vec();
        for i in 0..n {
            let known: f64 = (0..i).map(|k| root[i][k] * solved[k]).sum();
            solved[i] = (solved[i] - known) / root[i][i];
        }
        solved
    };
    let mut response = whitened(&design.response);
    let mut units: Vec<Vec<f64>> = Vec::new();
    for column in &design.columns {
        let mut column = whitened(column);
        for unit in &units {
            let weight: f64 = unit.iter().zip(&column).map(|(a, b)| a * b).sum();
            column.iter_mut().zip(unit).for_each(|(value, unit)| *value -= weight * unit);
        }
        let norm = column.iter().map(|value| value * value).sum::<f64>().sqrt();
        column.iter_mut().for_each(|value| *value /= norm);
        let weight: f64 = column.iter().zip(&response).map(|(a, b)| a * b).sum();
        response.iter_mut().zip(&column).for_each(|(value, unit)| *value -= weight * unit);
        units.push(column);
    }
    let squares: f64 = response.iter().map(|value| value * value).sum();
    let log_determinant: f64 = (0..n).map(|i| 2.0 * root[i][i].ln()).sum();
    0.5 * ((squares / n as f64).ln() + log_determinant / n as f64)
}

#[test]
fn the_filter_gives_the_density_of_the_whole_covariance() {
    let series = Series::new(demand(60)).expect("finite");
    for (number, model) in models().iter().enumerate() {
        let design = Design::new(model, &series, &Regressors::none()).expect("a problem");
        let shape = Shape::of(model);
        let coefficients = coefficients(shape, number as f64);
        let (phi, theta) = expanded(shape, &coefficients);
        let found = Likelihood::<f64>::new(&[&design], shape).evaluate(&coefficients, Regression::Concentrated, None);
        let dense = dense_value(&design, &phi, &theta);
        assert!((found - dense).abs() < 1e-9, "{model}: {found} {dense}");
    }
}

/// Gaps as columns of the regression, on differences, against the filter on levels with an exact diffuse start.
#[test]
fn gaps_have_the_likelihood_of_the_filter_on_levels() {
    let mut values = demand(70);
    for gap in [0, 5, 6, 7, 30, 31, 69] {
        values[gap] = f64::NAN;
    }
    let series = Series::new(values.clone()).expect("finite");
    let without_regression = models().into_iter().filter(|model| !model.has_mean() && !model.has_drift());
    let mut tried = 0;
    for (number, model) in without_regression.enumerate() {
        let design = Design::new(&model, &series, &Regressors::none()).expect("a problem");
        let shape = Shape::of(&model);
        let coefficients = coefficients(shape, number as f64);
        let (phi, theta) = expanded(shape, &coefficients);
        let found = Likelihood::<f64>::new(&[&design], shape).evaluate(&coefficients, Regression::Concentrated, None);
        let mut start = Stationary::default();
        assert!(start.compute(&phi, &theta));
        let seasonal = model.seasonal();
        let space = StateSpace::new(&phi, &theta, &difference(model.order().d, seasonal.d, seasonal.period));
        let scaled: Vec<f64> = values.iter().map(|value| value / design.scale).collect();
        let seen = space.filter(&scaled, space.start(&start.column));
        let n = seen.used as f64;
        assert_eq!(seen.used, design.effective(), "{model}");
        let levels = 0.5 * ((seen.sum_of_squares / n).ln() + (seen.log_variances + seen.log_diffuse) / n);
        assert!((found - levels).abs() < 1e-8, "{model}: {found} {levels}");
        tried += 1;
    }
    assert!(tried >= 3);
}

#[test]
fn gradients_are_derivatives() {
    let mut values = demand(50);
    for gap in [3, 20, 21] {
        values[gap] = f64::NAN;
    }
    let series = Series::new(values).expect("finite");
    let regressors = Regressors::new(vec![noise(50, 5.0)]).expect("finite");
    for (number, model) in models().iter().enumerate() {
        let design = Design::new(model, &series, &regressors).expect("a problem");
        let shape = Shape::of(model);
        let count = shape.coefficients();
        let mut likelihood = Likelihood::<f64>::new(&[&design], shape);
        let point = coefficients(shape, number as f64);
        let mut gradient = vec![0.0; count];
        likelihood.evaluate(&point, Regression::Concentrated, Some(&mut gradient));
        for (i, found) in gradient.iter().enumerate() {
            let numeric = central(&point, i, |moved| likelihood.evaluate(moved, Regression::Concentrated, None));
            assert!((numeric - found).abs() < 1e-6 * (1.0 + numeric.abs()), "{model} {i}: {numeric} {found}");
        }
        let given: Vec<f64> = noise(design.columns.len(), 9.0).iter().map(|x| 0.5 * x).collect();
        let all: Vec<f64> = point.iter().chain(&given).copied().collect();
        let mut gradient = vec![0.0; all.len()];
        likelihood.evaluate(&point, Regression::Given(&given), Some(&mut gradient));
        for (i, found) in gradient.iter().enumerate() {
            let numeric = central(&all, i, |moved| {
                likelihood.evaluate(&moved[..count], Regression::Given(&moved[count..]), None)
            });
            assert!((numeric - found).abs() < 1e-6 * (1.0 + numeric.abs()), "{model} {i}: {numeric} {found}");
        }
    }
}

/// Lanes are other points, other steps of the steady filter, and the same numbers.
#[test]
fn eight_points_at_a_time_are_one_at_a_time() {
    let mut values = demand(50);
    values[11] = f64::NAN;
    let series = Series::new(values).expect("finite");
    for model in models() {
        let design = Design::new(&model, &series, &Regressors::none()).expect("a problem");
        let shape = Shape::of(&model);
        let points: Vec<Vec<f64>> = (0..LANES).map(|lane| coefficients(shape, 3.0 * lane as f64)).collect();
        let side_by_side: Vec<Lanes> =
            (0..shape.coefficients()).map(|i| Lanes(std::array::from_fn(|lane| points[lane][i]))).collect();
        let mut gradients = vec![Lanes::ZERO; shape.coefficients()];
        let mut likelihood = Likelihood::<Lanes>::new(&[&design], shape);
        let found = evaluate_best(&mut likelihood, &side_by_side, Some(&mut gradients));
        let mut single = Likelihood::<f64>::new(&[&design], shape);
        for (lane, point) in points.iter().enumerate() {
            let mut gradient = vec![0.0; shape.coefficients()];
            let value = single.evaluate(point, Regression::Concentrated, Some(&mut gradient));
            assert!((value - found.0[lane]).abs() < 1e-11, "{model}: {value} {}", found.0[lane]);
            for (one, eight) in gradient.iter().zip(&gradients) {
                assert!((one - eight.0[lane]).abs() < 1e-9 * (1.0 + one.abs()), "{model}: {one} {}", eight.0[lane]);
            }
        }
    }
}

fn central(point: &[f64], i: usize, mut value: impl FnMut(&[f64]) -> f64) -> f64 {
    const STEP: f64 = 1e-6;
    let (mut up, mut down) = (point.to_vec(), point.to_vec());
    up[i] += STEP;
    down[i] -= STEP;
    (value(&up) - value(&down)) / (2.0 * STEP)
}
