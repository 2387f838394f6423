//! How a forecast becomes the level that is ordered up to.

use linli_forecasting::distribution::Summary;
use serde::{Deserialize, Serialize};

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

    /// Whether everything in it is a number and none is negative.
    pub fn is_sound(&self) -> bool {
        let sound = |of: &Summary| {
            of.quantiles.iter().chain([&of.mean]).all(|value| value.is_finite() && *value >= 0.0)
                && of.quantiles.is_sorted()
        };
        self.steps.iter().chain(&self.totals).all(sound)
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

impl Quantile {
    /// Lowest and highest probability asked of a forecast: beyond them its quantiles are guesses.
    const BOUNDS: (f64, f64) = (0.10, 0.99);

    /// The probability at which a piece more costs as much as a piece less: `lost / (lost + surplus)`, where a piece too many
    /// lies on the shelf until the next delivery, and is thrown away in proportion to the part of its life that this takes.
    ///
    /// Arrow, Harris & Marschak (1951), "Optimal inventory policy"; the share that spoils is a line between goods of one
    /// delivery's life (all spoils) and goods that do not spoil.
    pub fn probability(&self, review_days: u32, life_days: Option<u32>) -> f64 {
        let probability = match self {
            Quantile::ServiceLevel { level } => *level,
            Quantile::Margins(margins) => {
                let review = f64::from(review_days.max(1));
                let spoils = life_days.map_or(0.0, |life| (review / f64::from(life.max(1))).min(1.0));
                let surplus = margins.waste.max(0) as f64 * spoils + margins.holding_e4.max(0) as f64 / 1e4 * review;
                let lost = margins.lost.max(0) as f64;
                if lost + surplus > 0.0 { lost / (lost + surplus) } else { 0.5 }
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
    Multiple { factor: f64, days: u32 },
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
        let rule = Rule::Multiple { factor: 1.2, days: 3 };
        Policy { name: "document".to_owned(), rule, sell_through: None, ..Policy::newsvendor() }
    }

    /// What was sold on the same weekdays a week ago; the outlook must be that.
    pub fn naive(cover_days: u32) -> Policy {
        let rule = Rule::Multiple { factor: 1.0, days: cover_days };
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
    fn the_dearer_a_shortage_the_higher_the_quantile() {
        let of =
            |lost, waste, life| Quantile::Margins(Margins { lost, waste, holding_e4: 20_000 }).probability(1, life);
        assert!(of(100, 70, Some(3)) > of(50, 70, Some(3)));
        assert!(of(50, 70, Some(1)) < of(50, 70, Some(3)) && of(50, 70, Some(3)) < of(50, 70, None));
        assert_eq!(of(0, 70, Some(1)), 0.10, "held within what a forecast can tell");
        assert_eq!(Quantile::Margins(Margins { lost: 0, waste: 0, holding_e4: 0 }).probability(1, None), 0.5);
        assert_eq!(Quantile::ServiceLevel { level: f64::NAN }.probability(1, None), 0.5);
    }
}
