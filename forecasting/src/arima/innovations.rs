//! The exact Kalman filter of a stationary ARMA process in `O(r)` operations a step, and its derivative.
//!
//! With the state of [`super::stationary`], transition `T` (companion of `φ`) and `F₁ = γ₀`, `K₁ = L₁ = T c`, the
//! covariance of the state changes by a matrix of rank one each step (Chandrasekhar recursions: Morf, Sidhu, Kailath
//! 1974; Pearlman 1980). Written symmetrically they are a hyperbolic rotation, the Schur form of Durbin-Levinson:
//!
//! `κₜ = Lₜ,₁ / Fₜ`, the partial autocorrelation of lag t,
//! `Kₜ₊₁ = Kₜ − κₜ T Lₜ`, `Lₜ₊₁ = T Lₜ − κₜ Kₜ`, `Fₜ₊₁ = Fₜ (1 − κₜ²)`,
//! `vₜ = wₜ − aₜ,₁`, `aₜ₊₁ = T aₜ + Kₜ vₜ / Fₜ`.
//!
//! `vₜ` are the innovations and `Fₜ σ²` their variances. Once `L` has died away the gain is constant, and the rest is
//! the recursion of the conditional sum of squares. The derivative is the transposed recursion run backwards (reverse
//! mode): it costs twice the filter, whatever the number of parameters.

use super::stationary::Stationary;

/// Below this, relative to `√F`, what is left of `L` changes `F` by less than a rounding error.
const STEADY: f64 = 1e-11;
/// Steps between two looks at whether the filter is steady.
const STEADY_EVERY: usize = 8;

/// Variances and gains of the innovations, for any number of columns; reused between evaluations.
#[derive(Clone, Debug, Default)]
pub struct Innovations {
    r: usize,
    steps: usize,
    /// Steps before the gain is constant; at most `steps`.
    moving: usize,
    phi: Vec<f64>,
    /// `Fₜ`, one for each step.
    pub variance: Vec<f64>,
    kappa: Vec<f64>,
    /// `Kₜ` of the moving steps and the first steady one, `r` numbers each.
    gain: Vec<f64>,
    /// `Lₜ` of the moving steps.
    low: Vec<f64>,
    gain_adjoint: Vec<f64>,
    variance_adjoint: Vec<f64>,
    state: Vec<f64>,
}

impl Innovations {
    /// Computes variances and gains of `steps` steps from the stationary start; false where a variance is not positive.
    pub fn compute(&mut self, phi: &[f64], start: &Stationary, steps: usize) -> bool {
        let r = start.column.len();
        self.r = r;
        self.steps = steps;
        self.phi.clear();
        self.phi.extend_from_slice(phi);
        self.phi.resize(r, 0.0);
        for store in [&mut self.gain, &mut self.low] {
            store.clear();
            store.resize((steps + 1) * r, 0.0);
        }
        self.variance.clear();
        self.kappa.clear();
        transition(&self.phi, &start.column, &mut self.gain[..r]);
        let (gain, low) = (&mut self.gain, &mut self.low);
        low[..r].copy_from_slice(&gain[..r]);
        let mut variance = start.column[0];
        self.moving = steps;
        for t in 0..steps {
            if !(variance > 0.0 && variance.is_finite()) {
                return false;
            }
            self.variance.push(variance);
            let (here, next) = (t * r, (t + 1) * r);
            if t % STEADY_EVERY == 0 && is_steady(&low[here..next], variance) {
                self.moving = t;
                self.variance.resize(steps, variance);
                return true;
            }
            let kappa = low[here] / variance;
            let (low_now, low_next) = low[here..next + r].split_at_mut(r);
            let (gain_now, gain_next) = gain[here..next + r].split_at_mut(r);
            rotate(&self.phi, kappa, (low_now, low_next), (gain_now, gain_next));
            self.kappa.push(kappa);
            variance *= (1.0 - kappa) * (1.0 + kappa);
        }
        true
    }

    fn gain_at(&self, t: usize) -> &[f64] {
        let t = t.min(self.moving);
        &self.gain[t * self.r..(t + 1) * self.r]
    }

    /// The innovations of a column under these gains; `states` receives `aₜ,₁ … aₜ,ᵣ` of each step.
    pub fn filter(&self, column: &[f64], innovations: &mut [f64], states: &mut Vec<f64>) {
        let r = self.r;
        states.clear();
        states.resize((self.steps + 1) * r, 0.0);
        for t in 0..self.steps {
            let (now, next) = states[t * r..(t + 2) * r].split_at_mut(r);
            let innovation = column[t] - now[0];
            innovations[t] = innovation;
            advance(&self.phi, self.gain_at(t), innovation / self.variance[t], now, next);
        }
    }

    /// As [`Innovations::filter`], without the states; zeros before `first` are skipped.
    pub fn filter_only(&mut self, column: &[f64], first: usize, innovations: &mut [f64]) {
        let r = self.r;
        let mut states = std::mem::take(&mut self.state);
        states.clear();
        states.resize(2 * r, 0.0);
        innovations[..first].fill(0.0);
        {
            let (mut now, mut next) = states.split_at_mut(r);
            for t in first..self.steps {
                let innovation = column[t] - now[0];
                innovations[t] = innovation;
                advance(&self.phi, self.gain_at(t), innovation / self.variance[t], now, next);
                std::mem::swap(&mut now, &mut next);
            }
        }
        self.state = states;
    }

    /// Begins a derivative: `variance_adjoint[t]` is the gradient with respect to `Fₜ` that does not go through a column.
    pub fn begin_adjoint(&mut self, variance_adjoint: impl Iterator<Item = f64>, steps: usize) {
        self.gain_adjoint.clear();
        self.gain_adjoint.resize((self.moving + 1) * self.r, 0.0);
        self.variance_adjoint.clear();
        self.variance_adjoint.extend(variance_adjoint);
        debug_assert_eq!((self.variance_adjoint.len(), self.steps), (steps, steps));
    }

    /// Adds to the gradient with respect to `Fₜ`.
    pub fn add_variance_adjoint(&mut self, t: usize, weight: f64) {
        self.variance_adjoint[t] += weight;
    }

    /// Adds a column's part: `innovation_adjoint[t]` is the gradient with respect to `vₜ`.
    pub fn add_column_adjoint(
        &mut self,
        innovations: &[f64],
        states: &[f64],
        innovation_adjoint: &[f64],
        phi_adjoint: &mut [f64],
    ) {
        let r = self.r;
        let mut ahead = vec![0.0; r];
        let mut now = vec![0.0; r];
        for t in (0..self.steps).rev() {
            let slot = t.min(self.moving) * r;
            let gain = &self.gain[slot..slot + r];
            let gain_adjoint = &mut self.gain_adjoint[slot..slot + r];
            let inverse = 1.0 / self.variance[t];
            let scaled = innovations[t] * inverse;
            let first = states[t * r];
            let (mut to_first, mut to_scaled) = (0.0, 0.0);
            for i in 0..r {
                to_first += self.phi[i] * ahead[i];
                to_scaled += gain[i] * ahead[i];
                gain_adjoint[i] += scaled * ahead[i];
            }
            for (to, weight) in phi_adjoint.iter_mut().zip(&ahead) {
                *to += weight * first;
            }
            let to_innovation = innovation_adjoint[t] + to_scaled * inverse;
            self.variance_adjoint[t] -= to_scaled * scaled * inverse;
            now[1..].copy_from_slice(&ahead[..r - 1]);
            now[0] = to_first - to_innovation;
            std::mem::swap(&mut now, &mut ahead);
        }
    }

    /// Ends a derivative: adds to the gradient with respect to `φ`, and returns the one with respect to the column of
    /// the stationary start.
    pub fn end_adjoint(&mut self, phi_adjoint: &mut [f64], column_adjoint: &mut Vec<f64>) {
        let r = self.r;
        let mut to_variance: f64 = self.variance_adjoint[self.moving..].iter().sum();
        let mut gain_ahead = self.gain_adjoint[self.moving * r..].to_vec();
        let mut low_ahead = vec![0.0; r];
        let mut to_moved = vec![0.0; r];
        for t in (0..self.moving).rev() {
            let (here, next) = (t * r, (t + 1) * r);
            let (low, gain) = (&self.low[here..next], &self.gain[here..next]);
            let (kappa, variance, first) = (self.kappa[t], self.variance[t], low[0]);
            let mut to_kappa = -2.0 * kappa * variance * to_variance;
            let mut to_first = 0.0;
            for i in 0..r {
                let moved = self.phi[i] * first + if i + 1 < r { low[i + 1] } else { 0.0 };
                to_kappa -= moved * gain_ahead[i] + gain[i] * low_ahead[i];
                to_moved[i] = low_ahead[i] - kappa * gain_ahead[i];
                gain_ahead[i] += self.gain_adjoint[here + i] - kappa * low_ahead[i];
                to_first += self.phi[i] * to_moved[i];
            }
            to_variance = to_variance * (1.0 - kappa * kappa) + self.variance_adjoint[t] - to_kappa * kappa / variance;
            to_first += to_kappa / variance;
            for (to, weight) in phi_adjoint.iter_mut().zip(&to_moved) {
                *to += weight * first;
            }
            low_ahead[1..].copy_from_slice(&to_moved[..r - 1]);
            low_ahead[0] = to_first;
        }
        // K₁ = L₁ = T c and F₁ = c₁.
        column_adjoint.clear();
        column_adjoint.resize(r, 0.0);
        column_adjoint[0] = to_variance;
        for i in 0..r {
            let weight = gain_ahead[i] + low_ahead[i];
            column_adjoint[0] += self.phi[i] * weight;
            if i + 1 < r {
                column_adjoint[i + 1] += weight;
            }
        }
        // The gradient with respect to φ of T c needs c₁ = F₁.
        let first = self.variance.first().copied().unwrap_or(0.0);
        for (i, to) in phi_adjoint.iter_mut().enumerate() {
            *to += (gain_ahead[i] + low_ahead[i]) * first;
        }
    }
}

fn is_steady(low: &[f64], variance: f64) -> bool {
    let bound = STEADY * variance.sqrt();
    low.iter().all(|value| value.abs() < bound)
}

/// `T x`, with `x` of length r: `φᵢ x₁ + xᵢ₊₁`.
fn transition(phi: &[f64], x: &[f64], to: &mut [f64]) {
    let r = x.len();
    for i in 0..r - 1 {
        to[i] = phi[i] * x[0] + x[i + 1];
    }
    to[r - 1] = phi[r - 1] * x[0];
}

/// `T a + K s`.
fn advance(phi: &[f64], gain: &[f64], scaled: f64, now: &[f64], next: &mut [f64]) {
    let r = next.len();
    let (phi, gain, now) = (&phi[..r], &gain[..r], &now[..r]);
    let first = now[0];
    for i in 0..r - 1 {
        next[i] = phi[i] * first + now[i + 1] + gain[i] * scaled;
    }
    next[r - 1] = phi[r - 1] * first + gain[r - 1] * scaled;
}

fn rotate(phi: &[f64], kappa: f64, low: (&[f64], &mut [f64]), gain: (&[f64], &mut [f64])) {
    let r = low.0.len();
    let (low_now, low_next) = (&low.0[..r], &mut low.1[..r]);
    let (gain_now, gain_next) = (&gain.0[..r], &mut gain.1[..r]);
    let phi = &phi[..r];
    let first = low_now[0];
    for i in 0..r - 1 {
        let moved = phi[i] * first + low_now[i + 1];
        gain_next[i] = gain_now[i] - kappa * moved;
        low_next[i] = moved - kappa * gain_now[i];
    }
    let moved = phi[r - 1] * first;
    gain_next[r - 1] = gain_now[r - 1] - kappa * moved;
    low_next[r - 1] = moved - kappa * gain_now[r - 1];
}
