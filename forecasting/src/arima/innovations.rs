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

use super::lanes::Number;

/// Below this, relative to `√F`, what is left of `L` changes `F` by less than a rounding error.
const STEADY: f64 = 1e-11;
/// Steps between two looks at whether the filter is steady.
const STEADY_EVERY: usize = 8;

/// Variances and gains of the innovations, for any number of columns; reused between evaluations. In lanes: of several
/// processes at a time.
#[derive(Clone, Debug, Default)]
pub struct Innovations<N> {
    r: usize,
    steps: usize,
    /// Steps before the gain is constant; at most `steps`.
    moving: usize,
    phi: Vec<N>,
    /// `Fₜ`, one for each step.
    pub variance: Vec<N>,
    /// `1 / Fₜ`.
    pub inverse: Vec<N>,
    kappa: Vec<N>,
    /// `Kₜ` of the moving steps and the first steady one, `r` numbers each.
    gain: Vec<N>,
    /// `Lₜ` of the moving steps.
    low: Vec<N>,
    gain_adjoint: Vec<N>,
    variance_adjoint: Vec<N>,
    rolling: Vec<N>,
    ahead: Vec<N>,
}

impl<N: Number> Innovations<N> {
    /// Computes variances and gains of `steps` steps from the first column `c` of the stationary start.
    ///
    /// Where `φ` is not stationary a variance is not positive, and what is made of it is not a number.
    #[inline(always)]
    pub fn compute(&mut self, phi: &[N], column: &[N], steps: usize) {
        let r = column.len();
        self.r = r;
        self.steps = steps;
        self.phi.clear();
        self.phi.extend_from_slice(phi);
        for store in [&mut self.gain, &mut self.low] {
            // What an earlier evaluation left is overwritten before it is read.
            store.resize((steps + 1) * r, N::ZERO);
        }
        self.variance.clear();
        self.inverse.clear();
        self.kappa.clear();
        transition(phi, column, &mut self.gain[..r]);
        let (gain, low) = (&mut self.gain, &mut self.low);
        low[..r].copy_from_slice(&gain[..r]);
        let one = N::splat(1.0);
        let mut variance = column[0];
        self.moving = steps;
        for t in 0..steps {
            let inverse = one / variance;
            self.variance.push(variance);
            self.inverse.push(inverse);
            let (here, next) = (t * r, (t + 1) * r);
            if t % STEADY_EVERY == 0 && is_steady(&low[here..next], variance) {
                self.moving = t;
                self.variance.resize(steps, variance);
                self.inverse.resize(steps, inverse);
                return;
            }
            let kappa = low[here] * inverse;
            let (low_now, low_next) = low[here..next + r].split_at_mut(r);
            let (gain_now, gain_next) = gain[here..next + r].split_at_mut(r);
            rotate(phi, kappa, (low_now, low_next), (gain_now, gain_next));
            self.kappa.push(kappa);
            variance = variance * (one - kappa) * (one + kappa);
        }
    }

    /// The innovations of a column under these gains; nothing is computed for rows before `first`, which are zero.
    #[inline(always)]
    pub fn filter(&mut self, column: &[N], first: usize, innovations: &mut [N]) {
        let r = self.r;
        // The state moves one place along this row each step, since `T` shifts it.
        let row = &mut self.rolling;
        row.clear();
        row.resize(self.steps + r + 1, N::ZERO);
        innovations[..first].fill(N::ZERO);
        for t in first..self.steps {
            let expected = row[t];
            let innovation = column[t] - expected;
            innovations[t] = innovation;
            let scaled = innovation * self.inverse[t];
            let slot = t.min(self.moving) * r;
            let gain = &self.gain[slot..slot + r];
            for (to, gain) in row[t + 1..=t + r].iter_mut().zip(gain) {
                *to += *gain * scaled;
                N::end_turn();
            }
            for (to, phi) in row[t + 1..].iter_mut().zip(&self.phi) {
                *to += *phi * expected;
                N::end_turn();
            }
        }
    }

    /// Begins a derivative: `adjoint` are the gradients with respect to `log Fₜ` that do not go through a column.
    #[inline(always)]
    pub fn begin_adjoint(&mut self, adjoint: impl Iterator<Item = N>) {
        self.gain_adjoint.clear();
        self.gain_adjoint.resize((self.moving + 1) * self.r, N::ZERO);
        self.variance_adjoint.clear();
        self.variance_adjoint.extend(adjoint.zip(&self.inverse).map(|(adjoint, inverse)| adjoint * *inverse));
    }

    /// Adds to the gradient with respect to `Fₜ`.
    #[inline(always)]
    pub fn add_variance_adjoint(&mut self, t: usize, weight: N) {
        self.variance_adjoint[t] += weight;
    }

    /// Adds a column's part: `innovation_adjoint[t]` is the gradient with respect to `vₜ`.
    #[inline(always)]
    pub fn add_column_adjoint(
        &mut self,
        column: &[N],
        innovations: &[N],
        innovation_adjoint: &[N],
        phi_adjoint: &mut [N],
    ) {
        let (r, p) = (self.r, self.phi.len());
        // The gradient with respect to the state, moving the other way.
        let row = &mut self.rolling;
        row.clear();
        row.resize(self.steps + r + 1, N::ZERO);
        for t in (0..self.steps).rev() {
            let slot = t.min(self.moving) * r;
            let ahead = &row[t + 1..=t + r];
            let gain = &self.gain[slot..slot + r];
            let inverse = self.inverse[t];
            let scaled = innovations[t] * inverse;
            let expected = column[t] - innovations[t];
            let to_scaled = dot(gain, ahead);
            let to_expected = dot(&self.phi, &ahead[..p]);
            for (to, weight) in self.gain_adjoint[slot..slot + r].iter_mut().zip(ahead) {
                *to += scaled * *weight;
                N::end_turn();
            }
            for (to, weight) in phi_adjoint.iter_mut().zip(ahead) {
                *to += *weight * expected;
                N::end_turn();
            }
            self.variance_adjoint[t] -= to_scaled * scaled * inverse;
            row[t] = to_expected - innovation_adjoint[t] - to_scaled * inverse;
        }
    }

    /// Ends a derivative: adds to the gradient with respect to `φ`, and returns the one with respect to the column of
    /// the stationary start.
    #[inline(always)]
    pub fn end_adjoint(&mut self, phi_adjoint: &mut [N], column_adjoint: &mut Vec<N>) {
        let (r, p) = (self.r, self.phi.len());
        let mut to_variance = self.variance_adjoint[self.moving..].iter().fold(N::ZERO, |sum, value| sum + *value);
        let (row, to_gain) = (&mut self.rolling, &mut self.ahead);
        to_gain.clear();
        to_gain.extend_from_slice(&self.gain_adjoint[self.moving * r..]);
        row.clear();
        row.resize(self.moving + r + 1, N::ZERO);
        for t in (0..self.moving).rev() {
            let (here, next) = (t * r, (t + 1) * r);
            let (low, gain) = (&self.low[here..next], &self.gain[here..next]);
            let (kappa, first) = (self.kappa[t], low[0]);
            let (variance, inverse) = (self.variance[t], self.inverse[t]);
            let to_low = &mut row[t + 1..=t + r];
            // T L = φ L₁ + the rest of L, moved up.
            let to_kappa = kappa * variance * to_variance * -2.0
                - first * dot(&self.phi, &to_gain[..p])
                - dot(&low[1..], &to_gain[..r - 1])
                - dot(gain, to_low);
            for ((low, gain), before) in to_low.iter_mut().zip(to_gain.iter_mut()).zip(&self.gain_adjoint[here..next]) {
                let (of_low, of_gain) = (*low, *gain);
                *low = of_low - kappa * of_gain;
                *gain = of_gain - kappa * of_low + *before;
                N::end_turn();
            }
            let to_first = dot(&self.phi, &to_low[..p]) + to_kappa * inverse;
            for (to, weight) in phi_adjoint.iter_mut().zip(to_low.iter()) {
                *to += *weight * first;
                N::end_turn();
            }
            to_variance =
                to_variance * (N::splat(1.0) - kappa * kappa) + self.variance_adjoint[t] - to_kappa * kappa * inverse;
            row[t] = to_first;
        }
        // K₁ = L₁ = T c and F₁ = c₁.
        for (to, low) in to_gain.iter_mut().zip(&row[..r]) {
            *to += *low;
            N::end_turn();
        }
        column_adjoint.clear();
        column_adjoint.push(to_variance + dot(&self.phi, &to_gain[..p]));
        column_adjoint.extend_from_slice(&to_gain[..r - 1]);
        let first = self.variance.first().copied().unwrap_or(N::ZERO);
        for (to, weight) in phi_adjoint.iter_mut().zip(to_gain.iter()) {
            *to += *weight * first;
            N::end_turn();
        }
    }
}

/// A sum of products in four parts, so that it can be computed four at a time; always in the same order.
#[inline(always)]
pub fn dot<N: Number>(a: &[N], b: &[N]) -> N {
    let mut parts = [N::ZERO; 4];
    let (a_fours, b_fours) = (a.chunks_exact(4), b.chunks_exact(4));
    let mut rest = N::ZERO;
    for (a, b) in a_fours.remainder().iter().zip(b_fours.remainder()) {
        rest += *a * *b;
        N::end_turn();
    }
    for (a, b) in a_fours.zip(b_fours) {
        for i in 0..4 {
            parts[i] += a[i] * b[i];
            N::end_turn();
        }
    }
    (parts[0] + parts[2]) + (parts[1] + parts[3]) + rest
}

#[inline(always)]
fn is_steady<N: Number>(low: &[N], variance: N) -> bool {
    let bound = variance.sqrt() * STEADY;
    low.iter().all(|value| value.abs().all_below(bound))
}

/// `T x`, with `x` of length r: `φᵢ x₁ + xᵢ₊₁`.
#[inline(always)]
fn transition<N: Number>(phi: &[N], x: &[N], to: &mut [N]) {
    let r = x.len();
    to[..r - 1].copy_from_slice(&x[1..]);
    to[r - 1] = N::ZERO;
    for (to, phi) in to.iter_mut().zip(phi) {
        *to += *phi * x[0];
        N::end_turn();
    }
}

/// One step of the rotation: `K − κ T L` and `T L − κ K`.
#[inline(always)]
fn rotate<N: Number>(phi: &[N], kappa: N, low: (&[N], &mut [N]), gain: (&[N], &mut [N])) {
    transition(phi, low.0, low.1);
    let moved = low.1.iter_mut().zip(gain.0);
    for ((low, gain_now), gain_next) in moved.zip(gain.1.iter_mut()) {
        let moved = *low;
        *gain_next = *gain_now - kappa * moved;
        *low = moved - kappa * *gain_now;
        N::end_turn();
    }
}
