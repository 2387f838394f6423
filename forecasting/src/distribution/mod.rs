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
