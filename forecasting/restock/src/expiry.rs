//! Near expiry and loss: what of the stock will spoil, what that costs, and what can still be done.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::books::{Books, Shelf};
use crate::calendar::{days_between, later};
use crate::line::Place;
use crate::policy::Outlook;
use crate::stock::{Batch, is_sellable};

/// Days for which goods are on their way to another warehouse.
const TRANSFER_DAYS: u32 = 1;

/// A batch of which some will be left when it expires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtRisk {
    #[serde(flatten)]
    pub place: Place,
    pub sku_id: i64,
    pub batch_id: u64,
    #[serde(with = "crate::date")]
    pub expires_on: NaiveDate,
    /// Days on which it can still be sold; 0: it has expired.
    pub days_left: u32,
    pub quantity: i64,
    /// Pieces of it that are expected to be sold before it expires, those of earlier batches first.
    pub sellable: i64,
    pub at_risk: i64,
    /// What these cost, fen; 0 where the cost is not known.
    pub loss: i64,
    pub actions: Vec<Action>,
}

/// What can still be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Another warehouse would sell them in time.
    Transfer { to_warehouse_id: i64, pieces: i64 },
    /// Sell them cheaper, the sooner the better.
    Markdown { pieces: i64 },
    /// More of the same is under way, drafted or sent: stop what can be stopped.
    StopOrdering { under_way: i64 },
    /// They may not be sold any more: take them off the shelf.
    Discard { pieces: i64 },
}

/// Every batch at risk at the close of `date`, the dearest loss first.
///
/// Each shelf is sold first expired, first out against the demand that is expected; pieces that do not spoil are sold last.
pub fn at_risk(date: NaiveDate, books: &Books, outlooks: &HashMap<Shelf, Outlook>) -> Vec<AtRisk> {
    let shelves: BTreeMap<Shelf, Vec<Batch>> =
        books.stock.keys().map(|shelf| (*shelf, left_on_shelf(*shelf, date, books))).collect();
    // Pieces that were promised to a shelf by a transfer.
    let mut promised: HashMap<Shelf, i64> = HashMap::new();
    let mut found = Vec::new();
    for (shelf, batches) in &shelves {
        let nothing = Outlook::default();
        let outlook = outlooks.get(shelf).unwrap_or(&nothing);
        let mut earlier = 0_i64;
        for batch in batches {
            let Some(expires_on) = batch.expires_on else { continue };
            let days_left = days_between(date, expires_on);
            let wanted = if days_left == 0 { 0 } else { outlook.mean_total(days_left).floor() as i64 };
            let sellable = (wanted - earlier).clamp(0, batch.quantity);
            earlier = earlier.saturating_add(sellable);
            let at_risk = batch.quantity - sellable;
            if at_risk > 0 {
                let cost = books.skus.get(&shelf.1).and_then(|sku| sku.cost).unwrap_or(0);
                let actions = actions(date, *shelf, batch, at_risk, (books, outlooks, &shelves), &mut promised);
                found.push(AtRisk {
                    place: Place { warehouse_id: shelf.0, community_id: 0 },
                    sku_id: shelf.1,
                    batch_id: batch.batch_id,
                    expires_on,
                    days_left,
                    quantity: batch.quantity,
                    sellable,
                    at_risk,
                    loss: at_risk.saturating_mul(cost),
                    actions,
                });
            }
        }
    }
    found.sort_by_key(|of| (std::cmp::Reverse(of.loss), of.expires_on, of.place, of.sku_id, of.batch_id));
    found
}

/// What is left of the batches of a shelf, also of those that expired on `date` and lie there still.
fn left_on_shelf(shelf: Shelf, date: NaiveDate, books: &Books) -> Vec<Batch> {
    let (batches, _) = books.batches(shelf);
    batches.into_iter().filter(|batch| batch.expires_on.is_none_or(|expires_on| expires_on >= date)).collect()
}

type World<'a> = (&'a Books, &'a HashMap<Shelf, Outlook>, &'a BTreeMap<Shelf, Vec<Batch>>);

fn actions(
    date: NaiveDate,
    (warehouse_id, sku_id): Shelf,
    batch: &Batch,
    at_risk: i64,
    (books, outlooks, shelves): World<'_>,
    promised: &mut HashMap<Shelf, i64>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let under_way = books.under_way.get(&(warehouse_id, sku_id)).copied().unwrap_or_default();
    if under_way.on_order + under_way.in_transit > 0 {
        actions.push(Action::StopOrdering { under_way: under_way.on_order + under_way.in_transit });
    }
    if !is_sellable(batch, later(date, 1)) {
        actions.push(Action::Discard { pieces: at_risk });
        return actions;
    }
    let mut left = at_risk;
    // It must be sold there in time, after all that lies there already.
    let days_there = batch.expires_on.map_or(0, |expires_on| days_between(later(date, TRANSFER_DAYS), expires_on));
    for (other, lying) in shelves.iter().filter(|(other, _)| other.1 == sku_id && other.0 != warehouse_id) {
        let Some(outlook) = outlooks.get(other).filter(|_| days_there > 0 && left > 0) else { continue };
        let first_days = outlook.mean_total(TRANSFER_DAYS);
        let wanted = (outlook.mean_total(TRANSFER_DAYS + days_there) - first_days).floor() as i64;
        let there: i64 = lying.iter().map(|batch| batch.quantity).sum();
        let coming = books.under_way.get(other).map_or(0, |of| of.in_transit + of.on_order);
        let room = wanted - (there - first_days.floor() as i64).max(0) - coming - promised.get(other).unwrap_or(&0);
        let pieces = room.clamp(0, left);
        if pieces > 0 {
            actions.push(Action::Transfer { to_warehouse_id: other.0, pieces });
            *promised.entry(*other).or_default() += pieces;
            left -= pieces;
        }
    }
    if left > 0 {
        actions.push(Action::Markdown { pieces: left });
    }
    actions
}

#[cfg(test)]
mod tests {
    use linli_forecasting::distribution::Summary;

    use super::*;
    use crate::books::tests::sku;
    use crate::books::{OnHand, UnderWay};

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a date")
    }

    fn outlook(mean: f64) -> Outlook {
        let of = |days: f64| Summary { mean: mean * days, quantiles: [mean * days; 7] };
        Outlook {
            model: "test".to_owned(),
            steps: vec![of(1.0); 7],
            totals: (2..=7).map(|days| of(f64::from(days))).collect(),
        }
    }

    /// Warehouse 1 holds `first` pieces until the 3rd and `second` until the 5th, at the close of the 2nd.
    fn books(first: i64, second: i64) -> Books {
        let shelf = (1, 10);
        let batch = |batch_id, quantity, expires| Batch { batch_id, quantity, expires_on: Some(day(expires)) };
        Books {
            skus: [(10, sku())].into(),
            stock: [(shelf, OnHand { on_hand: first + second, reserved: 0, min_stock: 0 })].into(),
            received: [(shelf, vec![batch(1, first, 3), batch(2, second, 5)])].into(),
            ..Books::default()
        }
    }

    fn found(books: &Books, means: &[(i64, f64)]) -> Vec<AtRisk> {
        let outlooks = means.iter().map(|(warehouse, mean)| ((*warehouse, 10), outlook(*mean))).collect();
        at_risk(day(2), books, &outlooks)
    }

    #[test]
    fn earlier_batches_are_sold_first_and_the_rest_is_a_loss() {
        // 4 a day: of 6 pieces until the 3rd four are sold; until the 5th 12 less those four
        let found = found(&books(6, 10), &[(1, 4.0)]);
        let told: Vec<_> =
            found.iter().map(|of| (of.batch_id, of.sellable, of.at_risk, of.loss, of.days_left)).collect();
        assert_eq!(told, [(1, 4, 2, 1400, 1), (2, 8, 2, 1400, 3)]);
        assert_eq!(found[0].actions, [Action::Markdown { pieces: 2 }]);
        assert_eq!(super::at_risk(day(2), &books(4, 8), &[((1, 10), outlook(4.0))].into()), []);
    }

    #[test]
    fn without_a_forecast_all_is_at_risk_and_what_has_expired_is_taken_off() {
        let found = super::at_risk(day(3), &books(6, 10), &HashMap::new());
        assert_eq!((found[0].at_risk, found[1].at_risk), (10, 6));
        assert_eq!(found[1].actions, [Action::Discard { pieces: 6 }]);
    }

    #[test]
    fn another_warehouse_takes_what_it_can_sell_and_nothing_is_promised_twice() {
        let mut books = books(0, 20);
        books.stock.insert((2, 10), OnHand { on_hand: 3, reserved: 0, min_stock: 0 });
        books.under_way.insert((1, 10), UnderWay { in_transit: 2, on_order: 5 });
        // 2 a day here until the 5th: 14 are left. There 5 a day, from the 4th on two days: 10, and nothing lies there then
        let found = self::found(&books, &[(1, 2.0), (2, 5.0)]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].actions,
            [
                Action::StopOrdering { under_way: 7 },
                Action::Transfer { to_warehouse_id: 2, pieces: 10 },
                Action::Markdown { pieces: 4 },
            ]
        );
        books.received.insert(
            (1, 10),
            vec![
                Batch { batch_id: 1, quantity: 10, expires_on: Some(day(5)) },
                Batch { batch_id: 2, quantity: 10, expires_on: Some(day(5)) },
            ],
        );
        let moved: i64 = self::found(&books, &[(1, 0.0), (2, 5.0)])
            .iter()
            .flat_map(|of| &of.actions)
            .map(|action| if let Action::Transfer { pieces, .. } = action { *pieces } else { 0 })
            .sum();
        assert_eq!(moved, 10);
    }
}
