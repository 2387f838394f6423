//! From means to quantiles: spread and calibration learnt from what forecasts of earlier origins were worth.

use rayon::prelude::*;

use crate::distribution::{
    Calibration, DISPERSION_FEATURES, Dispersion, LEVELS, NegativeBinomial, Observation, Summary, Tally,
    dispersion_features,
};
use crate::panel::{Grouping, View, outcome};
use crate::pooled::WINDOW;

use super::SeriesForecast;

/// An earlier forecast: after `origin`, of one series.
#[derive(Clone, Debug)]
pub(super) struct Earlier<'a> {
    pub origin: View<'a>,
    pub series: usize,
    /// Expected units on each day ahead.
    pub means: Vec<f64>,
    /// What tells the spread.
    described: [f64; DISPERSION_FEATURES],
}

impl<'a> Earlier<'a> {
    pub fn new(origin: View<'a>, series: usize, means: Vec<f64>) -> Earlier<'a> {
        let described = dispersion_features(origin.window(series, WINDOW), 1.0);
        Earlier { origin, series, means, described }
    }
}

/// Spread and calibration by number of days that are added up.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    lengths: Vec<OfLength>,
    level: Grouping,
}

#[derive(Clone, Debug)]
struct OfLength {
    dispersion: Dispersion,
    /// By level.
    calibration: Vec<Calibration>,
}

impl Spread {
    pub fn learn(view: View<'_>, horizon: usize, earlier: &[Earlier<'_>]) -> Spread {
        let level = Grouping::by(view.labels(), |labels| labels.level);
        let lengths = (1..=horizon).map(|days| OfLength::learn(view, &level, days, earlier)).collect();
        Spread { lengths, level }
    }

    /// Quantiles of each day and of the totals of the first 2, 3, … days.
    pub fn forecast(&self, view: View<'_>, series: usize, means: &[f64]) -> SeriesForecast {
        let history = view.window(series, WINDOW);
        let described = dispersion_features(history, 1.0);
        let summary = |days: usize, mean: f64| {
            let of = &self.lengths[days - 1];
            of.summary(self.level.of(series), &at_mean(&described, mean), mean)
        };
        let steps = means.iter().map(|mean| summary(1, *mean)).collect();
        let totals = (2..=means.len()).map(|days| summary(days, means[..days].iter().sum())).collect();
        SeriesForecast { steps, totals }
    }
}

impl OfLength {
    fn learn(view: View<'_>, level: &Grouping, days: usize, earlier: &[Earlier<'_>]) -> OfLength {
        let observe = |earlier: &Earlier<'_>| {
            let mean: f64 = earlier.means[..days].iter().sum();
            let came = outcome(view, earlier.origin, earlier.series, 0..days)?;
            let features = at_mean(&earlier.described, mean);
            Some((level.of(earlier.series), Observation { features, mean, came }))
        };
        let observed: Vec<(usize, Observation)> = earlier.par_iter().filter_map(observe).collect();
        let observations: Vec<Observation> = observed.iter().map(|(_, observation)| *observation).collect();
        let dispersion = Dispersion::fit(&observations);
        let mut origins: Vec<usize> = earlier.iter().map(|earlier| earlier.origin.observed()).collect();
        origins.sort_unstable();
        origins.dedup();
        let origins = origins.len();
        let empty = || vec![Tally::default(); level.groups()];
        let tallies = observed
            .par_chunks(4096)
            .map(|chunk| {
                let mut tallies = empty();
                for (level, o) in chunk {
                    let count = NegativeBinomial::new(o.mean, dispersion.ratio(&o.features));
                    let (below, up_to) = count.below_and_up_to(o.came);
                    tallies[*level].add(below, up_to);
                }
                tallies
            })
            .reduce(empty, |mut all, more| {
                all.iter_mut().zip(&more).for_each(|(tally, more)| tally.merge(more));
                all
            });
        OfLength { dispersion, calibration: tallies.iter().map(|tally| tally.calibration(origins)).collect() }
    }

    fn summary(&self, level: usize, features: &[f64; DISPERSION_FEATURES], mean: f64) -> Summary {
        let count = NegativeBinomial::new(mean, self.dispersion.ratio(features));
        let asked = LEVELS.map(|promised| self.calibration[level].ask(promised));
        let mut quantiles = [0.0; LEVELS.len()];
        count.quantiles(&asked, &mut quantiles);
        Summary { mean: count.mean(), quantiles }
    }
}

/// The same description at another mean.
fn at_mean(described: &[f64; DISPERSION_FEATURES], mean: f64) -> [f64; DISPERSION_FEATURES] {
    let mut features = *described;
    let log_mean = (mean.clamp(0.0, 1e9) + 0.05).ln();
    features[1] = log_mean;
    features[5] = 0.1 * log_mean * log_mean;
    features
}
