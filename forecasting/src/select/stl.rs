//! Seasonal-trend decomposition by loess (Cleveland, Cleveland, McRae, Terpenning 1990), without robustness weights.
//!
//! The defaults are those of R's `stl`, so that the strength of a season is the one that R's `nsdiffs` sees.

/// A series as the sum of three.
#[derive(Clone, Debug, PartialEq)]
pub struct Decomposition {
    pub seasonal: Vec<f64>,
    pub trend: Vec<f64>,
    pub remainder: Vec<f64>,
}

/// Passes over season and trend.
const PASSES: usize = 2;

/// A local regression: points in the window, degree, and the stride between fitted points.
#[derive(Clone, Copy)]
struct Loess {
    window: usize,
    linear: bool,
    stride: usize,
}

impl Loess {
    fn new(window: usize, linear: bool) -> Loess {
        Loess { window, linear, stride: window.div_ceil(10) }
    }
}

fn next_odd(value: usize) -> usize {
    value | 1
}

/// Decomposes a complete series of at least two periods; `seasonal_window` is odd, in periods.
pub fn decompose(y: &[f64], period: usize, seasonal_window: usize) -> Decomposition {
    let n = y.len();
    let stretch = 1.5 * period as f64 / (1.0 - 1.5 / seasonal_window as f64);
    let of_season = Loess::new(seasonal_window, false);
    let of_trend = Loess::new(next_odd(stretch.ceil() as usize), true);
    let of_low_pass = Loess::new(next_odd(period), true);
    let mut trend = vec![0.0; n];
    let mut seasonal = vec![0.0; n];
    for _ in 0..PASSES {
        let detrended: Vec<f64> = y.iter().zip(&trend).map(|(y, trend)| y - trend).collect();
        let cycle = smooth_cycles(&detrended, period, of_season);
        let averaged = moving_average(&moving_average(&moving_average(&cycle, period), period), 3);
        let low = smooth(&averaged, of_low_pass);
        for t in 0..n {
            seasonal[t] = cycle[period + t] - low[t];
        }
        let adjusted: Vec<f64> = y.iter().zip(&seasonal).map(|(y, seasonal)| y - seasonal).collect();
        trend = smooth(&adjusted, of_trend);
    }
    let remainder = (0..n).map(|t| y[t] - seasonal[t] - trend[t]).collect();
    Decomposition { seasonal, trend, remainder }
}

/// Smooths the values of each season over the years, one step past both ends; longer than `y` by two periods.
fn smooth_cycles(y: &[f64], period: usize, loess: Loess) -> Vec<f64> {
    let mut cycle = vec![0.0; y.len() + 2 * period];
    for season in 0..period {
        let values: Vec<f64> = y.iter().skip(season).step_by(period).copied().collect();
        let k = values.len();
        let smoothed = smooth(&values, loess);
        let first = loess_at(&values, loess, 0.0, 1, loess.window.min(k)).unwrap_or(smoothed[0]);
        let left = (k + 1).saturating_sub(loess.window).max(1);
        let last = loess_at(&values, loess, (k + 1) as f64, left, k).unwrap_or(smoothed[k - 1]);
        let all = std::iter::once(first).chain(smoothed).chain(std::iter::once(last));
        for (year, value) in all.enumerate() {
            cycle[year * period + season] = value;
        }
    }
    cycle
}

fn moving_average(x: &[f64], length: usize) -> Vec<f64> {
    x.windows(length).map(|window| window.iter().sum::<f64>() / length as f64).collect()
}

/// Loess at every `stride`-th point and at the last, straight lines between.
fn smooth(y: &[f64], loess: Loess) -> Vec<f64> {
    let n = y.len();
    if n < 2 {
        return y.to_vec();
    }
    let stride = loess.stride.min(n - 1);
    let half = loess.window.div_ceil(2);
    let at = |i: usize| {
        let (left, right) = if loess.window >= n {
            (1, n)
        } else {
            let left = (i + 1).saturating_sub(half).clamp(1, n - loess.window + 1);
            (left, left + loess.window - 1)
        };
        loess_at(y, loess, i as f64, left, right).unwrap_or(y[i - 1])
    };
    let mut knots: Vec<usize> = (1..=n).step_by(stride).collect();
    if knots.last() != Some(&n) {
        knots.push(n);
    }
    let mut smoothed = vec![0.0; n];
    let mut before: Option<(usize, f64)> = None;
    for knot in knots {
        let value = at(knot);
        smoothed[knot - 1] = value;
        if let Some((start, low)) = before {
            let slope = (value - low) / (knot - start) as f64;
            for i in start + 1..knot {
                smoothed[i - 1] = low + slope * (i - start) as f64;
            }
        }
        before = Some((knot, value));
    }
    smoothed
}

/// The local regression at `x` over the points `left ..= right` (from 1) with tricube weights; `None` without weight.
fn loess_at(y: &[f64], loess: Loess, x: f64, left: usize, right: usize) -> Option<f64> {
    let n = y.len();
    let mut reach = (x - left as f64).max(right as f64 - x);
    if loess.window > n {
        reach += ((loess.window - n) / 2) as f64;
    }
    let weight = |j: usize| {
        let distance = (j as f64 - x).abs();
        if distance > 0.999 * reach {
            0.0
        } else if distance <= 0.001 * reach {
            1.0
        } else {
            (1.0 - (distance / reach).powi(3)).powi(3)
        }
    };
    let weights: Vec<f64> = (left..=right).map(weight).collect();
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return None;
    }
    let points = || (left..=right).zip(&weights).map(|(j, weight)| (j, weight / total));
    let mut slope = 0.0;
    let mean: f64 = points().map(|(j, weight)| weight * j as f64).sum();
    if loess.linear && reach > 0.0 {
        let spread: f64 = points().map(|(j, weight)| weight * (j as f64 - mean).powi(2)).sum();
        if spread.sqrt() > 0.001 * (n as f64 - 1.0) {
            slope = (x - mean) / spread;
        }
    }
    Some(points().map(|(j, weight)| weight * (1.0 + slope * (j as f64 - mean)) * y[j - 1]).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_season_comes_apart() {
        let season = [3.0, -1.0, -2.0, 0.0, 0.5, 1.5, -2.0];
        let y: Vec<f64> = (0..70).map(|t| 10.0 + 0.2 * f64::from(t) + season[t as usize % 7]).collect();
        let parts = decompose(&y, 7, 11);
        for t in 0..70 {
            assert!((parts.seasonal[t] - season[t % 7]).abs() < 0.05, "{t}: {}", parts.seasonal[t]);
            assert!(parts.remainder[t].abs() < 0.05, "{t}: {}", parts.remainder[t]);
        }
    }
}
