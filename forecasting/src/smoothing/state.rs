//! The recursions: states, one-step forecasts and errors.

/// How errors enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Additive,
    /// In proportion to the forecast: for values above 0 only.
    Multiplicative,
}

/// How the trend enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    None,
    Additive,
    /// Additive and fading.
    Damped,
}

/// How the season enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    None,
    Additive,
    /// As a factor: for values above 0 only.
    Multiplicative,
}

/// A model of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Components {
    pub error: ErrorKind,
    pub trend: Trend,
    pub season: Season,
    /// Periods of a season; not looked at without one.
    pub period: usize,
}

/// Smoothing weights of level, trend and season, and how much of a trend is left after a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    pub alpha: f64,
    /// Weight of the trend; at most `alpha`.
    pub beta: f64,
    /// Weight of the season; at most `1 − alpha`.
    pub gamma: f64,
    pub phi: f64,
}

/// Level, trend and the next `period` seasonal terms.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    pub level: f64,
    pub trend: f64,
    /// The term of the next period first.
    pub season: Vec<f64>,
}

impl Components {
    pub(super) fn multiplicative(&self) -> bool {
        self.error == ErrorKind::Multiplicative || self.season == Season::Multiplicative
    }

    /// Free parameters: weights, initial states, variance.
    pub(super) fn parameters(&self) -> usize {
        let trend = match self.trend {
            Trend::None => 0,
            Trend::Additive => 2,
            Trend::Damped => 3,
        };
        let season = if self.season == Season::None { 0 } else { self.period };
        2 + trend + season + 1
    }

    /// The usual name, as in `ETS(A,Ad,M)`.
    pub fn name(&self) -> String {
        let error = if self.error == ErrorKind::Additive { "A" } else { "M" };
        let trend = match self.trend {
            Trend::None => "N",
            Trend::Additive => "A",
            Trend::Damped => "Ad",
        };
        let season = match self.season {
            Season::None => "N",
            Season::Additive => "A",
            Season::Multiplicative => "M",
        };
        format!("ETS({error},{trend},{season})")
    }

    /// Forecast of the next period.
    pub(super) fn next(&self, states: &States, weights: &Weights) -> f64 {
        let base = states.level + self.faded(states, weights);
        match self.season {
            Season::None => base,
            Season::Additive => base + states.season[0],
            Season::Multiplicative => base * states.season[0],
        }
    }

    fn faded(&self, states: &States, weights: &Weights) -> f64 {
        match self.trend {
            Trend::None => 0.0,
            Trend::Additive => states.trend,
            Trend::Damped => weights.phi * states.trend,
        }
    }

    /// Moves the states by one period; `None` is a period that was not seen, which changes nothing but time.
    pub(super) fn step(&self, states: &mut States, weights: &Weights, seen: Option<f64>) -> f64 {
        let forecast = self.next(states, weights);
        let trend = self.faded(states, weights);
        let base = states.level + trend;
        // The error in units, whatever its kind: multiplicative models scale it back by the forecast.
        let error = seen.map_or(0.0, |value| value - forecast);
        let season = states.season.first().copied();
        let (per_level, per_season) = match self.season {
            Season::Multiplicative => (error / guard(season.unwrap_or(1.0)), error / guard(base)),
            Season::None | Season::Additive => (error, error),
        };
        let (level_gain, season_gain) = match self.error {
            ErrorKind::Additive => (per_level, per_season),
            ErrorKind::Multiplicative => {
                // x_t = w + (their sum) ε with ε = error / forecast (Hyndman et al. 2008, table 2.3).
                let relative = error / guard(forecast);
                match self.season {
                    Season::Multiplicative => (base * relative, season.unwrap_or(1.0) * relative),
                    Season::None | Season::Additive => (forecast * relative, forecast * relative),
                }
            }
        };
        states.level = base + weights.alpha * level_gain;
        if self.trend != Trend::None {
            states.trend = trend + weights.beta * level_gain;
        }
        if let Some(term) = season {
            states.season.rotate_left(1);
            if let Some(last) = states.season.last_mut() {
                *last = term + weights.gamma * season_gain;
            }
        }
        error
    }
}

/// Never a division by nothing.
fn guard(value: f64) -> f64 {
    if value.abs() < 1e-8 { 1e-8_f64.copysign(value) } else { value }
}
