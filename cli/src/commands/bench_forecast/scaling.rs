//! Whether cost and memory stay in proportion: the same model over ever more series.

use linli_connectors::clock::Clock;
use linli_connectors::random::Random;
use linli_forecasting::arima::batch::Batch;
use serde::Serialize;

use super::{CHUNK, LENGTH, series};
use crate::accounting::{Process, fine_cpu_seconds, reset_peak};

/// So many times the first number of series.
const TIMES: [usize; 3] = [1, 4, 16];

/// Fits of ARIMA(1,1,1) to so many series.
#[derive(Debug, Serialize)]
pub(super) struct Scaled {
    pub series: usize,
    pub cpu_us_a_series: f64,
    /// CPU seconds a second; other work on the machine takes of them.
    pub cores_used: f64,
    /// Of the whole program, while these were fitted.
    pub peak_rss_mb: f64,
}

/// Series are drawn and fitted in parts of the same length, as a caller does who has many.
pub(super) fn measure(batch: &Batch, random: &dyn Random, clock: &dyn Clock) -> Vec<Scaled> {
    let measured = TIMES.iter().map(|times| {
        reset_peak();
        let (mut cpu_seconds, mut wall_ms) = (0.0, 0);
        for part in 0..*times {
            let drawn: Vec<Vec<f64>> =
                (0..CHUNK).map(|number| series::draw(random, part * CHUNK + number, LENGTH)).collect();
            let views: Vec<&[f64]> = drawn.iter().map(Vec::as_slice).collect();
            let (before, started_ms) = (fine_cpu_seconds(), clock.now_ms());
            drop(batch.fit_in_parallel(&views));
            cpu_seconds += fine_cpu_seconds() - before;
            wall_ms += clock.now_ms() - started_ms;
        }
        let series = times * CHUNK;
        Scaled {
            series,
            cpu_us_a_series: cpu_seconds * 1e6 / series as f64,
            cores_used: cpu_seconds * 1e3 / wall_ms.max(1) as f64,
            peak_rss_mb: Process::Own.peak_rss_mb(),
        }
    });
    measured.collect()
}
