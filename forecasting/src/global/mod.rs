//! One model over all series: gradient-boosted trees that correct the pooled profile.
//!
//! `log μ = log μ_pooled + F(x)`: the trees start from the pooled profile's mean and learn where it errs, from what all series
//! have in common (recent against longer levels, of the series and of what it belongs to, promotion, price, holidays). Loss is
//! Tweedie's deviance (Jørgensen 1997) with power 1.2: counts with many zeros. Trees are grown leaf by leaf on histograms
//! (Friedman 2001; Ke et al. 2017), with sums in whole numbers: neither threads nor the order of series change a bit.

mod boosting;
mod context;
mod features;
mod tree;

use rayon::prelude::*;

use crate::demand::drawn;
use crate::panel::{View, outcome};
use crate::pooled::FittedPooled;
use boosting::{Boosted, Rows};
pub(crate) use context::Context;
use context::Contexts;
use features::Names;

/// Most origins that are learnt from, and days between them: every day of the week is one.
const ORIGINS: usize = 26;
const APART: usize = 6;
/// Days of history that an origin needs.
const HISTORY_MIN: usize = 42;
/// Most series times origins that are summed over groups, and most rows that trees are grown on.
const CELLS_MAX: usize = 800_000;
const ROWS_MAX: usize = 120_000;
/// Units a day at which a row is surely drawn, in large panels.
const SURE_UNITS: f64 = 1.0;
/// The largest correction, as a logarithm.
const CORRECTION_MAX: f64 = 2.0;

/// Trees over all series of a panel.
#[derive(Clone, Debug)]
pub struct FittedGlobal {
    boosted: Boosted,
    names: Names,
}

impl FittedGlobal {
    /// Learns from origins of `view`, corrections for `horizon` days ahead. `None` for a history too short to learn from.
    pub fn fit(view: View<'_>, pooled: &FittedPooled, horizon: usize) -> Option<FittedGlobal> {
        let most = (CELLS_MAX / view.len().max(1)).clamp(4, ORIGINS);
        let origins: Vec<View<'_>> =
            (0..most).filter_map(|number| view.earlier(horizon + number * APART, HISTORY_MIN)).collect();
        if origins.is_empty() {
            return None;
        }
        let contexts = Contexts::of(&origins, pooled);
        let names = Names::of(view);
        let rows = draw_rows(view, &origins, &contexts, pooled, &names, horizon);
        (rows.count() >= 1000).then(|| FittedGlobal { boosted: Boosted::grow(&rows), names })
    }

    /// What groups sell at an origin: made once for a view, used for all its series.
    pub(crate) fn context(&self, view: View<'_>, pooled: &FittedPooled) -> Context {
        Context::of(view, pooled)
    }

    /// Expected units on each day ahead: the pooled means, corrected.
    pub(crate) fn means(
        &self,
        view: View<'_>,
        context: &Context,
        pooled: &FittedPooled,
        series: usize,
        means: &[f64],
    ) -> Vec<f64> {
        let mut row = vec![0.0; self.names.count()];
        let described = features::Described::of(view, pooled, series);
        means
            .iter()
            .enumerate()
            .map(|(step, mean)| {
                described.fill(view, context, series, step, means.len(), &mut row);
                mean * self.boosted.predict(&row).clamp(-CORRECTION_MAX, CORRECTION_MAX).exp()
            })
            .collect()
    }
}

/// Rows to learn from: of large panels those that sell are likelier to be drawn, and weigh less.
fn draw_rows(
    view: View<'_>,
    origins: &[View<'_>],
    contexts: &Contexts,
    pooled: &FittedPooled,
    names: &Names,
    horizon: usize,
) -> Rows {
    let likely = |series: usize| {
        let mean = contexts.latest(series);
        (0.05 + (mean / SURE_UNITS).sqrt()).min(1.0)
    };
    let total: f64 = (0..view.len()).map(likely).sum::<f64>() * (origins.len() * horizon) as f64;
    let share = (ROWS_MAX as f64 / total.max(1.0)).min(1.0 / 0.05);
    let chunks: Vec<Rows> = (0..view.len())
        .collect::<Vec<_>>()
        .par_chunks(256)
        .map(|chunk| {
            let mut rows = Rows::new(names.count());
            let mut row = vec![0.0; names.count()];
            for &series in chunk {
                let probability = (likely(series) * share).min(1.0);
                let key = view.labels()[series].key;
                let chosen: Vec<usize> = (0..origins.len())
                    .filter(|o| drawn(key, 7 + origins[*o].observed() as u64) < probability)
                    .collect();
                let chosen_origins: Vec<View<'_>> = chosen.iter().map(|o| origins[*o]).collect();
                let means = pooled.means_at(view, series, &chosen_origins, horizon);
                for ((o, origin), means) in chosen.iter().zip(&chosen_origins).zip(means) {
                    let described = features::Described::of(*origin, pooled, series);
                    for (step, mean) in means.iter().enumerate() {
                        let Some(came) = outcome(view, *origin, series, step..step + 1) else { continue };
                        described.fill(*origin, contexts.at(*o), series, step, horizon, &mut row);
                        rows.push(&row, came, mean.max(1e-6).ln(), 1.0 / probability, drawn(key, *o as u64));
                    }
                }
            }
            rows
        })
        .collect();
    Rows::joined(names.count(), chunks)
}
