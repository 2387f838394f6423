//! A panel cut at an origin: demand behind the cut cannot be reached.

use super::{Labels, Panel};

/// A panel as it was known after `observed` days.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    panel: &'a Panel,
    observed: usize,
}

impl<'a> View<'a> {
    pub(super) fn new(panel: &'a Panel, observed: usize) -> View<'a> {
        View { panel, observed }
    }

    /// The same panel `days` earlier; `None` where fewer than `least` days would be left.
    pub fn earlier(&self, days: usize, least: usize) -> Option<View<'a>> {
        let observed = self.observed.checked_sub(days)?;
        (observed >= least.max(1)).then_some(View { panel: self.panel, observed })
    }

    /// Series.
    pub fn len(&self) -> usize {
        self.panel.len()
    }

    pub fn is_empty(&self) -> bool {
        self.panel.is_empty()
    }

    /// Days before the origin; also the number of the first day ahead.
    pub fn observed(&self) -> usize {
        self.observed
    }

    pub fn labels(&self) -> &'a [Labels] {
        &self.panel.labels
    }

    /// Demand of one series so far, oldest first; `NaN` where not seen.
    pub fn history(&self, series: usize) -> &'a [f64] {
        let start = series * self.panel.days;
        &self.panel.demand[start..start + self.observed]
    }

    /// The last `days` of [`View::history`], or all there are.
    pub fn window(&self, series: usize, days: usize) -> &'a [f64] {
        let history = self.history(series);
        &history[history.len().saturating_sub(days)..]
    }

    /// Regressors of a series' own.
    pub fn own_regressors(&self) -> usize {
        self.panel.own.len()
    }

    /// One of them on every known day, days ahead included; compressed by `asinh`.
    pub fn own(&self, regressor: usize, series: usize) -> &'a [f32] {
        let start = series * self.panel.known_days;
        &self.panel.own[regressor][start..start + self.panel.known_days]
    }

    /// Regressors shared by all series.
    pub fn calendar_regressors(&self) -> usize {
        self.panel.calendar.len()
    }

    /// One of them on every known day.
    pub fn calendar(&self, regressor: usize) -> &'a [f32] {
        &self.panel.calendar[regressor]
    }

    /// Regressors whose effect the weekly profile learns: those of a series' own, and occasions.
    pub fn effects(&self) -> usize {
        self.panel.own.len() + self.panel.occasions
    }

    /// One of them on every known day.
    pub fn effect(&self, regressor: usize, series: usize) -> &'a [f32] {
        match regressor.checked_sub(self.panel.own.len()) {
            None => self.own(regressor, series),
            Some(occasion) => self.calendar(self.panel.calendar.len() - self.panel.occasions + occasion),
        }
    }

    /// A day's place among known days: past their end the last one speaks for it.
    pub fn known(&self, day: usize) -> usize {
        day.min(self.panel.known_days - 1)
    }
}

/// What came to pass after the origin of a view: total of the next `days`, for learning from earlier origins.
/// `None` where a day lies ahead of `now` or was not seen.
pub(crate) fn outcome(now: View<'_>, origin: View<'_>, series: usize, days: std::ops::Range<usize>) -> Option<f64> {
    let history = now.history(series);
    let range = origin.observed + days.start..origin.observed + days.end;
    let total: f64 = history.get(range)?.iter().sum();
    (!total.is_nan()).then_some(total)
}
