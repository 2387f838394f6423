//! The negative binomial distribution by its mean and its variance over the mean.
//!
//! `P(k) = Γ(k + r) / (Γ(r) k!) · p^r (1 − p)^k` with `p = 1/v`, `r = m / (v − 1)`; variance `m v`; `v → 1` is Poisson.
//! Source: Johnson, Kemp and Kotz, *Univariate Discrete Distributions*, 3rd ed. 2005, chapter 5.

use crate::special::normal_quantile;

/// Beyond this many terms the gamma limit is taken: shape `m / v`, scale `v` (Wilson and Hilferty 1931 for its quantiles).
const TERMS_MAX: f64 = 20_000.0;
/// `P(0)` must be above `exp` of minus this for the sum to start there.
const LOG_START_MAX: f64 = 600.0;
/// Dispersion this near to 1 is Poisson.
const POISSON: f64 = 1e-6;
/// Variance over the mean is kept within this.
const RATIO_MAX: f64 = 1e6;

/// Counts with a given mean and variance over the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NegativeBinomial {
    mean: f64,
    ratio: f64,
}

impl NegativeBinomial {
    /// `ratio` is variance over mean: below 1 it is taken as 1. What is not a number is taken as mean 0, ratio 1.
    pub fn new(mean: f64, ratio: f64) -> NegativeBinomial {
        NegativeBinomial {
            mean: if mean.is_finite() { mean.max(0.0) } else { 0.0 },
            ratio: if ratio.is_nan() { 1.0 } else { ratio.clamp(1.0, RATIO_MAX) },
        }
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    pub fn variance(&self) -> f64 {
        self.mean * self.ratio
    }

    /// The least count that is not exceeded with this probability.
    pub fn quantile(&self, level: f64) -> f64 {
        let mut found = [0.0];
        self.quantiles(&[level], &mut found);
        found[0]
    }

    /// The same for several increasing levels in one pass.
    pub fn quantiles<const N: usize>(&self, levels: &[f64; N], found: &mut [f64; N]) {
        let Some(mut terms) = self.terms() else {
            *found = levels.map(|level| self.limit_quantile(level));
            return;
        };
        for (value, level) in found.iter_mut().zip(levels) {
            while terms.below < level.min(1.0 - 1e-12) && terms.count < TERMS_MAX {
                terms.next();
            }
            *value = terms.count;
        }
    }

    /// `P(Y ≤ count − 1)` and `P(Y ≤ count)`.
    pub fn below_and_up_to(&self, count: f64) -> (f64, f64) {
        let count = count.floor();
        if count < 0.0 {
            return (0.0, 0.0);
        }
        let Some(mut terms) = self.terms() else {
            return (self.limit_below(count - 0.5), self.limit_below(count + 0.5));
        };
        let mut before = 0.0;
        while terms.count < count && terms.count < TERMS_MAX {
            before = terms.below;
            terms.next();
        }
        (before, terms.below)
    }

    fn terms(&self) -> Option<Terms> {
        if self.mean + 12.0 * self.variance().sqrt() > TERMS_MAX {
            return None;
        }
        let poisson = self.ratio < 1.0 + POISSON;
        let shape = self.mean / (self.ratio - 1.0).max(POISSON);
        let start = if poisson { self.mean } else { shape * self.ratio.ln() };
        if start > LOG_START_MAX {
            return None;
        }
        let probability = (-start).exp();
        let step = if poisson {
            (0.0, self.mean)
        } else {
            let q = 1.0 - 1.0 / self.ratio;
            (q, shape * q)
        };
        Some(Terms { count: 0.0, probability, below: probability, step })
    }

    fn limit_quantile(&self, level: f64) -> f64 {
        let shape = self.mean / self.ratio;
        let root = 1.0 - 1.0 / (9.0 * shape) + normal_quantile(level.clamp(1e-12, 1.0 - 1e-12)) / (3.0 * shape.sqrt());
        (self.mean * root.max(0.0).powi(3)).round()
    }

    fn limit_below(&self, count: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        let shape = self.mean / self.ratio;
        let z = ((count / self.mean).cbrt() - 1.0 + 1.0 / (9.0 * shape)) * 3.0 * shape.sqrt();
        normal_below(z)
    }
}

/// The normal distribution function, from the chi-squared tail of one degree.
fn normal_below(z: f64) -> f64 {
    let tail = 0.5 * crate::special::chi_squared_tail(z * z, 1.0);
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// Probabilities of 0, 1, 2, … and their sum: `P(k + 1) = P(k) (a k + b) / (k + 1)`.
struct Terms {
    count: f64,
    probability: f64,
    below: f64,
    step: (f64, f64),
}

impl Terms {
    fn next(&mut self) {
        self.probability *= (self.step.0 * self.count + self.step.1) / (self.count + 1.0);
        self.count += 1.0;
        self.below = (self.below + self.probability).min(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_probabilities_are_those_of_scipy() {
        // scipy.stats.nbinom(3 / (2.5 - 1), 1 / 2.5).ppf / .cdf
        let count = NegativeBinomial::new(3.0, 2.5);
        assert_eq!(super::super::LEVELS.map(|level| count.quantile(level)), [0.0, 1.0, 2.0, 4.0, 7.0, 8.0, 12.0]);
        let (before, up_to) = count.below_and_up_to(2.0);
        assert!((before - 0.352).abs() < 1e-12 && (up_to - 0.5248).abs() < 1e-12, "{before} {up_to}");
    }

    #[test]
    fn no_demand_is_zero_and_a_large_one_has_its_mean_in_the_middle() {
        assert_eq!(NegativeBinomial::new(0.0, 3.0).quantile(0.999), 0.0);
        assert_eq!(NegativeBinomial::new(f64::NAN, f64::NAN).quantile(0.999), 0.0);
        for ratio in [1.0, 1.5, 40.0] {
            let count = NegativeBinomial::new(50_000.0, ratio);
            let (low, high) = (count.quantile(0.025), count.quantile(0.975));
            let width = 2.0 * 1.959_96 * count.variance().sqrt();
            assert!(((high - low) / width - 1.0).abs() < 0.01, "{low} {high} {width}");
            let (_, half) = count.below_and_up_to(50_000.0);
            assert!((half - 0.5).abs() < 0.02);
        }
    }
}
