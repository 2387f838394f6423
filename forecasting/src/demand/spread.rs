//! From means to quantiles: spread and calibration learnt from what forecasts of earlier origins were worth.

use rayon::prelude::*;

use crate::distribution::{
    Calibration, DISPERSION_FEATURES, Dispersion, LEVELS, NegativeBinomial, Observation, Summary, Tally,
    dispersion_features,
};
use crate::panel::{Grouping, View, outcome};
use crate::pooled::WINDOW;

use super::SeriesForecast;

/// The probability at which origins are compared with each other.
const WATCHED: f64 = 0.95;
/// Origins of which nothing is known, per deviation of the share within; at least, and at most.
const UNKNOWN_PER_DEVIATION: f64 = 30.0;
const UNKNOWN_LEAST: f64 = 0.1;
const UNKNOWN_MOST: f64 = 1.0;

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
        let mut origins: Vec<usize> = earlier.iter().map(|earlier| earlier.origin.observed()).collect();
        origins.sort_unstable();
        origins.dedup();
        let observe = |earlier: &Earlier<'_>| {
            let mean: f64 = earlier.means[..days].iter().sum();
            let came = outcome(view, earlier.origin, earlier.series, 0..days)?;
            let features = at_mean(&earlier.described, mean);
            let group = level.of(earlier.series) * origins.len()
                + origins.binary_search(&earlier.origin.observed()).unwrap_or(0);
            Some((group, Observation { features, mean, came }))
        };
        let observed: Vec<(usize, Observation)> = earlier.par_iter().filter_map(observe).collect();
        let observations: Vec<Observation> = observed.iter().map(|(_, observation)| *observation).collect();
        let dispersion = Dispersion::fit(&observations);
        let empty = || vec![Tally::default(); level.groups() * origins.len()];
        let tallies = observed
            .par_chunks(4096)
            .map(|chunk| {
                let mut tallies = empty();
                for (group, o) in chunk {
                    let count = NegativeBinomial::new(o.mean, dispersion.ratio(&o.features));
                    let (below, up_to) = count.below_and_up_to(o.came);
                    tallies[*group].add(below, up_to);
                }
                tallies
            })
            .reduce(empty, |mut all, more| {
                all.iter_mut().zip(&more).for_each(|(tally, more)| tally.merge(more));
                all
            });
        let calibration = tallies.chunks(origins.len().max(1)).map(calibrated).collect::<Vec<_>>();
        let missing = level.groups() - calibration.len();
        let calibration =
            calibration.into_iter().chain((0..missing).map(|_| Tally::default().calibration(0.0))).collect();
        OfLength { dispersion, calibration }
    }

    fn summary(&self, level: usize, features: &[f64; DISPERSION_FEATURES], mean: f64) -> Summary {
        let count = NegativeBinomial::new(mean, self.dispersion.ratio(features));
        let asked = LEVELS.map(|promised| self.calibration[level].ask(promised));
        let mut quantiles = [0.0; LEVELS.len()];
        count.quantiles(&asked, &mut quantiles);
        Summary { mean: count.mean(), quantiles }
    }
}

/// The map of one level from the tallies of its origins: the more these differ, the less is known of one to come.
fn calibrated(of_origins: &[Tally]) -> Calibration {
    let mut all = Tally::default();
    of_origins.iter().for_each(|tally| all.merge(tally));
    let covered = all.share_within(WATCHED);
    let (mut variance, mut origins) = (0.0, 0.0);
    for tally in of_origins.iter().filter(|tally| tally.forecasts() > 0.0) {
        let chance = covered * (1.0 - covered) / tally.forecasts();
        variance += (tally.share_within(WATCHED) - covered).powi(2) - chance;
        origins += 1.0;
    }
    let deviation = (variance / f64::max(origins, 1.0)).max(0.0).sqrt();
    let unknown = (UNKNOWN_PER_DEVIATION * deviation).clamp(UNKNOWN_LEAST, UNKNOWN_MOST);
    all.calibration(unknown * all.forecasts() / f64::max(origins, 1.0))
}

/// The same description at another mean.
fn at_mean(described: &[f64; DISPERSION_FEATURES], mean: f64) -> [f64; DISPERSION_FEATURES] {
    let mut features = *described;
    let log_mean = (mean.clamp(0.0, 1e9) + 0.05).ln();
    features[1] = log_mean;
    features[5] = 0.1 * log_mean * log_mean;
    features
}
