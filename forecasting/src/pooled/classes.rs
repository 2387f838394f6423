//! Classes of series that behave alike: where stock is held, and how much is sold.

use crate::panel::{Grouping, View};

/// Units a day that part a level's series into classes.
const VOLUMES: [f64; 3] = [0.15, 0.6, 2.5];

/// For every series its class.
#[derive(Clone, Debug)]
pub struct Classes {
    of_series: Vec<u32>,
    classes: usize,
}

impl Classes {
    pub fn of(view: View<'_>, window: usize) -> Classes {
        let levels = Grouping::by(view.labels(), |labels| labels.level);
        let volume = |series: usize| {
            let mean = mean_seen(view.window(series, window));
            VOLUMES.iter().filter(|least| mean >= **least).count()
        };
        let width = VOLUMES.len() + 1;
        let of_series = (0..view.len()).map(|series| (levels.of(series) * width + volume(series)) as u32).collect();
        Classes { of_series, classes: levels.groups() * width }
    }

    pub fn of_series(&self, series: usize) -> usize {
        self.of_series[series] as usize
    }

    pub fn count(&self) -> usize {
        self.classes
    }
}

/// Mean of the days that were seen; 0 without any.
pub(crate) fn mean_seen(days: &[f64]) -> f64 {
    let (sum, count) =
        days.iter().filter(|day| !day.is_nan()).fold((0.0, 0.0), |(sum, count), day| (sum + day, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}
