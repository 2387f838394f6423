//! What groups of series sold lately, against what their levels say.

use rayon::prelude::*;

use crate::panel::{ExactSum, Grouping, Labels, View};
use crate::pooled::FittedPooled;

/// Days over which groups are compared with their levels.
pub(super) const SPANS: [usize; 3] = [3, 7, 28];
/// Ways in which series are grouped.
pub(super) const GROUPINGS: usize = 5;
/// Units a day that every group is credited with, on both sides of its ratio.
const CREDIT: f64 = 0.2;
/// Level, and mean over each span.
const VALUES: usize = 1 + SPANS.len();

type Sums = [ExactSum; VALUES];

/// Groups at one origin.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    groups: [Grouping; GROUPINGS],
    /// By grouping, then group: logarithm of the recent mean over the level for each span, and of the level.
    ratios: [Vec<[f32; VALUES]>; GROUPINGS],
}

/// Groups at several origins, and the levels of the latest.
pub(super) struct Contexts {
    at: Vec<Context>,
    latest: Vec<f64>,
}

fn groupings(labels: &[Labels]) -> [Grouping; GROUPINGS] {
    [
        Grouping::by(labels, |l| (l.level, l.product)),
        Grouping::by(labels, |l| l.product),
        Grouping::by(labels, |l| (l.level, l.department, l.category)),
        Grouping::by(labels, |l| (l.level, l.department)),
        Grouping::by(labels, |l| (l.level, l.place)),
    ]
}

impl Contexts {
    pub fn of(origins: &[View<'_>], pooled: &FittedPooled) -> Contexts {
        let groups = groupings(origins[0].labels());
        let of_origins: Vec<(Context, Vec<f64>)> =
            origins.par_iter().map(|origin| Context::with(*origin, pooled, groups.clone())).collect();
        let mut at = Vec::new();
        let mut latest = Vec::new();
        for (number, (context, levels)) in of_origins.into_iter().enumerate() {
            at.push(context);
            if number == 0 {
                latest = levels;
            }
        }
        Contexts { at, latest }
    }

    pub fn at(&self, origin: usize) -> &Context {
        &self.at[origin]
    }

    /// Level of a series at the latest origin.
    pub fn latest(&self, series: usize) -> f64 {
        self.latest[series]
    }
}

impl Context {
    pub fn of(view: View<'_>, pooled: &FittedPooled) -> Context {
        Context::with(view, pooled, groupings(view.labels())).0
    }

    fn with(view: View<'_>, pooled: &FittedPooled, groups: [Grouping; GROUPINGS]) -> (Context, Vec<f64>) {
        let values: Vec<[f64; VALUES]> = (0..view.len())
            .into_par_iter()
            .map_init(Vec::new, |exposure, series| {
                let level = pooled.level(view, series, exposure);
                let window = view.window(series, exposure.len());
                let mut values = [level; VALUES];
                for (value, span) in values[1..].iter_mut().zip(SPANS) {
                    *value = recent_mean(window, exposure, span).unwrap_or(level);
                }
                values
            })
            .collect();
        let ratios = std::array::from_fn(|number| {
            let grouping: &Grouping = &groups[number];
            let mut sums = vec![Sums::default(); grouping.groups()];
            for (series, values) in values.iter().enumerate() {
                let group = &mut sums[grouping.of(series)];
                group.iter_mut().zip(values).for_each(|(sum, value)| sum.add(*value));
            }
            sums.iter().map(ratios_of).collect()
        });
        (Context { groups, ratios }, values.into_iter().map(|values| values[0]).collect())
    }

    /// The ratios of one series' group.
    pub(super) fn ratios(&self, grouping: usize, series: usize) -> &[f32; VALUES] {
        &self.ratios[grouping][self.groups[grouping].of(series)]
    }
}

fn ratios_of(sums: &Sums) -> [f32; VALUES] {
    let level = sums[0].value() + CREDIT;
    std::array::from_fn(|value| {
        if value == 0 { level.ln() as f32 } else { ((sums[value].value() + CREDIT) / level).ln() as f32 }
    })
}

/// Units over exposure of the last days; `None` where none of them was seen.
pub(super) fn recent_mean(demand: &[f64], exposure: &[f64], span: usize) -> Option<f64> {
    let from = demand.len().saturating_sub(span);
    let (mut units, mut expected) = (0.0, 0.0);
    for (value, exposure) in demand[from..].iter().zip(&exposure[from..]) {
        if !value.is_nan() {
            units += value;
            expected += exposure;
        }
    }
    (expected > 0.0).then(|| units / expected)
}
