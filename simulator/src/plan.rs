//! The orders and visits that begin on one local day, with all that becomes of them on the days after.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::World;
use crate::city::WAREHOUSES;
use crate::curve;
use crate::journey::{self, Visits};
use crate::orders::{self, Item, NEVER, Order, SECOND, Trouble};
use crate::promotions::{self, Promotion};
use crate::rng::{Rng, cumulative};

/// Days on which something of a plan still happens: its own and the two after.
pub const DAYS_OF_LIFE: usize = 3;
/// Nothing is ordered before the night's deliveries are booked.
pub const BOOKING: i64 = 45 * SECOND;
const ITEMS: [f64; 6] = [0.30, 0.28, 0.19, 0.12, 0.07, 0.04];

/// An unpaid order that releases its stock on the next day.
pub type Release = (usize, u32, i64);

#[derive(Clone, Debug)]
pub struct Plan {
    pub day: i32,
    pub start: i64,
    pub end: i64,
    pub promotions: Vec<Promotion>,
    pub orders: Vec<Order>,
    pub items: Vec<Item>,
    pub troubles: Vec<Trouble>,
    pub visits: Visits,
    /// By warehouse and SKU: for sale when the day began.
    pub opening: [Vec<i64>; WAREHOUSES],
    /// By warehouse and SKU: for sale at its end, what the day before released on this day left out.
    pub closing: [Vec<i64>; WAREHOUSES],
}

impl Plan {
    pub fn new(world: &World, day: i32) -> Plan {
        let (start, end) = world.bounds(day);
        let mut plan = Plan {
            day,
            start,
            end,
            promotions: Vec::new(),
            orders: Vec::new(),
            items: Vec::new(),
            troubles: Vec::new(),
            visits: Visits::default(),
            opening: Default::default(),
            closing: Default::default(),
        };
        if day < world.opened_on {
            plan.opening = world.first_stock();
            plan.closing = plan.opening.clone();
            return plan;
        }
        let week = curve::week_factor(world.weekday(day));
        let skus = world.catalog.skus.len();
        plan.promotions = promotions::of_day(world, day);
        plan.opening = std::array::from_fn(|w| {
            (0..skus).map(|sku| world.catalog.opening(&world.options, day, week, w, sku)).collect()
        });
        plan.closing = plan.opening.clone();
        let minutes = cumulative(curve::minutes(world.weekday(day)).into_iter().enumerate().map(|(minute, weight)| {
            let offered = plan.promotions.iter().any(|p| p.runs_at(minute as i64));
            weight * if offered { promotions::LIFT } else { 1.0 }
        }));
        let mut rng = Rng::of(&[world.options.seed, 40, day as u64]);
        let count = f64::from(world.options.orders_per_day) * week * (0.97 + 0.06 * rng.unit());
        let mut times: Vec<i64> = (0..count.round() as usize).map(|_| plan.moment(&mut rng, &minutes)).collect();
        times.sort_unstable();
        plan.place(world, &times);
        plan.visits = journey::of_day(world, &plan, &minutes);
        plan
    }

    /// A moment of the day, by the demand of its minutes.
    pub fn moment(&self, rng: &mut Rng, minutes: &[f64]) -> i64 {
        let fraction = (rng.by_weight(minutes) as f64 + rng.unit()) / curve::MINUTES as f64;
        let at = self.start + (fraction * (self.end - self.start) as f64) as i64;
        at.clamp(self.start + BOOKING, self.end - 1)
    }

    /// The minute of the local day, of 1440.
    pub fn minute(&self, at: i64) -> i64 {
        (at - self.start) * curve::MINUTES as i64 / (self.end - self.start)
    }

    /// The instant at which a minute of the local day begins.
    pub fn minute_start(&self, minute: i64) -> i64 {
        self.start + minute * (self.end - self.start) / curve::MINUTES as i64
    }

    pub fn items_of(&self, order: &Order) -> &[Item] {
        let first = order.first_item as usize;
        &self.items[first..first + order.items as usize]
    }

    pub fn trouble_of(&self, order: &Order) -> Option<&Trouble> {
        order.trouble.map(|t| &self.troubles[t as usize])
    }

    /// Orders one after another as stock allows; what is canceled is for sale again.
    fn place(&mut self, world: &World, times: &[i64]) {
        let mut cancelled: BinaryHeap<Reverse<(i64, u32)>> = BinaryHeap::new();
        for (attempt, at) in times.iter().enumerate() {
            while cancelled.peek().is_some_and(|Reverse((due, _))| due <= at) {
                if let Some(Reverse((_, order))) = cancelled.pop() {
                    self.release(world, order as usize);
                }
            }
            let mut rng = Rng::of(&[world.options.seed, 41, self.day as u64, attempt as u64]);
            if let Some(order) = self.order(world, &mut rng, *at) {
                if order.canceled < self.end {
                    cancelled.push(Reverse((order.canceled, self.orders.len() as u32)));
                }
                self.orders.push(order);
            }
        }
        while let Some(Reverse((_, order))) = cancelled.pop() {
            self.release(world, order as usize);
        }
    }

    fn release(&mut self, world: &World, order: usize) {
        let order = &self.orders[order];
        let warehouse = world.warehouse_of(order);
        let first = order.first_item as usize;
        for item in &self.items[first..first + order.items as usize] {
            self.closing[warehouse][item.sku as usize] += item.qty;
        }
    }

    /// What an attempt to order at `at` comes to; nothing when all that was wanted is sold out.
    fn order(&mut self, world: &World, rng: &mut Rng, at: i64) -> Option<Order> {
        let (user, community) = world.visitor(rng);
        let warehouse = world.city.communities[community as usize].warehouse;
        let first_item = self.items.len();
        self.fill_basket(world, rng, at, warehouse);
        let basket = &self.items[first_item..];
        if basket.is_empty() {
            return None;
        }
        let total: i64 = basket.iter().map(|i| i.qty * i.price).sum();
        let coupon = orders::coupon(rng, total);
        let discount = coupon.map_or(0, |c| orders::COUPONS[c as usize].3);
        let granted = (at - SECOND - (rng.unit() * 6.0 * 3600e3) as i64).max(self.start + BOOKING / 2);
        let mut order = Order {
            order_id: self.day as u64 * 1_000_000 + self.orders.len() as u64,
            user,
            community,
            platform: [0, 0, 0, 0, 0, 0, 0, 1, 1, 2][rng.below(10) as usize],
            coupon,
            first_item: first_item as u32,
            items: basket.len() as u8,
            discount,
            pay_amount: total - discount,
            granted: if coupon.is_some() { granted } else { NEVER },
            placed: at,
            paid: NEVER,
            canceled: NEVER,
            accepted: NEVER,
            sorted: NEVER,
            delivered: NEVER,
            trouble: None,
        };
        orders::live(world, rng, &mut order, self.end);
        if let Some(trouble) = orders::trouble(world, rng, &order, basket) {
            order.trouble = Some(self.troubles.len() as u32);
            self.troubles.push(trouble);
        }
        Some(order)
    }

    fn fill_basket(&mut self, world: &World, rng: &mut Rng, at: i64, warehouse: usize) {
        let minute = self.minute(at);
        let offer = self.promotions.iter().find(|p| p.runs_at(minute));
        let first = self.items.len();
        let wanted = 1 + rng.by_weight(&cumulative(ITEMS));
        // a sold-out choice is replaced once
        for _ in 0..wanted * 2 {
            let sku = match offer {
                Some(offer) if rng.chance(promotions::PULL) => offer.skus[rng.below(offer.skus.len() as u64) as usize],
                _ => rng.by_weight(&world.catalog.popularity) as u32,
            };
            let qty = match rng.below(100) {
                0..=71 => 1,
                72..=90 => 2,
                91..=96 => 3,
                _ => rng.between(4, 8),
            };
            let left = &mut self.closing[warehouse][sku as usize];
            if *left < qty || self.items[first..].iter().any(|i| i.sku == sku) {
                continue;
            }
            *left -= qty;
            let offered = self.promotions.iter().find(|p| p.runs_at(minute) && p.skus.binary_search(&sku).is_ok());
            let price = offered.map_or(world.catalog.skus[sku as usize].price, |p| p.price(world, sku));
            self.items.push(Item { sku, qty, price });
            if self.items.len() - first == wanted {
                break;
            }
        }
    }

    /// What this day's orders release on the day after, being canceled past midnight.
    pub fn released_late(&self, world: &World) -> Vec<Release> {
        let late = self.orders.iter().filter(|o| o.canceled != NEVER && o.canceled >= self.end);
        late.flat_map(|o| {
            let warehouse = world.warehouse_of(o);
            self.items_of(o).iter().map(move |i| (warehouse, i.sku, i.qty))
        })
        .collect()
    }
}
