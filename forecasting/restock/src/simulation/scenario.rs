//! What is given: the goods, their terms and prices, and what will be wanted.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use linli_forecasting::Labels;
use linli_forecasting::panel::WEEK;
use linli_forecasting::pooled::HORIZON_MAX;

use super::{Error, Result};
use crate::calendar::{Calendar, later};
use crate::line::Place;
use crate::policy::Margins;

/// Goods that are compared apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Kept for at most [`Class::FRESH_DAYS`].
    Fresh,
    Ambient,
}

impl Class {
    pub const ALL: [Class; 2] = [Class::Fresh, Class::Ambient];
    /// Days for which fresh goods keep, at most.
    pub const FRESH_DAYS: u32 = 3;

    pub fn of(life_days: Option<u32>) -> Class {
        if life_days.is_some_and(|days| days <= Class::FRESH_DAYS) { Class::Fresh } else { Class::Ambient }
    }

    pub fn name(self) -> &'static str {
        match self {
            Class::Fresh => "fresh",
            Class::Ambient => "ambient",
        }
    }
}

/// One SKU at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub place: Place,
    pub sku_id: i64,
    pub supplier_id: i64,
    pub calendar: Calendar,
    /// What a piece too few and one too many cost: the policies know it, and are charged by it.
    pub margins: Margins,
    /// Days on which goods can be sold, the day of their arrival the first; `None`: they do not spoil.
    pub life_days: Option<u32>,
    pub pack: i64,
    pub min_order: i64,
    pub min_stock: i64,
    /// On hand when the first day opens, as if just arrived.
    pub initial: i64,
    /// Pieces wanted on each day, those of the history first.
    pub demand: Vec<i64>,
    /// By how many days an order comes late, by the evening of the order: the first is the eve of the first day.
    pub late_days: Vec<u8>,
}

/// A shop and what will come to it: the same for every policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The first day of the history.
    pub history_from: NaiveDate,
    /// Days before the first that is played; their demand is known to every policy.
    pub history_days: usize,
    /// Days that are played.
    pub days: usize,
    pub items: Vec<Item>,
    /// What the items belong to, for models over all of them.
    pub labels: Vec<Labels>,
    /// What is known ahead of each item, one table a regressor, item after item, over `known_days`.
    pub own: Vec<Vec<f32>>,
    /// Days off, also those to come.
    pub days_off: BTreeSet<NaiveDate>,
    pub known_days: usize,
}

/// Most pieces that are wanted on a day or lie there at first: sums of them stay within 64 bits.
pub const PIECES_A_DAY_MAX: i64 = 1_000_000;
/// Most fen of a piece's fate, and most items and days that are played.
pub const FEN_MAX: i64 = 100_000_000;
pub const ITEMS_MAX: usize = 1_000_000;
pub const DAYS_MAX: usize = 3_660;

impl Scenario {
    /// A day by its number from the beginning of the history on.
    pub fn date(&self, day: usize) -> NaiveDate {
        later(self.history_from, u32::try_from(day).unwrap_or(u32::MAX))
    }

    /// Days ahead that an order looks at: those that it covers, and a week more to see whether what is left over will be wanted.
    pub fn horizon(&self) -> usize {
        let eve = self.date(self.history_days.saturating_sub(1));
        let needed = |item: &Item| item.calendar.cover(eve).days_after(eve) as usize;
        self.items.iter().map(needed).max().unwrap_or(0).saturating_add(WEEK).min(HORIZON_MAX)
    }

    /// # Errors
    /// [`Error::Shape`] where numbers do not fit each other, [`Error::Range`] where one is beyond what can be counted.
    pub fn check(&self) -> Result<()> {
        let shape = |what, given, needed| {
            if given == needed { Ok(()) } else { Err(Error::Shape { what, given, needed }) }
        };
        range("days of history", self.history_days, 1, DAYS_MAX)?;
        range("days", self.days, 1, DAYS_MAX)?;
        range("items", self.items.len(), 1, ITEMS_MAX)?;
        shape("labels", self.labels.len(), self.items.len())?;
        range("known days of regressors", self.known_days, self.history_days + self.days, 2 * DAYS_MAX)?;
        for table in &self.own {
            shape("values of a regressor", table.len(), self.items.len() * self.known_days)?;
        }
        for item in &self.items {
            shape("days of an item's demand", item.demand.len(), self.history_days + self.days)?;
            shape("delays of an item's orders", item.late_days.len(), self.days)?;
            let pieces = item.demand.iter().chain([&item.initial]);
            if let Some(value) = pieces.copied().find(|pieces| !(0..=PIECES_A_DAY_MAX).contains(pieces)) {
                return Err(Error::Range { what: "pieces of a day", value, least: 0, most: PIECES_A_DAY_MAX });
            }
            let Margins { lost, waste, holding_e4 } = item.margins;
            if let Some(value) = [lost, waste, holding_e4 / 10_000].into_iter().find(|fen| !(0..=FEN_MAX).contains(fen))
            {
                return Err(Error::Range { what: "fen of a piece", value, least: 0, most: FEN_MAX });
            }
        }
        Ok(())
    }
}

fn range(what: &'static str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::Range { what, value: value as i64, least: least as i64, most: most as i64 })
}
