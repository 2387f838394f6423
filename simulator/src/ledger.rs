//! Stock on hand and reserved, by warehouse and SKU, as the day goes on.

use linli_schemas::EventTime;

use crate::catalog::FRESH_DAYS;
use crate::city::WAREHOUSES;
use crate::orders::NEVER;
use crate::plan::Plan;
use crate::schedule::{refill_at, shipped_at};
use crate::table::{Row, Value};
use crate::{RowChange, Table, World};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Level {
    on_hand: i64,
    reserved: i64,
    updated_at: i64,
}

/// What the night's booking does to one SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Thrown away or missing at the count: negative. Found: positive.
    pub written_off: i64,
    pub received: i64,
}

pub struct Ledger {
    levels: [Vec<Level>; WAREHOUSES],
    /// For sale when the day begins, once the night is booked.
    opening: [Vec<i64>; WAREHOUSES],
}

impl Ledger {
    /// As it stands at the midnight at which `plans[0]` begins; `plans[1]` and `plans[2]` are the days before.
    pub fn at_midnight(world: &World, plans: &[std::sync::Arc<Plan>; 3]) -> Ledger {
        let [today, yesterday, before] = plans;
        let opened_today = today.day == world.opened_on;
        let mut levels: [Vec<Level>; WAREHOUSES] = std::array::from_fn(|w| {
            let level = |(sku, left): (usize, &i64)| Level {
                on_hand: *left,
                reserved: 0,
                updated_at: if opened_today { today.start } else { refill_at(world, yesterday, w, sku) },
            };
            yesterday.closing[w].iter().enumerate().map(level).collect()
        });
        for (w, sku, qty) in before.released_late(world) {
            levels[w][sku as usize].on_hand += qty;
        }
        for order in &before.orders {
            let late = order.canceled != NEVER && order.canceled >= before.end;
            let touched = if late { order.canceled } else { shipped_at(before, order) };
            touch(world, before, order, touched, &mut levels);
        }
        for order in &yesterday.orders {
            touch(world, yesterday, order, order.placed, &mut levels);
            if order.canceled < yesterday.end {
                touch(world, yesterday, order, order.canceled, &mut levels);
                continue;
            }
            let w = world.warehouse_of(order);
            for item in yesterday.items_of(order) {
                // not for sale any more, but still on the shelf
                levels[w][item.sku as usize].on_hand += item.qty;
                levels[w][item.sku as usize].reserved += item.qty;
            }
        }
        Ledger { levels, opening: today.opening.clone() }
    }

    /// Brings a SKU to what is for sale on the new day.
    pub fn refill(&mut self, world: &World, w: usize, sku: usize, at: i64) -> (Booking, RowChange) {
        let level = &self.levels[w][sku];
        let left = level.on_hand - level.reserved;
        let wanted = self.opening[w][sku];
        let shelf = world.catalog.skus[sku].shelf_days;
        let kept = if shelf <= 1 { 0 } else { left.min(wanted) };
        let booking = Booking { written_off: kept - left, received: wanted - kept };
        (booking, self.change(world, w, sku, at, wanted - left, 0))
    }

    pub fn reserve(&mut self, world: &World, w: usize, sku: usize, at: i64, qty: i64) -> RowChange {
        self.change(world, w, sku, at, 0, qty)
    }

    /// Sorted for delivery: gone from the shelf, and no longer reserved.
    pub fn ship(&mut self, world: &World, w: usize, sku: usize, at: i64, qty: i64) -> RowChange {
        self.change(world, w, sku, at, -qty, -qty)
    }

    pub fn row(&self, world: &World, w: usize, sku: usize) -> Row {
        let level = &self.levels[w][sku];
        let goods = &world.catalog.skus[sku];
        vec![
            Value::Int(world.city.warehouses[w].warehouse_id),
            Value::Int(goods.sku_id),
            Value::Int(level.on_hand),
            Value::Int(level.reserved),
            Value::Int(goods.min_stock[w]),
            Value::Instant(EventTime(level.updated_at)),
        ]
    }

    fn change(&mut self, world: &World, w: usize, sku: usize, at: i64, on_hand: i64, reserved: i64) -> RowChange {
        let before = self.row(world, w, sku);
        let level = &mut self.levels[w][sku];
        level.on_hand += on_hand;
        level.reserved += reserved;
        level.updated_at = at;
        RowChange { table: Table::Stock, shard: None, before: Some(before), after: self.row(world, w, sku) }
    }
}

fn touch(world: &World, plan: &Plan, order: &crate::orders::Order, at: i64, levels: &mut [Vec<Level>; WAREHOUSES]) {
    let w = world.warehouse_of(order);
    for item in plan.items_of(order) {
        let level = &mut levels[w][item.sku as usize];
        level.updated_at = level.updated_at.max(at);
    }
}

/// The word of a movement for what the night's count took away or found.
pub fn write_off_kind(world: &World, sku: usize) -> &'static str {
    if world.catalog.skus[sku].shelf_days <= FRESH_DAYS { "expired" } else { "count" }
}
