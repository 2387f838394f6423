//! What restocking by a forecast costs: a shop that orders every evening, gets the goods on the day after next, and loses
//! what it cannot sell.
//!
//! At the close of day t the order is `max(0, S − on hand − on order)`; it arrives before the opening of day t+2, so that S
//! must cover two days. Demand that is not met is lost; the oldest goods are sold first.

use rayon::prelude::*;

use super::Run;

/// Prices of a unit's fate, as shares of its price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    pub name: &'static str,
    /// Days on which a unit can be sold; `None`: it does not spoil.
    pub shelf_life_days: Option<usize>,
    pub waste: f64,
    pub lost_sale: f64,
    /// Per unit and day.
    pub holding: f64,
}

/// Goods that spoil in three days, and goods that do not.
pub const PROFILES: [Profile; 2] = [
    Profile { name: "fresh", shelf_life_days: Some(3), waste: 0.70, lost_sale: 0.50, holding: 0.005 },
    Profile { name: "ambient", shelf_life_days: None, waste: 0.70, lost_sale: 0.50, holding: 0.02 },
];

/// How a forecast becomes the level S that is ordered up to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// So many times the mean of the total of three days.
    Multiple(f64),
    /// A quantile of the total of two days, by its place in [`crate::distribution::LEVELS`].
    Quantile(usize),
}

const MULTIPLES: [f64; 7] = [0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5];
/// The rule of document 1.
const RULE: f64 = 1.2;
/// Places in [`crate::distribution::LEVELS`] of 0.50, 0.75, 0.90, 0.95, 0.99.
const QUANTILES: [usize; 5] = [2, 3, 4, 5, 6];
/// Days of warming up, then of choosing the parameter; the rest is scored.
const WARM_UP_DAYS: usize = 7;
const TUNING_DAYS: usize = 25;

/// What a policy came to, per unit demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    pub demand: f64,
    pub lost: f64,
    pub wasted: f64,
    /// Units in stock at the close, added over days.
    pub held: f64,
}

/// One row of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct RestockResult {
    pub profile: &'static str,
    /// `rule`: 1.2 times the mean; `multiple`: the best multiple; `quantile`: the best quantile; both chosen on the tuning days.
    pub policy: &'static str,
    pub parameter: Policy,
    pub all: Priced,
    /// By group of the caller's.
    pub groups: Vec<Priced>,
}

/// Cost, share of demand served, waste and stock, per unit demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Priced {
    pub cost: f64,
    pub fill: f64,
    pub waste: f64,
    pub stock_days: f64,
}

impl Cost {
    fn add(&mut self, other: &Cost) {
        self.demand += other.demand;
        self.lost += other.lost;
        self.wasted += other.wasted;
        self.held += other.held;
    }

    fn priced(&self, profile: &Profile) -> Priced {
        let demand = if self.demand > 0.0 { self.demand } else { 1.0 };
        let cost = profile.lost_sale * self.lost + profile.waste * self.wasted + profile.holding * self.held;
        Priced {
            cost: cost / demand,
            fill: 1.0 - self.lost / demand,
            waste: self.wasted / demand,
            stock_days: self.held / demand,
        }
    }
}

/// Simulates every policy on the forecasts of consecutive days; `group` names the group of each series, below `groups`.
/// Empty where the origins are not consecutive days, or too few to choose and score.
pub fn restock(run: &Run, demand: &[&[f64]], group: &[usize], groups: usize) -> Vec<RestockResult> {
    let consecutive = run.origins.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if !consecutive || run.origins.len() <= WARM_UP_DAYS + TUNING_DAYS + 1 || demand.is_empty() {
        return Vec::new();
    }
    let policies: Vec<Policy> =
        MULTIPLES.into_iter().map(Policy::Multiple).chain(QUANTILES.into_iter().map(Policy::Quantile)).collect();
    let mut results = Vec::new();
    for profile in &PROFILES {
        let outcomes: Vec<(Policy, Outcome)> = policies
            .iter()
            .map(|policy| (*policy, Outcome::of(run, demand, group, groups, profile, *policy)))
            .collect();
        let mut report = |name, wanted: fn(&Policy) -> bool| {
            let tuned = |outcome: &Outcome| outcome.tuning.priced(profile).cost;
            let best = outcomes
                .iter()
                .filter(|(policy, _)| wanted(policy))
                .min_by(|(_, a), (_, b)| tuned(a).total_cmp(&tuned(b)));
            if let Some((policy, outcome)) = best {
                results.push(RestockResult {
                    profile: profile.name,
                    policy: name,
                    parameter: *policy,
                    all: outcome.scored.priced(profile),
                    groups: outcome.by_group.iter().map(|cost| cost.priced(profile)).collect(),
                });
            }
        };
        report("rule", |policy| *policy == Policy::Multiple(RULE));
        report("multiple", |policy| matches!(policy, Policy::Multiple(_)));
        report("quantile", |policy| matches!(policy, Policy::Quantile(_)));
    }
    results
}

/// Sums of one policy over all series.
struct Outcome {
    tuning: Cost,
    scored: Cost,
    by_group: Vec<Cost>,
}

impl Outcome {
    fn of(run: &Run, demand: &[&[f64]], group: &[usize], groups: usize, profile: &Profile, policy: Policy) -> Outcome {
        let of_series: Vec<(Cost, Cost)> = demand
            .par_iter()
            .enumerate()
            .map(|(series, demand)| {
                let levels: Vec<f64> = run.forecasts.iter().map(|forecasts| policy.level(&forecasts[series])).collect();
                simulate(&demand[run.origins[0] + 1..], &levels, profile)
            })
            .collect();
        let mut outcome =
            Outcome { tuning: Cost::default(), scored: Cost::default(), by_group: vec![Cost::default(); groups] };
        for ((tuning, scored), group) in of_series.iter().zip(group) {
            outcome.tuning.add(tuning);
            outcome.scored.add(scored);
            outcome.by_group[*group].add(scored);
        }
        outcome
    }
}

impl Policy {
    fn level(self, forecast: &crate::demand::SeriesForecast) -> f64 {
        let level = match self {
            Policy::Multiple(multiple) => multiple * forecast.totals[1].mean,
            Policy::Quantile(place) => forecast.totals[0].quantiles[place],
        };
        (level - 1e-6).ceil().max(0.0)
    }
}

/// One series: costs of the tuning days and of the scored days. `levels[k]` is decided at the close before day `k`.
fn simulate(demand: &[f64], levels: &[f64], profile: &Profile) -> (Cost, Cost) {
    let ages = profile.shelf_life_days.unwrap_or(1);
    let mut stock = vec![0.0; ages];
    // The first level is on hand when the first day opens.
    stock[0] = levels[0];
    let (mut arriving, mut ordered) = (0.0, 0.0);
    let (mut tuning, mut scored) = (Cost::default(), Cost::default());
    for (day, units) in demand.iter().enumerate().take(levels.len()) {
        stock[0] += arriving;
        let mut need = *units;
        for age in stock.iter_mut().rev() {
            let sold = age.min(need);
            *age -= sold;
            need -= sold;
        }
        let wasted = if profile.shelf_life_days.is_some() { stock[ages - 1] } else { 0.0 };
        if profile.shelf_life_days.is_some() {
            stock.rotate_right(1);
            stock[0] = 0.0;
        }
        let held: f64 = stock.iter().sum();
        let cost = Cost { demand: *units, lost: need, wasted, held };
        if (WARM_UP_DAYS..WARM_UP_DAYS + TUNING_DAYS).contains(&day) {
            tuning.add(&cost);
        } else if day >= WARM_UP_DAYS + TUNING_DAYS {
            scored.add(&cost);
        }
        arriving = ordered;
        if let Some(level) = levels.get(day + 1) {
            ordered = (level - held - arriving).max(0.0);
        }
    }
    (tuning, scored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_are_sold_oldest_first_spoil_after_their_days_and_none_are_lost_from_the_books() {
        // Bought = sold + thrown away + left, day by day: a shop that always has 10 of goods that last 3 days and sells 1.
        let days = WARM_UP_DAYS + TUNING_DAYS + 9;
        let demand = vec![1.0; days];
        let levels = vec![10.0; days];
        let (_, scored) = simulate(&demand, &levels, &PROFILES[0]);
        assert_eq!((scored.demand, scored.lost), (9.0, 0.0));
        // Of every 10 that arrive together 3 are sold and 7 spoil.
        assert!(scored.wasted > 0.0 && scored.held > 0.0);
        let (_, ambient) = simulate(&demand, &levels, &PROFILES[1]);
        assert_eq!((ambient.lost, ambient.wasted), (0.0, 0.0));
        assert_eq!(ambient.held, 9.0 * 8.0 + 0.0, "ten less the two days under way");
    }

    #[test]
    fn nothing_is_ordered_twice() {
        let days = WARM_UP_DAYS + TUNING_DAYS + 4;
        // No demand: the first level stays for ever, and nothing comes on top.
        let (_, scored) = simulate(&vec![0.0; days], &vec![5.0; days], &PROFILES[1]);
        assert_eq!(scored.held, 4.0 * 5.0);
    }
}
