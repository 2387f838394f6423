//! Days of a shop under one policy and another: what each sells, loses, throws away and holds.
//!
//! Every evening the policy orders by [`crate::order`], as the nightly run does, from what is on the shelf, under way and
//! forecast. In the morning what has come is put on the shelf as a batch; demand is served first expired, first out, and what
//! is not there is lost; in the evening what has expired is thrown away. Pieces and money are whole numbers, and the books are
//! balanced every day.
//!
//! Pure: what comes is in the [`Scenario`], and every policy meets the same.

mod books;
mod error;
mod forecasters;
mod scenario;
mod shelf;

use chrono::NaiveDate;
use rayon::prelude::*;

pub use books::{Books, E4};
pub use error::{Error, Result};
pub use forecasters::{DocumentForecaster, Forecaster, Known, ModelForecaster, NaiveForecaster};
pub use scenario::{Class, Item, Scenario};
pub use shelf::DaySeen;

use crate::policy::Policy;
use shelf::{Met, Shelf};

/// A policy with what it believes of tomorrow.
pub struct Contender {
    pub policy: Policy,
    pub forecaster: Box<dyn Forecaster>,
}

/// What a policy came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    pub policy: String,
    /// One an item.
    pub books: Vec<Books>,
    /// Names the demand, lead times, terms and prices that it met.
    pub met: u64,
}

impl Play {
    /// The sums over the items that `wanted` takes by their places.
    pub fn total(&self, wanted: impl Fn(usize) -> bool) -> Books {
        let mut total = Books::default();
        self.books.iter().enumerate().filter(|(at, _)| wanted(*at)).for_each(|(_, books)| total.add(books));
        total
    }
}

/// Plays all days under one policy; `on_day` is called after each.
///
/// # Errors
/// [`Error::Shape`], [`Error::Range`] for a scenario that is not sound, [`Error::Forecast`] where a model cannot be fitted,
/// [`Error::Unbalanced`] where the books do not balance.
pub fn play(scenario: &Scenario, contender: &mut Contender, mut on_day: impl FnMut()) -> Result<Play> {
    scenario.check()?;
    let first = scenario.history_days;
    let mut seen: Vec<Vec<DaySeen>> = scenario.items.iter().map(|item| history(item, first)).collect();
    let mut shelves: Vec<Shelf<'_>> =
        scenario.items.iter().map(|item| Shelf::new(item, scenario.date(first))).collect();
    for day in 0..scenario.days {
        let (eve, today) = (scenario.date(first + day - 1), scenario.date(first + day));
        let known = Known { scenario, days: first + day, seen: &seen };
        let outlooks = contender
            .forecaster
            .outlooks(known)
            .map_err(|source| Error::Forecast { policy: contender.policy.name.clone(), source })?;
        if outlooks.len() != shelves.len() {
            return Err(Error::Shape { what: "outlooks", given: outlooks.len(), needed: shelves.len() });
        }
        let policy = &contender.policy;
        shelves.par_iter_mut().zip(&outlooks).zip(&mut seen).for_each(|((shelf, outlook), seen)| {
            shelf.order(eve, policy, outlook, seen, shelf.late_days(day));
            seen.push(shelf.live(today, shelf.wanted(first + day)));
        });
        audit(&shelves, policy, today)?;
        on_day();
    }
    let met = Met::joined(shelves.iter().map(|shelf| shelf.met));
    let books = shelves.into_iter().map(|shelf| shelf.books).collect();
    Ok(Play { policy: contender.policy.name.clone(), books, met })
}

fn audit(shelves: &[Shelf<'_>], policy: &Policy, date: NaiveDate) -> Result<()> {
    match shelves.iter().find(|shelf| !shelf.books.balance()) {
        None => Ok(()),
        Some(shelf) => Err(shelf.unbalanced(policy, date)),
    }
}

/// # Errors
/// [`Error::Unequal`] where one of the plays met something else than the first.
pub fn compare(plays: &[Play]) -> Result<()> {
    let Some(first) = plays.first() else { return Ok(()) };
    match plays.iter().find(|play| play.met != first.met) {
        None => Ok(()),
        Some(play) => Err(Error::Unequal { policy: play.policy.clone(), first: first.policy.clone() }),
    }
}

/// Of the history demand itself is known.
fn history(item: &Item, days: usize) -> Vec<DaySeen> {
    item.demand[..days].iter().map(|wanted| DaySeen { sold: *wanted, sold_out: false }).collect()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;
    use crate::calendar::{Calendar, Weekdays};
    use crate::line::Place;
    use crate::policy::Margins;

    #[test]
    fn a_piece_that_vanishes_from_a_shelf_is_found_in_the_evening() {
        let date = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");
        let daily = Weekdays::ALL;
        let item = Item {
            place: Place { warehouse_id: 2, community_id: 0 },
            sku_id: 10_001,
            supplier_id: 501,
            calendar: Calendar { order_days: daily, delivery_days: daily, cut_off: NaiveTime::MIN, lead_days: 1 },
            margins: Margins { lost: 5, waste: 7, holding_e4: 50 },
            life_days: None,
            pack: 1,
            min_order: 0,
            min_stock: 0,
            initial: 9,
            demand: vec![4],
            late_days: vec![0],
        };
        let mut shelves = vec![Shelf::new(&item, date)];
        shelves[0].live(date, 4);
        assert_eq!(audit(&shelves, &Policy::naive(), date), Ok(()));
        shelves[0].books.left -= 1;
        let error = audit(&shelves, &Policy::naive(), date).expect_err("found");
        let told = error.to_string();
        for part in ["10001", "warehouse 2", "naive", "2026-03-02", "initial 9", "sold 4", "left 4"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
