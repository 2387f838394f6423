//! What the shop's books say at the close of a day: goods, suppliers, stock, and what is under way.

pub mod mysql;

use std::collections::BTreeMap;

use chrono::NaiveTime;
use serde::Serialize;

use crate::calendar::{Calendar, Weekdays};
use crate::policy::Margins;
use crate::stock::{Batch, first_expired_first_out};

/// A supplier takes orders of every day until then, where nothing else is agreed.
pub const CUT_OFF: NaiveTime = match NaiveTime::from_hms_opt(22, 0, 0) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

/// A supplier with what was agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct Supplier {
    pub supplier_id: i64,
    pub name: String,
    pub name_en: String,
    pub email: Option<String>,
    pub calendar: Calendar,
    /// Least amount of an order, fen.
    pub min_amount: i64,
    /// `zh` or `en`.
    pub language: String,
}

impl Supplier {
    /// One that works every day and takes any order until the evening.
    pub fn every_day(supplier_id: i64, lead_days: u32) -> Supplier {
        Supplier {
            supplier_id,
            name: supplier_id.to_string(),
            name_en: supplier_id.to_string(),
            email: None,
            calendar: Calendar { order_days: Weekdays::ALL, delivery_days: Weekdays::ALL, cut_off: CUT_OFF, lead_days },
            min_amount: 0,
            language: "zh".to_owned(),
        }
    }
}

/// Goods with how they are bought. Money in fen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sku {
    pub sku_id: i64,
    pub supplier_id: i64,
    pub category_id: i64,
    pub title: String,
    pub price: i64,
    /// `None`: not known.
    pub cost: Option<i64>,
    /// Days on which it can be sold, the day of its production the first; `None`: it does not spoil.
    pub shelf_days: Option<u32>,
    pub pack: i64,
    pub min_order: i64,
    pub service_level: Option<f64>,
}

/// Pieces of one SKU in one warehouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnHand {
    pub on_hand: i64,
    /// Sold, and not gone yet.
    pub reserved: i64,
    pub min_stock: i64,
}

/// Pieces that are ordered and not received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Confirmed by the supplier.
    pub in_transit: i64,
    /// Drafted or sent.
    pub on_order: i64,
}

/// A warehouse and a SKU.
pub type Shelf = (i64, i64);

/// All books that an order needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    pub suppliers: BTreeMap<i64, Supplier>,
    pub skus: BTreeMap<i64, Sku>,
    /// The warehouse that serves a community.
    pub warehouse_of: BTreeMap<i64, i64>,
    pub stock: BTreeMap<Shelf, OnHand>,
    /// As received, not what is left of them.
    pub received: BTreeMap<Shelf, Vec<Batch>>,
    pub under_way: BTreeMap<Shelf, UnderWay>,
    /// The purchase orders that are counted there, by the run that they came of; those of it that are done with, too.
    pub orders_known: BTreeMap<String, u32>,
}

/// What a person has to mend before the books can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// No mail can reach it.
    SupplierWithoutAddress {
        supplier_id: i64,
    },
    /// Its goods cannot be ordered.
    UnknownSupplier {
        supplier_id: i64,
        sku_id: i64,
    },
    SkuWithoutCost {
        sku_id: i64,
    },
    /// Pieces sold at a loss: the margin is not positive.
    CostAbovePrice {
        sku_id: i64,
        price: i64,
        cost: i64,
    },
    /// Pieces on hand of no batch: nobody knows when they expire.
    StockWithoutBatch {
        warehouse_id: i64,
        sku_id: i64,
        pieces: i64,
    },
    /// Sold is more than there is.
    ReservedBeyondStock {
        warehouse_id: i64,
        sku_id: i64,
        on_hand: i64,
        reserved: i64,
    },
    /// Sales of goods that the books do not know.
    UnknownSku {
        sku_id: i64,
    },
    /// A community that no warehouse serves: its sales count nowhere.
    CommunityWithoutWarehouse {
        community_id: i64,
    },
    /// The lines of a supplier are worth less than what it delivers.
    BelowMinimumAmount {
        supplier_id: i64,
        amount: i64,
        minimum: i64,
    },
    /// The supplier's time for orders of the day was over.
    CutOffMissed {
        supplier_id: i64,
        must_order_by: i64,
    },
}

/// Prices of a piece's fate, as shares of its price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// What a buyer who goes away empty-handed is worth beyond the margin, in hundredths.
    pub goodwill_percent: i64,
    /// For a day on the shelf, in ten thousandths.
    pub holding_e4: i64,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares { goodwill_percent: 20, holding_e4: 100 }
    }
}

impl Sku {
    /// `None` where the cost is not known.
    pub fn margins(&self, shares: Shares) -> Option<Margins> {
        let cost = self.cost?;
        let goodwill = self.price.saturating_mul(shares.goodwill_percent) / 100;
        Some(Margins {
            lost: (self.price - cost).max(0).saturating_add(goodwill),
            waste: cost,
            holding_e4: self.price.saturating_mul(shares.holding_e4),
        })
    }
}

impl Books {
    /// Batches that are left of what was received, those that expire first sold first, and the problems found.
    ///
    /// Pieces of no batch are taken to last.
    pub fn batches(&self, shelf: Shelf) -> (Vec<Batch>, Vec<Problem>) {
        let (warehouse_id, sku_id) = shelf;
        let level = self.stock.get(&shelf).copied().unwrap_or_default();
        let mut problems = Vec::new();
        if level.reserved > level.on_hand {
            let OnHand { on_hand, reserved, .. } = level;
            problems.push(Problem::ReservedBeyondStock { warehouse_id, sku_id, on_hand, reserved });
        }
        let mut left = level.on_hand.saturating_sub(level.reserved.max(0)).max(0);
        let mut batches = self.received.get(&shelf).cloned().unwrap_or_default();
        first_expired_first_out(&mut batches);
        // What went, went from the front.
        for batch in batches.iter_mut().rev() {
            batch.quantity = batch.quantity.clamp(0, left);
            left -= batch.quantity;
        }
        batches.retain(|batch| batch.quantity > 0);
        if left > 0 {
            if self.skus.get(&sku_id).is_some_and(|sku| sku.shelf_days.is_some()) {
                problems.push(Problem::StockWithoutBatch { warehouse_id, sku_id, pieces: left });
            }
            batches.push(Batch { batch_id: 0, quantity: left, expires_on: None });
        }
        (batches, problems)
    }

    /// What is wrong with goods and suppliers, whatever is ordered.
    pub fn problems(&self) -> Vec<Problem> {
        let addresses = self.suppliers.values().filter(|supplier| supplier.email.is_none());
        let mut found: Vec<Problem> =
            addresses.map(|of| Problem::SupplierWithoutAddress { supplier_id: of.supplier_id }).collect();
        for sku in self.skus.values() {
            let Sku { sku_id, supplier_id, price, .. } = *sku;
            if !self.suppliers.contains_key(&supplier_id) {
                found.push(Problem::UnknownSupplier { supplier_id, sku_id });
            }
            match sku.cost {
                None => found.push(Problem::SkuWithoutCost { sku_id }),
                Some(cost) if cost >= price => found.push(Problem::CostAbovePrice { sku_id, price, cost }),
                Some(_) => {}
            }
        }
        found
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::NaiveDate;

    use super::*;

    const SHELF: Shelf = (1, 10);

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a date")
    }

    fn batch(batch_id: u64, quantity: i64, expires: u32) -> Batch {
        Batch { batch_id, quantity, expires_on: Some(day(expires)) }
    }

    pub(crate) fn sku() -> Sku {
        Sku {
            sku_id: 10,
            supplier_id: 501,
            category_id: 1,
            title: "番茄".to_owned(),
            price: 1000,
            cost: Some(700),
            shelf_days: Some(3),
            pack: 1,
            min_order: 0,
            service_level: None,
        }
    }

    fn books(on_hand: i64, reserved: i64) -> Books {
        Books {
            suppliers: [(501, Supplier { email: Some("a@b.example".to_owned()), ..Supplier::every_day(501, 1) })]
                .into(),
            skus: [(10, sku())].into(),
            stock: [(SHELF, OnHand { on_hand, reserved, min_stock: 0 })].into(),
            received: [(SHELF, vec![batch(2, 10, 6), batch(1, 10, 5)])].into(),
            ..Books::default()
        }
    }

    #[test]
    fn what_is_left_is_of_the_batches_that_expire_last() {
        assert_eq!(books(14, 1).batches(SHELF), (vec![batch(1, 3, 5), batch(2, 10, 6)], vec![]));
        assert_eq!(books(8, 0).batches(SHELF), (vec![batch(2, 8, 6)], vec![]));
    }

    #[test]
    fn books_that_do_not_agree_are_named() {
        let (batches, problems) = books(23, 0).batches(SHELF);
        assert_eq!(batches.iter().map(|batch| batch.quantity).sum::<i64>(), 23);
        assert_eq!(problems, [Problem::StockWithoutBatch { warehouse_id: 1, sku_id: 10, pieces: 3 }]);
        let (batches, problems) = books(5, 7).batches(SHELF);
        assert_eq!(batches, []);
        assert_eq!(problems, [Problem::ReservedBeyondStock { warehouse_id: 1, sku_id: 10, on_hand: 5, reserved: 7 }]);
        let mut wrong = books(0, 0);
        assert_eq!(wrong.problems(), []);
        wrong.suppliers.insert(502, Supplier::every_day(502, 1));
        wrong.skus.insert(11, Sku { sku_id: 11, cost: None, supplier_id: 503, ..sku() });
        wrong.skus.insert(12, Sku { sku_id: 12, cost: Some(1000), ..sku() });
        assert_eq!(
            wrong.problems(),
            [
                Problem::SupplierWithoutAddress { supplier_id: 502 },
                Problem::UnknownSupplier { supplier_id: 503, sku_id: 11 },
                Problem::SkuWithoutCost { sku_id: 11 },
                Problem::CostAbovePrice { sku_id: 12, price: 1000, cost: 1000 },
            ]
        );
    }

    #[test]
    fn a_shortage_costs_the_margin_and_goodwill() {
        let margins = sku().margins(Shares { goodwill_percent: 20, holding_e4: 50 }).expect("margins");
        assert_eq!((margins.lost, margins.waste, margins.holding_e4), (500, 700, 50_000));
        assert_eq!(Sku { cost: None, ..sku() }.margins(Shares::default()), None);
    }
}
