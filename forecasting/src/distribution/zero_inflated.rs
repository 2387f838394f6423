//! Counts with more zeros than their spread explains: zero with a probability of its own, otherwise negative binomial.

use super::NegativeBinomial;

/// Zero with probability `zero`, otherwise `count` (Lambert 1992).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZeroInflated {
    zero: f64,
    count: NegativeBinomial,
}

impl ZeroInflated {
    /// `zero` is kept between 0 and 1.
    pub fn new(zero: f64, count: NegativeBinomial) -> ZeroInflated {
        ZeroInflated { zero: if zero.is_nan() { 0.0 } else { zero.clamp(0.0, 1.0) }, count }
    }

    /// With the mean, variance over mean and share of zeros of a sample: the extra zeros are those that a negative
    /// binomial distribution of the same mean and variance lacks.
    pub fn from_moments(mean: f64, ratio: f64, zero_share: f64) -> ZeroInflated {
        let plain = NegativeBinomial::new(mean, ratio);
        let (_, zeros) = plain.below_and_up_to(0.0);
        if !(zero_share > zeros && zero_share < 1.0) {
            return ZeroInflated::new(0.0, plain);
        }
        let extra = ((zero_share - zeros) / (1.0 - zeros)).min(0.999);
        // The same mean, and as near to the same variance as a ratio of 1 allows: m v = (1-z)(c w + c²) - m².
        let inner = mean / (1.0 - extra);
        let inner_ratio = (mean * ratio + mean * mean) / ((1.0 - extra) * inner) - inner;
        ZeroInflated::new(extra, NegativeBinomial::new(inner, inner_ratio))
    }

    pub fn mean(&self) -> f64 {
        (1.0 - self.zero) * self.count.mean()
    }

    /// The least count that is not exceeded with this probability.
    pub fn quantile(&self, level: f64) -> f64 {
        if level <= self.zero { 0.0 } else { self.count.quantile((level - self.zero) / (1.0 - self.zero)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_zeros_leave_the_mean_and_raise_the_upper_quantiles() {
        let plain = NegativeBinomial::new(2.0, 2.0);
        let inflated = ZeroInflated::from_moments(2.0, 2.0, 0.5);
        assert!((inflated.mean() - 2.0).abs() < 1e-12);
        assert_eq!(inflated.quantile(0.3), 0.0);
        assert!(inflated.quantile(0.75) >= plain.quantile(0.75));
        assert_eq!(ZeroInflated::new(1.0, plain).quantile(0.99), 0.0);
    }
}
