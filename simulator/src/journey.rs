//! What visitors do on the pages: visits that end in an order, and those that do not.

use linli_schemas::event::ClickType;

use crate::World;
use crate::orders::{MINUTE, NEVER, SECOND};
use crate::plan::Plan;
use crate::rng::Rng;

pub const NO_SKU: u32 = u32::MAX;
pub const NO_ORDER: u32 = u32::MAX;
/// Visits without an order, against orders.
const IDLE_VISITS: f64 = 0.9;
/// Of those, by people who have not logged in.
const ANONYMOUS: f64 = 0.35;

#[derive(Clone, Debug)]
pub struct Visit {
    /// Who visits; the device is known even when the person is not.
    pub user: u32,
    pub known: bool,
    pub community: u32,
    /// Index into the plan's orders.
    pub order: u32,
    pub platform: u8,
    pub referrer: u8,
}

#[derive(Clone, Debug)]
pub struct Click {
    pub received: i64,
    /// ms between the event on the device and its receipt.
    pub delay: u16,
    pub click_type: ClickType,
    pub sku: u32,
    pub visit: u32,
    /// Among the clicks of its day.
    pub number: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Visits {
    pub visits: Vec<Visit>,
    pub clicks: Vec<Click>,
}

pub fn of_day(world: &World, plan: &Plan, minutes: &[f64]) -> Visits {
    let mut visits = Visits::default();
    for index in 0..plan.orders.len() {
        visits.buying(world, plan, index);
    }
    let mut rng = Rng::of(&[world.options.seed, 60, plan.day as u64]);
    for _ in 0..(plan.orders.len() as f64 * IDLE_VISITS) as usize {
        visits.idle(world, plan, minutes, &mut rng);
    }
    visits
}

impl Visits {
    fn buying(&mut self, world: &World, plan: &Plan, index: usize) {
        let order = &plan.orders[index];
        let mut rng = Rng::of(&[world.options.seed, 61, order.order_id]);
        let visit = self.visit(Visit {
            user: order.user,
            known: true,
            community: order.community,
            order: index as u32,
            platform: order.platform,
            referrer: rng.below(5) as u8,
        });
        let items = plan.items_of(order);
        let mut steps: Vec<(ClickType, u32)> = Vec::with_capacity(items.len() * 2 + 2);
        if rng.chance(0.06) {
            steps.push((ClickType::Login, NO_SKU));
        }
        if rng.chance(0.2) {
            steps.push((ClickType::Search, items[0].sku));
        }
        if rng.chance(0.3) {
            steps.push((ClickType::View, rng.by_weight(&world.catalog.popularity) as u32));
        }
        for item in items {
            steps.push((ClickType::View, item.sku));
            steps.push((ClickType::Cart, item.sku));
        }
        let begun = (order.placed - 25 * SECOND - (rng.waiting(120.0) * 1e3) as i64).max(order.placed - 12 * MINUTE);
        let stride = (order.placed - begun) / (steps.len() as i64 + 1);
        for (i, (click_type, sku)) in steps.into_iter().enumerate() {
            let ts = begun + stride * i as i64 + (rng.unit() * stride as f64) as i64;
            self.click(&mut rng, visit, ts.max(plan.start), click_type, sku);
        }
        self.click(&mut rng, visit, order.placed, ClickType::Order, NO_SKU);
        if order.paid != NEVER {
            self.click(&mut rng, visit, order.paid, ClickType::Pay, NO_SKU);
            if rng.chance(0.02) {
                self.click(&mut rng, visit, order.paid + 20 * SECOND, ClickType::Share, NO_SKU);
            }
        }
    }

    fn idle(&mut self, world: &World, plan: &Plan, minutes: &[f64], rng: &mut Rng) {
        let (user, community) = world.visitor(rng);
        let known = !rng.chance(ANONYMOUS);
        let platform = if known { rng.below(3) } else { [0, 0, 2, 2][rng.below(4) as usize] } as u8;
        let visit =
            self.visit(Visit { user, known, community, order: NO_ORDER, platform, referrer: rng.below(5) as u8 });
        let mut ts = plan.moment(rng, minutes);
        for _ in 0..1 + (rng.waiting(1.8) as usize).min(9) {
            let sku = rng.by_weight(&world.catalog.popularity) as u32;
            let click_type = match rng.below(100) {
                0..=12 => ClickType::Search,
                13..=24 => ClickType::Cart,
                25..=27 => ClickType::Share,
                _ => ClickType::View,
            };
            if ts >= plan.end {
                break;
            }
            self.click(rng, visit, ts, click_type, sku);
            ts += 2 * SECOND + (rng.waiting(25.0) * 1e3) as i64;
        }
    }

    fn visit(&mut self, visit: Visit) -> u32 {
        self.visits.push(visit);
        self.visits.len() as u32 - 1
    }

    fn click(&mut self, rng: &mut Rng, visit: u32, ts: i64, click_type: ClickType, sku: u32) {
        // one in a hundred comes from a bad connection
        let delay = if rng.below(100) == 0 { rng.between(900, 4_200) } else { rng.between(40, 800) };
        let number = self.clicks.len() as u32;
        self.clicks.push(Click { received: ts + delay, delay: delay as u16, click_type, sku, visit, number });
    }
}
