//! An order's whole life, drawn when it is placed.

use crate::World;
use crate::plan::BOOKING;
use crate::rng::{Rng, mix};

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// A time that never comes.
pub const NEVER: i64 = i64::MAX;

/// The order's status as the shop numbers it.
pub mod status {
    pub const CREATED: i64 = 0;
    pub const PAID: i64 = 1;
    pub const ACCEPTED: i64 = 2;
    pub const SORTED: i64 = 3;
    pub const DELIVERED: i64 = 4;
    pub const REFUNDED: i64 = 5;
    pub const CANCELED: i64 = 6;
}

/// An unpaid order is closed after this time.
const PAYMENT_WINDOW: i64 = 15 * MINUTE;

/// (Chinese, English, from fen, off fen): spend and save.
pub const COUPONS: [(&str, &str, i64, i64); 6] = [
    ("满29减2", "2 off from 29", 2_900, 200),
    ("满49减4", "4 off from 49", 4_900, 400),
    ("满69减7", "7 off from 69", 6_900, 700),
    ("满99减12", "12 off from 99", 9_900, 1_200),
    ("满159减22", "22 off from 159", 15_900, 2_200),
    ("满259减40", "40 off from 259", 25_900, 4_000),
];
const COUPON_CHANCE: f64 = 0.13;

/// (code, Chinese, English, weight of 100).
pub const REASONS: [(&str, &str, u64); 9] = [
    ("damaged", "商品破损", 22),
    ("not_fresh", "不新鲜", 20),
    ("late", "送货太晚", 17),
    ("short_weight", "缺斤少两", 12),
    ("missing_item", "少发漏发", 11),
    ("wrong_item", "发错商品", 7),
    ("poor_service", "团长服务差", 5),
    ("not_as_described", "与描述不符", 4),
    ("other", "其他", 2),
];

#[derive(Clone, Debug)]
pub struct Item {
    /// Index into the catalogue.
    pub sku: u32,
    pub qty: i64,
    /// Fen a piece, as of the sale.
    pub price: i64,
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub asked: i64,
    pub refunded: i64,
    pub amount: i64,
    /// The line sent back; `None`: the whole order.
    pub line: Option<usize>,
    pub reason: usize,
}

#[derive(Clone, Debug)]
pub struct Complaint {
    pub opened: i64,
    pub resolved: i64,
    pub reason: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Trouble {
    pub refund: Option<Refund>,
    pub complaint: Option<Complaint>,
}

/// Times are epoch ms; [`NEVER`] where a step is not taken.
#[derive(Clone, Debug)]
pub struct Order {
    pub order_id: u64,
    pub user: u32,
    /// Index into the city's communities.
    pub community: u32,
    pub platform: u8,
    pub coupon: Option<u8>,
    pub first_item: u32,
    pub items: u8,
    pub discount: i64,
    pub pay_amount: i64,
    pub granted: i64,
    pub placed: i64,
    pub paid: i64,
    pub canceled: i64,
    pub accepted: i64,
    pub sorted: i64,
    pub delivered: i64,
    /// Index into the plan's troubles.
    pub trouble: Option<u32>,
}

/// Chooses the coupon for a basket: the best that it reaches, when the buyer has one at all.
pub fn coupon(rng: &mut Rng, total: i64) -> Option<u8> {
    let best = COUPONS.iter().rposition(|c| total >= c.2)?;
    rng.chance(COUPON_CHANCE).then_some(best as u8)
}

/// Draws what becomes of an order placed at `order.placed` on the day that ends at `day_end`.
pub fn live(world: &World, rng: &mut Rng, order: &mut Order, day_end: i64) {
    if !rng.chance(0.935) {
        let regretted = order.placed + 20 * SECOND + (rng.waiting(150.0) * 1e3) as i64;
        let closed = order.placed + PAYMENT_WINDOW;
        let canceled = if rng.chance(0.4) { regretted.min(closed) } else { closed };
        // past midnight, not before the night's deliveries are booked: what is released then counts for the new day
        order.canceled = if canceled < day_end { canceled } else { canceled.max(day_end + BOOKING) };
        return;
    }
    let payment = 3 * SECOND + (rng.waiting(16.0) * 1e3) as i64;
    order.paid = order.placed + payment.min(PAYMENT_WINDOW - MINUTE);
    let pace = world.city.leaders[order.community as usize].pace;
    let accepting = 25 * SECOND + (pace * rng.waiting(9.0 * 60e3)) as i64;
    order.accepted = order.paid + accepting.min(75 * MINUTE);
    // sorted in the night by community, collected from the pick-up point the day after
    let spread =
        |salt: u64, range: i64| (mix(&[world.options.seed, salt, u64::from(order.community)]) % range as u64) as i64;
    let wave = day_end + 2 * HOUR + spread(50, 3 * HOUR) + (pace * rng.unit() * 25.0 * 60e3) as i64;
    order.sorted = wave.max(order.accepted + 10 * MINUTE).min(day_end + 6 * HOUR + 50 * MINUTE);
    let arrived = day_end + 8 * HOUR + 30 * MINUTE + spread(51, 150 * MINUTE);
    let collected = arrived + (pace * (8.0 * 60e3 + rng.waiting(110.0 * 60e3))) as i64;
    order.delivered = collected.min(day_end + 21 * HOUR + (rng.unit() * 30.0 * 60e3) as i64);
}

/// What goes wrong with a delivered order; slow leaders see more of it.
pub fn trouble(world: &World, rng: &mut Rng, order: &Order, items: &[Item]) -> Option<Trouble> {
    if order.delivered == NEVER {
        return None;
    }
    let pace = world.city.leaders[order.community as usize].pace;
    let mut trouble = Trouble::default();
    if rng.chance(0.010 + 0.006 * pace) {
        let asked = order.delivered + 10 * MINUTE + (rng.waiting(120.0 * 60e3) as i64).min(19 * HOUR);
        let refunded = asked + 5 * MINUTE + (rng.waiting(90.0 * 60e3) as i64).min(5 * HOUR);
        let line = (items.len() > 1 && rng.chance(0.7)).then(|| rng.below(items.len() as u64) as usize);
        let sum: i64 = items.iter().map(|i| i.qty * i.price).sum();
        let amount = line.map_or(order.pay_amount, |l| {
            // the discount is shared out over the lines
            (items[l].qty * items[l].price * order.pay_amount / sum).max(1)
        });
        trouble.refund = Some(Refund { asked, refunded, amount, line, reason: reason(rng, 0) });
    }
    if rng.chance(0.004 + 0.007 * pace) {
        let opened = order.delivered + 5 * MINUTE + (rng.waiting(150.0 * 60e3) as i64).min(17 * HOUR);
        let resolved = opened + 10 * MINUTE + (rng.waiting(160.0 * 60e3) as i64).min(7 * HOUR);
        let late = if pace > 1.3 { 15 } else { 0 };
        trouble.complaint = Some(Complaint { opened, resolved, reason: reason(rng, late) });
    }
    (trouble.refund.is_some() || trouble.complaint.is_some()).then_some(trouble)
}

/// `late`: percent of the complaints that are about lateness beyond the usual.
fn reason(rng: &mut Rng, late: u64) -> usize {
    if rng.below(100) < late {
        return 2;
    }
    let mut left = rng.below(100);
    for (i, (_, _, weight)) in REASONS.iter().enumerate() {
        if left < *weight {
            return i;
        }
        left -= weight;
    }
    REASONS.len() - 1
}
