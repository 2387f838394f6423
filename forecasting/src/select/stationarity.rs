//! How often a series must be differenced.

use super::stl::decompose;

/// The level test's critical value at 5 % (Kwiatkowski, Phillips, Schmidt, Shin 1992, table 1).
const KPSS_CRITICAL: f64 = 0.463;
/// The strength of season above which a seasonal difference is taken (Wang, Smith, Hyndman 2006; R's `nsdiffs`).
const STRENGTH_CRITICAL: f64 = 0.64;
/// Window of the seasonal smoother, in periods; R's `mstl`.
const SEASONAL_WINDOW: usize = 11;
/// Longest lag that the test of Osborn and others tries.
const OCSB_LAGS: usize = 3;

/// How a seasonal difference is decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SeasonalTest {
    /// The strength of the season in a decomposition by loess.
    #[default]
    Strength,
    /// The test of Osborn, Chui, Smith and Birchenhall.
    Ocsb,
}

/// The statistic of Kwiatkowski and others for a constant level, `Σ Sₜ² / (n² s²(l))`, `S` the partial sums of the
/// centred series and `s²(l)` its long-run variance with Bartlett weights over `l = ⌊3√n / 13⌋` lags.
///
/// `None` for a constant or a series shorter than 3.
pub fn kpss(series: &[f64]) -> Option<f64> {
    let n = series.len() as f64;
    if series.len() < 3 {
        return None;
    }
    let mean = series.iter().sum::<f64>() / n;
    let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let lags = (3.0 * n.sqrt() / 13.0).floor() as usize;
    let covariance = |lag: usize| centred.iter().skip(lag).zip(&centred).map(|(a, b)| a * b).sum::<f64>() / n;
    let weighted = (1..=lags).map(|lag| (1.0 - lag as f64 / (lags as f64 + 1.0)) * covariance(lag));
    let long_run = covariance(0) + 2.0 * weighted.sum::<f64>();
    let mut partial = 0.0;
    let squares: f64 = centred
        .iter()
        .map(|value| {
            partial += value;
            partial * partial
        })
        .sum();
    let statistic = squares / (n * n * long_run);
    (long_run > 0.0 && statistic.is_finite()).then_some(statistic)
}

/// Differences until the level test no longer rejects at 5 %; at most `max`.
pub fn differences(series: &[f64], max: usize) -> usize {
    let mut values = series.to_vec();
    for d in 0..max {
        if is_constant(&values) || kpss(&values).is_none_or(|statistic| statistic <= KPSS_CRITICAL) {
            return d;
        }
        values = lagged_difference(&values, 1);
    }
    max
}

/// Seasonal differences, 0 or 1, of a complete series.
pub fn seasonal_differences(series: &[f64], period: usize, test: SeasonalTest) -> usize {
    if period < 2 || series.len() <= 2 * period || is_constant(series) {
        return 0;
    }
    let wanted = match test {
        SeasonalTest::Strength => strength(series, period) > STRENGTH_CRITICAL,
        SeasonalTest::Ocsb => ocsb(series, period).is_some_and(|statistic| statistic > ocsb_critical(period)),
    };
    usize::from(wanted)
}

/// `max(0, 1 − Var(remainder) / Var(season + remainder))` of a complete series of more than two periods.
pub fn strength(series: &[f64], period: usize) -> f64 {
    let parts = decompose(series, period, SEASONAL_WINDOW);
    let both: Vec<f64> = parts.seasonal.iter().zip(&parts.remainder).map(|(a, b)| a + b).collect();
    let whole = variance(&both);
    if whole > 0.0 { (1.0 - variance(&parts.remainder) / whole).clamp(0.0, 1.0) } else { 0.0 }
}

/// The t statistic of a seasonal unit root (Osborn, Chui, Smith, Birchenhall 1988): that of `b₂` in
///
/// `λ(B) Δ Δₛ yₜ = b₁ λ(B) Δₛ yₜ₋₁ + b₂ λ(B) Δ yₜ₋ₛ + ε`,
///
/// `λ` an autoregression of `ΔΔₛ y` of this many lags. `None` where the series is too short or a regression singular.
pub fn ocsb_with_lags(series: &[f64], period: usize, lags: usize) -> Option<f64> {
    Some(ocsb_regression(series, period, lags, lags)?.1)
}

/// [`ocsb_with_lags`] with the number of lags, 0 to 3, that Akaike's criterion is lowest at.
///
/// R's `ocsb.test(lag.method = "AIC")` means the same and takes one lag less.
pub fn ocsb(series: &[f64], period: usize) -> Option<f64> {
    let akaike = |lags: usize| Some((ocsb_regression(series, period, lags, OCSB_LAGS)?.0, lags));
    let best = (0..=OCSB_LAGS).filter_map(akaike).min_by(|a, b| a.0.total_cmp(&b.0));
    ocsb_with_lags(series, period, best?.1)
}

/// The 5 % critical value, a smooth function of the period fitted to simulations (R's package forecast).
pub fn ocsb_critical(period: usize) -> f64 {
    let log = (period as f64).ln() - 0.765_645_1;
    -0.293_741_1 * (-0.285_085_3 * log - 0.059_836_44 * log * log).exp() - 1.652_202
}

/// Akaike's criterion of the regression with this many lags, leaving out the first `reach` values, and the statistic.
fn ocsb_regression(series: &[f64], period: usize, lags: usize, reach: usize) -> Option<(f64, f64)> {
    let seasonal = lagged_difference(series, period);
    let both = lagged_difference(&seasonal, 1);
    let plain = lagged_difference(series, 1);
    let rows = both.len().checked_sub(reach)?;
    if rows < lags + 5 {
        return None;
    }
    let lagged = |t: usize| (1..=lags).map(move |lag| t - lag);
    let columns: Vec<Vec<f64>> = (1..=lags).map(|lag| (reach..both.len()).map(|t| both[t - lag]).collect()).collect();
    let filter = ordinary(&columns, &both[reach..])?.coefficients;
    let filtered = |x: &[f64], t: usize| x[t] - filter.iter().zip(lagged(t)).map(|(a, t)| a * x[t]).sum::<f64>();
    // both[t] = ΔΔₛ y at time t + s + 1: there Δₛ y one before is seasonal[t], Δ y a season before is plain[t].
    let mut all = columns;
    all.push((reach..both.len()).map(|t| filtered(&seasonal, t)).collect());
    all.push((reach..both.len()).map(|t| filtered(&plain, t)).collect());
    let fit = ordinary(&all, &both[reach..])?;
    let n = rows as f64;
    let akaike = n * (fit.squares / n).ln() + 2.0 * (all.len() as f64 + 1.0);
    let last = all.len() - 1;
    let statistic = fit.coefficients[last] / fit.last_error;
    statistic.is_finite().then_some((akaike, statistic))
}

struct Ordinary {
    coefficients: Vec<f64>,
    squares: f64,
    /// Standard error of the last coefficient.
    last_error: f64,
}

/// Least squares by Gram-Schmidt, twice.
fn ordinary(columns: &[Vec<f64>], response: &[f64]) -> Option<Ordinary> {
    let k = columns.len();
    let mut units: Vec<Vec<f64>> = Vec::with_capacity(k);
    let mut triangle = vec![vec![0.0; k]; k];
    let mut rest = response.to_vec();
    let mut right = vec![0.0; k];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for (j, column) in columns.iter().enumerate() {
        let mut column = column.clone();
        let size = dot(&column, &column).sqrt();
        for _ in 0..2 {
            for (i, unit) in units.iter().enumerate() {
                let weight = dot(unit, &column);
                triangle[i][j] += weight;
                column.iter_mut().zip(unit).for_each(|(value, unit)| *value -= weight * unit);
            }
        }
        let norm = dot(&column, &column).sqrt();
        if norm.is_nan() || norm <= 1e-10 * size || size == 0.0 {
            return None;
        }
        column.iter_mut().for_each(|value| *value /= norm);
        triangle[j][j] = norm;
        right[j] = dot(&column, &rest);
        rest.iter_mut().zip(&column).for_each(|(value, unit)| *value -= right[j] * unit);
        units.push(column);
    }
    let squares = dot(&rest, &rest);
    let freedom = response.len().checked_sub(k).filter(|freedom| *freedom > 0)?;
    let last_error = if k > 0 { (squares / freedom as f64).sqrt() / triangle[k - 1][k - 1] } else { 0.0 };
    for i in (0..k).rev() {
        let known: f64 = (i + 1..k).map(|j| triangle[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / triangle[i][i];
    }
    Some(Ordinary { coefficients: right, squares, last_error })
}

/// `xₜ − xₜ₋ₗ`.
pub fn lagged_difference(x: &[f64], lag: usize) -> Vec<f64> {
    x.iter().skip(lag).zip(x).map(|(now, before)| now - before).collect()
}

pub fn is_constant(x: &[f64]) -> bool {
    x.iter().all(|value| *value == x[0])
}

fn variance(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (x.len() as f64 - 1.0)
}
