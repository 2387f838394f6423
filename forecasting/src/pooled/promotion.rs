//! What promotions, prices and occasions do to demand, shared over groups.

use rayon::prelude::*;

use crate::panel::{ExactSum, Grouping, View, WEEK};

use super::classes::mean_seen;
use super::profile::Profiles;

/// Newton steps of the Poisson regression; it is concave, and steps are bounded.
const ROUNDS: usize = 3;
/// Units of demand at one unit of the regressor that the parent's effect is worth.
const PARENT_UNITS: f64 = 100.0;
/// The largest effect of one unit of a transformed regressor, as a logarithm.
const EFFECT_MAX: f64 = 1.5;
/// The largest effect of all regressors on a day.
const TOTAL_MAX: f64 = 2.5;

/// One coefficient per group and regressor; regressors are taken less their mean over the window.
#[derive(Clone, Debug)]
pub(super) struct Effects {
    window: usize,
    of_department: Vec<Vec<f64>>,
    department: Grouping,
}

#[derive(Clone, Copy, Default)]
struct Slope {
    gradient: ExactSum,
    curvature: ExactSum,
}

impl Effects {
    pub fn learn(view: View<'_>, window: usize, profiles: &Profiles) -> Effects {
        let regressors = view.effects();
        let department = Grouping::by(view.labels(), |l| (l.level, l.department));
        let level = Grouping::by(view.labels(), |l| l.level);
        let mut effects =
            Effects { window, of_department: vec![vec![0.0; regressors]; department.groups()], department };
        if regressors == 0 {
            return effects;
        }
        let mut parent = vec![0; effects.department.groups()];
        for series in 0..view.len() {
            parent[effects.department.of(series)] = level.of(series);
        }
        let mut of_level = vec![vec![0.0; regressors]; level.groups()];
        for _ in 0..ROUNDS {
            // One regressor at a time, all groups at once: coordinates of a concave function.
            for regressor in 0..regressors {
                let slopes = effects.slopes(view, profiles, regressor);
                let mut by_level = vec![Slope::default(); level.groups()];
                for (slope, level) in slopes.iter().zip(&parent) {
                    by_level[*level].gradient.merge(slope.gradient);
                    by_level[*level].curvature.merge(slope.curvature);
                }
                for (coefficients, slope) in of_level.iter_mut().zip(&by_level) {
                    let step =
                        (slope.gradient.value() - coefficients[regressor]) / (slope.curvature.value() + PARENT_UNITS);
                    coefficients[regressor] = (coefficients[regressor] + step).clamp(-EFFECT_MAX, EFFECT_MAX);
                }
                for (group, slope) in slopes.iter().enumerate() {
                    let target = of_level[parent[group]][regressor];
                    let current = effects.of_department[group][regressor];
                    let step = (slope.gradient.value() + PARENT_UNITS * (target - current))
                        / (slope.curvature.value() + PARENT_UNITS);
                    effects.of_department[group][regressor] = (current + step).clamp(-EFFECT_MAX, EFFECT_MAX);
                }
            }
        }
        effects
    }

    /// Multiplies the exposures of these days by the effects of the regressors, less those of their mean over the window.
    pub fn apply(&self, view: View<'_>, series: usize, days: std::ops::Range<usize>, exposure: &mut [f64]) {
        let coefficients = &self.of_department[self.department.of(series)];
        if coefficients.iter().all(|coefficient| *coefficient == 0.0) {
            return;
        }
        let mut constant = 0.0;
        for (regressor, coefficient) in coefficients.iter().enumerate() {
            constant += coefficient * self.window_mean(view, view.effect(regressor, series));
        }
        // Promotions last for days: the exponential is taken where something changes.
        let (mut last, mut factor) = (f64::NAN, 1.0);
        for (exposure, day) in exposure.iter_mut().zip(days) {
            let day = view.known(day);
            let mut total = -constant;
            for (regressor, coefficient) in coefficients.iter().enumerate() {
                total += coefficient * f64::from(view.effect(regressor, series)[day]);
            }
            if total != last {
                (last, factor) = (total, total.clamp(-TOTAL_MAX, TOTAL_MAX).exp());
            }
            *exposure *= factor;
        }
    }

    fn window_mean(&self, view: View<'_>, values: &[f32]) -> f64 {
        let days = view.observed().saturating_sub(self.window)..view.observed();
        let count = days.len().max(1) as f64;
        values[days].iter().map(|value| f64::from(*value)).sum::<f64>() / count
    }

    /// Gradient and curvature of the Poisson likelihood in one regressor, by group.
    fn slopes(&self, view: View<'_>, profiles: &Profiles, regressor: usize) -> Vec<Slope> {
        let empty = || vec![Slope::default(); self.of_department.len()];
        (0..view.len())
            .into_par_iter()
            .fold(empty, |mut slopes, series| {
                if let Some((gradient, curvature)) = self.slope(view, profiles, regressor, series) {
                    let slope = &mut slopes[self.department.of(series)];
                    slope.gradient.add(gradient);
                    slope.curvature.add(curvature);
                }
                slopes
            })
            .reduce(empty, |mut all, more| {
                for (slope, more) in all.iter_mut().zip(&more) {
                    slope.gradient.merge(more.gradient);
                    slope.curvature.merge(more.curvature);
                }
                all
            })
    }

    /// The part of one series; `None` where nothing was sold.
    fn slope(&self, view: View<'_>, profiles: &Profiles, regressor: usize, series: usize) -> Option<(f64, f64)> {
        let demand = view.window(series, self.window);
        if mean_seen(demand) <= 0.0 {
            return None;
        }
        let first = view.observed() - demand.len();
        let values = &view.effect(regressor, series)[first..];
        let mean = self.window_mean(view, view.effect(regressor, series));
        let mut exposure: Vec<f64> = (first..view.observed()).map(|day| profiles.of(series)[day % WEEK]).collect();
        self.apply(view, series, first..view.observed(), &mut exposure);
        let (mut seen, mut expected, mut sold_z, mut moment, mut square) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for ((value, exposure), z) in demand.iter().zip(&exposure).zip(values) {
            if !value.is_nan() {
                let z = f64::from(*z) - mean;
                seen += value;
                expected += exposure;
                sold_z += z * value;
                moment += z * exposure;
                square += z * z * exposure;
            }
        }
        // The level is the one that fits the window under the present effects, and the likelihood is profiled over it.
        let level = seen / f64::max(expected, 1e-9);
        Some((sold_z - level * moment, (level * square - level * moment * moment / f64::max(expected, 1e-9)).max(0.0)))
    }
}
