//! From a specification and a series to the maximum of the likelihood.

use rayon::prelude::*;

use super::conditional::Conditional;
use super::design::Design;
use super::fitted::FittedArima;
use super::likelihood::{Likelihood, Regression};
use super::order::Arima;
use super::search::{Limits, Minimum, minimise};
use super::shape::Shape;
use super::side_by_side::SideBySide;
use crate::{Error, Regressors, Result, Series};

/// How hard the maximum is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// One search, from the conditional sum of squares: for comparing many models.
    Quick,
    /// Searches from the conditional sum of squares and from the best points of a grid, side by side; the best is polished.
    #[default]
    Thorough,
}

const CONDITIONAL: Limits = Limits { evaluations_max: 40, gradient_tolerance: 1e-3, decrease_tolerance: 1e-6 };
const QUICK: Limits = Limits { evaluations_max: 200, gradient_tolerance: 1e-4, decrease_tolerance: 1e-8 };
const COARSE: Limits = Limits { evaluations_max: 60, gradient_tolerance: 1e-4, decrease_tolerance: 1e-9 };
const POLISH: Limits = Limits { evaluations_max: 400, gradient_tolerance: 1e-8, decrease_tolerance: 1e-15 };
/// First partial autocorrelations of the factors on the grid of starts, by the number of factors.
const FIRST: [&[f64]; 5] = [
    &[],
    &[0.0, 0.4, -0.4, 0.75, -0.75, 0.97, -0.97],
    &[0.0, 0.4, -0.4, 0.75, -0.75, 0.97, -0.97],
    &[0.0, 0.5, -0.5, 0.9, -0.9],
    &[0.0, 0.8, -0.8],
];
/// Angles between 0 and π at which a pair of autoregressive roots is set against a pair of moving-average ones.
const FREQUENCIES: usize = 12;
/// Moduli of the inverse roots of such pairs: autoregressive, moving average.
const PAIRS: [(f64, f64); 2] = [(0.95, 0.85), (0.85, 0.95)];
/// Points of the grid that are searched from in any case: with the conditional start, a lane each.
const GRID_STARTS: usize = 7;
/// At most, where they are nearly as good as the best: on noise the likelihood has many low hills.
const GRID_STARTS_MAX: usize = 16;
/// Log-likelihood below the best point of the grid that is nearly as good.
const NEARLY: f64 = 2.0;
/// Points are searched from only if they differ by this much in some angle.
const APART: f64 = 0.3;

/// Numbers that one fit may hold: half a gigabyte.
const CELLS_MAX: usize = 1 << 26;

/// The maximum that was found, in the scaled problem.
#[derive(Clone, Debug)]
pub struct Optimum {
    pub coefficients: Vec<f64>,
    pub regression: Vec<f64>,
    /// As of [`Likelihood::evaluate`].
    pub value: f64,
    pub sum_of_squares: f64,
    pub minimum: Minimum,
    pub evaluations: usize,
    pub starts: usize,
}

impl Optimum {
    /// The log-likelihood in the unit of the series.
    pub fn log_likelihood(&self, design: &Design) -> f64 {
        let n = design.effective() as f64;
        -n * (self.value + 0.5 * (1.0 + (2.0 * std::f64::consts::PI).ln()) + design.scale.ln())
    }
}

impl Arima {
    /// Fits by exact maximum likelihood (Gaussian, diffuse start of what is differenced).
    ///
    /// # Errors
    /// [`Error::InvalidModel`], [`Error::TooShort`], [`Error::NoVariation`], [`Error::UnobservedSeason`],
    /// [`Error::TooLarge`], [`Error::NoOptimum`].
    pub fn fit(&self, series: &Series) -> Result<FittedArima> {
        self.fit_with(series, &Regressors::none(), Effort::Thorough)
    }

    /// As [`Arima::fit`], with regressors known for every period of the series.
    ///
    /// # Errors
    /// Those of [`Arima::fit`], [`Error::RegressorShape`] and [`Error::Collinear`].
    pub fn fit_with(&self, series: &Series, regressors: &Regressors, effort: Effort) -> Result<FittedArima> {
        self.check()?;
        let design = Design::new(self, series, regressors)?;
        let optimum = maximise(self, &design, effort, None)?;
        FittedArima::new(self, series, regressors, &design, &optimum)
    }

    /// Fits each series by itself, on the threads of the current rayon pool; results in the order of the series, the same
    /// on any number of threads.
    ///
    /// # Errors
    /// One for each series, as of [`Arima::fit`].
    pub fn fit_in_parallel(&self, series: &[Series], effort: Effort) -> Vec<Result<FittedArima>> {
        series.par_iter().map(|series| self.fit_with(series, &Regressors::none(), effort)).collect()
    }
}

/// Searches for the maximum; `guess` are coefficients to start from as well.
pub fn maximise(model: &Arima, design: &Design, effort: Effort, guess: Option<&[f64]>) -> Result<Optimum> {
    let shape = Shape::of(model);
    check_size(model, design, shape)?;
    let mut starts = vec![conditional_start(design, shape)];
    starts.extend(guess.map(|guess| shape.angles_of(guess)));
    let (best, evaluations) = match effort {
        Effort::Quick => {
            let mut likelihood: Likelihood<f64> = Likelihood::new(&[design], shape);
            let found = starts.iter().filter_map(|start| climb(&mut likelihood, shape, start, QUICK));
            (found.min_by(|a, b| a.value.total_cmp(&b.value)), likelihood.evaluations)
        }
        Effort::Thorough => {
            let mut side = SideBySide::new(&[design], shape);
            starts.extend(grid_starts(design, shape, &mut side));
            let ends = side.climb(&starts, COARSE);
            let best = ends.into_iter().min_by(|a, b| a.value.total_cmp(&b.value));
            let mut likelihood: Likelihood<f64> = Likelihood::new(&[design], shape);
            let polished = best.and_then(|best| climb(&mut likelihood, shape, &best.point, POLISH).or(Some(best)));
            (polished, side.evaluations() + likelihood.evaluations)
        }
    };
    finish(model, design, best, evaluations, starts.len())
}

/// Gains are kept of every step, innovations of every column.
fn check_size(model: &Arima, design: &Design, shape: Shape) -> Result<()> {
    let r = shape.phi_len().max(shape.theta_len() + 1);
    let columns = design.gaps.len() + design.columns.len() + 1;
    let periods = design.response.len();
    let cells = periods.saturating_mul(2 * r + 2 * columns);
    if cells > CELLS_MAX {
        return Err(Error::TooLarge { model: model.to_string(), periods, cells, limit: CELLS_MAX });
    }
    Ok(())
}

/// Searches from given coefficients alone, to the end.
pub fn maximise_near(model: &Arima, design: &Design, guess: &[f64]) -> Result<Optimum> {
    let shape = Shape::of(model);
    let mut likelihood: Likelihood<f64> = Likelihood::new(&[design], shape);
    let best = climb(&mut likelihood, shape, &shape.angles_of(guess), POLISH);
    finish(model, design, best, likelihood.evaluations, 1)
}

fn climb(likelihood: &mut Likelihood<f64>, shape: Shape, start: &[f64], limits: Limits) -> Option<Minimum> {
    let mut coefficients = vec![0.0; shape.coefficients()];
    minimise(start, limits, |angles, gradient| {
        shape.coefficients_at(angles, &mut coefficients);
        let value = likelihood.evaluate(&coefficients, Regression::Concentrated, Some(gradient));
        shape.coefficients_at_adjoint(angles, gradient);
        value
    })
}

fn finish(model: &Arima, design: &Design, best: Option<Minimum>, evaluations: usize, starts: usize) -> Result<Optimum> {
    let missing = || Error::NoOptimum { model: model.to_string() };
    let best = best.ok_or_else(missing)?;
    let shape = Shape::of(model);
    let mut coefficients = vec![0.0; shape.coefficients()];
    shape.coefficients_at(&best.point, &mut coefficients);
    let mut likelihood: Likelihood<f64> = Likelihood::new(&[design], shape);
    let value = likelihood.evaluate(&coefficients, Regression::Concentrated, None);
    if !value.is_finite() {
        return Err(missing());
    }
    let (regression, sum_of_squares) = (likelihood.regression(), likelihood.sum_of_squares);
    Ok(Optimum { coefficients, regression, value, sum_of_squares, minimum: best, evaluations, starts })
}

/// The minimum of the conditional sum of squares, from zero.
fn conditional_start(design: &Design, shape: Shape) -> Vec<f64> {
    let zero = vec![0.0; shape.coefficients()];
    let mut conditional = Conditional::new(&design.response, shape);
    let found = minimise(&zero, CONDITIONAL, |angles, gradient| conditional.evaluate(angles, gradient));
    found.map_or(zero, |found| found.point)
}

/// The best points of a grid over the first partial autocorrelations of each factor, and of hidden cycles.
fn grid_starts(design: &Design, shape: Shape, side: &mut SideBySide) -> Vec<Vec<f64>> {
    let factors = || shape.factors().into_iter().map(|(range, _)| range).filter(|range| !range.is_empty());
    let count = factors().count();
    let values = FIRST[count];
    let mut candidates: Vec<Vec<f64>> = (0..values.len().pow(count as u32))
        .map(|number| {
            let mut angles = vec![0.0; shape.coefficients()];
            let mut digits = number;
            for range in factors() {
                angles[range.start] = values[digits % values.len()].asin();
                digits /= values.len();
            }
            angles
        })
        .collect();
    candidates.extend(cycles(shape));
    let valued = side.values(&candidates).into_iter().zip(candidates);
    let mut grid: Vec<(f64, Vec<f64>)> = valued.filter(|(value, _)| value.is_finite()).collect();
    grid.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut starts: Vec<Vec<f64>> = Vec::new();
    let margin = NEARLY / design.effective() as f64;
    let bound = grid.first().map_or(0.0, |(best, _)| best + margin);
    for (value, angles) in grid {
        let enough = if value <= bound { GRID_STARTS_MAX } else { GRID_STARTS };
        if starts.len() >= enough {
            break;
        }
        let apart = |other: &Vec<f64>| other.iter().zip(&angles).any(|(a, b)| (a - b).abs() > APART);
        if starts.iter().all(apart) {
            starts.push(angles);
        }
    }
    starts
}

/// Nearly cancelling pairs of complex roots at each frequency: what fits a cycle that is hidden in noise, and where most
/// of the low hills of ARMA(2,2) and above are.
fn cycles(shape: Shape) -> Vec<Vec<f64>> {
    if shape.p < 2 || shape.q < 2 {
        return Vec::new();
    }
    let mut found = Vec::with_capacity(FREQUENCIES * PAIRS.len());
    for k in 0..FREQUENCIES {
        let cosine = (std::f64::consts::PI * (k as f64 + 0.5) / FREQUENCIES as f64).cos();
        for (ar, ma) in PAIRS {
            let mut angles = vec![0.0; shape.coefficients()];
            for (first, modulus) in [(0, ar), (shape.p, ma)] {
                // 1 − 2ρ cos ω B + ρ² B² has partial autocorrelations 2ρ cos ω / (1 + ρ²) and −ρ².
                angles[first] = (2.0 * modulus * cosine / (1.0 + modulus * modulus)).asin();
                angles[first + 1] = (-modulus * modulus).asin();
            }
            found.push(angles);
        }
    }
    found
}
