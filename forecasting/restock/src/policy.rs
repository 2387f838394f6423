//! How a forecast becomes the level that is ordered up to.

use linli_forecasting::distribution::{LEVELS, Summary};
use serde::{Deserialize, Serialize};

use crate::terms::PIECES_MAX;

/// What is expected of one SKU at one place from the day after the run on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The model that made it; `none` where there is no forecast.
    pub model: String,
    /// Of the first, second, … day.
    pub steps: Vec<Summary>,
    /// Of the total of the first 2, 3, … days.
    pub totals: Vec<Summary>,
}

/// A sold-out day tells of demand where the forecast held it less likely than this that less would be wanted.
const SAYS_SOMETHING: f64 = 0.25;

impl Outlook {
    /// Days that are forecast.
    pub fn horizon(&self) -> u32 {
        self.steps.len() as u32
    }

    fn total(&self, days: u32) -> Option<&Summary> {
        match days {
            0 => None,
            1 => self.steps.first(),
            _ => self.totals.get(days as usize - 2),
        }
    }

    /// The demand expected in the first `days` days. Beyond the horizon each day is like the average of those forecast.
    pub fn mean_total(&self, days: u32) -> f64 {
        let seen = days.min(self.horizon());
        let mean = self.total(seen).map_or(0.0, |total| total.mean);
        mean * f64::from(days.max(1)) / f64::from(seen.max(1))
    }

    /// The quantile of the demand of the first `days` days together. Beyond the horizon the mean is added for each day more.
    pub fn quantile_total(&self, days: u32, probability: f64) -> f64 {
        let seen = days.min(self.horizon());
        let Some(total) = self.total(seen) else { return 0.0 };
        total.quantile(probability) + self.mean_total(days) - total.mean
    }

    /// The probability that the demand of the first `days` days together is below a level: the inverse of
    /// [`Outlook::quantile_total`] between the quantiles that are known. Below the lowest it falls on the line to nothing at
    /// the distance from the median once more (a normal distribution's five thousandth).
    pub fn probability_below(&self, days: u32, level: f64) -> f64 {
        let seen = days.min(self.horizon());
        let Some(total) = self.total(seen) else { return 0.0 };
        let level = level - (self.mean_total(days) - total.mean);
        let quantiles = &total.quantiles;
        let above = quantiles.partition_point(|quantile| *quantile < level);
        let (from, to) = match above {
            0 => {
                let lowest = (quantiles[0] - (quantiles[2] - quantiles[0])).max(0.0);
                ((lowest, 0.0), (quantiles[0], LEVELS[0]))
            }
            _ if above == LEVELS.len() => return LEVELS[LEVELS.len() - 1],
            _ => ((quantiles[above - 1], LEVELS[above - 1]), (quantiles[above], LEVELS[above])),
        };
        if to.0 <= from.0 {
            return if level > from.0 { to.1 } else { from.1 };
        }
        (from.1 + (to.1 - from.1) * (level - from.0) / (to.0 - from.0)).clamp(0.0, 1.0)
    }

    /// What was wanted on the first day, once it is known that so many pieces were sold and then none was left: the mean of
    /// what the forecast holds possible beyond them. `None` where that says next to nothing, and nothing may be learnt from
    /// the day.
    pub fn wanted_when_sold_out(&self, sold: i64) -> Option<f64> {
        let (first, sold) = (self.steps.first()?, sold.max(0) as f64);
        let below = self.probability_below(1, sold);
        if below < SAYS_SOMETHING {
            return None;
        }
        let last = LEVELS[LEVELS.len() - 1];
        let (mut level, mut sum) = (below, 0.0);
        for next in LEVELS.into_iter().filter(|next| *next > below) {
            sum += (next - level) * 0.5 * (first.quantile(level) + first.quantile(next));
            level = next;
        }
        sum += (1.0 - level) * first.quantile(last);
        Some((sum / (1.0 - below)).max(sold))
    }

    /// Whether everything in it is a number of pieces that a shop could sell, and there is a total for every number of days.
    pub fn is_sound(&self) -> bool {
        let sound = |of: &Summary| {
            let pieces = 0.0..=PIECES_MAX as f64;
            of.quantiles.iter().chain([&of.mean]).all(|value| pieces.contains(value)) && of.quantiles.is_sorted()
        };
        self.totals.len() == self.steps.len().saturating_sub(1) && self.steps.iter().chain(&self.totals).all(sound)
    }
}

/// What a piece too few and a piece too many cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margins {
    /// Fen lost by a piece that was wanted and not there: its margin, and what a disappointed buyer is worth.
    pub lost: i64,
    /// Fen lost by a piece that is thrown away: its cost less what it still brings.
    pub waste: i64,
    /// Fen by piece and day on the shelf, in ten thousandths.
    pub holding_e4: i64,
}

/// How the quantile was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Quantile {
    /// The critical ratio of the newsvendor.
    Margins(Margins),
    /// A share of days without a shortage that a buyer sets.
    ServiceLevel { level: f64 },
}

/// What becomes of the last piece of a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fate {
    /// The probability that it is not wanted before the next delivery.
    pub left: f64,
    /// The probability that it is not wanted before it expires.
    pub spoils: f64,
    /// Days that it is expected to lie there in vain: until the next delivery, and longer where less is wanted then.
    pub held_days: f64,
}

/// A probability is searched to this many binary digits.
const PROBABILITY_HALVINGS: u32 = 24;

impl Quantile {
    /// Lowest and highest probability asked of a forecast: beyond them its quantiles are guesses.
    const BOUNDS: (f64, f64) = (0.10, 0.99);

    /// The probability at which the last piece of the level gains as much as it costs, where `fate` tells what becomes of that
    /// piece at a level's probability. It saves a lost sale where demand reaches it before the next delivery; it lies on the
    /// shelf where not, until it is ordered less the next time; and it is thrown away where demand does not reach it before
    /// it expires:
    ///
    /// `lost · (1 − left) = waste · spoils + holding · held_days`
    ///
    /// For goods of one delivery's life, `left = spoils = p`, it is the newsvendor's critical ratio (Arrow, Harris & Marschak
    /// 1951); for goods that keep longer a myopic rule in the way of Nandakumar & Morton (1993).
    pub fn probability(&self, fate: impl Fn(f64) -> Fate) -> f64 {
        let probability = match self {
            Quantile::ServiceLevel { level } => *level,
            Quantile::Margins(margins) => {
                let (lost, waste) = (margins.lost.max(0) as f64, margins.waste.max(0) as f64);
                let holding = margins.holding_e4.max(0) as f64 / 1e4;
                if lost + waste + holding <= 0.0 {
                    return 0.5;
                }
                // The gain falls and the cost rises with the probability: they meet once.
                let (mut low, mut high) = (0.0, 1.0);
                for _ in 0..PROBABILITY_HALVINGS {
                    let middle = 0.5 * (low + high);
                    let Fate { left, spoils, held_days } = fate(middle);
                    if lost * (1.0 - left) > waste * spoils + holding * held_days {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                0.5 * (low + high)
            }
        };
        if probability.is_nan() { 0.5 } else { probability.clamp(Self::BOUNDS.0, Self::BOUNDS.1) }
    }
}

/// The rule for the level.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// The quantile of the demand over the days that an order must last.
    Newsvendor,
    /// So many times the expected demand of so many days: the rule of the shop's first system is 1.2 times three days.
    /// `None`: of the days that the order must last.
    Multiple { factor: f64, days: Option<u32> },
}

/// A policy: what is the same for all lines of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: String,
    /// Changes with everything here that changes an order.
    pub version: String,
    pub rule: Rule,
    /// Probability with which what arrives must be sold before it expires; `None`: expiry is not looked at.
    pub sell_through: Option<f64>,
    /// A quantity beyond so many times the largest demand of recent days, for each day covered, waits for a person.
    pub guard_multiple: f64,
    /// Where a margin is not known.
    pub service_level: f64,
}

impl Policy {
    /// Ours.
    pub fn newsvendor() -> Policy {
        Policy {
            name: "newsvendor".to_owned(),
            version: "1".to_owned(),
            rule: Rule::Newsvendor,
            sell_through: Some(0.25),
            guard_multiple: 3.0,
            service_level: 0.9,
        }
    }

    /// 1.2 times the forecast of three days, whatever the goods cost and how long they keep.
    pub fn document() -> Policy {
        let rule = Rule::Multiple { factor: 1.2, days: Some(3) };
        Policy { name: "document".to_owned(), rule, sell_through: None, ..Policy::newsvendor() }
    }

    /// What was sold on the same weekdays a week ago; the outlook must be that.
    pub fn naive() -> Policy {
        let rule = Rule::Multiple { factor: 1.0, days: None };
        Policy { name: "naive".to_owned(), rule, sell_through: None, ..Policy::newsvendor() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(mean: f64) -> Summary {
        Summary { mean, quantiles: [0.5, 0.7, 1.0, 1.3, 1.6, 1.8, 2.2].map(|of| of * mean) }
    }

    #[test]
    fn a_total_beyond_the_horizon_grows_by_the_mean() {
        let outlook =
            Outlook { model: "test".to_owned(), steps: vec![summary(2.0), summary(4.0)], totals: vec![summary(6.0)] };
        assert_eq!((outlook.mean_total(0), outlook.mean_total(1)), (0.0, 2.0));
        assert_eq!((outlook.mean_total(2), outlook.mean_total(4)), (6.0, 12.0));
        assert_eq!(outlook.quantile_total(2, 0.75), 6.0 * 1.3);
        assert_eq!(outlook.quantile_total(4, 0.75), 6.0 * 1.3 + 6.0);
        assert!(outlook.is_sound());
        let absurd = Outlook { steps: vec![summary(f64::NAN)], ..Outlook::default() };
        assert!(!absurd.is_sound());
    }

    #[test]
    fn the_probability_of_a_level_is_the_inverse_of_the_level_at_a_probability() {
        let outlook = Outlook {
            model: "test".to_owned(),
            steps: vec![summary(20.0), summary(10.0)],
            totals: vec![summary(30.0)],
        };
        for days in 1..=5 {
            for probability in [0.1, 0.2, 0.5, 0.77, 0.95, 0.99] {
                let level = outlook.quantile_total(days, probability);
                let back = outlook.probability_below(days, level);
                assert!((back - probability).abs() < 1e-9, "{days} {probability} {back}");
            }
            assert_eq!(outlook.probability_below(days, 0.0), 0.0);
            assert_eq!(outlook.probability_below(days, 1e9), 0.99, "more is not known");
        }
        assert_eq!(Outlook::default().probability_below(1, 5.0), 0.0);
    }

    #[test]
    fn a_day_that_sold_out_wanted_at_least_what_it_sold() {
        let outlook = Outlook { model: "test".to_owned(), steps: vec![summary(20.0)], totals: Vec::new() };
        let wanted = |sold| outlook.wanted_when_sold_out(sold);
        assert_eq!(wanted(0), None, "an empty shelf says nothing");
        let median = wanted(20).expect("says something");
        assert!(median > 24.0 && median < 32.0, "{median}");
        assert!(wanted(30).expect("says something") > median);
        assert_eq!(wanted(100), Some(100.0), "more than the forecast thought possible");
        assert_eq!(Outlook::default().wanted_when_sold_out(3), None);
    }

    #[test]
    fn the_dearer_a_shortage_the_higher_the_quantile() {
        // of what is not sold by the next delivery this part spoils
        let of = |lost, waste, part: f64| {
            Quantile::Margins(Margins { lost, waste, holding_e4: 20_000 }).probability(|p| Fate {
                left: p,
                spoils: part * p,
                held_days: p,
            })
        };
        assert!(of(100, 70, 0.3) > of(50, 70, 0.3));
        assert!(of(50, 70, 1.0) < of(50, 70, 0.3) && of(50, 70, 0.3) < of(50, 70, 0.0));
        assert!((of(50, 70, 1.0) - 50.0 / 122.0).abs() < 1e-6, "the critical ratio, holding with waste");
        assert_eq!(of(0, 70, 1.0), 0.10, "held within what a forecast can tell");
        let nothing = Quantile::Margins(Margins { lost: 0, waste: 0, holding_e4: 0 });
        let certain = |p| Fate { left: p, spoils: p, held_days: p };
        assert_eq!(nothing.probability(certain), 0.5);
        assert_eq!(Quantile::ServiceLevel { level: f64::NAN }.probability(certain), 0.5);
    }
}
