//! Predictive distributions of counts: of a day, and of the total of some days (never sums of daily quantiles).
//!
//! Every distribution here is on what can be sold: never below 0, quantiles never cross.

mod calibration;
mod dispersion;
mod empirical;
mod negative_binomial;
mod zero_inflated;

pub use calibration::{Calibration, Tally};
pub use dispersion::{Dispersion, FEATURES as DISPERSION_FEATURES, Observation, features as dispersion_features};
pub use empirical::Empirical;
pub use negative_binomial::NegativeBinomial;
pub use zero_inflated::ZeroInflated;

use crate::special::normal_quantile;

/// The probabilities at which quantiles are reported.
pub const LEVELS: [f64; 7] = [0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99];

/// A mean with the quantiles at [`LEVELS`], in units; what is published of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    pub mean: f64,
    /// Never below 0, never decreasing.
    pub quantiles: [f64; LEVELS.len()],
}

impl Summary {
    /// The quantile at any probability: on the line between the two that are published beside it; below the lowest that one,
    /// above the highest that one.
    pub fn quantile(&self, level: f64) -> f64 {
        let after = LEVELS.partition_point(|published| *published < level);
        if after == 0 || after == LEVELS.len() {
            return self.quantiles[after.min(LEVELS.len() - 1)];
        }
        // Exactly the published one: a little above it, and an order would be rounded up.
        if level >= LEVELS[after] {
            return self.quantiles[after];
        }
        let share = (level - LEVELS[after - 1]) / (LEVELS[after] - LEVELS[after - 1]);
        self.quantiles[after - 1] + share * (self.quantiles[after] - self.quantiles[after - 1])
    }
}

/// A distribution of demand.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    NegativeBinomial(NegativeBinomial),
    ZeroInflated(ZeroInflated),
    Empirical(Empirical),
    /// A normal distribution whose part below 0 lies at 0: what an ARIMA or smoothing forecast becomes.
    Censored {
        mean: f64,
        deviation: f64,
    },
}

impl Distribution {
    /// The mean; of a censored normal distribution that of the normal, not below 0.
    pub fn mean(&self) -> f64 {
        match self {
            Distribution::NegativeBinomial(count) => count.mean(),
            Distribution::ZeroInflated(count) => count.mean(),
            Distribution::Empirical(sample) => sample.mean(),
            Distribution::Censored { mean, .. } => mean.max(0.0),
        }
    }

    /// The least value that is not exceeded with this probability.
    pub fn quantile(&self, level: f64) -> f64 {
        match self {
            Distribution::NegativeBinomial(count) => count.quantile(level),
            Distribution::ZeroInflated(count) => count.quantile(level),
            Distribution::Empirical(sample) => sample.quantile(level),
            Distribution::Censored { mean, deviation } => (mean + deviation * normal_quantile(level)).max(0.0),
        }
    }

    /// Mean and quantiles at [`LEVELS`].
    pub fn summary(&self) -> Summary {
        Summary { mean: self.mean(), quantiles: LEVELS.map(|level| self.quantile(level)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_knows_its_own_quantiles_and_what_lies_between() {
        let summary = Distribution::NegativeBinomial(NegativeBinomial::new(6.0, 3.0)).summary();
        assert_eq!(LEVELS.map(|level| summary.quantile(level)), summary.quantiles);
        let between = 0.5 * (summary.quantiles[4] + summary.quantiles[5]);
        assert!((summary.quantile(0.925) - between).abs() < 1e-9);
        assert_eq!((summary.quantile(0.0), summary.quantile(1.0)), (summary.quantiles[0], summary.quantiles[6]));
    }

    #[test]
    fn quantiles_of_every_distribution_rise_and_start_at_zero_or_above() {
        let all = [
            Distribution::NegativeBinomial(NegativeBinomial::new(0.3, 1.7)),
            Distribution::ZeroInflated(ZeroInflated::from_moments(2.0, 3.0, 0.7)),
            Distribution::Empirical(Empirical::new([3.0, -1.0, 0.0, f64::NAN, 9.0])),
            Distribution::Censored { mean: -1.0, deviation: 2.0 },
        ];
        for distribution in all {
            let Summary { mean, quantiles } = distribution.summary();
            assert!(mean >= 0.0 && quantiles[0] >= 0.0, "{distribution:?}");
            assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{distribution:?} {quantiles:?}");
        }
    }
}
