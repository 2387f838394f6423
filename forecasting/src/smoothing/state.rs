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
        self.now(states.level, states.trend, states.season.first().copied(), weights).forecast
    }

    /// What is to be expected of a period, from the states before it.
    pub(super) fn now(&self, level: f64, trend: f64, term: Option<f64>, weights: &Weights) -> Now {
        let trend = match self.trend {
            Trend::None => 0.0,
            Trend::Additive => trend,
            Trend::Damped => weights.phi * trend,
        };
        let base = level + trend;
        let forecast = match self.season {
            Season::None => base,
            Season::Additive => base + term.unwrap_or(0.0),
            Season::Multiplicative => base * term.unwrap_or(1.0),
        };
        Now { trend, base, forecast }
    }

    /// Moves the states by a period that was not seen.
    pub(super) fn pass(&self, states: &mut States, weights: &Weights) {
        let term = states.season.first().copied();
        let now = self.now(states.level, states.trend, term, weights);
        self.moved(&mut states.level, &mut states.trend, term, &now, weights, None);
        if !states.season.is_empty() {
            states.season.rotate_left(1);
        }
    }

    /// Moves level and trend by one period and gives its seasonal term for the next season; `None` is a period that was not
    /// seen, which changes nothing but time.
    ///
    /// With multiplicative errors `x_t = w + (its base) ε`, `ε` the error over the forecast, which comes to the same gains
    /// as below (Hyndman et al. 2008, tables 2.2 and 2.3).
    pub(super) fn moved(
        &self,
        level: &mut f64,
        trend: &mut f64,
        term: Option<f64>,
        now: &Now,
        weights: &Weights,
        seen: Option<f64>,
    ) -> f64 {
        let error = seen.map_or(0.0, |value| value - now.forecast);
        let term = term.unwrap_or(0.0);
        let (per_level, per_season) = match self.season {
            Season::Multiplicative => {
                let relative = error / guard(now.forecast);
                (now.base * relative, term * relative)
            }
            Season::None | Season::Additive => (error, error),
        };
        *level = now.base + weights.alpha * per_level;
        if self.trend != Trend::None {
            *trend = now.trend + weights.beta * per_level;
        }
        term + weights.gamma * per_season
    }
}

/// What is expected of a period: what is left of the trend, level with it, and with the season.
pub(super) struct Now {
    pub trend: f64,
    pub base: f64,
    pub forecast: f64,
}

/// Never a division by nothing.
fn guard(value: f64) -> f64 {
    if value.abs() < 1e-8 { 1e-8_f64.copysign(value) } else { value }
}
