//! The exact Gaussian likelihood of a regression with SARMA errors, and its gradient.
//!
//! With innovations `vₜ` and variances `Fₜ` ([`super::innovations`]) of the response, of the regressors and of the gaps
//! (all by the same filter), and `σ²` and the regression concentrated out,
//!
//! `−ℓ/n = ½ log(S/n) + (Σ log Fₜ + log |Dᵀ Σ⁻¹ D|) / 2n + ½ (1 + log 2π)`, `S = min_b Σ vₜ² / Fₜ`, `σ̂² = S/n`,
//!
//! `n` the effective number of observations (Brockwell and Davis 1991, §8.7; Gómez and Maravall 1994 for the gaps). The
//! value is this without its last, constant term. The regression is solved by Gram-Schmidt on the scaled innovations,
//! not by normal equations.

use super::design::{Design, dot};
use super::innovations::Innovations;
use super::shape::Shape;
use super::stationary::Stationary;

/// A mean square below this, where the response has one, is a fit through every point: the likelihood has no bound.
const EXACT_FIT: f64 = 1e-24;

/// What is done with the regression coefficients.
#[derive(Clone, Copy, Debug)]
pub enum Regression<'a> {
    /// Estimated for each set of ARMA coefficients.
    Concentrated,
    /// Given, in the scaled problem; the gradient has their derivatives at the end.
    Given(&'a [f64]),
}

/// The likelihood of one problem; holds the scratch space of its evaluations.
#[derive(Clone, Debug)]
pub struct Likelihood<'a> {
    design: &'a Design,
    shape: Shape,
    stationary: Stationary,
    innovations: Innovations,
    phi: Vec<f64>,
    theta: Vec<f64>,
    /// Scaled innovations of gaps, regressors and response; after solving, orthonormal, the last the residuals.
    units: Vec<Vec<f64>>,
    /// `triangle[j][i]`: what column `j` has of unit `i`.
    triangle: Vec<Vec<f64>>,
    scratch: Scratch,
    /// Regression coefficients of the last evaluation, in the scaled problem.
    pub regression: Vec<f64>,
    /// `S` of the last evaluation.
    pub sum_of_squares: f64,
    pub evaluations: usize,
}

#[derive(Clone, Debug, Default)]
struct Scratch {
    cleaned: Vec<f64>,
    innovations: Vec<f64>,
    adjoint: Vec<f64>,
    phi_adjoint: Vec<f64>,
    theta_adjoint: Vec<f64>,
    column_adjoint: Vec<f64>,
    inverse_root: Vec<f64>,
}

impl<'a> Likelihood<'a> {
    pub fn new(design: &'a Design, shape: Shape) -> Likelihood<'a> {
        let rows = design.response.len();
        let count = design.gaps.len() + design.columns.len() + 1;
        Likelihood {
            design,
            shape,
            stationary: Stationary::default(),
            innovations: Innovations::default(),
            phi: vec![0.0; shape.phi_len()],
            theta: vec![0.0; shape.theta_len()],
            units: vec![vec![0.0; rows]; count],
            triangle: (0..count).map(|j| vec![0.0; j + 1]).collect(),
            scratch: Scratch::default(),
            regression: vec![0.0; design.columns.len()],
            sum_of_squares: 0.0,
            evaluations: 0,
        }
    }

    /// The value at coefficients `ar, ma, sar, sma`; `None` where it is not finite. With `gradient`, its derivatives.
    pub fn evaluate(
        &mut self,
        coefficients: &[f64],
        regression: Regression<'_>,
        gradient: Option<&mut [f64]>,
    ) -> Option<f64> {
        self.evaluations += 1;
        self.shape.expand(coefficients, &mut self.phi, &mut self.theta);
        let steps = self.design.response.len();
        if !self.stationary.compute(&self.phi, &self.theta)
            || !self.innovations.compute(&self.phi, &self.stationary, steps)
        {
            return None;
        }
        let log_gaps = self.solve(regression)?;
        let n = self.design.effective() as f64;
        if self.sum_of_squares.is_nan() || self.sum_of_squares <= EXACT_FIT * n {
            return None;
        }
        let value = 0.5 * ((self.sum_of_squares / n).ln() + (log_sum(&self.innovations.variance) + log_gaps) / n);
        if let Some(gradient) = gradient {
            self.differentiate(coefficients, regression, gradient);
        }
        value.is_finite().then_some(value)
    }

    /// Filters all columns and solves the regression; returns `log |Dᵀ Σ⁻¹ D|`.
    fn solve(&mut self, regression: Regression<'_>) -> Option<f64> {
        let (gaps, columns) = (self.design.gaps.len(), self.design.columns.len());
        let inverse_root = &mut self.scratch.inverse_root;
        inverse_root.clear();
        inverse_root.extend(self.innovations.inverse.iter().map(|inverse| inverse.sqrt()));
        for (unit, (first, column)) in self.units.iter_mut().zip(&self.design.gaps) {
            self.innovations.filter(column, *first, unit);
        }
        let solved = match regression {
            Regression::Concentrated => gaps + columns,
            Regression::Given(_) => gaps,
        };
        for (unit, column) in self.units[gaps..].iter_mut().zip(&self.design.columns) {
            self.innovations.filter(column, 0, unit);
        }
        let last = gaps + columns;
        self.innovations.filter(&self.design.response, 0, &mut self.units[last]);
        for unit in &mut self.units {
            unit.iter_mut().zip(inverse_root.iter()).for_each(|(value, inverse)| *value *= inverse);
        }
        if let Regression::Given(given) = regression {
            let (before, response) = self.units.split_at_mut(last);
            for (weight, unit) in given.iter().zip(&before[gaps..]) {
                response[0].iter_mut().zip(unit).for_each(|(value, unit)| *value -= weight * unit);
            }
        }
        let order: Vec<usize> = (0..solved).chain(std::iter::once(last)).collect();
        let mut log_gaps = 0.0;
        for (place, &j) in order.iter().enumerate() {
            let (before, rest) = self.units.split_at_mut(j);
            let (column, weights) = (&mut rest[0], &mut self.triangle[j]);
            weights.fill(0.0);
            for &i in &order[..place] {
                let weight = dot(&before[i], column);
                weights[i] = weight;
                column.iter_mut().zip(&before[i]).for_each(|(value, unit)| *value -= weight * unit);
            }
            if j == last {
                self.sum_of_squares = dot(column, column);
                continue;
            }
            let norm = dot(column, column).sqrt();
            if !(norm > 0.0 && norm.is_finite()) {
                return None;
            }
            weights[j] = norm;
            column.iter_mut().for_each(|value| *value /= norm);
            if j < gaps {
                log_gaps += 2.0 * norm.ln();
            }
        }
        Some(log_gaps)
    }

    /// Coefficients of gaps and, if they were solved for, regressors: back substitution.
    fn solution(&self, solved: usize) -> Vec<f64> {
        let last = &self.triangle[self.triangle.len() - 1];
        let mut solution = last[..solved].to_vec();
        for i in (0..solved).rev() {
            let known: f64 = (i + 1..solved).map(|j| self.triangle[j][i] * solution[j]).sum();
            solution[i] = (solution[i] - known) / self.triangle[i][i];
        }
        solution
    }

    /// Keeps the regression coefficients of the last evaluation with [`Regression::Concentrated`].
    pub fn keep_regression(&mut self) {
        let gaps = self.design.gaps.len();
        let solution = self.solution(gaps + self.design.columns.len());
        self.regression.copy_from_slice(&solution[gaps..]);
    }

    fn differentiate(&mut self, coefficients: &[f64], regression: Regression<'_>, gradient: &mut [f64]) {
        let n = self.design.effective() as f64;
        let (gaps, columns) = (self.design.gaps.len(), self.design.columns.len());
        let (solved, given) = match regression {
            Regression::Concentrated => (gaps + columns, &[][..]),
            Regression::Given(given) => (gaps, given),
        };
        let solution = self.solution(solved);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.cleaned.clear();
        scratch.cleaned.extend_from_slice(&self.design.response);
        let gap_columns = self.design.gaps.iter().map(|(_, column)| column);
        let weights = solution.iter().chain(given);
        for (weight, column) in weights.zip(gap_columns.chain(&self.design.columns)) {
            scratch.cleaned.iter_mut().zip(column).for_each(|(value, column)| *value -= weight * column);
        }
        let rows = self.design.response.len();
        scratch.innovations.resize(rows, 0.0);
        scratch.phi_adjoint.clear();
        scratch.phi_adjoint.resize(self.phi.len(), 0.0);
        scratch.theta_adjoint.clear();
        scratch.theta_adjoint.resize(self.theta.len(), 0.0);
        let squares = self.sum_of_squares;
        let last = self.units.len() - 1;
        // The residuals of the regression are the scaled innovations of what it leaves.
        let residuals = &self.units[last];
        let inverse = std::mem::take(&mut self.innovations.inverse);
        for (t, residual) in residuals.iter().enumerate() {
            scratch.innovations[t] = residual * self.innovations.variance[t] * scratch.inverse_root[t];
        }
        let (per_value, per_square) = (0.5 / n, 0.5 / squares);
        let both = inverse.iter().zip(residuals);
        self.innovations
            .begin_adjoint(both.map(|(inverse, residual)| inverse * (per_value - per_square * residual * residual)));
        let scaled = residuals.iter().zip(&scratch.inverse_root);
        scratch.adjoint.clear();
        scratch.adjoint.extend(scaled.map(|(residual, root)| residual * root * (2.0 * per_square)));
        self.innovations.inverse = inverse;
        self.innovations.add_column_adjoint(
            &scratch.cleaned,
            &scratch.innovations,
            &scratch.adjoint,
            &mut scratch.phi_adjoint,
        );
        self.differentiate_gaps(n, &mut scratch);
        self.innovations.end_adjoint(&mut scratch.phi_adjoint, &mut scratch.column_adjoint);
        self.stationary.adjoint(
            (&self.phi, &self.theta),
            &scratch.column_adjoint,
            &mut scratch.phi_adjoint,
            &mut scratch.theta_adjoint,
        );
        self.shape.expand_adjoint(coefficients, &scratch.phi_adjoint, &scratch.theta_adjoint, gradient);
        let count = self.shape.coefficients();
        for (i, _) in given.iter().enumerate() {
            gradient[count + i] = -dot(&self.units[gaps + i], &self.units[last]) / squares;
        }
        self.scratch = scratch;
    }

    /// The part of `log |Dᵀ Σ⁻¹ D| / 2n`.
    fn differentiate_gaps(&mut self, n: f64, scratch: &mut Scratch) {
        let gaps = self.design.gaps.len();
        let rows = self.design.response.len();
        for j in 0..gaps {
            // Column j of Q R⁻ᵀ, by the rows of R⁻¹.
            let mut inverse_row = vec![0.0; gaps];
            for i in j..gaps {
                let known: f64 = (j..i).map(|k| inverse_row[k] * self.triangle[i][k]).sum();
                inverse_row[i] = (f64::from(u8::from(i == j)) - known) / self.triangle[i][i];
            }
            scratch.adjoint.clear();
            scratch.adjoint.resize(rows, 0.0);
            for (weight, unit) in inverse_row.iter().zip(&self.units).skip(j) {
                scratch.adjoint.iter_mut().zip(unit).for_each(|(value, unit)| *value += weight * unit / n);
            }
            let (first, column) = &self.design.gaps[j];
            self.innovations.filter(column, *first, &mut scratch.innovations);
            for t in 0..rows {
                let root = scratch.inverse_root[t];
                let scaled = scratch.innovations[t] * root;
                self.innovations.add_variance_adjoint(t, -0.5 * scratch.adjoint[t] * scaled * root * root);
                scratch.adjoint[t] *= root;
            }
            self.innovations.add_column_adjoint(
                column,
                &scratch.innovations,
                &scratch.adjoint,
                &mut scratch.phi_adjoint,
            );
        }
    }
}

/// `Σ log x` of positive numbers, with few logarithms.
fn log_sum(values: &[f64]) -> f64 {
    const LARGE: f64 = 1e150;
    let (mut sum, mut product) = (0.0, 1.0_f64);
    for &value in values {
        product *= value;
        if !(1.0 / LARGE..LARGE).contains(&product) {
            sum += product.ln();
            product = 1.0;
        }
    }
    sum + product.ln()
}
