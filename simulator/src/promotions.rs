//! Limited-time offers: each day a few sets of goods are cheaper for a while and sell more.

use crate::World;
use crate::catalog::FRESH_DAYS;
use crate::rng::Rng;

/// (first minute, last minute exclusive, Chinese, English).
const SLOTS: [(i64, i64, &str, &str); 3] = [
    (9 * 60 + 30, 11 * 60 + 30, "早市鲜货秒杀", "Morning fresh flash sale"),
    (15 * 60, 16 * 60, "下午茶零食专场", "Afternoon treats"),
    (19 * 60 + 30, 21 * 60, "晚间团购爆款", "Evening group-buy hits"),
];
const SET: usize = 10;
/// Offers that may run on a day.
pub const SLOTS_A_DAY: usize = SLOTS.len();

#[derive(Clone, Debug)]
pub struct Promotion {
    pub promotion_id: i64,
    pub name: &'static str,
    pub name_en: &'static str,
    /// Minutes of the local day, half-open.
    pub from: i64,
    pub until: i64,
    pub percent_off: i64,
    /// Indices into the catalogue, sorted.
    pub skus: Vec<u32>,
}

impl Promotion {
    /// Which of the day's slots it is in.
    pub fn slot(&self) -> usize {
        (self.promotion_id.rem_euclid(10) as usize).min(SLOTS_A_DAY - 1)
    }

    pub fn runs_at(&self, minute: i64) -> bool {
        (self.from..self.until).contains(&minute)
    }

    /// The price while it runs; never below cost.
    pub fn price(&self, world: &World, sku: u32) -> i64 {
        let goods = &world.catalog.skus[sku as usize];
        (goods.price * (100 - self.percent_off) / 100).max(goods.cost).min(goods.price)
    }
}

/// The share of items, in a running offer's time, that are taken from its set.
pub const PULL: f64 = 0.35;
/// How much more is ordered at all while an offer runs.
pub const LIFT: f64 = 1.2;

pub fn of_day(world: &World, day: i32) -> Vec<Promotion> {
    SLOTS
        .iter()
        .enumerate()
        .map(|(slot, (from, until, name, name_en))| {
            let mut rng = Rng::of(&[world.options.seed, 30, day as u64, slot as u64]);
            let goods = &world.catalog.skus;
            let wanted = |sku: usize| match slot {
                0 => goods[sku].shelf_days <= FRESH_DAYS,
                1 => (9..=11).contains(&goods[sku].category_id),
                _ => true,
            };
            let mut skus: Vec<u32> = Vec::new();
            for _ in 0..SET * 20 {
                let sku = rng.below(goods.len() as u64) as usize;
                if wanted(sku) && !skus.contains(&(sku as u32)) {
                    skus.push(sku as u32);
                }
                if skus.len() == SET {
                    break;
                }
            }
            skus.sort_unstable();
            Promotion {
                promotion_id: i64::from(day) * 10 + slot as i64,
                name,
                name_en,
                from: *from,
                until: *until,
                percent_off: rng.between(12, 30),
                skus,
            }
        })
        .filter(|promotion| !promotion.skus.is_empty())
        .collect()
}
