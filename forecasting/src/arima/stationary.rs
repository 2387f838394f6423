//! The stationary start of an ARMA process: the first column of the state's covariance, and its derivative.
//!
//! State of Harvey (1989, §3.3) and R, for `wₜ = Σ φⱼ wₜ₋ⱼ + εₜ + Σ θⱼ εₜ₋ⱼ`, `r = max(p, q+1)`:
//!
//! `αₜ,ᵢ = Σ_{j≥i} φⱼ wₜ₊ᵢ₋₁₋ⱼ + Σ_{j≥i−1} θⱼ εₜ₊ᵢ₋₁₋ⱼ` (`θ₀ = 1`), so that `αₜ,₁ = wₜ`.
//!
//! The column `cᵢ = Cov(αₜ,ᵢ, wₜ) = Σ_{j≥i} φⱼ γ_{j−i+1} + Σ_{j≥i−1} θⱼ ψ_{j−i+1}` needs the autocovariances
//! `γ₀ … γₚ`, which solve `γₖ − Σ φⱼ γ_{|k−j|} = Σ_{j≥k} θⱼ ψ_{j−k}` (McLeod 1975), and the weights `ψₖ = θₖ + Σ φⱼ ψₖ₋ⱼ`.
//! All in units of σ² = 1.

/// Scratch space of the start; reused between evaluations.
#[derive(Clone, Debug, Default)]
pub struct Stationary {
    /// `c₁ … cᵣ`.
    pub column: Vec<f64>,
    gamma: Vec<f64>,
    psi: Vec<f64>,
    factors: Factors,
    gamma_adjoint: Vec<f64>,
    psi_adjoint: Vec<f64>,
}

/// `θⱼ` with `θ₀ = 1`.
fn theta_at(theta: &[f64], j: usize) -> f64 {
    if j == 0 { 1.0 } else { theta[j - 1] }
}

impl Stationary {
    /// Computes [`Stationary::column`]; false where the system is singular or the variance not positive.
    pub fn compute(&mut self, phi: &[f64], theta: &[f64]) -> bool {
        let (p, q) = (phi.len(), theta.len());
        self.psi_weights(phi, theta);
        self.gamma.clear();
        self.gamma.resize(p + 1, 0.0);
        for k in 0..=p.min(q) {
            self.gamma[k] = (k..=q).map(|j| theta_at(theta, j) * self.psi[j - k]).sum();
        }
        if p > 0 {
            self.fill_system(phi);
            if !self.factors.factorise() {
                return false;
            }
            self.factors.solve(&mut self.gamma);
        }
        let r = p.max(q + 1);
        self.column.clear();
        self.column.resize(r, 0.0);
        self.column[0] = self.gamma[0];
        for (j, &coefficient) in phi.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            for i in 1..=j {
                self.column[i] += coefficient * self.gamma[j + 1 - i];
            }
        }
        for (j, &coefficient) in theta.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            for i in 1..=j + 1 {
                self.column[i] += coefficient * self.psi[j + 1 - i];
            }
        }
        self.gamma[0] > 0.0 && self.gamma[0].is_finite()
    }

    fn psi_weights(&mut self, phi: &[f64], theta: &[f64]) {
        self.psi.clear();
        self.psi.push(1.0);
        for k in 1..=theta.len() {
            let mut weight = theta[k - 1];
            for (j, &coefficient) in phi.iter().take(k).enumerate() {
                weight += coefficient * self.psi[k - 1 - j];
            }
            self.psi.push(weight);
        }
    }

    fn fill_system(&mut self, phi: &[f64]) {
        let size = phi.len() + 1;
        self.factors.reset(size);
        for k in 0..size {
            let row = &mut self.factors.values[k * size..(k + 1) * size];
            row[k] += 1.0;
            for (j, &coefficient) in phi.iter().enumerate() {
                row[k.abs_diff(j + 1)] -= coefficient;
            }
        }
    }

    /// The gradient with respect to `φ` and `θ`, added to the two slices, from the gradient `column_adjoint` with
    /// respect to the column; for the parameters last computed.
    pub fn adjoint(
        &mut self,
        (phi, theta): (&[f64], &[f64]),
        column_adjoint: &[f64],
        phi_adjoint: &mut [f64],
        theta_adjoint: &mut [f64],
    ) {
        let (p, q) = (phi.len(), theta.len());
        self.gamma_adjoint.clear();
        self.gamma_adjoint.resize(p + 1, 0.0);
        self.psi_adjoint.clear();
        self.psi_adjoint.resize(q + 1, 0.0);
        self.gamma_adjoint[0] = column_adjoint[0];
        for j in 0..p {
            for (i, &weight) in column_adjoint.iter().enumerate().take(j + 1).skip(1) {
                phi_adjoint[j] += weight * self.gamma[j + 1 - i];
                self.gamma_adjoint[j + 1 - i] += weight * phi[j];
            }
        }
        for j in 0..q {
            for (i, &weight) in column_adjoint.iter().enumerate().take(j + 2).skip(1) {
                theta_adjoint[j] += weight * self.psi[j + 1 - i];
                self.psi_adjoint[j + 1 - i] += weight * theta[j];
            }
        }
        if p > 0 {
            self.factors.solve_transposed(&mut self.gamma_adjoint);
            for (j, to) in phi_adjoint.iter_mut().enumerate() {
                for (k, lambda) in self.gamma_adjoint.iter().enumerate() {
                    *to += lambda * self.gamma[k.abs_diff(j + 1)];
                }
            }
        }
        for k in 0..=p.min(q) {
            let lambda = self.gamma_adjoint[k];
            for j in k..=q {
                if j > 0 {
                    theta_adjoint[j - 1] += lambda * self.psi[j - k];
                }
                self.psi_adjoint[j - k] += lambda * theta_at(theta, j);
            }
        }
        for k in (1..=q).rev() {
            let weight = self.psi_adjoint[k];
            theta_adjoint[k - 1] += weight;
            for j in 0..p.min(k) {
                phi_adjoint[j] += weight * self.psi[k - 1 - j];
                self.psi_adjoint[k - 1 - j] += weight * phi[j];
            }
        }
    }
}

/// A dense square matrix, then its LU factors with row exchanges.
#[derive(Clone, Debug, Default)]
struct Factors {
    size: usize,
    values: Vec<f64>,
    exchanges: Vec<usize>,
}

impl Factors {
    fn reset(&mut self, size: usize) {
        self.size = size;
        self.values.clear();
        self.values.resize(size * size, 0.0);
        self.exchanges.clear();
    }

    fn factorise(&mut self) -> bool {
        let n = self.size;
        for k in 0..n {
            let magnitude = |row: usize| self.values[row * n + k].abs();
            let pivot = (k..n).max_by(|a, b| magnitude(*a).total_cmp(&magnitude(*b))).unwrap_or(k);
            if magnitude(pivot).is_nan() || magnitude(pivot) < f64::MIN_POSITIVE {
                return false;
            }
            self.exchanges.push(pivot);
            if pivot != k {
                for column in 0..n {
                    self.values.swap(k * n + column, pivot * n + column);
                }
            }
            let (above, below) = self.values.split_at_mut((k + 1) * n);
            let pivot_row = &above[k * n..];
            for row in below.chunks_exact_mut(n) {
                let factor = row[k] / pivot_row[k];
                row[k] = factor;
                if factor != 0.0 {
                    for column in k + 1..n {
                        row[column] -= factor * pivot_row[column];
                    }
                }
            }
        }
        true
    }

    fn solve(&self, b: &mut [f64]) {
        let n = self.size;
        for (k, &pivot) in self.exchanges.iter().enumerate() {
            b.swap(k, pivot);
        }
        for i in 0..n {
            let row = &self.values[i * n..i * n + i];
            b[i] -= row.iter().zip(&b[..i]).map(|(a, x)| a * x).sum::<f64>();
        }
        for i in (0..n).rev() {
            let row = &self.values[i * n..(i + 1) * n];
            let known: f64 = row[i + 1..].iter().zip(&b[i + 1..]).map(|(a, x)| a * x).sum();
            b[i] = (b[i] - known) / row[i];
        }
    }

    fn solve_transposed(&self, b: &mut [f64]) {
        let n = self.size;
        for i in 0..n {
            let known: f64 = (0..i).map(|j| self.values[j * n + i] * b[j]).sum();
            b[i] = (b[i] - known) / self.values[i * n + i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|j| self.values[j * n + i] * b[j]).sum();
            b[i] -= known;
        }
        for (k, &pivot) in self.exchanges.iter().enumerate().rev() {
            b.swap(k, pivot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arma_1_1_has_its_textbook_variance() {
        let (phi, theta): (f64, f64) = (0.7, -0.4);
        let mut start = Stationary::default();
        assert!(start.compute(&[phi], &[theta]));
        let variance = (1.0 + 2.0 * phi * theta + theta * theta) / (1.0 - phi * phi);
        assert!((start.column[0] - variance).abs() < 1e-14);
        assert!((start.column[1] - theta).abs() < 1e-14);
    }

    #[test]
    fn the_adjoint_is_the_derivative() {
        let phi = [0.5, -0.3, 0.2];
        let theta = [0.4, 0.25, -0.3, 0.1];
        let weights = [0.3, -1.0, 2.0, 0.7, -0.2];
        let value = |phi: &[f64], theta: &[f64]| {
            let mut start = Stationary::default();
            assert!(start.compute(phi, theta));
            start.column.iter().zip(weights).map(|(c, w)| c * w).sum::<f64>()
        };
        let mut start = Stationary::default();
        assert!(start.compute(&phi, &theta));
        let (mut to_phi, mut to_theta) = ([0.0; 3], [0.0; 4]);
        start.adjoint((&phi, &theta), &weights, &mut to_phi, &mut to_theta);
        let step = 1e-6;
        for i in 0..3 {
            let (mut up, mut down) = (phi, phi);
            up[i] += step;
            down[i] -= step;
            let numeric = (value(&up, &theta) - value(&down, &theta)) / (2.0 * step);
            assert!((numeric - to_phi[i]).abs() < 1e-6, "phi {i}: {numeric} {}", to_phi[i]);
        }
        for i in 0..4 {
            let (mut up, mut down) = (theta, theta);
            up[i] += step;
            down[i] -= step;
            let numeric = (value(&phi, &up) - value(&phi, &down)) / (2.0 * step);
            assert!((numeric - to_theta[i]).abs() < 1e-6, "theta {i}: {numeric} {}", to_theta[i]);
        }
    }
}
