//! What people want, whether or not the shop has it: daily demand by warehouse and SKU.
//!
//! The stream of changes shows what was sold; restocking is judged by what was wanted. Demand is that of the catalogue, with
//! the week's curve and the promotions of the stream, and further what a shop sees over months: holidays, popularity that
//! drifts, days that are better or worse for all, and counts that vary more than by chance alone (negative binomial).

use chrono::{Datelike, NaiveDate};

use crate::city::WAREHOUSES;
use crate::curve;
use crate::holidays::{Season, season};
use crate::promotions::{self, LIFT, PULL};
use crate::rng::{Rng, mix};
use crate::shop::{Shop, World, day_number};

/// Standard deviation of the logarithm of a day's luck, shared by a warehouse: weather and the like.
const LUCK: f64 = 0.06;
/// A SKU's popularity wanders by this a day (as a logarithm), and returns by this part of the way.
const DRIFT: f64 = 0.025;
const RETURN: f64 = 0.01;
/// Squared coefficient of variation beyond that of chance: lowest, and highest of a SKU.
const EXCESS: (f64, f64) = (0.03, 0.15);
/// Days over which popularity has drifted before the first.
const DRIFT_BEFORE: usize = 60;

/// What there is besides the ordinary week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasions {
    pub promotions: bool,
    pub holidays: bool,
}

impl Occasions {
    pub const ALL: Occasions = Occasions { promotions: true, holidays: true };
}

/// Demand of every SKU at every warehouse, day by day.
#[derive(Clone, Debug, PartialEq)]
pub struct DailyDemand {
    pub from: NaiveDate,
    pub series: Vec<DemandSeries>,
}

/// Demand of one SKU at one warehouse.
#[derive(Clone, Debug, PartialEq)]
pub struct DemandSeries {
    /// Indices into the city's warehouses and the catalogue's SKUs.
    pub warehouse: usize,
    pub sku: usize,
    /// Pieces wanted, one number a day.
    pub pieces: Vec<i64>,
    /// Percent off while an offer runs, by slot of the day; 0 where there is none. Planned ahead.
    pub offers: Vec<[u8; SLOTS]>,
}

/// Offers that may run on a day.
pub const SLOTS: usize = promotions::SLOTS_A_DAY;

/// A day as all series share it.
struct Day {
    weekday: usize,
    season: Season,
    luck: [f64; WAREHOUSES],
    /// Of the pieces of a day, those ordered while the offer of each slot runs; 0 where there is none.
    share: [f64; SLOTS],
    sets: [Vec<u32>; SLOTS],
    percent_off: [u8; SLOTS],
}

impl Shop {
    /// Demand of `days` days from `from` on: a function of the shop's options and the arguments alone.
    pub fn daily_demand(&self, from: NaiveDate, days: usize, occasions: Occasions) -> DailyDemand {
        let world = &*self.world;
        let days: Vec<Day> = from.iter_days().take(days).map(|date| Day::of(world, date, occasions)).collect();
        let series = (0..WAREHOUSES)
            .flat_map(|warehouse| (0..world.catalog.skus.len()).map(move |sku| (warehouse, sku)))
            .map(|(warehouse, sku)| series(world, from, &days, warehouse, sku))
            .collect();
        DailyDemand { from, series }
    }
}

impl Day {
    fn of(world: &World, date: NaiveDate, occasions: Occasions) -> Day {
        let weekday = date.weekday().num_days_from_monday() as usize;
        let number = day_number(date);
        let mut rng = Rng::of(&[world.options.seed, 90, number as u64]);
        let mut day = Day {
            weekday,
            season: if occasions.holidays { season(date) } else { Season::Ordinary },
            luck: std::array::from_fn(|_| (LUCK * normal(&mut rng)).exp()),
            share: [0.0; SLOTS],
            sets: Default::default(),
            percent_off: [0; SLOTS],
        };
        if occasions.promotions {
            let minutes = curve::minutes(weekday);
            let offers = promotions::of_day(world, number);
            let lifted = |from: i64, until: i64| {
                LIFT * minutes[from as usize..until as usize].iter().sum::<f64>() / minutes.len() as f64
            };
            let all: f64 = 1.0 + offers.iter().map(|o| lifted(o.from, o.until) * (1.0 - 1.0 / LIFT)).sum::<f64>();
            for offer in offers {
                let slot = offer.slot();
                day.share[slot] = lifted(offer.from, offer.until) / all;
                day.percent_off[slot] = offer.percent_off as u8;
                day.sets[slot] = offer.skus;
            }
        }
        day
    }

    /// Pieces expected of a SKU whose ordinary day is `usual`, where `total` is the warehouse's.
    fn expected(&self, usual: f64, total: f64, sku: u32) -> f64 {
        // While an offer runs, a part of what is bought is of its set, and the rest as always.
        let elsewhere = 1.0 - PULL * self.share.iter().sum::<f64>();
        let offered: f64 = (self.share.iter().zip(&self.sets))
            .filter(|(_, set)| set.binary_search(&sku).is_ok())
            .map(|(share, set)| PULL * share * total / set.len() as f64)
            .sum();
        usual * elsewhere + offered
    }
}

fn series(world: &World, from: NaiveDate, days: &[Day], warehouse: usize, sku: usize) -> DemandSeries {
    let total: f64 = world.catalog.skus.iter().map(|sku| sku.expected[warehouse]).sum();
    let goods = &world.catalog.skus[sku];
    let mut rng = Rng::of(&[world.options.seed, 91, warehouse as u64, sku as u64]);
    // Goods of one kind follow a holiday alike, some kinds more and some less.
    let kind = mix(&[world.options.seed, 92, goods.category_id as u64]) % 1000;
    let strength = 0.6 + 0.8 * kind as f64 / 1000.0;
    let excess = EXCESS.0 + (EXCESS.1 - EXCESS.0) * rng.unit();
    let mut popularity = 0.0;
    let mut drift = |rng: &mut Rng| {
        popularity += DRIFT * normal(rng) - RETURN * popularity;
        popularity
    };
    for _ in 0..DRIFT_BEFORE {
        drift(&mut rng);
    }
    let pieces = days
        .iter()
        .enumerate()
        .map(|(number, day)| {
            let usual = goods.expected[warehouse] * drift(&mut rng).exp();
            let common = curve::week_factor(day.weekday) * day.season.factor(strength) * day.luck[warehouse];
            let mean = common * day.expected(usual, total, sku as u32);
            // A generator of its own: a demand that takes more draws moves no later day.
            let date = day_number(from) + number as i32;
            negative_binomial(
                &mut Rng::of(&[world.options.seed, 93, date as u64, warehouse as u64, sku as u64]),
                mean,
                excess,
            )
        })
        .collect();
    let offer =
        |day: &Day| {
            std::array::from_fn(|slot| {
                if day.sets[slot].binary_search(&(sku as u32)).is_ok() { day.percent_off[slot] } else { 0 }
            })
        };
    DemandSeries { warehouse, sku, pieces, offers: days.iter().map(offer).collect() }
}

/// Standard normal (Box & Muller 1958).
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.unit()).ln()).sqrt() * (std::f64::consts::TAU * rng.unit()).cos()
}

/// Variance `mean + excess · mean²`: Poisson around a gamma.
fn negative_binomial(rng: &mut Rng, mean: f64, excess: f64) -> i64 {
    let shape = 1.0 / excess;
    let rate = mean * gamma(rng, shape) / shape;
    poisson(rng, rate)
}

/// Gamma of a shape of at least 1 and scale 1 (Marsaglia & Tsang 2000).
fn gamma(rng: &mut Rng, shape: f64) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - rng.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// By multiplication (Knuth), in parts small enough for it.
fn poisson(rng: &mut Rng, rate: f64) -> i64 {
    const PART: f64 = 30.0;
    let (mut left, mut count) = (rate, 0);
    while left > 0.0 {
        let floor = (-left.min(PART)).exp();
        let mut product = rng.unit();
        while product > floor {
            count += 1;
            product *= rng.unit();
        }
        left -= PART;
    }
    count
}

#[cfg(test)]
mod tests {
    use linli_schemas::zone::Zone;

    use super::*;
    use crate::ShopOptions;

    fn shop(seed: u64) -> Shop {
        let opened_on = NaiveDate::from_ymd_opt(2025, 9, 1).expect("a date");
        let zone = Zone::parse("Asia/Shanghai").expect("a zone");
        Shop::new(ShopOptions { skus: 60, orders_per_day: 600, ..ShopOptions::demo(seed, zone, opened_on) })
            .expect("a shop")
    }

    fn day(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).expect("a date")
    }

    #[test]
    fn demand_is_a_function_of_the_seed_and_the_days() {
        let demand = shop(7).daily_demand(day(1, 1), 30, Occasions::ALL);
        assert_eq!(demand, shop(7).daily_demand(day(1, 1), 30, Occasions::ALL));
        assert_ne!(demand.series[0].pieces, shop(8).daily_demand(day(1, 1), 30, Occasions::ALL).series[0].pieces);
        let shorter = shop(7).daily_demand(day(1, 1), 20, Occasions::ALL);
        for (short, long) in shorter.series.iter().zip(&demand.series) {
            assert_eq!(short.pieces[..], long.pieces[..20], "later days change no earlier ones");
        }
    }

    #[test]
    fn volumes_are_the_catalogues_and_vary_more_than_by_chance() {
        let shop = shop(7);
        let ordinary = Occasions { promotions: false, holidays: false };
        let demand = shop.daily_demand(day(3, 1), 140, ordinary);
        let sum: i64 = demand.series.iter().flat_map(|series| &series.pieces).sum();
        let expected: f64 = shop.catalog().skus.iter().flat_map(|sku| sku.expected).sum::<f64>() * 140.0;
        assert!((sum as f64 / expected - 1.0).abs() < 0.05, "{sum} of {expected}");
        let mut ratios: Vec<f64> = Vec::new();
        for series in &demand.series {
            let mean = series.pieces.iter().sum::<i64>() as f64 / 140.0;
            let variance = series.pieces.iter().map(|p| (*p as f64 - mean).powi(2)).sum::<f64>() / 139.0;
            ratios.push(variance / mean.max(0.1));
        }
        ratios.sort_by(f64::total_cmp);
        assert!(ratios[ratios.len() / 2] > 1.3, "{ratios:?}");
    }

    #[test]
    fn offers_and_holidays_show_in_the_demand() {
        let demand = shop(7).daily_demand(day(1, 19), 60, Occasions::ALL);
        let (mut offered, mut plain) = ((0, 0), (0, 0));
        for series in &demand.series {
            for (pieces, offers) in series.pieces.iter().zip(&series.offers) {
                let to = if offers.iter().any(|percent| *percent > 0) { &mut offered } else { &mut plain };
                *to = (to.0 + pieces, to.1 + 1);
            }
        }
        let mean = |(sum, days): (i64, i64)| sum as f64 / days as f64;
        assert!(offered.1 > 0 && mean(offered) > 1.2 * mean(plain), "{offered:?} {plain:?}");
        let of_days = |range: std::ops::Range<usize>| {
            let days = range.len() as f64;
            demand.series.iter().flat_map(|s| &s.pieces[range.clone()]).sum::<i64>() as f64 / days
        };
        // 15 to 23 February are days 27 to 35.
        let (week, eve, away) = (of_days(7..21), of_days(24..27), of_days(28..35));
        assert!(eve > 1.1 * week && away < 0.8 * week, "{week} {eve} {away}");
    }
}
