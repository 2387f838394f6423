//! The theta method (Assimakopoulos and Nikolopoulos 2000): simple smoothing with a drift of half the slope, which it is
//! equal to (Hyndman and Billah 2003).

use crate::{Error, Result, Series};

use super::simple;

/// The standard method, two theta lines; the series is taken as it is, without a season.
#[derive(Clone, Copy, Debug, Default)]
pub struct Theta;

/// Level and drift at the end of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedTheta {
    level: f64,
    drift: f64,
    alpha: f64,
    values: usize,
}

impl Theta {
    /// Fits at least three values; missing ones are left out.
    ///
    /// # Errors
    /// [`Error::TooShort`].
    pub fn fit(&self, series: &Series) -> Result<FittedTheta> {
        let seen: Vec<f64> = series.values().iter().copied().filter(|value| !value.is_nan()).collect();
        if seen.len() < 3 {
            return Err(Error::TooShort { model: "theta".to_owned(), observed: seen.len(), needed: 3 });
        }
        let (level, alpha) = simple(&seen, 0.01..=0.99);
        let count = seen.len() as f64;
        let centre = (count - 1.0) / 2.0;
        let (mut product, mut square) = (0.0, 0.0);
        for (at, value) in seen.iter().enumerate() {
            let away = at as f64 - centre;
            product += away * value;
            square += away * away;
        }
        Ok(FittedTheta { level, drift: 0.5 * product / square, alpha, values: seen.len() })
    }
}

impl FittedTheta {
    /// Forecasts of the next periods: `l + b/2 (h − 1 + (1 − (1 − α)^n) / α)`, with `b` the slope of the series.
    pub fn forecast(&self, steps: usize) -> Vec<f64> {
        let reached = (1.0 - (1.0 - self.alpha).powf(self.values as f64)) / self.alpha;
        (0..steps).map(|step| self.level + self.drift * (step as f64 + reached)).collect()
    }

    /// Weight of the latest value.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }
}
