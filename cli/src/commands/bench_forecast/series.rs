//! Series to measure on: what a group-buying warehouse holds, at every density.

use linli_connectors::random::Random;
use linli_forecasting::Series;

/// How often sold on each day of the week, relative to the mean.
const WEEK: [f64; 7] = [0.8, 0.7, 0.9, 1.0, 1.3, 1.5, 0.8];

/// One series in four is sparse, one dense, one a wandering level, one weekly.
pub fn draw(random: &dyn Random, number: usize, length: usize) -> Vec<f64> {
    match number % 4 {
        0 => counts(random, 0.05 + 0.9 * uniform(random), &[1.0], length),
        1 => counts(random, 1.0 + 12.0 * uniform(random), &[1.0], length),
        2 => wandering(random, length),
        _ => counts(random, 0.2 + 10.0 * uniform(random), &WEEK, length),
    }
}

/// As [`draw`], ready for models that take a series each.
pub fn draw_series(random: &dyn Random, number: usize, length: usize) -> Option<Series> {
    Series::new(draw(random, number, length)).ok()
}

fn uniform(random: &dyn Random) -> f64 {
    ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

fn normal(random: &dyn Random) -> f64 {
    (-2.0 * uniform(random).ln()).sqrt() * (2.0 * std::f64::consts::PI * uniform(random)).cos()
}

/// Poisson counts by multiplication (Knuth); rates are below 20.
fn counts(random: &dyn Random, rate: f64, week: &[f64], length: usize) -> Vec<f64> {
    (0..length)
        .map(|day| {
            let floor = (-rate * week[day % week.len()]).exp();
            let mut product = uniform(random);
            let mut count = 0.0;
            while product > floor {
                count += 1.0;
                product *= uniform(random);
            }
            count
        })
        .collect()
}

/// ARIMA(1,1,1) with coefficients drawn from (−0.95, 0.95).
fn wandering(random: &dyn Random, length: usize) -> Vec<f64> {
    let (phi, theta) = (1.9 * uniform(random) - 0.95, 1.9 * uniform(random) - 0.95);
    let (mut level, mut change, mut before) = (50.0, 0.0, 0.0);
    (0..length)
        .map(|_| {
            let error = normal(random);
            change = phi * change + error + theta * before;
            before = error;
            level += change;
            level
        })
        .collect()
}
