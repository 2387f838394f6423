//! Made-up shops, whose truth is known.

use linli_forecasting::panel::{Labels, Panel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WEEK: [f64; 7] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.4, 1.1];

/// Series with levels of their own, a week of their department, promotions, and counts around their means.
#[derive(Clone)]
pub struct Shop {
    labels: Vec<Labels>,
    rates: Vec<f64>,
    promoted: Vec<Vec<bool>>,
    pub demand: Vec<Vec<f64>>,
}

impl Shop {
    /// Times as much is sold under promotion.
    pub const PROMOTION: f64 = 1.8;

    /// Expected units of a series on a day.
    pub fn mean(&self, series: usize, day: usize) -> f64 {
        let promotion = if self.promoted[series][day] { Shop::PROMOTION } else { 1.0 };
        self.rates[series] * WEEK[day % 7] * promotion
    }

    pub fn panel(&self) -> Panel {
        let days = self.demand[0].len();
        let promotion: Vec<f32> = self.promoted.iter().flatten().map(|on| f32::from(u8::from(*on))).collect();
        Panel::new(self.labels.clone(), days, self.demand.concat())
            .and_then(|panel| panel.with_regressors(days, vec![promotion], Vec::new()))
            .expect("a panel")
    }

    /// The same shop, its series in another order.
    pub fn reordered(&self, order: &[usize]) -> Shop {
        Shop {
            labels: order.iter().map(|from| self.labels[*from]).collect(),
            rates: order.iter().map(|from| self.rates[*from]).collect(),
            promoted: order.iter().map(|from| self.promoted[*from].clone()).collect(),
            demand: order.iter().map(|from| self.demand[*from].clone()).collect(),
        }
    }

    /// The same past, promotions for all on the last ten days.
    pub fn with_promotion_ahead(&self) -> Shop {
        let mut shop = self.clone();
        let days = shop.demand[0].len();
        shop.promoted.iter_mut().for_each(|promoted| promoted[days - 10..].fill(true));
        shop
    }
}

pub fn shop(series: usize, days: usize, seed: u64) -> Shop {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shop = Shop { labels: Vec::new(), rates: Vec::new(), promoted: Vec::new(), demand: Vec::new() };
    for number in 0..series {
        let level = (number % 2) as u32;
        shop.labels.push(Labels {
            key: random.random(),
            level,
            department: (number % 6) as u32,
            category: (number % 18) as u32,
            product: (number / 4) as u32,
            place: (number % 4) as u32,
        });
        let exponent: f64 = random.random::<f64>() * 3.0 - 1.5;
        shop.rates.push(exponent.exp() * if level == 0 { 0.5 } else { 4.0 });
        let mut on = false;
        let mut promoted = Vec::new();
        for day in 0..days {
            if day % 7 == 0 {
                on = random.random::<f64>() < 0.2;
            }
            promoted.push(on && day < days - 10);
        }
        shop.promoted.push(promoted);
        let demand = (0..days).map(|day| poisson(&mut random, shop.mean(number, day))).collect();
        shop.demand.push(demand);
    }
    shop
}

fn poisson(random: &mut ChaCha8Rng, mean: f64) -> f64 {
    let (floor, mut product, mut count) = ((-mean).exp(), random.random::<f64>(), 0.0);
    while product > floor {
        product *= random.random::<f64>();
        count += 1.0;
    }
    count
}
