//! Lag polynomials: stationarity by partial autocorrelations, and products of seasonal factors.
//!
//! Coefficients stand in the autoregressive sign, `1 − a₁B − … − aₚBᵖ`; a moving average takes the negative.

use super::order::COEFFICIENTS_MAX;

const LEVELS: usize = COEFFICIENTS_MAX * (COEFFICIENTS_MAX + 1) / 2;

/// Partial autocorrelations `r₁ … rₚ` in (−1, 1) to the coefficients of a stationary polynomial, by the
/// Durbin-Levinson recursion `aⱼ⁽ᵏ⁾ = aⱼ⁽ᵏ⁻¹⁾ − rₖ aₖ₋ⱼ⁽ᵏ⁻¹⁾`, `aₖ⁽ᵏ⁾ = rₖ` (Monahan 1984; Jones 1980; R's `partrans`
/// without its tanh). The map is one to one onto the stationary region.
pub fn from_partial(partial: &[f64], coefficients: &mut [f64]) {
    let mut before = [0.0; COEFFICIENTS_MAX];
    for (k, &r) in partial.iter().enumerate() {
        before[..k].copy_from_slice(&coefficients[..k]);
        for j in 0..k {
            coefficients[j] = before[j] - r * before[k - 1 - j];
        }
        coefficients[k] = r;
    }
}

/// The transpose of the Jacobian of [`from_partial`] times `adjoint`: the gradient with respect to the partial
/// autocorrelations from the gradient with respect to the coefficients, in place.
pub fn from_partial_adjoint(partial: &[f64], adjoint: &mut [f64]) {
    let p = partial.len();
    let mut levels = [0.0; LEVELS];
    let start = |level: usize| level * (level + 1) / 2;
    for (k, &r) in partial.iter().enumerate() {
        let (done, rest) = levels.split_at_mut(start(k));
        let before = if k == 0 { &[][..] } else { &done[start(k - 1)..] };
        for j in 0..k {
            rest[j] = before[j] - r * before[k - 1 - j];
        }
        rest[k] = r;
    }
    for k in (0..p).rev() {
        let before = if k == 0 { &[][..] } else { &levels[start(k - 1)..start(k)] };
        let mut to_r = adjoint[k];
        let mut to_before = [0.0; COEFFICIENTS_MAX];
        for j in 0..k {
            to_r -= adjoint[j] * before[k - 1 - j];
            to_before[j] += adjoint[j];
            to_before[k - 1 - j] -= partial[k] * adjoint[j];
        }
        adjoint[..k].copy_from_slice(&to_before[..k]);
        adjoint[k] = to_r;
    }
}

/// The inverse of [`from_partial`] (step-down, Schur-Cohn); `None` where the polynomial has a root on or inside the
/// unit circle.
pub fn to_partial(coefficients: &[f64]) -> Option<Vec<f64>> {
    let mut partial = coefficients.to_vec();
    let mut before = vec![0.0; coefficients.len()];
    for k in (0..coefficients.len()).rev() {
        let r = partial[k];
        if r.is_nan() || r.abs() >= 1.0 {
            return None;
        }
        let scale = 1.0 / (1.0 - r * r);
        for j in 0..k {
            before[j] = (partial[j] + r * partial[k - 1 - j]) * scale;
        }
        partial[..k].copy_from_slice(&before[..k]);
    }
    Some(partial)
}

/// Whether every root of `1 − a₁z − … − aₚzᵖ` has a modulus above `modulus`.
pub fn roots_lie_outside(coefficients: &[f64], modulus: f64) -> bool {
    let mut power = 1.0;
    let scaled: Vec<f64> = coefficients
        .iter()
        .map(|a| {
            power *= modulus;
            a * power
        })
        .collect();
    to_partial(&scaled).is_some()
}

/// The sign in which a factor enters the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `1 − Σ aᵢBⁱ`
    Autoregressive,
    /// `1 + Σ aᵢBⁱ`
    MovingAverage,
}

impl Kind {
    const fn sign(self) -> f64 {
        match self {
            Kind::Autoregressive => -1.0,
            Kind::MovingAverage => 1.0,
        }
    }
}

/// Multiplies a factor in `B` with one in `Bˢ`; `product` has `factor.len() + s·seasonal.len()` coefficients.
pub fn multiply(kind: Kind, factor: &[f64], seasonal: &[f64], period: usize, product: &mut [f64]) {
    product.fill(0.0);
    product[..factor.len()].copy_from_slice(factor);
    for (j, &outer) in seasonal.iter().enumerate() {
        let lag = (j + 1) * period;
        product[lag - 1] += outer;
        for (i, &inner) in factor.iter().enumerate() {
            product[lag + i] += kind.sign() * outer * inner;
        }
    }
}

/// The gradient with respect to the factors from the gradient with respect to the product; adds to `factor_adjoint`
/// and `seasonal_adjoint`.
pub fn multiply_adjoint(
    kind: Kind,
    (factor, seasonal): (&[f64], &[f64]),
    period: usize,
    product_adjoint: &[f64],
    (factor_adjoint, seasonal_adjoint): (&mut [f64], &mut [f64]),
) {
    for (to, from) in factor_adjoint.iter_mut().zip(product_adjoint) {
        *to += from;
    }
    for (j, &outer) in seasonal.iter().enumerate() {
        let lag = (j + 1) * period;
        seasonal_adjoint[j] += product_adjoint[lag - 1];
        for (i, &inner) in factor.iter().enumerate() {
            seasonal_adjoint[j] += kind.sign() * inner * product_adjoint[lag + i];
            factor_adjoint[i] += kind.sign() * outer * product_adjoint[lag + i];
        }
    }
}

/// Coefficients `c` of `(1−B)ᵈ (1−Bˢ)ᴰ = 1 − c₁B − … `; exact integers.
pub fn difference(d: usize, seasonal_d: usize, period: usize) -> Vec<f64> {
    let mut full = vec![1.0];
    let lags = std::iter::repeat_n(1, d).chain(std::iter::repeat_n(period, seasonal_d));
    for lag in lags {
        let mut next = full.clone();
        next.resize(full.len() + lag, 0.0);
        for (i, value) in full.iter().enumerate() {
            next[i + lag] -= value;
        }
        full = next;
    }
    full.iter().skip(1).map(|value| -value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_autocorrelations_go_there_and_back() {
        let partial = [0.5, -0.3, 0.8, -0.95];
        let mut coefficients = [0.0; 4];
        from_partial(&partial, &mut coefficients);
        let back = to_partial(&coefficients).expect("stationary");
        for (given, found) in partial.iter().zip(&back) {
            assert!((given - found).abs() < 1e-12, "{given} {found}");
        }
        assert_eq!(to_partial(&[1.0]), None);
        assert_eq!(to_partial(&[0.5, 0.5]), None, "a unit root");
    }

    #[test]
    fn the_adjoint_is_the_derivative() {
        let partial = [0.5, -0.3, 0.8, -0.6];
        let weights = [0.3, -1.0, 2.0, 0.7];
        let value = |partial: &[f64]| {
            let mut coefficients = [0.0; 4];
            from_partial(partial, &mut coefficients);
            coefficients.iter().zip(weights).map(|(a, w)| a * w).sum::<f64>()
        };
        let mut adjoint = weights;
        from_partial_adjoint(&partial, &mut adjoint);
        for i in 0..4 {
            let (mut up, mut down) = (partial, partial);
            up[i] += 1e-6;
            down[i] -= 1e-6;
            let numeric = (value(&up) - value(&down)) / 2e-6;
            assert!((numeric - adjoint[i]).abs() < 1e-8, "{i}: {numeric} {}", adjoint[i]);
        }
    }

    #[test]
    fn products_and_differences_multiply_out() {
        let mut product = [0.0; 5];
        multiply(Kind::Autoregressive, &[0.5], &[0.4], 4, &mut product);
        assert_eq!(product, [0.5, 0.0, 0.0, 0.4, -0.2]);
        multiply(Kind::MovingAverage, &[0.5], &[0.4], 4, &mut product);
        assert_eq!(product, [0.5, 0.0, 0.0, 0.4, 0.2]);
        assert_eq!(difference(1, 1, 4), [1.0, 0.0, 0.0, 1.0, -1.0]);
        assert_eq!(difference(2, 0, 1), [2.0, -1.0]);
        assert!(difference(0, 0, 1).is_empty());
    }

    #[test]
    fn roots_are_measured() {
        assert!(roots_lie_outside(&[0.98], 1.01));
        assert!(!roots_lie_outside(&[0.995], 1.01));
    }
}
