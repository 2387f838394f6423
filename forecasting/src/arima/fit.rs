//! From a specification and a series to the maximum of the likelihood.

use super::conditional::Conditional;
use super::design::Design;
use super::fitted::FittedArima;
use super::likelihood::{Likelihood, Regression};
use super::order::Arima;
use super::search::{Limits, Minimum, minimise};
use super::shape::Shape;
use crate::{Error, Regressors, Result, Series};

/// How hard the maximum is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// One search, from the conditional sum of squares: for comparing many models.
    Quick,
    /// Searches from the conditional sum of squares and from the best points of a grid; the best is polished.
    #[default]
    Thorough,
}

const CONDITIONAL: Limits = Limits { evaluations_max: 40, gradient_tolerance: 1e-3, decrease_tolerance: 1e-6 };
const QUICK: Limits = Limits { evaluations_max: 200, gradient_tolerance: 1e-4, decrease_tolerance: 1e-8 };
const COARSE: Limits = Limits { evaluations_max: 200, gradient_tolerance: 1e-4, decrease_tolerance: 1e-9 };
const POLISH: Limits = Limits { evaluations_max: 400, gradient_tolerance: 1e-9, decrease_tolerance: 1e-15 };
/// First partial autocorrelations of the factors on the grid of starts: the first few for many factors.
const GRID: [f64; 7] = [0.0, 0.75, -0.75, 0.4, -0.4, 0.97, -0.97];
/// Values of [`GRID`] that are taken, by the number of factors that are estimated.
const GRID_SIZES: [usize; 5] = [1, 7, 7, 5, 3];
/// Points of the grid that are searched from.
const GRID_STARTS: usize = 4;
/// Points are searched from only if they differ by this much in some angle.
const APART: f64 = 0.5;

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
    /// [`Error::NoOptimum`].
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
}

/// Searches for the maximum; `guess` are coefficients to start from as well.
pub fn maximise(model: &Arima, design: &Design, effort: Effort, guess: Option<&[f64]>) -> Result<Optimum> {
    let shape = Shape::of(model);
    let mut likelihood = Likelihood::new(design, shape);
    let (mut starts, limits) = match effort {
        Effort::Quick => (vec![conditional_start(design, shape)], QUICK),
        Effort::Thorough => (all_starts(design, shape, &mut likelihood), COARSE),
    };
    starts.extend(guess.map(|guess| shape.to_angles(guess)));
    let found = starts.iter().filter_map(|start| climb(&mut likelihood, shape, start, limits));
    let best = found.min_by(|a, b| a.value.total_cmp(&b.value));
    let best = best.ok_or_else(|| Error::NoOptimum { model: model.to_string() })?;
    let best = match effort {
        Effort::Quick => best,
        Effort::Thorough => polished(&mut likelihood, shape, best),
    };
    finish(model, likelihood, shape, best, starts.len())
}

/// Searches from given coefficients alone, to the end.
pub fn maximise_near(model: &Arima, design: &Design, guess: &[f64]) -> Result<Optimum> {
    let shape = Shape::of(model);
    let mut likelihood = Likelihood::new(design, shape);
    let best = climb(&mut likelihood, shape, &shape.to_angles(guess), POLISH);
    let best = best.ok_or_else(|| Error::NoOptimum { model: model.to_string() })?;
    finish(model, likelihood, shape, best, 1)
}

fn polished(likelihood: &mut Likelihood<'_>, shape: Shape, best: Minimum) -> Minimum {
    let polished = climb(likelihood, shape, &best.point, POLISH);
    polished.filter(|polished| polished.value <= best.value).unwrap_or(best)
}

fn climb(likelihood: &mut Likelihood<'_>, shape: Shape, start: &[f64], limits: Limits) -> Option<Minimum> {
    let mut coefficients = vec![0.0; shape.coefficients()];
    minimise(start, limits, |angles, gradient| {
        shape.from_angles(angles, &mut coefficients);
        objective(likelihood, shape, angles, &coefficients, gradient)
    })
}

fn finish(
    model: &Arima,
    mut likelihood: Likelihood<'_>,
    shape: Shape,
    best: Minimum,
    starts: usize,
) -> Result<Optimum> {
    let mut coefficients = vec![0.0; shape.coefficients()];
    shape.from_angles(&best.point, &mut coefficients);
    let value = likelihood
        .evaluate(&coefficients, Regression::Concentrated, None)
        .ok_or_else(|| Error::NoOptimum { model: model.to_string() })?;
    likelihood.keep_regression();
    Ok(Optimum {
        coefficients,
        regression: likelihood.regression.clone(),
        value,
        sum_of_squares: likelihood.sum_of_squares,
        minimum: best,
        evaluations: likelihood.evaluations,
        starts,
    })
}

fn objective(
    likelihood: &mut Likelihood<'_>,
    shape: Shape,
    angles: &[f64],
    coefficients: &[f64],
    gradient: &mut [f64],
) -> Option<f64> {
    let value = likelihood.evaluate(coefficients, Regression::Concentrated, Some(gradient))?;
    shape.from_angles_adjoint(angles, gradient);
    gradient.iter().all(|value| value.is_finite()).then_some(value)
}

/// The minimum of the conditional sum of squares, from zero.
fn conditional_start(design: &Design, shape: Shape) -> Vec<f64> {
    let zero = vec![0.0; shape.coefficients()];
    let mut conditional = Conditional::new(&design.response, shape);
    let found = minimise(&zero, CONDITIONAL, |angles, gradient| conditional.evaluate(angles, gradient));
    found.map_or(zero, |found| found.point)
}

/// The conditional start and the best points of a grid over the first partial autocorrelation of each factor.
fn all_starts(design: &Design, shape: Shape, likelihood: &mut Likelihood<'_>) -> Vec<Vec<f64>> {
    let firsts: Vec<usize> =
        shape.factors().into_iter().filter(|(range, _)| !range.is_empty()).map(|(range, _)| range.start).collect();
    let mut coefficients = vec![0.0; shape.coefficients()];
    let mut grid: Vec<(f64, Vec<f64>)> = Vec::new();
    let size = GRID_SIZES[firsts.len()];
    for number in 0..size.pow(firsts.len() as u32) {
        let mut angles = vec![0.0; shape.coefficients()];
        let mut digits = number;
        for first in &firsts {
            angles[*first] = GRID[digits % size].asin();
            digits /= size;
        }
        shape.from_angles(&angles, &mut coefficients);
        if let Some(value) = likelihood.evaluate(&coefficients, Regression::Concentrated, None) {
            grid.push((value, angles));
        }
    }
    grid.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut starts = vec![conditional_start(design, shape)];
    for (_, angles) in grid {
        let apart = |other: &Vec<f64>| other.iter().zip(&angles).any(|(a, b)| (a - b).abs() > APART);
        if starts[1..].iter().all(apart) {
            starts.push(angles);
        }
        if starts.len() > GRID_STARTS {
            break;
        }
    }
    starts
}
