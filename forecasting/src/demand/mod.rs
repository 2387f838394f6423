//! The default model: what a shop should take unless it knows better.
//!
//! Two models give a mean for every series and day: the pooled profile, and trees over all series that correct it. Spread
//! and calibration are learnt from earlier origins over all series of a level; the means of the two are averaged, with
//! shares that are learnt by level on days that the trees have not seen.

mod shares;
mod spread;

use rayon::prelude::*;

use crate::distribution::Summary;
use crate::global::{Context, FittedGlobal};
use crate::panel::{Grouping, View, WEEK};
use crate::pooled::{FittedPooled, HORIZON_MAX, Pooled};
use crate::{Error, Result};
use spread::{Earlier, Spread};

/// Earlier origins that spread and calibration are learnt from, and days between them.
const ORIGINS: usize = 14;
const APART: usize = 9;
/// Most earlier forecasts that are looked at: beyond them series are drawn by their keys.
const EARLIER_MAX: usize = 120_000;

/// Days that the trees do not learn from, so that their share can be learnt.
const HELD_OUT: usize = 21;

/// What to forecast.
#[derive(Clone, Copy, Debug)]
pub struct DemandModel {
    horizon: usize,
    trees: bool,
}

/// Forecasts of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesForecast {
    /// Of the first, second, … day.
    pub steps: Vec<Summary>,
    /// Of the total of the first 2, 3, … days.
    pub totals: Vec<Summary>,
}

/// What went into the forecast of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// Days in which its level forgets half.
    pub half_life_days: f64,
    /// Factors of the days of the week, shared with its category; the first for days whose number is divisible by 7.
    pub profile: [f64; WEEK],
    /// Of the trees over all series, 0 to 1; the rest is the pooled profile's. 0 where the history is too short for trees.
    pub share_of_trees: f64,
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
        Ok(DemandModel { horizon, trees: true })
    }

    /// Leaves the trees out: the pooled profile alone.
    pub fn without_trees(self) -> DemandModel {
        DemandModel { trees: false, ..self }
    }

    /// Learns from everything that was observed.
    ///
    /// # Errors
    /// [`Error::TooShort`] for a panel of less than a week.
    pub fn fit(&self, view: View<'_>) -> Result<FittedDemand> {
        let pooled = Pooled::default().fit(view)?;
        let earlier = earlier(view, self.horizon, &pooled);
        let spread = Spread::learn(view, self.horizon, &earlier);
        let learnt = if self.trees { view.earlier(HELD_OUT, 1) } else { None };
        let global = learnt.and_then(|learnt| FittedGlobal::fit(learnt, &pooled, self.horizon)).map(|trees| {
            let level = Grouping::by(view.labels(), |labels| labels.level);
            let shares = shares::learn(view, &level, &pooled, &trees, (self.horizon, HELD_OUT));
            Global { trees, level, shares }
        });
        Ok(FittedDemand { horizon: self.horizon, pooled, spread, global })
    }
}

/// A fitted model: it forecasts from the view it was fitted to, or from a later one of the same panel.
#[derive(Clone, Debug)]
pub struct FittedDemand {
    horizon: usize,
    pooled: FittedPooled,
    spread: Spread,
    global: Option<Global>,
}

#[derive(Clone, Debug)]
struct Global {
    trees: FittedGlobal,
    level: Grouping,
    /// Of the trees, by level.
    shares: Vec<f64>,
}

impl FittedDemand {
    /// Forecasts of several series after the view, on all cores, in the order asked for.
    pub fn forecast_in_parallel(&self, view: View<'_>, series: &[usize]) -> Vec<SeriesForecast> {
        let context = self.global.as_ref().map(|global| global.trees.context(view, &self.pooled));
        series.par_iter().map(|series| self.forecast(view, context.as_ref(), *series)).collect()
    }

    /// Why a series got the forecast that it got.
    pub fn explain(&self, series: usize) -> Explanation {
        Explanation {
            half_life_days: self.pooled.half_life(series),
            profile: *self.pooled.profile(series),
            share_of_trees: self.share_of_trees(series),
        }
    }

    fn share_of_trees(&self, series: usize) -> f64 {
        self.global.as_ref().map_or(0.0, |global| global.shares[global.level.of(series)])
    }

    fn forecast(&self, view: View<'_>, context: Option<&Context>, series: usize) -> SeriesForecast {
        let means = self.pooled.means(view, series, self.horizon);
        let share = self.share_of_trees(series);
        let (Some(global), Some(context)) = (self.global.as_ref().filter(|_| share > 0.0), context) else {
            return self.spread.forecast(view, series, &means);
        };
        let corrected = global.trees.means(view, context, &self.pooled, series, &means);
        let mixed: Vec<f64> =
            corrected.iter().zip(&means).map(|(trees, plain)| share * trees + (1.0 - share) * plain).collect();
        self.spread.forecast(view, series, &mixed)
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
