//! The default model: fitted to a made-up shop and asked for all quantiles of all its series.

use linli_connectors::random::Random;
use linli_forecasting::Panel;
use linli_forecasting::demand::DemandModel;
use linli_forecasting::panel::Labels;

use super::{Gathered, series};
use crate::accounting::fine_cpu_seconds;
use crate::failure::Outcome;

/// Days of history: half a year and two weeks.
const DAYS: usize = 196;
const HORIZON: usize = 3;
/// Weeks between promotions of a series.
const PROMOTED_EVERY: usize = 5;

impl Gathered {
    /// Learning and forecasting count, making up the shop does not.
    pub(super) fn measure_demand(&mut self, random: &dyn Random, series: usize) -> Outcome {
        let panel = shop(random, series)?;
        let view = panel.observed(DAYS)?;
        let before = fine_cpu_seconds();
        let fitted = DemandModel::new(HORIZON)?.fit(view)?;
        let everything: Vec<usize> = (0..series).collect();
        let forecasts = fitted.forecast_in_parallel(view, &everything);
        let spent = fine_cpu_seconds() - before;
        self.rows += forecasts.len() as u64;
        self.cpu_seconds += spent;
        self.speed.entry("default_all_quantiles").or_default().insert(DAYS, series as f64 / spent);
        Ok(())
    }
}

/// Communities, products and categories as a shop has them, with a promotion week now and then.
fn shop(random: &dyn Random, count: usize) -> Outcome<Panel> {
    let mut demand = Vec::with_capacity(count * DAYS);
    let mut promotion = Vec::with_capacity(count * (DAYS + HORIZON));
    let mut labels = Vec::with_capacity(count);
    for number in 0..count {
        labels.push(Labels {
            key: random.next_u64(),
            level: u32::from(number % 5 == 0),
            department: (number % 12) as u32,
            category: (number % 120) as u32,
            product: (number / 60) as u32,
            place: (number % 60) as u32,
        });
        // Counts, never the wandering kind, which goes below 0.
        demand.extend(series::draw(random, number / 4 * 4 + [0, 0, 0, 1, 3][number % 5], DAYS));
        promotion.extend((0..DAYS + HORIZON).map(|day| f32::from(u8::from((day / 7 + number) % PROMOTED_EVERY == 0))));
    }
    Ok(Panel::new(labels, DAYS, demand)?.with_regressors(DAYS + HORIZON, vec![promotion], Vec::new())?)
}
