//! Thousands of short series of one order, fitted eight at a time in lock step.
//!
//! For `ARIMA(p,d,q)` with `p, q ≤ 1`, without mean, regressors or season, as document 1's restock rule takes it for
//! every community and product. The likelihood is the exact one of [`Arima::fit`](super::Arima::fit); how it is found
//! is in `arma` and `solve`. Series with gaps are fitted one by one.

pub(super) mod arma;
pub(super) mod solve;

use rayon::prelude::*;

use super::dispatch::solve_best;
use super::fitted::corrected;
use super::forecast::Forecast;
use super::lanes::{LANES, Lanes};
use super::order::{Arima, DIFFERENCES_MAX, Order, Term};
use super::polynomial::difference;
use super::state_space::{State, StateSpace};
use crate::{Error, Result, Series};
use arma::Block;
use solve::{Free, Solution};

/// Series that one task fits; several blocks, so that handing out costs nothing against the work.
const TASK: usize = 32 * LANES;
/// Variation below this, relative to the values, is rounding.
const ROUNDING: f64 = 1e-13;

/// The order that all series of a batch are fitted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    order: Order,
}

/// One series' fit; made by [`Batch::fit`].
#[derive(Clone, Debug, PartialEq)]
pub struct BatchFit {
    order: Order,
    phi: f64,
    theta: f64,
    log_likelihood: f64,
    sigma2: f64,
    effective: usize,
    end: End,
}

/// Where a forecast goes on from.
#[derive(Clone, Debug, PartialEq)]
enum End {
    /// The expected next difference, its variance over σ², and the last levels, newest first.
    Complete { difference: f64, variance: f64, levels: [f64; DIFFERENCES_MAX] },
    /// Of a series with gaps.
    Gaps(Box<(StateSpace, State)>),
}

impl Batch {
    /// # Errors
    /// [`Error::InvalidModel`] where `p` or `q` is above 1 or `d` above 3.
    pub fn new(order: Order) -> Result<Batch> {
        Arima::new(order).check()?;
        if order.p > 1 || order.q > 1 {
            let reason = "a batch takes at most one coefficient of each kind";
            return Err(Error::InvalidModel { model: Arima::new(order).to_string(), reason });
        }
        Ok(Batch { order })
    }

    /// Fits each series on this thread; results in the order of the series, each as if it had been fitted alone.
    ///
    /// # Errors
    /// One for each series, as of [`Arima::fit`](super::Arima::fit).
    pub fn fit(&self, series: &[&[f64]]) -> Vec<Result<BatchFit>> {
        // Series of one length share a block.
        let mut order: Vec<usize> = (0..series.len()).collect();
        order.sort_by_key(|&i| series[i].len());
        let mut results: Vec<Option<Result<BatchFit>>> = series.iter().map(|_| None).collect();
        let mut block: Vec<Prepared<'_>> = Vec::with_capacity(LANES);
        for i in order {
            if block.first().is_some_and(|first| first.levels.len() != series[i].len()) || block.len() == LANES {
                self.fit_block(&mut block, &mut results);
            }
            match self.prepare(i, series[i]) {
                Ok(Some(prepared)) => block.push(prepared),
                Ok(None) => results[i] = Some(self.fit_single(series[i])),
                Err(error) => results[i] = Some(Err(error)),
            }
        }
        self.fit_block(&mut block, &mut results);
        results.into_iter().flatten().collect()
    }

    /// As [`Batch::fit`], on the threads of the current rayon pool; the results are the same on any number of them.
    pub fn fit_in_parallel(&self, series: &[&[f64]]) -> Vec<Result<BatchFit>> {
        series.par_chunks(TASK).flat_map_iter(|chunk| self.fit(chunk)).collect()
    }

    fn model(&self) -> Arima {
        Arima::new(self.order)
    }

    /// Differences and scale of a series; `None` where it has gaps.
    fn prepare<'a>(&self, index: usize, levels: &'a [f64]) -> Result<Option<Prepared<'a>>> {
        if levels.iter().any(|value| value.is_nan()) {
            return Ok(None);
        }
        let bad = |value: &f64| value.abs() >= crate::series::MAGNITUDE_MAX;
        if let Some(position) = levels.iter().position(bad) {
            return Err(Error::NotFinite { position, value: levels[position] });
        }
        let needed = self.order.p + self.order.q + 1;
        let effective = levels.len().saturating_sub(self.order.d);
        if effective < needed {
            return Err(Error::TooShort { model: self.model().to_string(), observed: effective, needed });
        }
        let mut steps = levels.to_vec();
        for _ in 0..self.order.d {
            for t in (1..steps.len()).rev() {
                steps[t] -= steps[t - 1];
            }
            steps.remove(0);
        }
        let largest = |values: &[f64]| values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let peak = largest(&steps);
        if peak <= ROUNDING * largest(levels) {
            return Err(Error::NoVariation { model: self.model().to_string() });
        }
        let squares: f64 = steps.iter().map(|value| (value / peak).powi(2)).sum();
        let scale = peak * (squares / effective as f64).sqrt();
        steps.iter_mut().for_each(|value| *value /= scale);
        Ok(Some(Prepared { index, levels, steps, scale }))
    }

    fn fit_single(&self, levels: &[f64]) -> Result<BatchFit> {
        let fitted = self.model().fit(&Series::new(levels)?)?;
        Ok(BatchFit {
            order: self.order,
            phi: fitted.coefficient(Term::Ar(1)).unwrap_or(0.0),
            theta: fitted.coefficient(Term::Ma(1)).unwrap_or(0.0),
            log_likelihood: fitted.log_likelihood(),
            sigma2: fitted.sigma2(),
            effective: fitted.effective_observations(),
            end: End::Gaps(Box::new((fitted.space().clone(), fitted.state().clone()))),
        })
    }

    fn fit_block(&self, block: &mut Vec<Prepared<'_>>, results: &mut [Option<Result<BatchFit>>]) {
        let Some(first) = block.first() else { return };
        let length = first.steps.len();
        // Lanes without a series repeat the first.
        let lane = |lane: usize| block.get(lane).unwrap_or(first);
        let steps: Vec<Lanes> = (0..length).map(|t| Lanes(std::array::from_fn(|i| lane(i).steps[t]))).collect();
        let free = Free { phi: self.order.p > 0, theta: self.order.q > 0 };
        let solution = solve_best(&Block { steps: &steps }, free);
        for (lane, prepared) in block.drain(..).enumerate() {
            results[prepared.index] = Some(self.finish(&solution, lane, &prepared));
        }
    }

    fn finish(&self, solution: &Solution, lane: usize, prepared: &Prepared<'_>) -> Result<BatchFit> {
        let (phi, theta) = (solution.phi.0[lane], solution.theta.0[lane]);
        let deviance = solution.value.deviance.0[lane];
        let n = prepared.steps.len() as f64;
        // −2ℓ = N log(2π S / N) + N + log|Ω|, back in the unit of the series.
        let constant = n * (1.0 + (2.0 * std::f64::consts::PI / n).ln());
        let log_likelihood = -0.5 * (deviance + constant) - n * prepared.scale.ln();
        if !log_likelihood.is_finite() {
            return Err(Error::NoOptimum { model: self.model().to_string() });
        }
        let sigma2 = solution.value.squares.0[lane] / n * prepared.scale * prepared.scale;
        // The last error given the sample, and its variance: Var(x | sample) = δ / (1 + δ s), through c.
        let (z, z_before, c) = (solution.last.z.0[lane], solution.last.z_before.0[lane], solution.last.c.0[lane]);
        let error = z - phi * z_before - solution.value.start.0[lane] * c;
        let start_variance = (phi + theta).powi(2) / ((1.0 - phi) * (1.0 + phi)) / solution.value.determinant.0[lane];
        let error_variance = start_variance * c * c;
        let w = prepared.steps[prepared.steps.len() - 1];
        let mut levels = [0.0; DIFFERENCES_MAX];
        for (to, level) in levels.iter_mut().zip(prepared.levels.iter().rev()) {
            *to = *level;
        }
        let end = End::Complete {
            difference: (phi * w + theta * error) * prepared.scale,
            variance: 1.0 + theta * theta * error_variance,
            levels,
        };
        Ok(BatchFit { order: self.order, phi, theta, log_likelihood, sigma2, effective: prepared.steps.len(), end })
    }
}

/// A series ready for a lane.
struct Prepared<'a> {
    index: usize,
    levels: &'a [f64],
    steps: Vec<f64>,
    scale: f64,
}

impl BatchFit {
    /// The order that was fitted.
    pub const fn order(&self) -> Order {
        self.order
    }

    /// `φ₁`; 0 where the order has none.
    pub const fn ar(&self) -> f64 {
        self.phi
    }

    /// `θ₁`; 0 where the order has none.
    pub const fn ma(&self) -> f64 {
        self.theta
    }

    /// As of [`FittedArima::log_likelihood`](super::FittedArima::log_likelihood).
    pub const fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The maximum-likelihood estimate of the innovations' variance.
    pub const fn sigma2(&self) -> f64 {
        self.sigma2
    }

    /// Observations less differences.
    pub const fn effective_observations(&self) -> usize {
        self.effective
    }

    /// As of [`FittedArima::aicc`](super::FittedArima::aicc).
    pub fn aicc(&self) -> Option<f64> {
        corrected(self.log_likelihood, self.order.p + self.order.q + 1, self.effective)
    }

    /// As of [`FittedArima::forecast`](super::FittedArima::forecast).
    ///
    /// # Errors
    /// [`Error::Horizon`].
    pub fn forecast(&self, horizon: usize) -> Result<Forecast> {
        let freedom = self.effective - self.order.p - self.order.q;
        let variance = self.sigma2 * self.effective as f64 / freedom as f64;
        let (next, next_variance, levels) = match &self.end {
            End::Complete { difference, variance, levels } => (*difference, *variance, levels),
            End::Gaps(end) => return Forecast::new(&end.0, &end.1, variance, horizon),
        };
        let (ar, ma) = ([self.phi], [self.theta]);
        let (ar, ma) = (&ar[..self.order.p], &ma[..self.order.q]);
        let space = StateSpace::new(ar, ma, &difference(self.order.d, 0, 1));
        let differenced = State::of_two(next, next_variance, self.theta, self.order.q > 0);
        let state = space.with_levels(&differenced, &levels[..self.order.d]);
        Forecast::new(&space, &state, variance, horizon)
    }
}
