//! One model fitted, and the best of the family.

use rayon::prelude::*;

use crate::{Error, Result, Series};

use super::search::simplex;
use super::state::{Components, ErrorKind, Season, States, Trend, Weights};

/// Rounds of the search.
const ROUNDS: usize = 200;
/// Log-likelihood within which the search ends: at first, and when the best model is polished.
const NEAR: f64 = 1e-3;
const NEARER: f64 = 1e-8;
/// Most steps ahead.
const STEPS_MAX: usize = 1024;
const PERIOD_MAX: usize = 366;

/// A model to fit.
#[derive(Clone, Copy, Debug)]
pub struct Ets {
    components: Components,
}

/// A model with weights and states.
#[derive(Clone, Debug)]
pub struct FittedEts {
    components: Components,
    weights: Weights,
    /// Before the first value.
    initial: States,
    /// After the last.
    last: States,
    log_likelihood: f64,
    /// Mean squared error: of one step, relative where errors are multiplicative.
    variance: f64,
    seen: usize,
    /// Where the search ended; empty where nothing was searched.
    point: Vec<f64>,
}

impl Ets {
    /// # Errors
    /// [`Error::InvalidModel`] for a season of less than 2 or more than 366 periods, or additive errors on a multiplicative
    /// season, whose variance is not defined.
    pub fn new(components: Components) -> Result<Ets> {
        let invalid = |reason| Err(Error::InvalidModel { model: components.name(), reason });
        if components.season != Season::None && !(2..=PERIOD_MAX).contains(&components.period) {
            return invalid("a season has 2 to 366 periods");
        }
        if components.season == Season::Multiplicative && components.error == ErrorKind::Additive {
            return invalid("a multiplicative season needs multiplicative errors");
        }
        Ok(Ets { components })
    }

    /// Fits weights, level and trend by maximum likelihood; seasonal terms start from the first two seasons.
    ///
    /// # Errors
    /// [`Error::TooShort`] for fewer values than parameters and two seasons, [`Error::NoVariation`] for a constant series,
    /// [`Error::InvalidModel`] for multiplicative parts on values that are not all above 0.
    pub fn fit(&self, series: &Series) -> Result<FittedEts> {
        self.check(series)?;
        self.search(series, None, NEARER)
    }

    fn check(&self, series: &Series) -> Result<()> {
        let components = &self.components;
        let season = if components.season == Season::None { 0 } else { 2 * components.period };
        let needed = (components.parameters() + 2).max(season).max(4);
        if series.observed() < needed {
            return Err(Error::TooShort { model: components.name(), observed: series.observed(), needed });
        }
        if series.constant().is_some() {
            return Err(Error::NoVariation { model: components.name() });
        }
        if components.multiplicative() && series.values().iter().any(|value| *value <= 0.0) {
            let reason = "multiplicative parts need values above 0";
            return Err(Error::InvalidModel { model: components.name(), reason });
        }
        Ok(())
    }

    /// Searches from a point, or from the usual one.
    fn search(&self, series: &Series, from: Option<&[f64]>, near: f64) -> Result<FittedEts> {
        let components = &self.components;
        let start = start(components, series.values());
        let scale = scale(series.values());
        let loss = |point: &[f64]| {
            let (weights, states) = unpacked(components, point, &start, scale);
            -run(components, &weights, &mut states.clone(), series.values()).0
        };
        let usual = first_point(components);
        let mut point = simplex(loss, from.unwrap_or(&usual), ROUNDS, near);
        if near <= NEARER {
            // A simplex may lie flat: once more from where it ended.
            point = simplex(loss, &point, ROUNDS, near);
        }
        let (weights, initial) = unpacked(components, &point, &start, scale);
        Ok(FittedEts { point, ..FittedEts::with(*components, weights, initial, series) })
    }
}

impl FittedEts {
    /// A model with given weights and initial states, run over a series.
    pub fn with(components: Components, weights: Weights, initial: States, series: &Series) -> FittedEts {
        let mut last = initial.clone();
        let (log_likelihood, variance) = run(&components, &weights, &mut last, series.values());
        FittedEts {
            components,
            weights,
            initial,
            last,
            log_likelihood,
            variance,
            seen: series.observed(),
            point: Vec::new(),
        }
    }

    pub fn components(&self) -> &Components {
        &self.components
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Before the first value.
    pub fn initial(&self) -> &States {
        &self.initial
    }

    /// `−n/2 log(Σε²/n) − Σ log|ŷ|` (the last for multiplicative errors), less `n/2 (1 + log 2π)`.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Akaike's criterion, corrected; infinite where there are not enough values for it.
    pub fn aicc(&self) -> f64 {
        let (k, n) = (self.components.parameters() as f64, self.seen as f64);
        if n - k - 1.0 <= 0.0 {
            return f64::INFINITY;
        }
        2.0 * k - 2.0 * self.log_likelihood + 2.0 * k * (k + 1.0) / (n - k - 1.0)
    }

    /// Mean squared one-step error: of relative errors where they are multiplicative.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Point forecasts of the next periods.
    ///
    /// # Errors
    /// [`Error::Horizon`] for none or more than 1024.
    pub fn forecast(&self, steps: usize) -> Result<Vec<f64>> {
        if steps == 0 || steps > STEPS_MAX {
            return Err(Error::Horizon { steps, limit: STEPS_MAX });
        }
        let mut states = self.last.clone();
        Ok((0..steps)
            .map(|_| {
                let forecast = self.components.next(&states, &self.weights);
                self.components.pass(&mut states, &self.weights);
                forecast
            })
            .collect())
    }

    /// Variance of the total of the next `steps` periods under additive errors: `σ² Σ_j (1 + Σ_{i<j} c_i)²`, where `c_i` is
    /// what an error is worth `i` periods later (Hyndman et al. 2008, §6.2); with multiplicative errors at the size of the
    /// forecasts.
    ///
    /// # Errors
    /// [`Error::Horizon`] for none or more than 1024.
    pub fn total_variance(&self, steps: usize) -> Result<f64> {
        let forecasts = self.forecast(steps)?;
        let mut total = 0.0;
        for (at, forecast) in forecasts.iter().enumerate() {
            let left = steps - 1 - at;
            let mut worth = 1.0;
            let mut response = self.response(forecasts.len());
            response.truncate(left);
            worth += response.iter().sum::<f64>();
            let unit = if self.components.error == ErrorKind::Multiplicative { forecast * forecast } else { 1.0 };
            total += self.variance * unit * worth * worth;
        }
        Ok(total)
    }

    /// What an error of 1 changes of the forecast 1, 2, … periods later.
    fn response(&self, steps: usize) -> Vec<f64> {
        let mut reached = 0.0;
        (1..=steps)
            .map(|ahead| {
                reached += match self.components.trend {
                    Trend::None => 0.0,
                    Trend::Additive => self.weights.beta,
                    Trend::Damped => self.weights.beta * self.weights.phi.powf(ahead as f64),
                };
                let comes_again = self.components.season != Season::None && ahead % self.components.period == 0;
                self.weights.alpha + reached + if comes_again { self.weights.gamma } else { 0.0 }
            })
            .collect()
    }
}

/// The best of the family by AICc, as AutoETS chooses.
#[derive(Clone, Copy, Debug)]
pub struct AutoEts {
    period: usize,
}

impl AutoEts {
    /// With a season of `period` periods; below 2 there is none.
    pub fn new(period: usize) -> AutoEts {
        AutoEts { period }
    }

    /// Fits every model that the series allows.
    ///
    /// # Errors
    /// The error of the simplest model where none could be fitted.
    pub fn fit(&self, series: &Series) -> Result<FittedEts> {
        let positive = series.values().iter().all(|value| value.is_nan() || *value > 0.0);
        let mut best: Option<FittedEts> = None;
        let mut first_error = None;
        let errors = [ErrorKind::Additive, ErrorKind::Multiplicative];
        for error in errors.into_iter().take(if positive { 2 } else { 1 }) {
            for season in [Season::None, Season::Additive, Season::Multiplicative] {
                for trend in [Trend::None, Trend::Additive, Trend::Damped] {
                    let components = Components { error, trend, season, period: self.period };
                    let Ok(ets) = Ets::new(components) else { continue };
                    match ets.check(series).and_then(|()| ets.search(series, None, NEAR)) {
                        Ok(fitted) if best.as_ref().is_none_or(|best| fitted.aicc() < best.aicc()) => {
                            best = Some(fitted);
                        }
                        Ok(_) => {}
                        Err(error) => first_error = first_error.or(Some(error)),
                    }
                }
            }
        }
        let best = best.ok_or_else(|| first_error.unwrap_or(Error::NoOptimum { model: "AutoETS".to_owned() }))?;
        Ets { components: best.components }.search(series, Some(&best.point), NEARER)
    }

    /// Many series, on all cores, in their order.
    pub fn fit_in_parallel(&self, series: &[Series]) -> Vec<Result<FittedEts>> {
        series.par_iter().map(|series| self.fit(series)).collect()
    }
}

/// Log-likelihood and mean squared error; states end up after the last value.
fn run(components: &Components, weights: &Weights, states: &mut States, values: &[f64]) -> (f64, f64) {
    let (mut squares, mut logs, mut count) = (0.0, 0.0, 0.0);
    let period = states.season.len();
    // The season is walked around in place, and put in order at the end.
    let mut at = 0;
    for value in values {
        let term = states.season.get(at).copied();
        let now = components.now(states.level, states.trend, term, weights);
        let seen = (!value.is_nan()).then_some(*value);
        if let Some(value) = seen {
            let error = value - now.forecast;
            if components.error == ErrorKind::Multiplicative {
                if now.forecast <= 0.0 {
                    return (f64::NEG_INFINITY, f64::INFINITY);
                }
                squares += (error / now.forecast).powi(2);
                logs += now.forecast.ln();
            } else {
                squares += error * error;
            }
            count += 1.0;
        }
        let term = components.moved(&mut states.level, &mut states.trend, term, &now, weights, seen);
        if period > 0 {
            states.season[at] = term;
            at = if at + 1 == period { 0 } else { at + 1 };
        }
    }
    states.season.rotate_left(at);
    let variance: f64 = squares / count;
    let log_likelihood = -0.5 * count * ((2.0 * std::f64::consts::PI).ln() + variance.max(1e-300).ln() + 1.0) - logs;
    (if log_likelihood.is_nan() { f64::NEG_INFINITY } else { log_likelihood }, variance)
}

/// States from the first two seasons, or the first values (Hyndman et al. 2008, §2.6.1).
fn start(components: &Components, values: &[f64]) -> States {
    let mean = |values: &[f64]| {
        let (sum, count) =
            values.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
        if count > 0.0 { Some(sum / count) } else { None }
    };
    let all = mean(values).unwrap_or(0.0);
    if components.season == Season::None {
        let early = &values[..values.len().min(10)];
        let level = mean(early).unwrap_or(all);
        let later = mean(&values[early.len() / 2..early.len()]).unwrap_or(level);
        let first = mean(&early[..early.len() / 2]).unwrap_or(level);
        let trend = (later - first) / (early.len() as f64 / 2.0).max(1.0);
        let trend = if components.trend == Trend::None { 0.0 } else { trend };
        return States { level: level - trend * early.len() as f64 / 2.0, trend, season: Vec::new() };
    }
    let period = components.period;
    let first = mean(&values[..period]).unwrap_or(all);
    let second = mean(&values[period..2 * period]).unwrap_or(first);
    let trend = if components.trend == Trend::None { 0.0 } else { (second - first) / period as f64 };
    // Terms of all seasons, each against its own mean.
    let mut season: Vec<f64> = (0..period)
        .map(|phase| {
            let terms: Vec<f64> = values
                .chunks(period)
                .filter_map(|chunk| {
                    let (value, mean) = (*chunk.get(phase)?, mean(chunk)?);
                    let term = if components.season == Season::Additive { value - mean } else { value / mean };
                    (chunk.len() == period && term.is_finite()).then_some(term)
                })
                .collect();
            let neutral = if components.season == Season::Additive { 0.0 } else { 1.0 };
            if terms.is_empty() { neutral } else { terms.iter().sum::<f64>() / terms.len() as f64 }
        })
        .collect();
    let middle = season.iter().sum::<f64>() / period as f64;
    for term in &mut season {
        if components.season == Season::Additive { *term -= middle } else { *term /= middle.max(1e-8) }
    }
    States { level: first - trend * (period as f64 + 1.0) / 2.0, trend, season }
}

/// Deviation of the values: the unit in which initial states are searched.
fn scale(values: &[f64]) -> f64 {
    let seen: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let mean = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
    (seen.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / seen.len().max(1) as f64).sqrt().max(1e-12)
}

/// Where the search starts: coordinates between 0 and 1.
fn first_point(components: &Components) -> Vec<f64> {
    let mut point = vec![0.2, 0.5];
    if components.trend != Trend::None {
        point.extend([0.1, 0.5]);
    }
    if components.trend == Trend::Damped {
        point.push(0.9);
    }
    if components.season != Season::None {
        point.push(0.1);
    }
    point
}

/// Weights and states of a point: level and trend are moved by up to two deviations.
fn unpacked(components: &Components, point: &[f64], start: &States, scale: f64) -> (Weights, States) {
    let mut coordinates = point.iter().copied();
    let mut next = || coordinates.next().unwrap_or(0.5);
    let alpha = 1e-4 + (1.0 - 2e-4) * next();
    let mut states = start.clone();
    states.level += 4.0 * scale * (next() - 0.5);
    let mut weights = Weights { alpha, beta: 0.0, gamma: 0.0, phi: 1.0 };
    if components.trend != Trend::None {
        weights.beta = alpha * next();
        states.trend += scale * (next() - 0.5);
    }
    if components.trend == Trend::Damped {
        weights.phi = 0.8 + 0.18 * next();
    }
    if components.season != Season::None {
        weights.gamma = (1.0 - alpha) * next();
    }
    (weights, states)
}
