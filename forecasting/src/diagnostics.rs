//! Whether anything is left in the residuals.

use crate::special::chi_squared_tail;

/// The portmanteau test of Ljung and Box (1978).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LjungBox {
    /// `Q = n (n + 2) Σₖ ρₖ² / (n − k)`, `k = 1 … lags`.
    pub statistic: f64,
    /// Lags less the coefficients that were estimated.
    pub freedom: usize,
    /// The probability of a larger `Q` where the residuals are independent.
    pub p_value: f64,
}

/// Tests whether the autocorrelations `ρ₁ … ρ_lags` of residuals are zero; `estimated` is the number of ARMA coefficients.
/// `NaN` residuals are left out of all sums.
///
/// `None` where there are no degrees of freedom, no variation, or no more residuals than lags.
pub fn ljung_box(residuals: &[f64], lags: usize, estimated: usize) -> Option<LjungBox> {
    let count = residuals.iter().filter(|value| !value.is_nan()).count();
    if lags <= estimated || count <= lags {
        return None;
    }
    let n = count as f64;
    let mean = residuals.iter().filter(|value| !value.is_nan()).sum::<f64>() / n;
    let centred: Vec<f64> = residuals.iter().map(|value| if value.is_nan() { 0.0 } else { value - mean }).collect();
    let squares: f64 = centred.iter().map(|value| value * value).sum();
    if squares.is_nan() || squares <= 0.0 {
        return None;
    }
    let mut sum = 0.0;
    for lag in 1..=lags {
        let products: f64 = centred.iter().skip(lag).zip(&centred).map(|(a, b)| a * b).sum();
        sum += (products / squares).powi(2) / (n - lag as f64);
    }
    let statistic = n * (n + 2.0) * sum;
    let freedom = lags - estimated;
    Some(LjungBox { statistic, freedom, p_value: chi_squared_tail(statistic, freedom as f64) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_found_and_noise_is_not() {
        let wave: Vec<f64> = (0..100).map(|t| (f64::from(t) * 0.5).sin()).collect();
        let test = ljung_box(&wave, 10, 0).expect("enough");
        assert!(test.p_value < 1e-10 && test.freedom == 10);
        assert_eq!(ljung_box(&[1.0; 20], 5, 0), None);
        assert_eq!(ljung_box(&wave, 2, 2), None);
    }
}
