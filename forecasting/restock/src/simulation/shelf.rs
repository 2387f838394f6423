//! One SKU at one place, day by day, under one policy.

use chrono::NaiveDate;

use super::Error;
use super::books::Books;
use super::scenario::Item;
use crate::calendar::later;
use crate::line::{Line, Situation, order};
use crate::policy::{Outlook, Policy};
use crate::stock::{Batch, first_expired_first_out, is_sellable};

/// Days over which the largest demand of a day is looked for.
const RECENT_DAYS: usize = 28;

/// A day as the shop saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySeen {
    pub sold: i64,
    /// Nothing was left: what was wanted beyond is not known.
    pub sold_out: bool,
}

/// An order that has not come.
#[derive(Clone, Copy, Debug)]
struct Coming {
    quantity: i64,
    arrives_on: NaiveDate,
}

#[derive(Clone, Debug)]
pub(super) struct Shelf<'a> {
    item: &'a Item,
    batches: Vec<Batch>,
    coming: Vec<Coming>,
    next_batch: u64,
    pub books: Books,
    pub met: Met,
}

impl<'a> Shelf<'a> {
    pub fn new(item: &'a Item, first: NaiveDate) -> Shelf<'a> {
        let mut shelf = Shelf {
            item,
            batches: Vec::new(),
            coming: Vec::new(),
            next_batch: 1,
            books: Books { initial: item.initial, left: item.initial, ..Books::default() },
            met: Met::new(item),
        };
        shelf.receive(item.initial, first);
        shelf
    }

    fn receive(&mut self, quantity: i64, date: NaiveDate) {
        if quantity > 0 {
            let expires_on = self.item.life_days.map(|life| later(date, life.max(1) - 1));
            self.batches.push(Batch { batch_id: self.next_batch, quantity, expires_on });
            self.next_batch += 1;
        }
    }

    pub fn wanted(&self, day: usize) -> i64 {
        self.item.demand[day]
    }

    pub fn late_days(&self, evening: usize) -> u8 {
        self.item.late_days[evening]
    }

    pub fn unbalanced(&self, policy: &Policy, date: NaiveDate) -> Error {
        Error::Unbalanced {
            policy: policy.name.clone(),
            warehouse_id: self.item.place.warehouse_id,
            sku_id: self.item.sku_id,
            date,
            books: Box::new(self.books),
        }
    }

    /// A day from its opening to its close; `wanted` pieces are asked for.
    pub fn live(&mut self, date: NaiveDate, wanted: i64) -> DaySeen {
        let (come, coming): (Vec<Coming>, Vec<Coming>) =
            self.coming.iter().partition(|coming| coming.arrives_on <= date);
        self.coming = coming;
        come.iter().for_each(|order| self.receive(order.quantity, date));
        first_expired_first_out(&mut self.batches);
        let mut need = wanted;
        for batch in self.batches.iter_mut().filter(|batch| is_sellable(batch, date)) {
            let taken = batch.quantity.min(need);
            batch.quantity -= taken;
            need -= taken;
        }
        let sold_out = !self.batches.iter().any(|batch| is_sellable(batch, date));
        let tomorrow = later(date, 1);
        let thrown_away = self.batches.iter().filter(|batch| !is_sellable(batch, tomorrow)).map(|b| b.quantity).sum();
        self.batches.retain(|batch| is_sellable(batch, tomorrow));
        let held = self.batches.iter().map(|batch| batch.quantity).sum();
        self.met.wanted(wanted);
        self.books.wanted += wanted;
        self.books.sold += wanted - need;
        self.books.close(&self.item.margins, need, thrown_away, held);
        self.count();
        DaySeen { sold: wanted - need, sold_out }
    }

    /// The policy's order at the close of a day; `late_days` is how much longer than usual it takes.
    pub fn order(&mut self, date: NaiveDate, policy: &Policy, outlook: &Outlook, seen: &[DaySeen], late_days: u8) {
        let cover = self.item.calendar.cover(date);
        let arrives_on = later(cover.arrives_on, u32::from(late_days));
        self.met.lead_time(cover.order_on, arrives_on);
        // On other days nobody takes the order: it is decided anew on the day on which somebody does.
        if cover.order_on != date {
            return;
        }
        let line: Line = order(date, &self.situation(date, seen), outlook, policy);
        if line.quantity > 0 {
            self.books.bought += line.quantity;
            self.books.orders += 1;
            self.books.orders_to_ask += i64::from(!line.holds.is_empty());
            self.coming.push(Coming { quantity: line.quantity, arrives_on });
        }
        self.count();
    }

    fn situation(&self, date: NaiveDate, seen: &[DaySeen]) -> Situation {
        // What comes tomorrow has left the supplier.
        let (in_transit, on_order): (Vec<&Coming>, Vec<&Coming>) =
            self.coming.iter().partition(|coming| coming.arrives_on <= later(date, 1));
        let sum = |orders: &[&Coming]| orders.iter().map(|order| order.quantity).sum();
        let recent = &seen[seen.len().saturating_sub(RECENT_DAYS)..];
        Situation {
            place: self.item.place,
            sku_id: self.item.sku_id,
            supplier_id: self.item.supplier_id,
            calendar: self.item.calendar,
            margins: Some(self.item.margins),
            service_level: None,
            life_days: self.item.life_days,
            pack: self.item.pack,
            min_order: self.item.min_order,
            min_stock: self.item.min_stock,
            batches: self.batches.clone(),
            in_transit: sum(&in_transit),
            on_order: sum(&on_order),
            recent_max: recent.iter().map(|day| day.sold).max().map(|most| most as f64),
        }
    }

    /// Counts what is there, so that the books are held against the shelf and not against themselves.
    fn count(&mut self) {
        self.books.left = self.batches.iter().map(|batch| batch.quantity).sum();
        self.books.under_way = self.coming.iter().map(|order| order.quantity).sum();
    }
}

/// A hash (FNV-1a) of everything that the shop met and no policy can change: two plays with one hash are comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Met(u64);

impl Met {
    const START: Met = Met(0xcbf2_9ce4_8422_2325);

    fn new(item: &Item) -> Met {
        let mut met = Met::START;
        let life = item.life_days.map_or(-1, i64::from);
        let margins = [item.margins.lost, item.margins.waste, item.margins.holding_e4];
        let terms = [item.pack, item.min_order, item.min_stock, item.initial, life];
        met.take(&margins);
        met.take(&terms);
        met
    }

    fn take(&mut self, numbers: &[i64]) {
        for byte in numbers.iter().flat_map(|number| number.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn wanted(&mut self, pieces: i64) {
        self.take(&[1, pieces]);
    }

    fn lead_time(&mut self, order_on: NaiveDate, arrives_on: NaiveDate) {
        let day = |date: NaiveDate| (date - NaiveDate::MIN).num_days();
        self.take(&[2, day(order_on), day(arrives_on)]);
    }

    /// Of all items together.
    pub fn joined(all: impl Iterator<Item = Met>) -> u64 {
        let mut joined = Met::START;
        all.for_each(|met| joined.take(&[met.0 as i64]));
        joined.0
    }
}
