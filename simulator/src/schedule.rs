//! When everything of a day happens: the events of three days' plans that fall on it, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::city::WAREHOUSES;
use crate::orders::{HOUR, MINUTE, NEVER, Order, SECOND};
use crate::plan::Plan;
use crate::{World, reference};

/// SKUs in a transaction of the night's booking or of a wave of sorting.
pub const CHUNK: usize = 20;
const REFILL_FROM: i64 = 5 * SECOND;
const REFILL_SPAN: i64 = 35 * SECOND;
const WAVE: i64 = 10 * MINUTE;
const FIRST_WAVE: i64 = 2 * HOUR;
const WAVES: i64 = 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reference(u32),
    Refilled(u32),
    Announced(u32),
    Ended(u32),
    Shipped(u32),
    Clicked(u32),
    Granted,
    GrantUsed,
    Thanked,
    Reserved,
    Placed,
    Paid,
    Accepted,
    Sorted,
    Delivered,
    Canceled,
    Released,
    RefundAsked,
    Refunded,
    Complained,
    Resolved,
}

impl Step {
    /// Whether later images of stock rows depend on it.
    pub fn moves_stock(self) -> bool {
        matches!(self, Step::Refilled(_) | Step::Reserved | Step::Released | Step::Shipped(_))
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub at: i64,
    pub step: Step,
    /// Days since the plan it belongs to.
    pub age: u8,
    /// Index into that plan's orders, where the step is an order's.
    pub order: u32,
}

/// Goods that leave a warehouse together: (SKU, pieces).
#[derive(Clone, Debug)]
pub struct Wave {
    pub warehouse: usize,
    pub goods: Vec<(u32, i64)>,
}

pub struct Schedule {
    pub events: Vec<Event>,
    pub waves: Vec<Wave>,
}

/// The parts of a warehouse's goods that the night's booking takes one by one.
pub fn chunks(world: &World) -> usize {
    world.catalog.skus.len().div_ceil(CHUNK)
}

fn chunk_at(world: &World, start: i64, chunk: usize) -> i64 {
    start + REFILL_FROM + chunk as i64 * REFILL_SPAN / (chunks(world) * WAREHOUSES) as i64
}

/// When a SKU is refilled in the night that begins the plan's day.
pub fn refill_at(world: &World, plan: &Plan, warehouse: usize, sku: usize) -> i64 {
    chunk_at(world, plan.start, warehouse * chunks(world) + sku / CHUNK)
}

/// When the goods of an order of `plan` leave the warehouse: at the end of the wave in which it is sorted.
/// The plan's own start where it is never sorted.
pub fn shipped_at(plan: &Plan, order: &Order) -> i64 {
    if order.sorted == NEVER {
        return plan.start;
    }
    let first = plan.end + FIRST_WAVE;
    first + ((order.sorted - first).div_euclid(WAVE) + 1).clamp(1, WAVES) * WAVE
}

pub fn of_day(world: &World, plans: &[Arc<Plan>; 3]) -> Schedule {
    let today = &plans[0];
    let mut schedule = Schedule { events: Vec::with_capacity(today.orders.len() * 20), waves: Vec::new() };
    let mut own = |at: i64, step: Step| schedule.events.push(Event { at, step, age: 0, order: 0 });
    if today.day == world.opened_on {
        for i in 0..reference::count(world) {
            own(today.start, Step::Reference(i as u32));
        }
    }
    if today.day >= world.opened_on {
        for chunk in 0..chunks(world) * WAREHOUSES {
            own(chunk_at(world, today.start, chunk), Step::Refilled(chunk as u32));
        }
    }
    for (i, promotion) in today.promotions.iter().enumerate() {
        own(today.start + 42 * SECOND + i as i64, Step::Announced(i as u32));
        own(today.minute_start(promotion.until), Step::Ended(i as u32));
    }
    schedule.waves(world, &plans[1]);
    for (age, plan) in plans.iter().enumerate() {
        schedule.orders(plan, age as u8, today.start, today.end);
        for (i, click) in plan.visits.clicks.iter().enumerate() {
            schedule.within(today, click.received, Step::Clicked(i as u32), age as u8, 0);
        }
    }
    // stable: what happens at one instant keeps the order in which it was put
    schedule.events.sort_by_key(|event| event.at);
    schedule
}

impl Schedule {
    fn within(&mut self, today: &Plan, at: i64, step: Step, age: u8, order: u32) {
        if (today.start..today.end).contains(&at) {
            self.events.push(Event { at, step, age, order });
        }
    }

    /// Goods of yesterday's orders, by wave.
    fn waves(&mut self, world: &World, yesterday: &Plan) {
        let mut goods: BTreeMap<(i64, usize, u32), i64> = BTreeMap::new();
        for order in yesterday.orders.iter().filter(|o| o.sorted != NEVER) {
            let (at, warehouse) = (shipped_at(yesterday, order), world.warehouse_of(order));
            for item in yesterday.items_of(order) {
                *goods.entry((at, warehouse, item.sku)).or_default() += item.qty;
            }
        }
        let mut open: Option<(i64, usize)> = None;
        for ((at, warehouse, sku), qty) in goods {
            let full = self.waves.last().is_some_and(|w| w.goods.len() == CHUNK);
            if open != Some((at, warehouse)) || full {
                open = Some((at, warehouse));
                self.events.push(Event { at, step: Step::Shipped(self.waves.len() as u32), age: 1, order: 0 });
                self.waves.push(Wave { warehouse, goods: Vec::new() });
            }
            if let Some(wave) = self.waves.last_mut() {
                wave.goods.push((sku, qty));
            }
        }
    }

    fn orders(&mut self, plan: &Plan, age: u8, start: i64, end: i64) {
        for (i, order) in plan.orders.iter().enumerate() {
            let mut put = |at: i64, step: Step| {
                if (start..end).contains(&at) {
                    self.events.push(Event { at, step, age, order: i as u32 });
                }
            };
            put(order.granted, Step::Granted);
            put(order.placed, Step::Reserved);
            put(order.placed, Step::Placed);
            put(order.paid, Step::Paid);
            put(if order.coupon.is_some() { order.paid } else { NEVER }, Step::GrantUsed);
            put(thanked(order), Step::Thanked);
            put(order.canceled, Step::Canceled);
            put(order.canceled, Step::Released);
            put(order.accepted, Step::Accepted);
            put(order.sorted, Step::Sorted);
            put(order.delivered, Step::Delivered);
            let Some(trouble) = plan.trouble_of(order) else { continue };
            if let Some(refund) = &trouble.refund {
                put(refund.asked, Step::RefundAsked);
                put(refund.refunded, Step::Refunded);
            }
            if let Some(complaint) = &trouble.complaint {
                put(complaint.opened, Step::Complained);
                put(complaint.resolved, Step::Resolved);
            }
        }
    }
}

/// Now and then a buyer gets a coupon for the next time, which stays unused.
pub fn thanked(order: &Order) -> i64 {
    if order.paid != NEVER && order.order_id.is_multiple_of(11) { order.paid + SECOND } else { NEVER }
}
