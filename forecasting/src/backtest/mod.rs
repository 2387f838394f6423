//! Rolling-origin back-tests: scores of forecasts against what came, and what restocking by them would have cost.

mod inventory;
mod scores;

pub use inventory::{Cost, PROFILES, Policy, Priced, Profile, RestockResult, restock};
pub use scores::{Scores, score};

use crate::demand::SeriesForecast;

/// Forecasts of some series at some origins.
#[derive(Clone, Debug)]
pub struct Run {
    /// Last observed day of each origin, increasing.
    pub origins: Vec<usize>,
    /// By origin, then series in the order of the caller's.
    pub forecasts: Vec<Vec<SeriesForecast>>,
}
