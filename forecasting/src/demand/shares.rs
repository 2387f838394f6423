//! How much the trees count against the pooled profile, learnt by class on days that the trees have not seen.

use rayon::prelude::*;

use crate::global::FittedGlobal;
use crate::panel::{ExactSum, Grouping, View, outcome};
use crate::pooled::FittedPooled;

use super::drawn;

/// Shares to choose from.
const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Days between the origins that are compared.
const APART: usize = 3;
/// Most series times origins that are compared.
const COMPARED_MAX: usize = 40_000;
/// Units that the shares of all classes together are worth to one class.
const PRIOR_UNITS: f64 = 2000.0;

type Losses = [f64; SHARES.len()];

/// The share of the trees for every level of `level`; the last `held_out` days of the view were not learnt from.
pub(super) fn learn(
    view: View<'_>,
    level: &Grouping,
    pooled: &FittedPooled,
    global: &FittedGlobal,
    (horizon, held_out): (usize, usize),
) -> Vec<f64> {
    let origins: Vec<View<'_>> =
        (horizon..=held_out).step_by(APART).filter_map(|days| view.earlier(days, 28)).collect();
    let share = COMPARED_MAX as f64 / (origins.len() * view.len()).max(1) as f64;
    let mut sums = vec![(ExactSum::default(), [ExactSum::default(); SHARES.len()]); level.groups()];
    for origin in origins {
        let context = global.context(origin, pooled);
        let of_series: Vec<Option<(f64, Losses)>> = (0..view.len())
            .into_par_iter()
            .map(|series| {
                let chosen = drawn(view.labels()[series].key, 31 + origin.observed() as u64) < share;
                let came = outcome(view, origin, series, 0..horizon).filter(|_| chosen)?;
                let plain = pooled.means(origin, series, horizon);
                let corrected = global.means(origin, &context, pooled, series, &plain);
                let (plain, corrected): (f64, f64) = (plain.iter().sum(), corrected.iter().sum());
                let losses = SHARES.map(|share| deviance(came, share * corrected + (1.0 - share) * plain));
                Some((came, losses))
            })
            .collect();
        for (series, (came, losses)) in of_series.iter().enumerate().filter_map(|(at, of)| Some((at, of.as_ref()?))) {
            let (units, all) = &mut sums[level.of(series)];
            units.add(*came);
            all.iter_mut().zip(losses).for_each(|(sum, loss)| sum.add(*loss));
        }
    }
    let units: f64 = sums.iter().map(|(units, _)| units.value()).sum::<f64>().max(1e-9);
    let mean: Losses =
        std::array::from_fn(|index| sums.iter().map(|(_, losses)| losses[index].value()).sum::<f64>() / units);
    sums.iter()
        .map(|(_, losses)| {
            let loss = |index: &usize| losses[*index].value() + PRIOR_UNITS * mean[*index];
            let best = (0..SHARES.len()).min_by(|a, b| loss(a).total_cmp(&loss(b)));
            SHARES[best.unwrap_or(0)]
        })
        .collect()
}

fn deviance(came: f64, mean: f64) -> f64 {
    let mean = mean.max(1e-6);
    let log = if came > 0.0 { came * (came / mean).ln() } else { 0.0 };
    2.0 * (log - (came - mean))
}
