//! From the parameters of the search to the multiplied-out polynomials, and back with gradients.

use super::order::{Arima, COEFFICIENTS_MAX};
use super::polynomial::{Kind, from_partial, from_partial_adjoint, multiply, multiply_adjoint, to_partial};

/// The largest partial autocorrelation in magnitude that the search reaches: roots stay this far from the unit circle.
pub const PARTIAL_MAX: f64 = 1.0 - 1e-7;

/// Sizes of the four factors; parameters stand in R's order `ar, ma, sar, sma`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub p: usize,
    pub q: usize,
    pub seasonal_p: usize,
    pub seasonal_q: usize,
    pub period: usize,
}

impl Shape {
    pub fn of(model: &Arima) -> Shape {
        let (order, seasonal) = (model.order(), model.seasonal());
        Shape { p: order.p, q: order.q, seasonal_p: seasonal.p, seasonal_q: seasonal.q, period: seasonal.period }
    }

    pub const fn coefficients(&self) -> usize {
        self.p + self.q + self.seasonal_p + self.seasonal_q
    }

    /// Length of the multiplied-out autoregressive polynomial.
    pub const fn phi_len(&self) -> usize {
        self.p + self.seasonal_p * self.period
    }

    /// Length of the multiplied-out moving-average polynomial.
    pub const fn theta_len(&self) -> usize {
        self.q + self.seasonal_q * self.period
    }

    /// Where each factor's parameters lie, with its kind.
    pub fn factors(&self) -> [(std::ops::Range<usize>, Kind); 4] {
        let ma = self.p;
        let seasonal_ar = ma + self.q;
        let seasonal_ma = seasonal_ar + self.seasonal_p;
        [
            (0..ma, Kind::Autoregressive),
            (ma..seasonal_ar, Kind::MovingAverage),
            (seasonal_ar..seasonal_ma, Kind::Autoregressive),
            (seasonal_ma..seasonal_ma + self.seasonal_q, Kind::MovingAverage),
        ]
    }

    /// Multiplies the factors out.
    pub fn expand(&self, coefficients: &[f64], phi: &mut [f64], theta: &mut [f64]) {
        let [ar, ma, sar, sma] = self.factors().map(|(range, _)| &coefficients[range]);
        multiply(Kind::Autoregressive, ar, sar, self.period, phi);
        multiply(Kind::MovingAverage, ma, sma, self.period, theta);
    }

    /// The gradient with respect to the factors from the one with respect to the products.
    pub fn expand_adjoint(&self, coefficients: &[f64], phi: &[f64], theta: &[f64], gradient: &mut [f64]) {
        let [ar, ma, sar, sma] = self.factors().map(|(range, _)| &coefficients[range]);
        gradient[..self.coefficients()].fill(0.0);
        let (to_ar, rest) = gradient.split_at_mut(self.p);
        let (to_ma, rest) = rest.split_at_mut(self.q);
        let (to_sar, to_sma) = rest.split_at_mut(self.seasonal_p);
        multiply_adjoint(Kind::Autoregressive, (ar, sar), self.period, phi, (to_ar, to_sar));
        let to_sma = &mut to_sma[..self.seasonal_q];
        multiply_adjoint(Kind::MovingAverage, (ma, sma), self.period, theta, (to_ma, to_sma));
    }

    /// Angles `u` to coefficients: partial autocorrelations `r = PARTIAL_MAX · sin u` of each factor.
    ///
    /// The Fisher information of one coefficient is near `n / (1 − r²)`, so that in `u` it is near `n`: the search sees
    /// a round bowl. The boundary lies at a finite `u` and is met with slope zero, as the likelihood meets an
    /// uninvertible moving average; angles past it reflect.
    pub fn coefficients_at(&self, angles: &[f64], coefficients: &mut [f64]) {
        for (range, kind) in self.factors() {
            let mut partial = [0.0; COEFFICIENTS_MAX];
            let partial = &mut partial[..range.len()];
            for (r, u) in partial.iter_mut().zip(&angles[range.clone()]) {
                *r = PARTIAL_MAX * u.sin();
            }
            let factor = &mut coefficients[range];
            from_partial(partial, factor);
            if kind == Kind::MovingAverage {
                factor.iter_mut().for_each(|value| *value = -*value);
            }
        }
    }

    /// Turns the gradient with respect to coefficients into one with respect to angles, in place.
    pub fn coefficients_at_adjoint(&self, angles: &[f64], gradient: &mut [f64]) {
        for (range, kind) in self.factors() {
            let mut partial = [0.0; COEFFICIENTS_MAX];
            let partial = &mut partial[..range.len()];
            for (r, u) in partial.iter_mut().zip(&angles[range.clone()]) {
                *r = PARTIAL_MAX * u.sin();
            }
            let factor = &mut gradient[range.clone()];
            if kind == Kind::MovingAverage {
                factor.iter_mut().for_each(|value| *value = -*value);
            }
            from_partial_adjoint(partial, factor);
            for (to, u) in factor.iter_mut().zip(&angles[range]) {
                *to *= PARTIAL_MAX * u.cos();
            }
        }
    }

    /// The inverse of [`Shape::coefficients_at`]; a factor on or past the boundary is first drawn towards zero.
    pub fn angles_of(&self, coefficients: &[f64]) -> Vec<f64> {
        let mut angles = Vec::with_capacity(self.coefficients());
        for (range, kind) in self.factors() {
            let sign = if kind == Kind::MovingAverage { -1.0 } else { 1.0 };
            let mut factor: Vec<f64> = coefficients[range].iter().map(|value| sign * value).collect();
            let partial = stationary_partial(&mut factor);
            angles.extend(partial.iter().map(|r| (r / PARTIAL_MAX).clamp(-1.0, 1.0).asin()));
        }
        angles
    }
}

/// Partial autocorrelations of a polynomial whose roots are moved outwards until it is stationary.
fn stationary_partial(factor: &mut [f64]) -> Vec<f64> {
    const TRIES: usize = 60;
    const SHRINK: f64 = 0.95;
    for _ in 0..TRIES {
        if let Some(partial) = to_partial(factor) {
            return partial;
        }
        let mut power = 1.0;
        for value in factor.iter_mut() {
            power *= SHRINK;
            *value *= power;
        }
    }
    vec![0.0; factor.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { p: 2, q: 1, seasonal_p: 1, seasonal_q: 2, period: 4 };

    #[test]
    fn angles_go_there_and_back() {
        let angles = [0.3, -0.8, 1.2, 0.5, -0.2, 0.9];
        let mut coefficients = [0.0; 6];
        SHAPE.coefficients_at(&angles, &mut coefficients);
        for (given, found) in angles.iter().zip(SHAPE.angles_of(&coefficients)) {
            assert!((given - found).abs() < 1e-9);
        }
    }

    #[test]
    fn gradients_follow_the_chain_rule() {
        let angles = [0.3, -0.8, 1.2, 0.5, -0.2, 0.9];
        let weights: Vec<f64> = (0..16).map(|i| (f64::from(i) * 1.7).sin()).collect();
        let value = |angles: &[f64]| {
            let (mut coefficients, mut phi, mut theta) = ([0.0; 6], [0.0; 6], [0.0; 9]);
            SHAPE.coefficients_at(angles, &mut coefficients);
            SHAPE.expand(&coefficients, &mut phi, &mut theta);
            phi.iter().chain(&theta).zip(&weights).map(|(a, w)| a * w).sum::<f64>()
        };
        let (mut coefficients, mut gradient) = ([0.0; 6], [0.0; 6]);
        SHAPE.coefficients_at(&angles, &mut coefficients);
        SHAPE.expand_adjoint(&coefficients, &weights[..6], &weights[6..15], &mut gradient);
        SHAPE.coefficients_at_adjoint(&angles, &mut gradient);
        for i in 0..6 {
            let (mut up, mut down) = (angles, angles);
            up[i] += 1e-6;
            down[i] -= 1e-6;
            let numeric = (value(&up) - value(&down)) / 2e-6;
            assert!((numeric - gradient[i]).abs() < 1e-7, "{i}: {numeric} {}", gradient[i]);
        }
    }
}
