//! Standard errors from the observed information.

use super::design::Design;
use super::fit::Optimum;
use super::likelihood::{Likelihood, Regression};
use super::polynomial::{Kind, to_partial};
use super::shape::Shape;

/// Step of the central differences of the gradient, for ARMA coefficients.
const STEP: f64 = 1e-4;
/// The same for regression coefficients, in units of the residual standard deviation over a unit column.
const REGRESSION_STEP: f64 = 1e-3;

/// The covariance of all coefficients, row by row, in the units of the series: the inverse of the Hessian of `−ℓ` with
/// σ² concentrated out (as R's), from central differences of the analytic gradient.
///
/// `None` at the boundary of stationarity and where the likelihood has no curvature in some direction.
pub fn covariance(design: &Design, shape: Shape, optimum: &Optimum) -> Option<Vec<f64>> {
    let (arma, regression) = (shape.coefficients(), optimum.regression.len());
    let size = arma + regression;
    if size == 0 {
        return Some(Vec::new());
    }
    let n = design.effective() as f64;
    let mut likelihood: Likelihood<f64> = Likelihood::new(&[design], shape);
    let point: Vec<f64> = optimum.coefficients.iter().chain(&optimum.regression).copied().collect();
    let mut hessian = vec![0.0; size * size];
    let (mut above, mut below) = (vec![0.0; size], vec![0.0; size]);
    for i in 0..size {
        let step = if i < arma { STEP } else { REGRESSION_STEP };
        let (mut up, mut down) = (point.clone(), point.clone());
        up[i] += step;
        down[i] -= step;
        for (moved, gradient) in [(&up, &mut above), (&down, &mut below)] {
            if !stationary(shape, &moved[..arma]) {
                return None;
            }
            let given = Regression::Given(&moved[arma..]);
            if !likelihood.evaluate(&moved[..arma], given, Some(gradient)).is_finite() {
                return None;
            }
        }
        for j in 0..size {
            hessian[i * size + j] = n * (above[j] - below[j]) / (2.0 * step);
        }
    }
    for i in 0..size {
        for j in 0..i {
            let mean = 0.5 * (hessian[i * size + j] + hessian[j * size + i]);
            hessian[i * size + j] = mean;
            hessian[j * size + i] = mean;
        }
    }
    let scaled = inverse(&hessian, size)?;
    Some(unscaled(design, arma, size, &scaled))
}

fn stationary(shape: Shape, coefficients: &[f64]) -> bool {
    let factors = shape.factors().into_iter().filter(|(_, kind)| *kind == Kind::Autoregressive);
    factors.map(|(range, _)| &coefficients[range]).all(|factor| to_partial(factor).is_some())
}

/// From coefficients of the orthonormal, scaled regressors to those of the original ones: `J C Jᵀ`.
fn unscaled(design: &Design, arma: usize, size: usize, scaled: &[f64]) -> Vec<f64> {
    let by_rows = |matrix: &[f64]| -> Vec<f64> {
        let mut rows = Vec::with_capacity(size * size);
        for row in matrix.chunks_exact(size) {
            rows.extend_from_slice(&row[..arma]);
            rows.extend(design.solve(&row[arma..]).iter().map(|value| value * design.scale));
        }
        rows
    };
    transposed(&by_rows(&transposed(&by_rows(scaled), size)), size)
}

fn transposed(matrix: &[f64], size: usize) -> Vec<f64> {
    (0..size * size).map(|at| matrix[(at % size) * size + at / size]).collect()
}

/// The inverse of a positive definite matrix by Cholesky; `None` where it is not.
fn inverse(matrix: &[f64], size: usize) -> Option<Vec<f64>> {
    let mut root = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| root[i * size + k] * root[j * size + k]).sum();
            let rest = matrix[i * size + j] - known;
            root[i * size + j] = if i == j {
                // A pivot that is rounding of what was subtracted is no curvature.
                if rest.is_nan() || rest <= 1e-9 * matrix[i * size + i].abs() {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / root[j * size + j]
            };
        }
    }
    let mut inverse = vec![0.0; size * size];
    for column in 0..size {
        let mut x = vec![0.0; size];
        x[column] = 1.0;
        for i in 0..size {
            let known: f64 = (0..i).map(|k| root[i * size + k] * x[k]).sum();
            x[i] = (x[i] - known) / root[i * size + i];
        }
        for i in (0..size).rev() {
            let known: f64 = (i + 1..size).map(|k| root[k * size + i] * x[k]).sum();
            x[i] = (x[i] - known) / root[i * size + i];
        }
        for i in 0..size {
            inverse[i * size + column] = x[i];
        }
    }
    inverse.iter().all(|value| value.is_finite()).then_some(inverse)
}
