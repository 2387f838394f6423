//! What is expected after the last observation: means, variances, and the distribution of sums of steps.

use std::ops::RangeInclusive;

use super::state_space::{State, StateSpace};
use crate::special::normal_quantile;
use crate::{Error, Result};

/// Steps that one forecast may cover.
pub const HORIZON_MAX: usize = 1000;

/// Mean and variance of a Gaussian prediction, in the unit of the series and its square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    pub mean: f64,
    pub variance: f64,
}

impl Prediction {
    /// The central interval that holds the value with probability `level`, as in 0.8.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        let half = normal_quantile(0.5 + 0.5 * level) * self.variance.sqrt();
        (self.mean - half, self.mean + half)
    }

    /// The value that is not exceeded with probability `probability`.
    pub fn quantile(&self, probability: f64) -> f64 {
        self.mean + normal_quantile(probability) * self.variance.sqrt()
    }
}

/// The joint Gaussian prediction of the steps `1 … h`.
///
/// Parameters are taken as known, as R does: `Cov(y_{n+i}, y_{n+j}) = σ² Z T^{j−i} Pᵢ Zᵀ` for `i ≤ j`, where `Pᵢ` is the
/// covariance of the state `i` steps ahead. Without gaps near the end that is `σ² Σₖ ψₖ ψₖ₊ⱼ₋ᵢ`, `k = 0 … i−1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    means: Vec<f64>,
    /// Row `i` holds `Cov(i, j)` for `j ≥ i`.
    covariances: Vec<Vec<f64>>,
}

impl Forecast {
    pub(super) fn new(space: &StateSpace, state: &State, variance: f64, horizon: usize) -> Result<Forecast> {
        if horizon == 0 || horizon > HORIZON_MAX {
            return Err(Error::Horizon { steps: horizon, limit: HORIZON_MAX });
        }
        let (mut mean, mut covariance) = (state.mean.clone(), state.covariance.clone());
        let mut means = Vec::with_capacity(horizon);
        let mut covariances = Vec::with_capacity(horizon);
        for step in 0..horizon {
            means.push(space.observe(&mean));
            let mut with_value = space.covariance_with_value(&covariance);
            let mut row = Vec::with_capacity(horizon - step);
            row.push(variance * space.observe(&with_value).max(0.0));
            for _ in step + 1..horizon {
                space.advance(&mut with_value);
                row.push(variance * space.observe(&with_value));
            }
            covariances.push(row);
            space.advance(&mut mean);
            space.predict_covariance(&mut covariance);
        }
        Ok(Forecast { means, covariances })
    }

    pub(super) fn add(&mut self, step: usize, value: f64) {
        self.means[step - 1] += value;
    }

    /// Steps covered.
    pub fn horizon(&self) -> usize {
        self.means.len()
    }

    /// The prediction of one step, from 1.
    ///
    /// # Panics
    /// Where the step is 0 or past the horizon.
    pub fn step(&self, step: usize) -> Prediction {
        Prediction { mean: self.means[step - 1], variance: self.covariances[step - 1][0] }
    }

    /// All steps in order.
    pub fn steps(&self) -> impl Iterator<Item = Prediction> {
        (1..=self.horizon()).map(|step| self.step(step))
    }

    /// Covariance of two steps, from 1.
    ///
    /// # Panics
    /// Where a step is 0 or past the horizon.
    pub fn covariance(&self, a: usize, b: usize) -> f64 {
        let (first, second) = (a.min(b), a.max(b));
        self.covariances[first - 1][second - first]
    }

    /// The prediction of the sum over steps, as over a lead time: `Σ μᵢ` and `Σᵢ Σⱼ Cov(i, j)`.
    ///
    /// # Panics
    /// Where the steps are not within the horizon.
    pub fn total(&self, steps: RangeInclusive<usize>) -> Prediction {
        let mut total = Prediction { mean: 0.0, variance: 0.0 };
        for i in steps.clone() {
            total.mean += self.means[i - 1];
            let row = &self.covariances[i - 1][..=steps.end() - i];
            total.variance += row[0] + 2.0 * row[1..].iter().sum::<f64>();
        }
        total.variance = total.variance.max(0.0);
        total
    }
}
