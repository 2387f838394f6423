//! The sum of an order line, from which its quantity can be computed again.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::policy::Quantile;
use crate::release::Released;

/// Everything that the quantity of a line comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub policy: String,
    pub policy_version: String,
    pub model: String,
    #[serde(with = "crate::date")]
    pub order_on: NaiveDate,
    /// The first day on which the goods can be sold.
    #[serde(with = "crate::date")]
    pub arrives_on: NaiveDate,
    /// The last day before the goods of the next order.
    #[serde(with = "crate::date")]
    pub covers_until: NaiveDate,
    /// Days of demand that stock and order must last.
    pub cover_days: u32,
    /// How the probability came about; `None` where the rule is a multiple of the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<Quantile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Expected over the days covered.
    pub mean: f64,
    /// What the rule asks for, before it is rounded up to pieces.
    pub wanted: f64,
    pub min_stock: i64,
    /// Pieces on hand that can be sold in the days covered.
    pub stock: i64,
    /// Pieces on hand that will have expired before they are wanted: not counted.
    pub spoiling: i64,
    pub in_transit: i64,
    /// On purchase orders that the supplier has not sent yet.
    pub on_order: i64,
    /// Most pieces, with all that is there, that will be sold before what arrives expires; `None`: it does not spoil.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shelf_cover: Option<i64>,
    /// Pieces of a pack, at least 1.
    pub pack: i64,
    /// Least pieces of a line that the supplier takes.
    pub min_order: i64,
    /// Largest demand of a recent day; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent_max: Option<f64>,
    /// A quantity beyond `guard_multiple × recent_max × cover_days` waits for a person.
    pub guard_multiple: f64,
    /// A person's word on the line, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Released>,
}

/// A summand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// The level that is ordered up to.
    Level,
    /// What `min_stock` asks for beyond the level.
    MinStock,
    Stock,
    InTransit,
    OnOrder,
    /// Nothing is sent back: what there is too much of.
    Surplus,
    /// Up to whole packs.
    Pack,
    /// Up to the supplier's minimum.
    MinOrder,
    /// Down to what can be sold before it expires, in whole packs.
    ShelfCover,
    /// Nothing at all: what can be sold is less than a pack or the supplier's minimum.
    BelowMinimum,
    /// To what a person wants instead.
    Release,
}

/// Pieces that a term adds or takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addend {
    pub term: Term,
    pub pieces: i64,
}

/// A quantity with the terms that add up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    pub quantity: i64,
    pub addends: Vec<Addend>,
}

/// Pieces beyond which no order goes; a quantity of the shop's tables is 32 bit.
pub const PIECES_MAX: i64 = 1_000_000_000;

/// Rounds up to pieces; a forecast that is a hair above a whole number does not buy one more.
pub fn pieces(wanted: f64) -> i64 {
    // NaN becomes 0, and what is too much the most there is
    ((wanted - 1e-6).ceil() as i64).clamp(0, PIECES_MAX)
}

/// A number of a line to six decimals: it is read back from JSON as it was written, to the last bit.
pub(crate) fn rounded(value: f64) -> f64 {
    (value.clamp(-(PIECES_MAX as f64), PIECES_MAX as f64) * 1e6).round() / 1e6
}

pub(crate) fn whole_packs_above(quantity: i64, pack: i64) -> i64 {
    quantity.saturating_add(pack - 1) / pack * pack
}

impl Terms {
    /// What there is or will be without an order.
    pub fn position(&self) -> i64 {
        self.stock.saturating_add(self.in_transit).saturating_add(self.on_order)
    }

    /// Pieces that can still be added without spoiling; `None`: any.
    pub fn room(&self) -> Option<i64> {
        self.shelf_cover.map(|most| most.saturating_sub(self.position()).max(0))
    }

    /// Least pieces that the supplier takes, in whole packs.
    pub fn least_order(&self) -> i64 {
        let pack = self.pack.max(1);
        whole_packs_above(self.min_order, pack).max(pack)
    }

    /// The quantity to order. Of two bounds that cannot both hold the stronger stands: what can be sold before it expires,
    /// then packs and the supplier's minimum, then `min_stock`. Over all of them stands what a person wants.
    pub fn sum(&self) -> Sum {
        let mut sum = self.computed();
        if let Some(pieces) = self.released.as_ref().and_then(|released| released.pieces) {
            sum.add(Term::Release, pieces - sum.quantity);
        }
        sum
    }

    fn computed(&self) -> Sum {
        let mut sum = Sum { quantity: 0, addends: Vec::new() };
        let pack = self.pack.max(1);
        sum.add(Term::Level, pieces(self.wanted));
        sum.raise_to(Term::MinStock, self.min_stock);
        sum.add(Term::Stock, -self.stock);
        sum.add(Term::InTransit, -self.in_transit);
        sum.add(Term::OnOrder, -self.on_order);
        sum.raise_to(Term::Surplus, 0);
        if sum.quantity == 0 {
            return sum;
        }
        sum.raise_to(Term::Pack, whole_packs_above(sum.quantity, pack));
        let least = self.least_order();
        sum.raise_to(Term::MinOrder, least);
        if let Some(room) = self.room().filter(|room| *room < sum.quantity) {
            sum.add(Term::ShelfCover, room / pack * pack - sum.quantity);
            if sum.quantity < least {
                sum.add(Term::BelowMinimum, -sum.quantity);
            }
        }
        sum
    }

    /// The most that is ordered without asking; `None` where nothing is known to measure by.
    pub fn guard(&self) -> Option<f64> {
        let max = self.recent_max?;
        Some(self.guard_multiple * max * f64::from(self.cover_days.max(1)))
    }
}

impl Sum {
    /// Whether a term had a part in it.
    pub fn holds(&self, term: Term) -> bool {
        self.addends.iter().any(|addend| addend.term == term)
    }

    fn add(&mut self, term: Term, pieces: i64) {
        if pieces != 0 {
            self.quantity = self.quantity.saturating_add(pieces);
            self.addends.push(Addend { term, pieces });
        }
    }

    fn raise_to(&mut self, term: Term, least: i64) {
        self.add(term, (least - self.quantity).max(0));
    }
}
