//! The conditional sum of squares, from which the search for the exact likelihood starts.
//!
//! `eₜ = wₜ − Σ φⱼ wₜ₋ⱼ − Σ θⱼ eₜ₋ⱼ` with all that lies before the first value taken as zero (Box, Jenkins, Reinsel,
//! Ljung 2016, §7.1). Its gradient is the recursion transposed and run backwards.

use super::shape::Shape;

/// Half the log of the mean conditional sum of squares of a series without gaps, as a function of the angles.
#[derive(Clone, Debug)]
pub struct Conditional<'a> {
    series: &'a [f64],
    shape: Shape,
    phi_lags: Vec<usize>,
    theta_lags: Vec<usize>,
    coefficients: Vec<f64>,
    phi: Vec<f64>,
    theta: Vec<f64>,
    errors: Vec<f64>,
    adjoint: Vec<f64>,
}

impl<'a> Conditional<'a> {
    pub fn new(series: &'a [f64], shape: Shape) -> Conditional<'a> {
        let lags_of = |inner: usize, outer: usize| {
            let mut lags: Vec<usize> = (0..=outer)
                .flat_map(|j| (0..=inner).map(move |i| j * shape.period + i))
                .filter(|lag| *lag > 0)
                .collect();
            lags.sort_unstable();
            lags.dedup();
            lags
        };
        Conditional {
            series,
            shape,
            phi_lags: lags_of(shape.p, shape.seasonal_p),
            theta_lags: lags_of(shape.q, shape.seasonal_q),
            coefficients: vec![0.0; shape.coefficients()],
            phi: vec![0.0; shape.phi_len()],
            theta: vec![0.0; shape.theta_len()],
            errors: vec![0.0; series.len()],
            adjoint: vec![0.0; series.len()],
        }
    }

    /// The value at the angles, and its gradient; not a number where there is none.
    pub fn evaluate(&mut self, angles: &[f64], gradient: &mut [f64]) -> f64 {
        self.shape.coefficients_at(angles, &mut self.coefficients);
        self.shape.expand(&self.coefficients, &mut self.phi, &mut self.theta);
        let (w, e) = (self.series, &mut self.errors);
        let mut squares = 0.0;
        for t in 0..w.len() {
            let mut error = w[t];
            for &lag in self.phi_lags.iter().take_while(|lag| **lag <= t) {
                error -= self.phi[lag - 1] * w[t - lag];
            }
            for &lag in self.theta_lags.iter().take_while(|lag| **lag <= t) {
                error -= self.theta[lag - 1] * e[t - lag];
            }
            e[t] = error;
            squares += error * error;
        }
        if !(squares > 0.0 && squares.is_finite()) {
            return f64::NAN;
        }
        let mut to_phi = vec![0.0; self.phi.len()];
        let mut to_theta = vec![0.0; self.theta.len()];
        for t in (0..w.len()).rev() {
            let mut weight = e[t] / squares;
            for &lag in self.theta_lags.iter().take_while(|lag| t + **lag < w.len()) {
                weight -= self.theta[lag - 1] * self.adjoint[t + lag];
            }
            self.adjoint[t] = weight;
            for &lag in self.phi_lags.iter().take_while(|lag| **lag <= t) {
                to_phi[lag - 1] -= weight * w[t - lag];
            }
            for &lag in self.theta_lags.iter().take_while(|lag| **lag <= t) {
                to_theta[lag - 1] -= weight * e[t - lag];
            }
        }
        self.shape.expand_adjoint(&self.coefficients, &to_phi, &to_theta, gradient);
        self.shape.coefficients_at_adjoint(angles, gradient);
        0.5 * (squares / w.len() as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_derivative() {
        let series: Vec<f64> = (0..30).map(|t| (f64::from(t) * 0.7).sin() + 0.3 * (f64::from(t) * 2.9).cos()).collect();
        let shape = Shape { p: 2, q: 1, seasonal_p: 1, seasonal_q: 1, period: 4 };
        let mut conditional = Conditional::new(&series, shape);
        let angles = [0.3, -0.4, 0.5, 0.2, -0.6];
        let mut gradient = [0.0; 5];
        assert!(conditional.evaluate(&angles, &mut gradient).is_finite());
        for i in 0..5 {
            let (mut up, mut down, mut unused) = (angles, angles, [0.0; 5]);
            up[i] += 1e-6;
            down[i] -= 1e-6;
            let above = conditional.evaluate(&up, &mut unused);
            let below = conditional.evaluate(&down, &mut unused);
            let numeric = (above - below) / 2e-6;
            assert!((numeric - gradient[i]).abs() < 1e-7, "{i}: {numeric} {}", gradient[i]);
        }
    }
}
