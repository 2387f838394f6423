//! What the trees see of a series at an origin.

use crate::panel::{View, WEEK};
use crate::pooled::FittedPooled;

use super::context::{Context, GROUPINGS, SPANS, recent_mean};

/// Days over which the series is compared with its level.
const WINDOWS: [usize; 7] = [1, 3, 7, 14, 28, 56, 112];
/// Days over which the share of days with sales, and the spread, are taken.
const SHARES: [usize; 3] = [7, 28, 56];
const SPREADS: [usize; 2] = [28, 112];
/// Units a day on both sides of a ratio.
const CREDIT: f64 = 0.05;
/// Regressors of each kind that are looked at.
const OWN_MAX: usize = 6;
const CALENDAR_MAX: usize = 8;
const OWN_FEATURES: usize = 4;
const CALENDAR_FEATURES: usize = 3;
/// Numbers that do not depend on the day ahead: level, windows, whole history, shares, spreads, days since the last sale, and
/// what was to be expected in them.
const SERIES_FEATURES: usize = 1 + WINDOWS.len() + 1 + SHARES.len() + SPREADS.len() + 2;
const GROUP_FEATURES: usize = GROUPINGS * SPANS.len() + 1;
/// Step, day of the week, its profile, the same weekday before (1, 4, 8 weeks).
const DAY_FEATURES: usize = 6;

/// How many numbers a row has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    own: usize,
    calendar: usize,
}

impl Names {
    pub fn of(view: View<'_>) -> Names {
        Names { own: view.own_regressors().min(OWN_MAX), calendar: view.calendar_regressors().min(CALENDAR_MAX) }
    }

    pub fn count(&self) -> usize {
        SERIES_FEATURES + GROUP_FEATURES + DAY_FEATURES + self.own * OWN_FEATURES + self.calendar * CALENDAR_FEATURES
    }
}

/// A series at an origin: what holds for all days ahead.
pub(super) struct Described {
    level: f64,
    profile: [f64; WEEK],
    of_series: [f32; SERIES_FEATURES],
    /// For each regressor of its own: mean over the long and the short window, and at the origin.
    own: Vec<[f32; 3]>,
}

impl Described {
    pub fn of(view: View<'_>, pooled: &FittedPooled, series: usize) -> Described {
        let mut exposure = Vec::new();
        let level = pooled.level(view, series, &mut exposure);
        let window = view.window(series, exposure.len());
        let mut row = Row::default();
        row.push((level + 1e-3).ln());
        for span in WINDOWS {
            row.push(ratio(recent_mean(window, &exposure, span), level));
        }
        row.push(ratio(Some(crate::pooled::mean_seen(view.history(series))), level));
        for span in SHARES {
            let days = &window[window.len().saturating_sub(span)..];
            row.push(days.iter().filter(|units| **units > 0.0).count() as f64 / days.len().max(1) as f64);
        }
        for span in SPREADS {
            row.push(spread(&window[window.len().saturating_sub(span)..]));
        }
        let since = window.iter().rev().position(|units| *units > 0.0).unwrap_or(window.len()) as f64;
        row.push(since.min(60.0));
        row.push(since * level);
        let own = (0..view.own_regressors().min(OWN_MAX)).map(|regressor| past(view, regressor, series)).collect();
        Described { level, profile: *pooled.profile(series), of_series: row.values, own }
    }

    /// Writes the row of the day `step` days behind the first ahead.
    pub fn fill(&self, view: View<'_>, context: &Context, series: usize, step: usize, horizon: usize, row: &mut [f32]) {
        let day = view.observed() + step;
        let mut cells = row.iter_mut();
        let mut put = |value: f32| {
            if let Some(cell) = cells.next() {
                *cell = value;
            }
        };
        self.of_series.iter().for_each(|value| put(*value));
        for grouping in 0..GROUPINGS {
            context.ratios(grouping, series)[1..].iter().for_each(|value| put(*value));
        }
        // How much the product sells altogether.
        put(context.ratios(1, series)[0]);
        put(step as f32);
        put((day % WEEK) as f32);
        let factor = self.profile[day % WEEK];
        put(factor as f32);
        for weeks in [1, 4, 8] {
            put(ratio(same_weekday(view.history(series), day, weeks).map(|mean| mean / factor), self.level) as f32);
        }
        for (regressor, [long, short, now]) in self.own.iter().enumerate() {
            let value = view.own(regressor, series)[view.known(day)];
            [value, value - long, value - short, value - now].into_iter().for_each(&mut put);
        }
        for regressor in 0..view.calendar_regressors().min(CALENDAR_MAX) {
            let values = view.calendar(regressor);
            let largest = |from: usize, to: usize| {
                (from..to)
                    .map(|day| values[view.known(day)])
                    .fold(0.0, |a: f32, b| if b.abs() > a.abs() { b } else { a })
            };
            put(values[view.known(day)]);
            put(largest(day + 1, day + 1 + horizon));
            put(largest(day.saturating_sub(2), day));
        }
    }
}

/// A row under way.
struct Row {
    values: [f32; SERIES_FEATURES],
    next: usize,
}

impl Default for Row {
    fn default() -> Row {
        Row { values: [0.0; SERIES_FEATURES], next: 0 }
    }
}

impl Row {
    fn push(&mut self, value: f64) {
        self.values[self.next] = value as f32;
        self.next += 1;
    }
}

/// Logarithm of a mean over the level; 0 where there is no mean.
fn ratio(mean: Option<f64>, level: f64) -> f64 {
    mean.map_or(0.0, |mean| ((mean + CREDIT) / (level + CREDIT)).ln())
}

fn spread(days: &[f64]) -> f64 {
    let mean = crate::pooled::mean_seen(days);
    let seen = days.iter().filter(|units| !units.is_nan());
    let (squares, count) = seen.fold((0.0, 0.0), |(sum, count), units| (sum + (units - mean).powi(2), count + 1.0));
    ((squares / f64::max(count, 1.0) + CREDIT) / (mean + CREDIT)).ln()
}

/// Mean of the same day of the week over the weeks before; `None` where none was seen.
fn same_weekday(history: &[f64], day: usize, weeks: usize) -> Option<f64> {
    let back = (day + 1 - history.len()).div_ceil(WEEK);
    let (mut sum, mut count) = (0.0, 0.0);
    for week in back..back + weeks {
        if let Some(value) = day.checked_sub(week * WEEK).map(|day| history[day])
            && !value.is_nan()
        {
            sum += value;
            count += 1.0;
        }
    }
    (count > 0.0).then(|| sum / count)
}

fn past(view: View<'_>, regressor: usize, series: usize) -> [f32; 3] {
    let values = &view.own(regressor, series)[..view.observed()];
    let mean = |days: usize| {
        let days = &values[values.len().saturating_sub(days)..];
        days.iter().sum::<f32>() / days.len().max(1) as f32
    };
    [mean(112), mean(28), values[values.len() - 1]]
}
