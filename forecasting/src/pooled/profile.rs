//! Demand by day of the week, shared over groups.

use crate::panel::{ExactSum, Grouping, View, WEEK};

use super::classes::mean_seen;

/// Units that the parent's profile is worth to a child.
const PARENT_UNITS: f64 = 300.0;

/// A profile for every series.
#[derive(Clone, Debug)]
pub(super) struct Profiles {
    of_category: Vec<[f64; WEEK]>,
    category: Grouping,
    /// Mean units a day of the series of a level and department.
    department_mean: Vec<f64>,
    department: Grouping,
}

/// Units sold and expected by day of the week.
#[derive(Clone, Copy, Default)]
struct Sums {
    sold: [ExactSum; WEEK],
    expected: [ExactSum; WEEK],
    series: u32,
}

impl Profiles {
    pub fn learn(view: View<'_>, window: usize) -> Profiles {
        let labels = view.labels();
        let level = Grouping::by(labels, |l| l.level);
        let department = Grouping::by(labels, |l| (l.level, l.department));
        let category = Grouping::by(labels, |l| (l.level, l.department, l.category));
        let mut by_level = vec![Sums::default(); level.groups()];
        let mut by_department = vec![Sums::default(); department.groups()];
        let mut by_category = vec![Sums::default(); category.groups()];
        let mut parents = vec![(0, 0); category.groups()];
        for series in 0..view.len() {
            parents[category.of(series)] = (department.of(series), level.of(series));
            let (sold, expected) = week(view, series, window);
            for sums in [
                &mut by_level[level.of(series)],
                &mut by_department[department.of(series)],
                &mut by_category[category.of(series)],
            ] {
                sums.series += 1;
                for day in 0..WEEK {
                    sums.sold[day].add(sold[day]);
                    sums.expected[day].add(expected[day]);
                }
            }
        }
        let levels: Vec<_> = by_level.iter().map(|sums| sums.shrunk(&[1.0; WEEK])).collect();
        let mut of_department = vec![[1.0; WEEK]; department.groups()];
        for (department, level) in &parents {
            of_department[*department] = by_department[*department].shrunk(&levels[*level]);
        }
        let of_category =
            by_category.iter().zip(&parents).map(|(sums, (parent, _))| sums.shrunk(&of_department[*parent])).collect();
        let mean = |sums: &Sums| {
            let expected: f64 = sums.sold.iter().map(|sum| sum.value()).sum();
            expected / (f64::from(sums.series) * window.min(view.observed()) as f64).max(1.0)
        };
        Profiles { of_category, category, department_mean: by_department.iter().map(mean).collect(), department }
    }

    pub fn of(&self, series: usize) -> &[f64; WEEK] {
        &self.of_category[self.category.of(series)]
    }

    pub fn group_mean(&self, series: usize) -> f64 {
        self.department_mean[self.department.of(series)]
    }

    pub fn series(&self) -> usize {
        self.category.len()
    }
}

impl Sums {
    /// The group's own ratios, drawn to the parent's; of mean 1.
    fn shrunk(&self, parent: &[f64; WEEK]) -> [f64; WEEK] {
        let mut profile = *parent;
        for day in 0..WEEK {
            let prior = PARENT_UNITS / WEEK as f64;
            profile[day] = (self.sold[day].value() + prior * parent[day]) / (self.expected[day].value() + prior);
        }
        let mean = profile.iter().sum::<f64>() / WEEK as f64;
        profile.map(|factor| (factor / mean.max(1e-9)).max(0.01))
    }
}

/// Units sold on each day of the week, and what the mean alone would give on the days that were seen.
fn week(view: View<'_>, series: usize, window: usize) -> ([f64; WEEK], [f64; WEEK]) {
    let days = view.window(series, window);
    let mean = mean_seen(days);
    let first = view.observed() - days.len();
    let (mut sold, mut expected) = ([0.0; WEEK], [0.0; WEEK]);
    for (offset, value) in days.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        sold[(first + offset) % WEEK] += value;
        expected[(first + offset) % WEEK] += mean;
    }
    (sold, expected)
}
