//! The exact likelihood of ARMA(1,1) without a filter: for one `θ`, of every `φ` at once.
//!
//! What lies before the sample enters through one number, the prediction `x = φ w₀ + θ ε₀` of the first value, with
//! `Var x = δ σ²`, `δ = (φ+θ)² / (1−φ²)`. Given `x`, the errors are linear in it,
//!
//! `εₜ = uₜ − x cₜ`, `uₜ = wₜ − φ wₜ₋₁ − θ uₜ₋₁`, `cₜ = (−θ)^{t−1}`,
//!
//! so that `x` can be integrated out in closed form (Ljung and Box 1979; Galbraith and Galbraith 1974):
//!
//! `S = Σ uₜ² − δ H² / (1 + δ s)`, `log|Ω| = log(1 + δ s)`, `H = Σ uₜ cₜ`, `s = Σ cₜ²`.
//!
//! And `u` is linear in `φ`: with `zₜ = wₜ − θ zₜ₋₁`, `uₜ = zₜ − φ zₜ₋₁`. One pass over the series for a `θ` gives a few
//! sums, and they give the likelihood for every `φ`: a grid costs one pass a column, and no step needs a division.

use crate::arima::lanes::Lanes;

/// Eight series of one length, differenced and scaled, time by time.
pub struct Block<'a> {
    pub steps: &'a [Lanes],
}

/// Sums of one pass, functions of `θ` alone.
#[derive(Clone, Copy)]
pub struct Sums {
    /// `Σ zₜ²`, `Σ zₜ zₜ₋₁`, `Σ zₜ₋₁²`.
    q00: Lanes,
    q01: Lanes,
    q11: Lanes,
    /// `Σ zₜ cₜ`, `Σ zₜ₋₁ cₜ`.
    h0: Lanes,
    h1: Lanes,
    s: Lanes,
    pub last: Last,
}

/// The end of a pass, from which a forecast goes on: `z_N`, `z_{N−1}`, `c_N`.
#[derive(Clone, Copy)]
pub struct Last {
    pub z: Lanes,
    pub z_before: Lanes,
    pub c: Lanes,
}

/// The likelihood at one point: `N log S + log(1 + δ s)`, what is to be minimised, and its parts.
#[derive(Clone, Copy)]
pub struct Value {
    pub deviance: Lanes,
    pub squares: Lanes,
    /// The expected `x`.
    pub start: Lanes,
    /// `1 + δ s`.
    pub determinant: Lanes,
}

impl Block<'_> {
    #[inline(always)]
    fn count(&self) -> Lanes {
        Lanes::splat(self.steps.len() as f64)
    }

    /// One pass without derivatives.
    #[inline(always)]
    pub fn sums(&self, theta: Lanes) -> Sums {
        let (mut q00, mut q01, mut h0, mut s) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
        let (mut z, mut z_before) = (Lanes::ZERO, Lanes::ZERO);
        let (mut c, mut c_next) = (Lanes::ZERO, Lanes::ONE);
        for &w in self.steps {
            z_before = z;
            c = c_next;
            z = w - theta * z_before;
            q00 += z * z;
            q01 += z * z_before;
            h0 += z * c;
            s += c * c;
            c_next = -(theta * c);
        }
        let h1 = -(theta * (h0 - z * c));
        Sums { q00, q01, q11: q00 - z * z, h0, h1, s, last: Last { z, z_before, c } }
    }

    /// One pass with derivatives with respect to `θ`.
    #[inline(always)]
    fn sums_and_slopes(&self, theta: Lanes) -> (Sums, Sums) {
        let zero = Lanes::ZERO;
        let (mut q00, mut q01, mut h0, mut s) = (zero, zero, zero, zero);
        let (mut dq00, mut dq01, mut dh0, mut ds) = (zero, zero, zero, zero);
        let (mut z, mut dz) = (zero, zero);
        let (mut z_before, mut dz_before) = (zero, zero);
        let (mut c, mut dc) = (zero, zero);
        let (mut c_next, mut dc_next) = (Lanes::ONE, zero);
        for &w in self.steps {
            (z_before, dz_before, c, dc) = (z, dz, c_next, dc_next);
            z = w - theta * z_before;
            dz = -(z_before + theta * dz_before);
            q00 += z * z;
            q01 += z * z_before;
            h0 += z * c;
            s += c * c;
            dq00 += z * dz;
            dq01 += dz * z_before + z * dz_before;
            dh0 += dz * c + z * dc;
            ds += c * dc;
            c_next = -(theta * c);
            dc_next = -(c + theta * dc);
        }
        let rest = h0 - z * c;
        let drest = dh0 - dz * c - z * dc;
        let sums = Sums { q00, q01, q11: q00 - z * z, h0, h1: -(theta * rest), s, last: Last { z, z_before, c } };
        let slopes = Sums {
            q00: dq00 + dq00,
            q01: dq01,
            q11: dq00 + dq00 - z * dz * 2.0,
            h0: dh0,
            h1: -(rest + theta * drest),
            s: ds + ds,
            last: Last { z: dz, z_before: dz_before, c: dc },
        };
        (sums, slopes)
    }

    /// The likelihood at `(φ, θ)` from the sums of `θ`.
    #[inline(always)]
    pub fn value(&self, sums: &Sums, phi: Lanes, theta: Lanes) -> Value {
        let both = phi + theta;
        let k = both * both;
        let d = (Lanes::ONE - phi) * (Lanes::ONE + phi);
        let e = d + sums.s * k;
        let h = sums.h0 - phi * sums.h1;
        let gain = k / e;
        let squares = sums.q00 - phi * (sums.q01 + sums.q01 - phi * sums.q11) - gain * h * h;
        // What rounding leaves of a fit through every point must not be negative.
        let squares = squares.max(sums.q00 * 1e-24 + Lanes::splat(1e-290));
        let determinant = e / d;
        let deviance = self.count() * squares.ln() + determinant.ln();
        Value { deviance, squares, start: gain * h, determinant }
    }

    /// The deviance at `(φ, θ)` and its derivatives with respect to both.
    #[inline(always)]
    pub fn slopes(&self, phi: Lanes, theta: Lanes) -> (Lanes, Lanes, Lanes) {
        let (sums, slopes) = self.sums_and_slopes(theta);
        let value = self.value(&sums, phi, theta);
        let both = phi + theta;
        let (k, dk) = (both * both, both + both);
        let d = (Lanes::ONE - phi) * (Lanes::ONE + phi);
        let e = d + sums.s * k;
        let inverse = Lanes::ONE / e;
        let h = sums.h0 - phi * sums.h1;
        let (kh, gain) = (k * h, k * h * h * inverse);
        let e_phi = sums.s * dk - (phi + phi);
        let e_theta = slopes.s * k + sums.s * dk;
        let q_phi = (phi * sums.q11 - sums.q01) * 2.0;
        let q_theta = slopes.q00 - phi * (slopes.q01 + slopes.q01 - phi * slopes.q11);
        let h_theta = slopes.h0 - phi * slopes.h1;
        let squares_phi = q_phi - (dk * h * h - kh * sums.h1 * 2.0 - gain * e_phi) * inverse;
        let squares_theta = q_theta - (dk * h * h + kh * h_theta * 2.0 - gain * e_theta) * inverse;
        let scaled = self.count() / value.squares;
        let to_phi = scaled * squares_phi + e_phi * inverse + (phi + phi) / d;
        let to_theta = scaled * squares_theta + e_theta * inverse;
        (value.deviance, to_phi, to_theta)
    }
}
