//! The default model: what a shop should take unless it knows better.
//!
//! The pooled profile gives a mean for every series and day; spread and calibration are learnt from earlier origins over
//! all series of a level.

mod spread;

use rayon::prelude::*;

use crate::distribution::Summary;
use crate::panel::View;
use crate::pooled::{FittedPooled, HORIZON_MAX, Pooled};
use crate::{Error, Result};
use spread::{Earlier, Spread};

/// Earlier origins that spread and calibration are learnt from, and days between them.
const ORIGINS: usize = 14;
const APART: usize = 9;
/// Most earlier forecasts that are looked at: beyond them series are drawn by their keys.
const EARLIER_MAX: usize = 120_000;

/// What to forecast.
#[derive(Clone, Copy, Debug)]
pub struct DemandModel {
    horizon: usize,
}

/// Forecasts of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesForecast {
    /// Of the first, second, … day.
    pub steps: Vec<Summary>,
    /// Of the total of the first 2, 3, … days.
    pub totals: Vec<Summary>,
}

impl DemandModel {
    /// For the next `horizon` days.
    ///
    /// # Errors
    /// [`Error::Horizon`] for none or more than [`HORIZON_MAX`].
    pub fn new(horizon: usize) -> Result<DemandModel> {
        if horizon == 0 || horizon > HORIZON_MAX {
            return Err(Error::Horizon { steps: horizon, limit: HORIZON_MAX });
        }
        Ok(DemandModel { horizon })
    }

    /// Learns from everything that was observed.
    ///
    /// # Errors
    /// [`Error::TooShort`] for a panel of less than a week.
    pub fn fit(&self, view: View<'_>) -> Result<FittedDemand> {
        let pooled = Pooled::default().fit(view)?;
        let earlier = earlier(view, self.horizon, &pooled);
        let spread = Spread::learn(view, self.horizon, &earlier);
        Ok(FittedDemand { horizon: self.horizon, pooled, spread })
    }
}

/// A fitted model: it forecasts from the view it was fitted to, or from a later one of the same panel.
#[derive(Clone, Debug)]
pub struct FittedDemand {
    horizon: usize,
    pooled: FittedPooled,
    spread: Spread,
}

impl FittedDemand {
    /// Forecasts of one series after the view.
    pub fn forecast(&self, view: View<'_>, series: usize) -> SeriesForecast {
        self.spread.forecast(view, series, &self.pooled.means(view, series, self.horizon))
    }

    /// Of several series, on all cores, in their order.
    pub fn forecast_in_parallel(&self, view: View<'_>, series: &[usize]) -> Vec<SeriesForecast> {
        series.par_iter().map(|series| self.forecast(view, *series)).collect()
    }
}

/// What the pooled profile would have forecast at earlier origins.
fn earlier<'a>(view: View<'a>, horizon: usize, pooled: &FittedPooled) -> Vec<Earlier<'a>> {
    let origins: Vec<View<'a>> = (0..ORIGINS).filter_map(|n| view.earlier(horizon + n * APART, 28)).collect();
    let share = EARLIER_MAX as f64 / (origins.len() * view.len()).max(1) as f64;
    (0..view.len())
        .into_par_iter()
        .flat_map_iter(|series| {
            let key = view.labels()[series].key;
            let chosen = |origin: &&View<'a>| drawn(key, origin.observed() as u64) < share;
            let origins: Vec<View<'a>> = origins.iter().filter(chosen).copied().collect();
            let means = pooled.means_at(view, series, &origins, horizon);
            origins.into_iter().zip(means).map(move |(origin, means)| Earlier::new(origin, series, means))
        })
        .collect()
}

/// A number in [0, 1) from a key and a purpose: the same wherever the series stands (SplitMix64).
pub(crate) fn drawn(key: u64, purpose: u64) -> f64 {
    let mut x = key ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
