//! Variance over mean of a forecast, learnt from errors at earlier origins over many series.
//!
//! `E[(y − μ)² / μ] = exp(x'β)`: a gamma regression with log link (McCullagh and Nelder 1989, chapter 10), where `x` holds
//! the mean and how the series itself was spread. One series is too short to tell its spread; a thousand are not.

use crate::panel::ExactSum;
use crate::special::solve;

/// Numbers that describe a series for [`Dispersion`].
pub const FEATURES: usize = 6;
/// An error this many times larger than expected counts as that many times: one festival does not move a whole class.
const RATIO_MAX: f64 = 30.0;
const ROUNDS: usize = 12;
const RIDGE: f64 = 1.0;
/// Selling days whose weight the general spread has in that of a series.
const PRIOR_UNITS: f64 = 10.0;

/// What tells the spread of a series, from its history (`NaN` where not seen) and the forecast mean.
pub fn features(history: &[f64], mean: f64) -> [f64; FEATURES] {
    let (long_mean, long) = excess(history, 0.5);
    let (recent_mean, recent) = excess(&history[history.len().saturating_sub(28)..], long);
    let log_mean = (mean.clamp(0.0, 1e9) + 0.05).ln();
    [
        1.0,
        log_mean,
        (long + 0.05).ln(),
        (recent + 0.05).ln(),
        ((recent_mean + 0.02) / (long_mean + 0.02)).ln(),
        0.1 * log_mean * log_mean,
    ]
}

/// Mean, and variance over mean less 1, drawn to `prior` where few units were sold.
fn excess(history: &[f64], prior: f64) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in history.iter().filter(|value| !value.is_nan()) {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    if count < 2.0 || sum <= 0.0 {
        return (0.0, prior);
    }
    let mean = sum / count;
    let variance = (squares - sum * mean).max(0.0) / (count - 1.0);
    (mean, (sum * (variance / mean - 1.0).max(0.0) + PRIOR_UNITS * prior) / (sum + PRIOR_UNITS))
}

/// An earlier forecast and what came.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    pub features: [f64; FEATURES],
    pub mean: f64,
    pub came: f64,
}

/// The regression, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispersion {
    coefficients: [f64; FEATURES],
}

impl Dispersion {
    /// Any number of observations; without one the variance is the spread of the series itself.
    pub fn fit(observations: &[Observation]) -> Dispersion {
        // Where nothing is learnt: half the spread of the long history.
        let prior = [0.4, 0.0, 0.5, 0.0, 0.0, 0.0];
        let usable = |o: &&Observation| o.mean > 1e-6 && o.mean.is_finite() && o.came.is_finite();
        let weight = |o: &Observation| o.mean / (o.mean + 1.0);
        let mut normal = [[ExactSum::default(); FEATURES]; FEATURES];
        for o in observations.iter().filter(usable) {
            for (row, of_row) in normal.iter_mut().zip(o.features) {
                for (sum, of_column) in row.iter_mut().zip(o.features) {
                    sum.add(weight(o) * of_row * of_column);
                }
            }
        }
        let matrix: [[f64; FEATURES]; FEATURES] =
            std::array::from_fn(|i| std::array::from_fn(|j| normal[i][j].value() + if i == j { RIDGE } else { 0.0 }));
        let mut coefficients = prior;
        for _ in 0..ROUNDS {
            let current = Dispersion { coefficients };
            let mut slope = [ExactSum::default(); FEATURES];
            for o in observations.iter().filter(usable) {
                let error = (o.came - o.mean) * (o.came - o.mean) / o.mean;
                let relative = (error / current.raw(&o.features)).min(RATIO_MAX) - 1.0;
                for (sum, feature) in slope.iter_mut().zip(o.features) {
                    sum.add(weight(o) * relative * feature);
                }
            }
            let right = std::array::from_fn(|i| slope[i].value() + RIDGE * (prior[i] - coefficients[i]));
            let Some(step) = solve(matrix, right) else { break };
            for (coefficient, step) in coefficients.iter_mut().zip(step) {
                *coefficient += step.clamp(-1.0, 1.0);
            }
        }
        Dispersion { coefficients }
    }

    fn raw(&self, features: &[f64; FEATURES]) -> f64 {
        let exponent: f64 = self.coefficients.iter().zip(features).map(|(c, x)| c * x).sum();
        exponent.clamp(-7.0, 12.0).exp()
    }

    /// Variance over mean, at least 1.
    pub fn ratio(&self, features: &[f64; FEATURES]) -> f64 {
        self.raw(features).max(1.0)
    }
}
