//! A small panel of any demand: the default model answers every series with finite quantiles that do not cross.
//!
//! The first byte tells how many series; the other bytes are demand, of which 255 is a day that was not seen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linli_forecasting::demand::DemandModel;
use linli_forecasting::{Labels, Panel};

const DAYS_MAX: usize = 150;

fn demand(byte: u8) -> f64 {
    match byte {
        255 => f64::NAN,
        254 => 1e9,
        253 => 1e-9,
        byte => f64::from(byte / 16),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((count, rest)) = data.split_first() else { return };
    let series = usize::from(count % 12) + 1;
    let days = (rest.len() / series).min(DAYS_MAX);
    let labels = (0..series as u32).map(|number| Labels {
        key: u64::from(number) * 77,
        level: number % 2,
        department: number % 3,
        category: number % 4,
        product: number,
        place: number % 5,
    });
    let cells = rest[..series * days].iter().map(|byte| demand(*byte)).collect();
    let Ok(panel) = Panel::new(labels.collect(), days, cells) else { return };
    let Ok(view) = panel.observed(days) else { return };
    let Ok(fitted) = DemandModel::new(3).expect("a horizon").fit(view) else { return };
    let every: Vec<usize> = (0..series).collect();
    for forecast in fitted.forecast_in_parallel(view, &every) {
        for summary in forecast.steps.iter().chain(&forecast.totals) {
            assert!(summary.mean.is_finite() && summary.mean >= 0.0, "{summary:?}");
            assert!(summary.quantiles[0] >= 0.0 && summary.quantiles.iter().all(|q| q.is_finite()), "{summary:?}");
            assert!(summary.quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{summary:?}");
        }
    }
});
