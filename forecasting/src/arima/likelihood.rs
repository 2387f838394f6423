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

use super::design::Design;
use super::innovations::{Innovations, dot};
use super::lanes::Number;
use super::shape::Shape;
use super::stationary::Stationary;

/// A mean square below this, where the response has one, is a fit through every point: the likelihood has no bound.
const EXACT_FIT: f64 = 1e-24;
/// Variances that are multiplied before a logarithm is taken; each is below 1e30.
const FACTORS: usize = 8;

/// What is done with the regression coefficients.
#[derive(Clone, Copy, Debug)]
pub enum Regression<'a, N> {
    /// Estimated for each set of ARMA coefficients.
    Concentrated,
    /// Given, in the scaled problem; the gradient has their derivatives at the end.
    Given(&'a [N]),
}

/// The likelihood of one problem at one point, or in lanes: at several points, or of several problems of one form.
/// Holds the scratch space of its evaluations.
#[derive(Clone, Debug)]
pub struct Likelihood<N> {
    shape: Shape,
    effective: f64,
    response: Vec<N>,
    columns: Vec<Vec<N>>,
    /// Missing values, with the first row that is not zero.
    gaps: Vec<(usize, Vec<N>)>,
    lanes: Vec<Lane>,
    /// Lanes that are in use; the others repeat the first.
    pub active: usize,
    innovations: Innovations<N>,
    phi: Vec<N>,
    start: Vec<N>,
    /// Scaled innovations of gaps, regressors and response; after solving, orthonormal, the last the residuals.
    units: Vec<Vec<N>>,
    /// `triangle[j][i]`: what column `j` has of unit `i`.
    triangle: Vec<Vec<N>>,
    scratch: Scratch<N>,
    /// `S` of the last evaluation.
    pub sum_of_squares: N,
    pub evaluations: usize,
}

/// The part of an evaluation that is done lane by lane.
#[derive(Clone, Debug)]
struct Lane {
    coefficients: Vec<f64>,
    phi: Vec<f64>,
    theta: Vec<f64>,
    stationary: Stationary,
}

#[derive(Clone, Debug, Default)]
struct Scratch<N> {
    cleaned: Vec<N>,
    innovations: Vec<N>,
    adjoint: Vec<N>,
    phi_adjoint: Vec<N>,
    column_adjoint: Vec<N>,
    inverse_root: Vec<N>,
    gradient: Vec<f64>,
    lane_phi: Vec<f64>,
    lane_theta: Vec<f64>,
    lane_column: Vec<f64>,
}

/// A column of each lane's problem, side by side.
fn packed<N: Number>(columns: &[&[f64]]) -> Vec<N> {
    (0..columns[0].len())
        .map(|t| {
            let mut value = N::splat(columns[0][t]);
            columns.iter().enumerate().skip(1).for_each(|(lane, column)| value.set_lane(lane, column[t]));
            value
        })
        .collect()
}

impl<N: Number + Default> Likelihood<N> {
    /// Of one problem in every lane, or of one a lane: with the same rows, gaps and columns; lanes past the last take the
    /// first.
    pub fn new(designs: &[&Design], shape: Shape) -> Likelihood<N> {
        let first = designs[0];
        let rows = first.response.len();
        let of = |column: &dyn Fn(&Design) -> &[f64]| {
            let each: Vec<&[f64]> = designs.iter().map(|design| column(design)).collect();
            packed(&each)
        };
        let count = first.gaps.len() + first.columns.len() + 1;
        let lane = Lane {
            coefficients: vec![0.0; shape.coefficients()],
            phi: vec![0.0; shape.phi_len()],
            theta: vec![0.0; shape.theta_len()],
            stationary: Stationary::default(),
        };
        Likelihood {
            shape,
            effective: first.effective() as f64,
            response: of(&|design| &design.response),
            columns: (0..first.columns.len()).map(|j| of(&|design| &design.columns[j])).collect(),
            gaps: (0..first.gaps.len()).map(|j| (first.gaps[j].0, of(&|design| &design.gaps[j].1))).collect(),
            lanes: vec![lane; N::COUNT],
            active: N::COUNT,
            innovations: Innovations::default(),
            phi: vec![N::ZERO; shape.phi_len()],
            start: vec![N::ZERO; shape.phi_len().max(shape.theta_len() + 1)],
            units: vec![vec![N::ZERO; rows]; count],
            triangle: (0..count).map(|j| vec![N::ZERO; j + 1]).collect(),
            scratch: Scratch::default(),
            sum_of_squares: N::ZERO,
            evaluations: 0,
        }
    }

    /// The value at coefficients `ar, ma, sar, sma`; not a number where there is none. With `gradient`, its derivatives.
    #[inline(always)]
    pub fn evaluate(&mut self, coefficients: &[N], regression: Regression<'_, N>, gradient: Option<&mut [N]>) -> N {
        self.evaluations += 1;
        for lane in 0..self.active {
            self.begin_lane(lane, coefficients);
        }
        for lane in self.active..N::COUNT {
            for to in self.phi.iter_mut().chain(&mut self.start) {
                to.set_lane(lane, to.lane(0));
            }
        }
        self.innovations.compute(&self.phi, &self.start, self.response.len());
        let log_gaps = self.solve(regression);
        let log_variances = log_sum(&self.innovations.variance);
        let n = self.effective;
        let mut value = ((self.sum_of_squares * (1.0 / n)).ln() + (log_variances + log_gaps) * (1.0 / n)) * 0.5;
        for lane in 0..N::COUNT {
            let squares = self.sum_of_squares.lane(lane);
            if !(squares > EXACT_FIT * n && squares.is_finite()) {
                value.set_lane(lane, f64::NAN);
            }
        }
        if let Some(gradient) = gradient {
            self.differentiate(regression, gradient);
        }
        value
    }

    /// The polynomials and the stationary start of one lane.
    fn begin_lane(&mut self, lane: usize, coefficients: &[N]) {
        let own = &mut self.lanes[lane];
        for (to, coefficient) in own.coefficients.iter_mut().zip(coefficients) {
            *to = coefficient.lane(lane);
        }
        self.shape.expand(&own.coefficients, &mut own.phi, &mut own.theta);
        let stationary = own.stationary.compute(&own.phi, &own.theta);
        for (to, phi) in self.phi.iter_mut().zip(&own.phi) {
            to.set_lane(lane, *phi);
        }
        for (to, column) in self.start.iter_mut().zip(&own.stationary.column) {
            to.set_lane(lane, *column);
        }
        if !stationary {
            self.start[0].set_lane(lane, f64::NAN);
        }
    }

    /// Filters all columns and solves the regression; returns `log |Dᵀ Σ⁻¹ D|`.
    #[inline(always)]
    fn solve(&mut self, regression: Regression<'_, N>) -> N {
        let (gaps, columns) = (self.gaps.len(), self.columns.len());
        let inverse_root = &mut self.scratch.inverse_root;
        inverse_root.clear();
        inverse_root.extend(self.innovations.inverse.iter().map(|inverse| inverse.sqrt()));
        for (unit, (first, column)) in self.units.iter_mut().zip(&self.gaps) {
            self.innovations.filter(column, *first, unit);
        }
        for (unit, column) in self.units[gaps..].iter_mut().zip(&self.columns) {
            self.innovations.filter(column, 0, unit);
        }
        let last = gaps + columns;
        self.innovations.filter(&self.response, 0, &mut self.units[last]);
        for unit in &mut self.units {
            for (value, inverse) in unit.iter_mut().zip(inverse_root.iter()) {
                *value = *value * *inverse;
                N::end_turn();
            }
        }
        let solved = match regression {
            Regression::Concentrated => gaps + columns,
            Regression::Given(given) => {
                let (before, response) = self.units.split_at_mut(last);
                for (weight, unit) in given.iter().zip(&before[gaps..]) {
                    subtract(&mut response[0], *weight, unit);
                }
                gaps
            }
        };
        let mut log_gaps = N::ZERO;
        for j in 0..solved {
            self.orthogonalise(j, j);
            let column = &mut self.units[j];
            let norm = dot(column, column).sqrt();
            let inverse = N::splat(1.0) / norm;
            self.triangle[j][j] = norm;
            column.iter_mut().for_each(|value| *value = *value * inverse);
            if j < gaps {
                log_gaps += norm.ln() * 2.0;
            }
        }
        self.orthogonalise(last, solved);
        self.sum_of_squares = dot(&self.units[last], &self.units[last]);
        log_gaps
    }

    /// Takes out of column `j` what it has of the first `count` units.
    #[inline(always)]
    fn orthogonalise(&mut self, j: usize, count: usize) {
        let (before, rest) = self.units.split_at_mut(j);
        for (i, unit) in before[..count].iter().enumerate() {
            let weight = dot(unit, &rest[0]);
            self.triangle[j][i] = weight;
            subtract(&mut rest[0], weight, unit);
        }
    }

    /// Coefficients of gaps and, if they were solved for, regressors: back substitution.
    fn solution(&self, solved: usize) -> Vec<N> {
        let last = &self.triangle[self.triangle.len() - 1];
        let mut solution = last[..solved].to_vec();
        for i in (0..solved).rev() {
            for j in i + 1..solved {
                let known = self.triangle[j][i] * solution[j];
                solution[i] -= known;
            }
            solution[i] = solution[i] / self.triangle[i][i];
        }
        solution
    }

    /// The regression coefficients of the last evaluation with [`Regression::Concentrated`], in the scaled problem.
    pub fn regression(&self) -> Vec<N> {
        self.solution(self.gaps.len() + self.columns.len()).split_off(self.gaps.len())
    }

    #[inline(always)]
    fn differentiate(&mut self, regression: Regression<'_, N>, gradient: &mut [N]) {
        let (gaps, columns) = (self.gaps.len(), self.columns.len());
        let (solved, given) = match regression {
            Regression::Concentrated => (gaps + columns, &[][..]),
            Regression::Given(given) => (gaps, given),
        };
        let solution = self.solution(solved);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.cleaned.clear();
        scratch.cleaned.extend_from_slice(&self.response);
        let gap_columns = self.gaps.iter().map(|(_, column)| column);
        for (weight, column) in solution.iter().chain(given).zip(gap_columns.chain(&self.columns)) {
            subtract(&mut scratch.cleaned, *weight, column);
        }
        scratch.phi_adjoint.clear();
        scratch.phi_adjoint.resize(self.phi.len(), N::ZERO);
        let (last, per_value) = (self.units.len() - 1, N::splat(0.5 / self.effective));
        let per_square = N::splat(0.5) / self.sum_of_squares;
        // The residuals of the regression are the scaled innovations of what it leaves.
        let residuals = &self.units[last];
        let variances = self.innovations.variance.iter().zip(&scratch.inverse_root);
        scratch.innovations.clear();
        scratch.innovations.extend(variances.zip(residuals).map(|((f, root), residual)| *residual * *f * *root));
        scratch.adjoint.clear();
        let scaled = residuals.iter().zip(&scratch.inverse_root);
        scratch.adjoint.extend(scaled.map(|(residual, root)| *residual * *root * per_square * 2.0));
        self.innovations.begin_adjoint(residuals.iter().map(|residual| per_value - per_square * *residual * *residual));
        self.innovations.add_column_adjoint(
            &scratch.cleaned,
            &scratch.innovations,
            &scratch.adjoint,
            &mut scratch.phi_adjoint,
        );
        self.differentiate_gaps(&mut scratch);
        self.innovations.end_adjoint(&mut scratch.phi_adjoint, &mut scratch.column_adjoint);
        for lane in 0..self.active {
            self.end_lane(lane, &mut scratch, gradient);
        }
        let count = self.shape.coefficients();
        for (i, to) in gradient[count..].iter_mut().enumerate().take(given.len()) {
            *to = -(dot(&self.units[gaps + i], &self.units[last]) / self.sum_of_squares);
        }
        self.scratch = scratch;
    }

    /// From the gradient with respect to `φ` and the stationary start to the one with respect to a lane's coefficients.
    fn end_lane(&mut self, lane: usize, scratch: &mut Scratch<N>, gradient: &mut [N]) {
        let own = &mut self.lanes[lane];
        let of_lane = |values: &[N], to: &mut Vec<f64>| {
            to.clear();
            to.extend(values.iter().map(|value| value.lane(lane)));
        };
        of_lane(&scratch.phi_adjoint, &mut scratch.lane_phi);
        of_lane(&scratch.column_adjoint, &mut scratch.lane_column);
        scratch.lane_theta.clear();
        scratch.lane_theta.resize(own.theta.len(), 0.0);
        own.stationary.adjoint(
            (&own.phi, &own.theta),
            &scratch.lane_column,
            &mut scratch.lane_phi,
            &mut scratch.lane_theta,
        );
        scratch.gradient.resize(self.shape.coefficients(), 0.0);
        let to = &mut scratch.gradient;
        self.shape.expand_adjoint(&own.coefficients, &scratch.lane_phi, &scratch.lane_theta, to);
        for (to, value) in gradient.iter_mut().zip(&scratch.gradient) {
            to.set_lane(lane, *value);
        }
    }

    /// The part of `log |Dᵀ Σ⁻¹ D| / 2n`.
    #[inline(always)]
    fn differentiate_gaps(&mut self, scratch: &mut Scratch<N>) {
        let gaps = self.gaps.len();
        let rows = self.response.len();
        let part = 1.0 / self.effective;
        for j in 0..gaps {
            // Column j of Q R⁻ᵀ, by the rows of R⁻¹.
            let mut inverse_row = vec![N::ZERO; gaps];
            for i in j..gaps {
                let mut rest = if i == j { N::splat(1.0) } else { N::ZERO };
                for (known, weight) in inverse_row[j..i].iter().zip(&self.triangle[i][j..i]) {
                    rest -= *known * *weight;
                }
                inverse_row[i] = rest / self.triangle[i][i];
            }
            scratch.adjoint.clear();
            scratch.adjoint.resize(rows, N::ZERO);
            for (weight, unit) in inverse_row.iter().zip(&self.units).skip(j) {
                subtract(&mut scratch.adjoint, -(*weight * part), unit);
            }
            let (first, column) = &self.gaps[j];
            self.innovations.filter(column, *first, &mut scratch.innovations);
            for t in 0..rows {
                let root = scratch.inverse_root[t];
                let scaled = scratch.innovations[t] * root;
                self.innovations.add_variance_adjoint(t, scratch.adjoint[t] * scaled * root * root * -0.5);
                scratch.adjoint[t] = scratch.adjoint[t] * root;
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

/// `x −= s a`.
#[inline(always)]
fn subtract<N: Number>(x: &mut [N], s: N, a: &[N]) {
    for (x, a) in x.iter_mut().zip(a) {
        *x -= s * *a;
        N::end_turn();
    }
}

/// `Σ log x` of positive numbers, with few logarithms.
#[inline(always)]
fn log_sum<N: Number>(values: &[N]) -> N {
    let mut sum = N::ZERO;
    for some in values.chunks(FACTORS) {
        let mut product = some[0];
        for value in &some[1..] {
            product = product * *value;
        }
        sum += product.ln();
    }
    sum
}
