//! How fast a level forgets, learnt by class at earlier origins.

use rayon::prelude::*;

use crate::panel::{ExactSum, View, outcome};

use super::{FittedPooled, level};

/// Days in which half is forgotten, to choose from.
const HALF_LIVES: [f64; 6] = [7.0, 10.0, 14.0, 20.0, 28.0, 42.0];
/// Taken where nothing can be learnt.
const DEFAULT: usize = 3;
/// Earlier origins: so many, so many days apart (every day of the week is one of them).
const ORIGINS: usize = 10;
const APART: usize = 5;
/// Days that are forecast from each.
const AHEAD: usize = 3;
/// The mean loss of all classes weighs as much as so many units sold.
const PRIOR_UNITS: f64 = 300.0;

type Losses = [f64; HALF_LIVES.len()];

/// A half-life for every class.
pub(super) fn learn(fitted: &FittedPooled, view: View<'_>) -> Vec<f64> {
    let origins: Vec<View<'_>> =
        (0..ORIGINS).filter_map(|number| view.earlier(AHEAD + number * APART, 2 * 14)).collect();
    let of_series: Vec<(f64, Losses)> =
        (0..view.len()).into_par_iter().map(|series| losses(fitted, view, &origins, series)).collect();
    let mut sums = vec![(ExactSum::default(), [ExactSum::default(); HALF_LIVES.len()]); fitted.classes.count()];
    for (series, (units, losses)) in of_series.iter().enumerate() {
        let (all_units, all_losses) = &mut sums[fitted.classes.of_series(series)];
        all_units.add(*units);
        all_losses.iter_mut().zip(losses).for_each(|(sum, loss)| sum.add(*loss));
    }
    let total_units: f64 = sums.iter().map(|(units, _)| units.value()).sum::<f64>().max(1e-9);
    let mut mean = [0.0; HALF_LIVES.len()];
    for (index, mean) in mean.iter_mut().enumerate() {
        *mean = sums.iter().map(|(_, losses)| losses[index].value()).sum::<f64>() / total_units;
    }
    sums.iter()
        .map(|(units, losses)| {
            if units.value() <= 0.0 {
                return HALF_LIVES[DEFAULT];
            }
            let loss = |index: usize| losses[index].value() + PRIOR_UNITS * mean[index];
            let best = (0..HALF_LIVES.len()).min_by(|a, b| loss(*a).total_cmp(&loss(*b)));
            HALF_LIVES[best.unwrap_or(DEFAULT)]
        })
        .collect()
}

/// Units that came and the Poisson deviance of the totals, over earlier origins.
fn losses(fitted: &FittedPooled, view: View<'_>, origins: &[View<'_>], series: usize) -> (f64, Losses) {
    let (mut units, mut losses) = (0.0, [0.0; HALF_LIVES.len()]);
    let Some(last) = origins.last() else { return (units, losses) };
    let start = last.observed().saturating_sub(fitted.window);
    let mut exposure = Vec::new();
    fitted.exposures(view, series, start..view.observed(), &mut exposure);
    for origin in origins {
        let Some(came) = outcome(view, *origin, series, 0..AHEAD) else { continue };
        let first = origin.observed().saturating_sub(fitted.window);
        let past = &exposure[first - start..origin.observed() - start];
        let ahead: f64 = exposure[origin.observed() - start..origin.observed() - start + AHEAD].iter().sum();
        units += came;
        for (loss, half_life) in losses.iter_mut().zip(HALF_LIVES) {
            let level = level(&origin.history(series)[first..], past, half_life, fitted.prior(series));
            *loss += deviance(came, (level * ahead).max(1e-6));
        }
    }
    (units, losses)
}

fn deviance(came: f64, mean: f64) -> f64 {
    let log = if came > 0.0 { came * (came / mean).ln() } else { 0.0 };
    2.0 * (log - (came - mean))
}
