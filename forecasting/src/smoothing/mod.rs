//! Exponential smoothing: level, trend and season that follow what was seen.
//!
//! Equations and names are those of Hyndman, Koehler, Ord and Snyder, *Forecasting with Exponential Smoothing* (2008),
//! chapters 2 and 5: an innovations state space model `ETS(error, trend, season)`, its likelihood, and AICc.

mod ets;
mod search;
mod state;
mod theta;

pub use ets::{AutoEts, Ets, FittedEts};
pub use state::{Components, ErrorKind, Season, States, Trend, Weights};
pub use theta::{FittedTheta, Theta};

/// Simple smoothing with the weight of least squared errors: the level after the last value, and the weight.
///
/// The level starts at the first value; the weight lies within `weights`.
pub(crate) fn simple(values: &[f64], weights: std::ops::RangeInclusive<f64>) -> (f64, f64) {
    let run = |weight: f64| {
        let mut level = values.first().copied().unwrap_or(0.0);
        let mut squares = 0.0;
        for value in values.iter().skip(1) {
            squares += (value - level) * (value - level);
            level += weight * (value - level);
        }
        (level, squares)
    };
    let weight = search::golden(|weight| run(weight).1, *weights.start(), *weights.end());
    (run(weight).0, weight)
}
