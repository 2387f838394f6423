//! Conformal adjustment: probabilities are moved so that what was promised at earlier origins came to pass.
//!
//! The probability integral transform of a count is spread over `[P(Y < y), P(Y ≤ y)]` (Czado, Gneiting and Held 2009).
//! Its distribution over earlier forecasts maps a promised probability to the one that holds; the inverse is asked for
//! the quantile. A map of probabilities never makes quantiles cross, and leaves the order of series alone.

use std::sync::LazyLock;

/// Points of the map, evenly between 0 and 1, closer at the upper end where orders are placed.
const POINTS: usize = 64;
/// Earlier forecasts whose weight the identity has: few forecasts move it little.
const PRIOR: f64 = 30.0;
static GRID: LazyLock<[f64; POINTS]> = LazyLock::new(|| {
    std::array::from_fn(|index| {
        let left = 1.0 - index as f64 / (POINTS - 1) as f64;
        1.0 - left * left.sqrt()
    })
});

fn point(index: usize) -> f64 {
    GRID[index]
}

/// Sums are kept in whole numbers of this part: their order does not matter.
const PART: f64 = 1.0 / (1_u64 << 30) as f64;

/// Gathers earlier forecasts and what came of them.
#[derive(Clone, Debug)]
pub struct Tally {
    forecasts: u64,
    below: [i64; POINTS],
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { forecasts: 0, below: [0; POINTS] }
    }
}

impl Tally {
    /// `below` and `up_to` are the forecast's `P(Y < y)` and `P(Y ≤ y)` at what came.
    pub fn add(&mut self, below: f64, up_to: f64) {
        if !(below.is_finite() && up_to.is_finite()) {
            return;
        }
        self.forecasts += 1;
        let width = (up_to - below).max(1e-12);
        for (sum, point) in self.below.iter_mut().zip(GRID.iter()) {
            *sum += (((point - below) / width).clamp(0.0, 1.0) / PART) as i64;
        }
    }

    /// Forecasts so far.
    pub fn forecasts(&self) -> f64 {
        self.forecasts as f64
    }

    /// Share of what came that lay within the quantile of this probability; the probability itself without forecasts.
    pub fn share_within(&self, level: f64) -> f64 {
        let at = GRID.partition_point(|point| *point < level).min(POINTS - 1);
        if self.forecasts == 0 { level } else { self.below[at] as f64 * PART / self.forecasts as f64 }
    }

    pub fn merge(&mut self, other: &Tally) {
        self.forecasts += other.forecasts;
        for (sum, more) in self.below.iter_mut().zip(&other.below) {
            *sum += more;
        }
    }

    /// The map that these forecasts speak for, with `unknown` more of which nothing is known but that what comes lies beyond
    /// all that was promised, on either side.
    ///
    /// Series of one origin share its weather and pay day, so that a thousand of them are not a thousand witnesses: the more
    /// origins differ among each other, the more of one to come is unknown.
    pub fn calibration(&self, unknown: f64) -> Calibration {
        let total = self.forecasts as f64 + PRIOR + unknown;
        let mut held = [0.0; POINTS];
        let mut highest: f64 = 0.0;
        for (index, value) in held.iter_mut().enumerate() {
            highest = highest.max((self.below[index] as f64 * PART + PRIOR * point(index) + 0.5 * unknown) / total);
            *value = highest;
        }
        Calibration { held }
    }
}

/// A map of probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// At each point the share of forecasts that held.
    held: [f64; POINTS],
}

impl Calibration {
    /// The probability to ask a forecast for, so that `level` holds; between 0.001 and 0.9995.
    pub fn ask(&self, level: f64) -> f64 {
        let after = self.held.partition_point(|held| *held < level).clamp(1, POINTS - 1);
        let (low, high) = (self.held[after - 1], self.held[after]);
        let share = if high > low { ((level - low) / (high - low)).clamp(0.0, 1.0) } else { 1.0 };
        let asked = point(after - 1) + share * (point(after) - point(after - 1));
        asked.clamp(0.001, 0.9995)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{LEVELS, NegativeBinomial};

    #[test]
    fn a_forecast_that_is_right_stays() {
        let truth = NegativeBinomial::new(4.0, 2.0);
        let mut tally = Tally::default();
        for step in 0..20_000 {
            let (below, up_to) = truth.below_and_up_to(truth.quantile((f64::from(step) + 0.5) / 20_000.0));
            tally.add(below, up_to);
        }
        let calibration = tally.calibration(0.0);
        for level in LEVELS {
            assert!((calibration.ask(level) - level).abs() < 0.005, "{level} {}", calibration.ask(level));
        }
    }

    #[test]
    fn a_forecast_that_is_too_narrow_is_asked_for_more() {
        let (truth, forecast) = (NegativeBinomial::new(20.0, 6.0), NegativeBinomial::new(20.0, 1.5));
        let mut tally = Tally::default();
        for step in 0..20_000 {
            let (below, up_to) = forecast.below_and_up_to(truth.quantile((f64::from(step) + 0.5) / 20_000.0));
            tally.add(below, up_to);
        }
        let calibration = tally.calibration(0.0);
        assert!(calibration.ask(0.9) > 0.97 && calibration.ask(0.1) < 0.02);
        let asked = LEVELS.map(|level| calibration.ask(level));
        assert!(asked.windows(2).all(|pair| pair[0] <= pair[1]), "{asked:?}");
    }
}
