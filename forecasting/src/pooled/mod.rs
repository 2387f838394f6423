//! Level times weekday profile: the level is a series' own, its week is shared with its group, promotions and occasions too.
//!
//! For series `i` on day `t`: `μ = L_i · P_g[t mod 7] · exp(β_g' z_it)`.
//! - `P_g` is the mean demand of the group by day of the week, over what the levels alone would give; a category's profile
//!   is drawn to its department's, that to its level's, that to the whole: `(S + κ P_parent) / (E + κ)`, the posterior mean
//!   of a rate under a gamma prior worth `κ` units (Gelman et al., *Bayesian Data Analysis*, 3rd ed., §2.6).
//! - `β_g` is a Poisson regression on regressors less their mean over the window, drawn to its parent likewise.
//! - `L_i = Σ w y / Σ w P exp(β'z)` with `w` halving every so many days; how many is learnt by class (level and volume) at
//!   earlier origins, not series by series: a short sparse series cannot tell.
//! - A day that was not seen (`NaN`) is left out everywhere; it is not a day without demand.

mod classes;
mod decay;
mod profile;
mod promotion;

use rayon::prelude::*;

use crate::panel::{View, WEEK};
use crate::{Error, Result};
pub use classes::Classes;
pub(crate) use classes::mean_seen;
use profile::Profiles;
use promotion::Effects;

/// Days of history that levels, profiles and effects are learnt from.
pub const WINDOW: usize = 112;
/// Units that a series without sales is credited with, shared by its group's mean: no demand is ever certain to be nil.
const CREDIT: f64 = 0.05;
/// Most days ahead.
pub const HORIZON_MAX: usize = 28;

/// What to fit; the defaults are those of the default model.
#[derive(Clone, Copy, Debug)]
pub struct Pooled {
    window: usize,
}

impl Default for Pooled {
    fn default() -> Pooled {
        Pooled { window: WINDOW }
    }
}

impl Pooled {
    /// With a history of so many days, at least two weeks.
    pub fn with_window(window: usize) -> Pooled {
        Pooled { window: window.max(2 * WEEK) }
    }

    /// Learns profiles, effects and how fast levels forget from what was observed.
    ///
    /// # Errors
    /// [`Error::TooShort`] for a panel of less than a week.
    pub fn fit(&self, view: View<'_>) -> Result<FittedPooled> {
        if view.observed() < WEEK {
            return Err(Error::TooShort { model: "pooled".to_owned(), observed: view.observed(), needed: WEEK });
        }
        let profiles = Profiles::learn(view, self.window);
        let effects = Effects::learn(view, self.window, &profiles);
        let classes = Classes::of(view, self.window);
        let mut fitted = FittedPooled { window: self.window, profiles, effects, classes, half_lives: Vec::new() };
        fitted.half_lives = decay::learn(&fitted, view);
        Ok(fitted)
    }
}

/// Profiles, effects and decay of a panel's series; levels are taken from the view that a forecast is asked for.
#[derive(Clone, Debug)]
pub struct FittedPooled {
    window: usize,
    profiles: Profiles,
    effects: Effects,
    classes: Classes,
    /// Days in which a level forgets half, by class.
    half_lives: Vec<f64>,
}

impl FittedPooled {
    /// The profile of one series: seven factors of mean 1; the first is for days whose number is divisible by 7.
    pub fn profile(&self, series: usize) -> &[f64; WEEK] {
        self.profiles.of(series)
    }

    /// Days in which the level of this series forgets half.
    pub fn half_life(&self, series: usize) -> f64 {
        self.half_lives[self.classes.of_series(series)]
    }

    /// Expected demand of a series on each of the next `horizon` days after the view, in units.
    pub fn means(&self, view: View<'_>, series: usize, horizon: usize) -> Vec<f64> {
        let mut exposure = Vec::new();
        let level = self.level(view, series, &mut exposure);
        self.exposures(view, series, view.observed()..view.observed() + horizon, &mut exposure);
        exposure.iter().map(|exposure| level * exposure).collect()
    }

    /// What would have been expected at earlier origins of the view: profile and effects of today, levels of then.
    pub(crate) fn means_at(
        &self,
        view: View<'_>,
        series: usize,
        origins: &[View<'_>],
        horizon: usize,
    ) -> Vec<Vec<f64>> {
        let Some(start) = origins.iter().map(|o| o.observed().saturating_sub(self.window)).min() else {
            return Vec::new();
        };
        let end = origins.iter().map(View::observed).max().unwrap_or(start) + horizon;
        let mut exposure = Vec::new();
        self.exposures(view, series, start..end, &mut exposure);
        let (half_life, prior) = (self.half_life(series), self.prior(series));
        origins
            .iter()
            .map(|origin| {
                let first = origin.observed().saturating_sub(self.window);
                let now = origin.observed() - start;
                let level = level(&origin.history(series)[first..], &exposure[first - start..now], half_life, prior);
                exposure[now..now + horizon].iter().map(|exposure| level * exposure).collect()
            })
            .collect()
    }

    /// The same as [`FittedPooled::means`] for all series, on all cores.
    ///
    /// # Errors
    /// [`Error::Horizon`] for no day or more than [`HORIZON_MAX`], [`Error::PanelShape`] for a panel of other series.
    pub fn means_in_parallel(&self, view: View<'_>, horizon: usize) -> Result<Vec<Vec<f64>>> {
        if horizon == 0 || horizon > HORIZON_MAX {
            return Err(Error::Horizon { steps: horizon, limit: HORIZON_MAX });
        }
        if view.len() != self.profiles.series() {
            return Err(Error::PanelShape { what: "series", given: view.len(), needed: self.profiles.series() });
        }
        Ok((0..view.len()).into_par_iter().map(|series| self.means(view, series, horizon)).collect())
    }

    /// Units a day at profile and promotion 1; `exposure` is space to work in.
    pub(crate) fn level(&self, view: View<'_>, series: usize, exposure: &mut Vec<f64>) -> f64 {
        let window = view.window(series, self.window);
        self.exposures(view, series, view.observed() - window.len()..view.observed(), exposure);
        level(window, exposure, self.half_life(series), self.prior(series))
    }

    /// Expected demand over level on each of these days.
    pub(crate) fn exposures(
        &self,
        view: View<'_>,
        series: usize,
        days: std::ops::Range<usize>,
        exposure: &mut Vec<f64>,
    ) {
        let profile = self.profiles.of(series);
        exposure.clear();
        exposure.extend(days.clone().map(|day| profile[day % WEEK]));
        self.effects.apply(view, series, days, exposure);
    }

    /// Units and exposure that every level starts from.
    fn prior(&self, series: usize) -> (f64, f64) {
        (CREDIT, CREDIT / self.profiles.group_mean(series).max(1e-3))
    }
}

/// Demand over exposure, the latest days with weight 1, those a half-life earlier with one half.
fn level(demand: &[f64], exposure: &[f64], half_life: f64, (units, expected): (f64, f64)) -> f64 {
    let keep = 0.5_f64.powf(1.0 / half_life);
    let (mut units_sum, mut exposure_sum) = (0.0, 0.0);
    for (value, exposure) in demand.iter().zip(exposure) {
        units_sum *= keep;
        exposure_sum *= keep;
        if !value.is_nan() {
            units_sum += value;
            exposure_sum += exposure;
        }
    }
    (units_sum + units) / (exposure_sum + expected)
}
