//! Scores of a whole distribution, not of a line of means.
//!
//! Sources: weighted quantile loss as in Gneiting and Raftery 2007 and the M5 competition's WRMSSE (Makridakis et al. 2022);
//! MASE of Hyndman and Koehler 2006. A forecast of zero everywhere has a WAPE of 1: never rank on it alone.

use crate::demand::SeriesForecast;
use crate::distribution::LEVELS;

use super::Run;

/// Days of the total that is scored.
const DAYS: usize = 3;
const MEDIAN: usize = 2;
const Q90: usize = 4;
const Q95: usize = 5;

/// Scores over series and origins; totals are of three days.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    pub series: usize,
    /// Units that came in all scored totals.
    pub units: f64,
    /// Mean over [`LEVELS`] of the weighted quantile loss of totals.
    pub crps3: f64,
    /// Σ|came − mean| / Σ came, of totals.
    pub wape3: f64,
    /// Root mean squared scaled error of days, weighted by units of the last four weeks.
    pub wrmsse: f64,
    /// Mean absolute scaled error of the medians of days.
    pub mase: f64,
    /// (Σ mean − Σ came) / Σ came, of totals.
    pub bias: f64,
    pub quantile_loss_50: f64,
    pub quantile_loss_90: f64,
    pub quantile_loss_95: f64,
    /// Share of totals at or below the quantile.
    pub covered_90: f64,
    pub covered_95: f64,
    /// Loss at 95 % with every series scaled by its own demand: guards against serving large ones only.
    pub scaled_loss_95: f64,
}

/// Scores `run` against `demand`, whole histories in the order of the run's series; without gaps.
/// Origins without three days after them are left out.
pub fn score(run: &Run, demand: &[&[f64]]) -> Scores {
    let mut scores = Scores { series: demand.len(), ..Scores::default() };
    let days = demand.iter().map(|demand| demand.len()).min().unwrap_or(0);
    let origins: Vec<usize> = (0..run.origins.len()).filter(|o| run.origins[*o] + DAYS < days).collect();
    if origins.is_empty() || demand.is_empty() {
        return scores;
    }
    let first = run.origins[origins[0]];
    let (mut absolute, mut expected, mut scaled) = (0.0, 0.0, 0.0);
    let mut losses = [0.0; LEVELS.len()];
    let (mut covered_90, mut covered_95) = (0_usize, 0_usize);
    let (mut squared_scaled, mut weights) = (Vec::new(), Vec::new());
    let (mut absolute_scaled, mut absolute_cases) = (0.0, 0_usize);
    for (series, demand) in demand.iter().enumerate() {
        let mut own = OwnErrors::default();
        let own_mean = (mean(&demand[..=first]) * DAYS as f64).max(1e-9);
        let mut own_loss_95 = 0.0;
        for &o in &origins {
            let origin = run.origins[o];
            let forecast = &run.forecasts[o][series];
            let total = &forecast.totals[DAYS - 2];
            let came: f64 = demand[origin + 1..=origin + DAYS].iter().sum();
            scores.units += came;
            absolute += (came - total.mean).abs();
            expected += total.mean;
            for (index, (loss, level)) in losses.iter_mut().zip(LEVELS).enumerate() {
                let error = came - total.quantiles[index];
                let pinball = (level * error).max((level - 1.0) * error);
                *loss += pinball;
                own_loss_95 += if index == Q95 { pinball } else { 0.0 };
            }
            covered_90 += usize::from(came <= total.quantiles[Q90] + 1e-9);
            covered_95 += usize::from(came <= total.quantiles[Q95] + 1e-9);
            own.add(demand, origin, forecast);
        }
        scaled += own_loss_95 / origins.len() as f64 / own_mean;
        squared_scaled.push(own.root_mean_squared_scaled());
        absolute_scaled += own.absolute;
        absolute_cases += own.absolute_origins;
        weights.push(own.recent_units / origins.len() as f64);
    }
    let all_weights: f64 = weights.iter().sum();
    let cases = (demand.len() * origins.len()) as f64;
    scores.wape3 = absolute / scores.units;
    scores.bias = (expected - scores.units) / scores.units;
    let weighted = losses.map(|loss| 2.0 * loss / scores.units);
    scores.crps3 = weighted.iter().sum::<f64>() / LEVELS.len() as f64;
    (scores.quantile_loss_50, scores.quantile_loss_90, scores.quantile_loss_95) =
        (weighted[MEDIAN], weighted[Q90], weighted[Q95]);
    scores.covered_90 = covered_90 as f64 / cases;
    scores.covered_95 = covered_95 as f64 / cases;
    scores.scaled_loss_95 = 2.0 * scaled / demand.len() as f64;
    scores.wrmsse = weights.iter().zip(&squared_scaled).filter_map(|(w, r)| r.map(|r| w / all_weights * r)).sum();
    scores.mase = if absolute_cases > 0 { absolute_scaled / absolute_cases as f64 } else { 0.0 };
    scores
}

/// Scaled errors of the days of one series.
#[derive(Default)]
struct OwnErrors {
    squared: f64,
    squared_origins: usize,
    absolute: f64,
    absolute_origins: usize,
    recent_units: f64,
}

impl OwnErrors {
    fn add(&mut self, demand: &[f64], origin: usize, forecast: &SeriesForecast) {
        let history = &demand[..=origin];
        self.recent_units += demand[(origin + 1).saturating_sub(28)..=origin].iter().sum::<f64>();
        let (mut squared, mut absolute) = (0.0, 0.0);
        for step in 0..DAYS {
            let came = demand[origin + 1 + step];
            squared += (came - forecast.steps[step].mean).powi(2) / DAYS as f64;
            absolute += (came - forecast.steps[step].quantiles[MEDIAN]).abs() / DAYS as f64;
        }
        let selling = &history[history.iter().position(|units| *units > 0.0).unwrap_or(0)..];
        if let Some(scale) = mean_change(selling, 1, |change| change * change) {
            self.squared += squared / scale;
            self.squared_origins += 1;
        }
        if let Some(scale) = mean_change(selling, 7, f64::abs) {
            self.absolute += absolute / scale;
            self.absolute_origins += 1;
        }
    }

    fn root_mean_squared_scaled(&self) -> Option<f64> {
        (self.squared_origins > 0).then(|| (self.squared / self.squared_origins as f64).sqrt())
    }
}

/// Mean of a function of changes over `lag` days; `None` for fewer than two changes, or where it is 0.
fn mean_change(days: &[f64], lag: usize, size: impl Fn(f64) -> f64) -> Option<f64> {
    let changes = days.len().checked_sub(lag).filter(|changes| *changes > 1)?;
    let sum: f64 = days.iter().skip(lag).zip(days).map(|(now, before)| size(now - before)).sum();
    let mean = sum / changes as f64;
    (mean > 0.0).then_some(mean)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
