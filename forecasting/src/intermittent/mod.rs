//! Demand that comes now and then: Croston's method and its successors, forecasts of a mean per day.
//!
//! - Croston 1972: sizes `z` and intervals `p` between sales, each smoothed at sales; the forecast is `z / p`.
//! - SBA (Syntetos and Boylan 2005): Croston's forecast times `1 − α/2`, which takes its bias away.
//! - TSB (Teunter, Syntetos and Babai 2011): size smoothed at sales, probability of a sale every day; falls while nothing sells.
//! - ADIDA (Nikolopoulos et al. 2011): totals over the mean interval, smoothed, spread over its days.
//!
//! A day that was not seen is left out: it neither sells nor makes an interval longer. Without any sale the forecast is 0.

use crate::smoothing::simple;
use crate::{Error, Result, Series};

/// A method for intermittent demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Intermittent {
    /// With the weight of the latest sale, between 0 and 1; 0.1 is usual.
    Croston { alpha: f64 },
    /// Croston's without its bias.
    Sba { alpha: f64 },
    /// With the weights of the latest sale and of the latest day.
    Tsb { size: f64, probability: f64 },
    /// Totals over the mean interval, their weight chosen by least squares between 0.1 and 0.3: few totals cannot tell more.
    Adida,
}

/// What it came to: a mean for every day ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedIntermittent {
    mean: f64,
}

impl FittedIntermittent {
    /// Units a day, the same for every day ahead.
    pub fn mean(&self) -> f64 {
        self.mean
    }
}

impl Intermittent {
    /// Smooths a history of demand, at least one day of it seen.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for a weight that is not above 0 and at most 1, [`Error::Demand`] for a negative demand,
    /// [`Error::TooShort`] where no day was seen.
    pub fn fit(&self, series: &Series) -> Result<FittedIntermittent> {
        self.check()?;
        if let Some(day) = series.values().iter().position(|units| *units < 0.0) {
            return Err(Error::Demand { series: 0, day, value: series.values()[day] });
        }
        let seen: Vec<f64> = series.values().iter().copied().filter(|units| !units.is_nan()).collect();
        if seen.is_empty() {
            return Err(Error::TooShort { model: self.name().to_owned(), observed: 0, needed: 1 });
        }
        let mean = match *self {
            Intermittent::Croston { alpha } => croston(&seen, alpha),
            Intermittent::Sba { alpha } => croston(&seen, alpha) * (1.0 - alpha / 2.0),
            Intermittent::Tsb { size, probability } => tsb(&seen, size, probability),
            Intermittent::Adida => adida(&seen),
        };
        Ok(FittedIntermittent { mean })
    }

    fn name(&self) -> &'static str {
        match self {
            Intermittent::Croston { .. } => "croston",
            Intermittent::Sba { .. } => "sba",
            Intermittent::Tsb { .. } => "tsb",
            Intermittent::Adida => "adida",
        }
    }

    fn check(&self) -> Result<()> {
        let weights = match *self {
            Intermittent::Croston { alpha } | Intermittent::Sba { alpha } => [alpha, alpha],
            Intermittent::Tsb { size, probability } => [size, probability],
            Intermittent::Adida => [0.1, 0.1],
        };
        if weights.iter().all(|weight| *weight > 0.0 && *weight <= 1.0) {
            return Ok(());
        }
        Err(Error::InvalidModel {
            model: self.name().to_owned(),
            reason: "a smoothing weight lies above 0 and is at most 1",
        })
    }
}

/// Sizes of sales and the days from one to the next, the first counted from the start.
fn sales(seen: &[f64]) -> impl Iterator<Item = (f64, f64)> + '_ {
    let mut last = -1.0;
    seen.iter().enumerate().filter(|(_, units)| **units > 0.0).map(move |(day, units)| {
        let interval = day as f64 - last;
        last = day as f64;
        (*units, interval)
    })
}

fn smoothed(values: impl Iterator<Item = f64>, weight: f64) -> Option<f64> {
    values.reduce(|level, value| level + weight * (value - level))
}

fn croston(seen: &[f64], alpha: f64) -> f64 {
    let size = smoothed(sales(seen).map(|(size, _)| size), alpha);
    let interval = smoothed(sales(seen).map(|(_, interval)| interval), alpha);
    size.zip(interval).map_or(0.0, |(size, interval)| size / interval)
}

fn tsb(seen: &[f64], size: f64, probability: f64) -> f64 {
    let level = smoothed(sales(seen).map(|(size, _)| size), size).unwrap_or(0.0);
    let chance = smoothed(seen.iter().map(|units| f64::from(u8::from(*units > 0.0))), probability).unwrap_or(0.0);
    level * chance
}

fn adida(seen: &[f64]) -> f64 {
    let (mut days, mut count) = (0.0, 0.0);
    for (_, interval) in sales(seen) {
        days += interval;
        count += 1.0;
    }
    if count == 0.0 {
        return 0.0;
    }
    let span = (f64::round(days / count) as usize).clamp(1, seen.len());
    let totals: Vec<f64> = seen[seen.len() % span..].chunks(span).map(|days| days.iter().sum()).collect();
    simple(&totals, 0.1..=0.3).0 / span as f64
}
