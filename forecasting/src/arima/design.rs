//! The regression problem in differences: what the likelihood sees of a series, its gaps and its regressors.

use super::order::{Arima, Term};
use super::polynomial::difference;
use crate::{Error, Regressors, Result, Series};

/// A pivot below this, relative to its column, is a linear dependence.
const DEPENDENT: f64 = 1e-9;
/// Variation below this, relative to the values, is rounding.
const ROUNDING: f64 = 1e-13;

/// `w = X b + D δ + ARMA`, in differences, scaled to a residual of variance one.
///
/// `D` holds one column per missing value, the difference of its indicator: filling a gap with any number and
/// estimating a correction with a flat prior gives the exact (diffuse) likelihood of what was observed (Gómez,
/// Maravall, Peña 1999). `X` is orthonormal.
#[derive(Clone, Debug)]
pub struct Design {
    /// The differenced series less its least-squares regression, over `scale`.
    pub response: Vec<f64>,
    /// Missing values, with the first row that is not zero.
    pub gaps: Vec<(usize, Vec<f64>)>,
    /// Orthonormal regressors; empty without mean, drift and regressors.
    pub columns: Vec<Vec<f64>>,
    /// Residual standard deviation that the response was divided by, in the unit of the series.
    pub scale: f64,
    /// Names of the regression coefficients.
    pub terms: Vec<Term>,
    /// Coefficients `b` of the first least squares, in the unit of the series.
    offset: Vec<f64>,
    /// Upper triangle, by columns: original regressors = orthonormal ones × `triangle`.
    triangle: Vec<Vec<f64>>,
    /// What was subtracted from the series before all else.
    shift: f64,
}

impl Design {
    /// # Errors
    /// [`Error::TooShort`], [`Error::NoVariation`], [`Error::Collinear`], [`Error::UnobservedSeason`],
    /// [`Error::RegressorShape`].
    pub fn new(model: &Arima, series: &Series, regressors: &Regressors) -> Result<Design> {
        let name = || model.to_string();
        let periods = series.len();
        if !regressors.columns().is_empty() && regressors.periods() != periods {
            let given = regressors.periods();
            return Err(Error::RegressorShape { what: "periods", given, needed: periods });
        }
        let lost = model.differenced();
        let missing = periods - series.observed();
        let terms = terms(model, regressors.columns().len());
        let needed = model.arma_coefficients() + terms.len() + 1;
        let usable = series.observed().saturating_sub(lost);
        if usable < needed {
            return Err(Error::TooShort { model: name(), observed: usable, needed });
        }
        let shift = if model.has_mean() || lost > 0 { first_observed(series) } else { 0.0 };
        let levels: Vec<f64> = filled(series.values(), shift);
        let mut response = differenced(model, &levels);
        let mut gaps = Vec::with_capacity(missing);
        for (position, _) in series.values().iter().enumerate().filter(|(_, value)| value.is_nan()) {
            gaps.push(gap(model, position, periods));
        }
        let raw: Vec<Vec<f64>> = terms.iter().map(|term| column(model, *term, periods, regressors)).collect();
        let mut together: Vec<Vec<f64>> = gaps.iter().map(|(_, column)| column.clone()).collect();
        together.extend(raw.iter().cloned());
        if let Some(at) = orthonormalise(&mut together, None) {
            return Err(match at.checked_sub(gaps.len()) {
                None => Error::UnobservedSeason { model: name() },
                Some(at) => Error::Collinear { model: name(), column: terms[at].to_string() },
            });
        }
        for unit in &together {
            for _ in 0..2 {
                let weight = dot(unit, &response);
                response.iter_mut().zip(unit).for_each(|(value, unit)| *value -= weight * unit);
            }
        }
        let largest = levels.iter().fold(shift.abs(), |largest, value| largest.max((value + shift).abs()));
        let scale = root_mean_square(&response);
        if scale.is_nan() || scale <= ROUNDING * largest {
            return Err(Error::NoVariation { model: name() });
        }
        response.iter_mut().for_each(|value| *value /= scale);
        let mut columns = raw;
        let mut triangle = Vec::new();
        orthonormalise(&mut columns, Some(&mut triangle));
        let offset = offset(model, &levels, &gaps, &columns, &together);
        Ok(Design { response, gaps, columns, scale, terms, offset, triangle, shift })
    }

    /// Observations less differences: what the likelihood is a density of.
    pub fn effective(&self) -> usize {
        self.response.len() - self.gaps.len()
    }

    /// Regression coefficients in the unit of the series from those of the scaled problem.
    pub fn coefficients(&self, scaled: &[f64]) -> Vec<f64> {
        let rotated: Vec<f64> = scaled.iter().zip(&self.offset).map(|(b, o)| o + self.scale * b).collect();
        let mut coefficients = self.solve(&rotated);
        if self.terms.first() == Some(&Term::Mean) {
            coefficients[0] += self.shift;
        }
        coefficients
    }

    /// `R⁻¹ x`: from coefficients of the orthonormal columns to those of the original ones.
    pub fn solve(&self, rotated: &[f64]) -> Vec<f64> {
        let mut solution = rotated.to_vec();
        for i in (0..solution.len()).rev() {
            let known: f64 = (i + 1..solution.len()).map(|j| self.triangle[j][i] * solution[j]).sum();
            solution[i] = (solution[i] - known) / self.triangle[i][i];
        }
        solution
    }
}

fn terms(model: &Arima, regressors: usize) -> Vec<Term> {
    let mean = model.has_mean().then_some(Term::Mean);
    let drift = model.has_drift().then_some(Term::Drift);
    mean.into_iter().chain(drift).chain((1..=regressors).map(Term::Regressor)).collect()
}

fn first_observed(series: &Series) -> f64 {
    series.values().iter().copied().find(|value| !value.is_nan()).unwrap_or(0.0)
}

/// Levels less `shift`, gaps carried forward: what they are filled with does not matter.
fn filled(values: &[f64], shift: f64) -> Vec<f64> {
    let mut last = 0.0;
    values
        .iter()
        .map(|value| {
            if !value.is_nan() {
                last = value - shift;
            }
            last
        })
        .collect()
}

/// `(1−B)ᵈ (1−Bˢ)ᴰ x`, shorter by the differences.
pub fn differenced(model: &Arima, x: &[f64]) -> Vec<f64> {
    let (order, seasonal) = (model.order(), model.seasonal());
    let mut values = x.to_vec();
    let lags = std::iter::repeat_n(seasonal.period, seasonal.d).chain(std::iter::repeat_n(1, order.d));
    for lag in lags {
        values = values.iter().skip(lag).zip(&values).map(|(now, before)| now - before).collect();
    }
    values
}

/// The difference of the indicator of one position.
fn gap(model: &Arima, position: usize, periods: usize) -> (usize, Vec<f64>) {
    let lost = model.differenced();
    let mut column = vec![0.0; periods - lost];
    let weights = difference(model.order().d, model.seasonal().d, model.seasonal().period);
    let full = std::iter::once(1.0).chain(weights.iter().map(|weight| -weight));
    for (lag, weight) in full.enumerate() {
        if let Some(row) = (position + lag).checked_sub(lost)
            && row < column.len()
        {
            column[row] = weight;
        }
    }
    (position.saturating_sub(lost), column)
}

fn column(model: &Arima, term: Term, periods: usize, regressors: &Regressors) -> Vec<f64> {
    let level: Vec<f64> = match term {
        Term::Mean => vec![1.0; periods],
        Term::Drift => (1..=periods).map(|t| t as f64).collect(),
        Term::Regressor(number) => regressors.columns()[number - 1].clone(),
        Term::Ar(_) | Term::Ma(_) | Term::SeasonalAr(_) | Term::SeasonalMa(_) => Vec::new(),
    };
    differenced(model, &level)
}

/// Least squares on the orthonormal regressors, gaps fitted along: `b = argmin ‖w − D δ − Q b‖`.
fn offset(
    model: &Arima,
    levels: &[f64],
    gaps: &[(usize, Vec<f64>)],
    columns: &[Vec<f64>],
    together: &[Vec<f64>],
) -> Vec<f64> {
    let response = differenced(model, levels);
    // With u the orthonormal basis of [D X] in this order, the last rows of its triangle concern X alone.
    let units = &together[gaps.len()..];
    let k = columns.len();
    let mut triangle = vec![vec![0.0; k]; k];
    let mut right = vec![0.0; k];
    for i in 0..k {
        for j in i..k {
            triangle[j][i] = dot(&units[i], &columns[j]);
        }
        right[i] = dot(&units[i], &response);
    }
    for i in (0..k).rev() {
        let known: f64 = (i + 1..k).map(|j| triangle[j][i] * right[j]).sum();
        right[i] = (right[i] - known) / triangle[i][i];
    }
    right
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn root_mean_square(values: &[f64]) -> f64 {
    // The largest is taken out, so that no square leaves the range.
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let squares: f64 = values.iter().map(|value| (value / largest).powi(2)).sum();
    largest * (squares / values.len() as f64).sqrt()
}

/// Gram-Schmidt, twice; `Some(i)` where column `i` depends on those before it. `triangle[j][i]` is what column `j` has
/// of unit `i`.
fn orthonormalise(columns: &mut [Vec<f64>], mut triangle: Option<&mut Vec<Vec<f64>>>) -> Option<usize> {
    for j in 0..columns.len() {
        let (units, rest) = columns.split_at_mut(j);
        let column = &mut rest[0];
        let before = root_mean_square(column);
        let mut weights = vec![0.0; j + 1];
        for _ in 0..2 {
            for (i, unit) in units.iter().enumerate() {
                let weight = dot(unit, column);
                weights[i] += weight;
                column.iter_mut().zip(unit).for_each(|(value, unit)| *value -= weight * unit);
            }
        }
        let after = root_mean_square(column);
        if after.is_nan() || after <= DEPENDENT * before || before == 0.0 {
            return Some(j);
        }
        let norm = after * (column.len() as f64).sqrt();
        column.iter_mut().for_each(|value| *value /= norm);
        weights[j] = norm;
        if let Some(triangle) = triangle.as_deref_mut() {
            triangle.push(weights);
        }
    }
    None
}
