//! One series and one model of any kind: an answer is finite, everything else an error of a type.
//!
//! The first four bytes tell model and orders; each further pair of bytes is a value, or with an odd first byte of the pair
//! one of those that are hard: missing, huge, tiny, infinite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linli_forecasting::Series;
use linli_forecasting::arima::{Arima, Effort, Order, Seasonal};
use linli_forecasting::intermittent::Intermittent;
use linli_forecasting::select::AutoArima;
use linli_forecasting::smoothing::{AutoEts, Theta};

/// Longer ones find nothing new, and take long.
const VALUES_MAX: usize = 90;
const STEPS: usize = 9;

fn value(pair: &[u8]) -> f64 {
    let small = f64::from(i16::from_le_bytes([pair[0], pair[1]]));
    if pair[0] % 2 == 0 {
        return (small / 64.0).round();
    }
    match pair[1] % 12 {
        0 => f64::NAN,
        1 => 1e300,
        2 => -1e300,
        3 => 1e-300,
        4 => f64::INFINITY,
        5 => f64::MAX,
        6 => -0.0,
        7 => 1e9 + small,
        8..=10 => 0.0,
        _ => small / 7.0,
    }
}

fn arima(head: &[u8], series: &Series) {
    let mut model = Arima::new(Order::new(head[1].into_order(), (head[1] >> 4) as usize % 3, head[2].into_order()));
    if head[3] & 1 == 1 {
        let (p, d, q) = ((head[3] >> 1) as usize % 3, (head[3] >> 3) as usize % 2, (head[3] >> 4) as usize % 3);
        model = model.with_seasonal(Seasonal::new(p, d, q, [2, 4, 7, 12][(head[3] >> 6) as usize]));
    }
    if head[2] & 0x80 != 0 {
        model = model.with_mean();
    }
    if head[1] & 0x80 != 0 {
        model = model.with_drift();
    }
    let effort = if head[2] & 0x40 == 0 { Effort::Quick } else { Effort::Thorough };
    let Ok(fitted) = model.fit_with(series, &linli_forecasting::Regressors::none(), effort) else { return };
    assert!(fitted.log_likelihood().is_finite());
    let Ok(forecast) = fitted.forecast(STEPS) else { return };
    for step in forecast.steps() {
        assert!(step.mean.is_finite() && step.variance >= 0.0, "{step:?}");
    }
    assert!(forecast.total(1..=STEPS).variance >= 0.0);
}

trait IntoOrder {
    fn into_order(self) -> usize;
}

impl IntoOrder for u8 {
    fn into_order(self) -> usize {
        usize::from(self & 7) % 5
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_at_checked(4) else { return };
    let values: Vec<f64> = rest.chunks_exact(2).take(VALUES_MAX).map(value).collect();
    let Ok(series) = Series::new(values) else { return };
    match head[0] % 8 {
        0..=2 => arima(head, &series),
        3 => {
            if let Ok(selected) = AutoArima::new(usize::from(head[1] % 9)).fit(&series) {
                assert!(selected.fitted.log_likelihood().is_finite());
            }
        }
        4 => {
            if let Ok(fitted) = AutoEts::new(usize::from(head[1] % 9)).fit(&series)
                && let Ok(means) = fitted.forecast(STEPS)
            {
                assert!(means.iter().all(|mean| mean.is_finite()), "{means:?}");
            }
        }
        5 => {
            if let Ok(fitted) = Theta.fit(&series) {
                assert!(fitted.forecast(STEPS).iter().all(|mean| mean.is_finite()));
            }
        }
        _ => {
            let alpha = f64::from(head[1]) / 200.0;
            for method in [
                Intermittent::Croston { alpha },
                Intermittent::Sba { alpha },
                Intermittent::Tsb { size: alpha, probability: f64::from(head[2]) / 200.0 },
                Intermittent::Adida,
            ] {
                if let Ok(fitted) = method.fit(&series) {
                    assert!(fitted.mean().is_finite() && fitted.mean() >= 0.0, "{method:?} {fitted:?}");
                }
            }
        }
    }
});
