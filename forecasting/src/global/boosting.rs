//! Trees one after the other, each on what those before it left.

use rayon::prelude::*;

use super::tree::{BINS, Binned, Tree};

const TREES: usize = 90;
const RATE: f64 = 0.09;
/// Share of rows and of features that a tree sees.
const ROW_SHARE: f64 = 0.7;
const FEATURE_SHARE: f64 = 0.6;
/// Power of the variance in Tweedie's family, between Poisson (1) and gamma (2).
const POWER: f64 = 1.2;
/// Largest whole number of a gradient.
const WHOLE_MAX: f64 = (1_u32 << 28) as f64;
/// Rows whose values bins are cut by.
const CUT_ROWS: usize = 20_000;

/// Rows to learn from.
pub(super) struct Rows {
    /// Feature after feature.
    columns: Vec<Vec<f32>>,
    came: Vec<f64>,
    offset: Vec<f64>,
    weight: Vec<f64>,
    /// A number in [0, 1) that goes with the row wherever it stands.
    ticket: Vec<f64>,
}

/// The fitted trees.
#[derive(Clone, Debug)]
pub(super) struct Boosted {
    trees: Vec<Tree>,
}

impl Rows {
    pub fn new(features: usize) -> Rows {
        Rows {
            columns: vec![Vec::new(); features],
            came: Vec::new(),
            offset: Vec::new(),
            weight: Vec::new(),
            ticket: Vec::new(),
        }
    }

    pub fn push(&mut self, row: &[f32], came: f64, offset: f64, weight: f64, ticket: f64) {
        self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
        self.came.push(came);
        self.offset.push(offset);
        self.weight.push(weight);
        self.ticket.push(ticket);
    }

    pub fn joined(features: usize, parts: Vec<Rows>) -> Rows {
        let mut all = Rows::new(features);
        for part in parts {
            all.columns.iter_mut().zip(&part.columns).for_each(|(column, more)| column.extend_from_slice(more));
            all.came.extend(part.came);
            all.offset.extend(part.offset);
            all.weight.extend(part.weight);
            all.ticket.extend(part.ticket);
        }
        all
    }

    pub fn count(&self) -> usize {
        self.came.len()
    }

    /// Upper ends of the bins of each feature: quantiles of its values.
    fn thresholds(&self) -> Vec<Vec<f32>> {
        // Rows with the lowest tickets, so that the choice goes with the rows.
        let share = CUT_ROWS as f64 / self.count().max(1) as f64;
        self.columns
            .par_iter()
            .map(|column| {
                let mut values: Vec<f32> = column
                    .iter()
                    .zip(&self.ticket)
                    .filter(|(_, ticket)| share >= 1.0 || (**ticket * 7.0).fract() < share)
                    .map(|(value, _)| *value)
                    .collect();
                values.sort_unstable_by(f32::total_cmp);
                let mut ends: Vec<f32> =
                    (1..BINS).filter_map(|bin| values.get(bin * values.len() / BINS)).copied().collect();
                ends.dedup();
                ends
            })
            .collect()
    }
}

impl Boosted {
    pub fn grow(rows: &Rows) -> Boosted {
        let mut thresholds = rows.thresholds();
        let bins: Vec<Vec<u8>> = rows
            .columns
            .par_iter()
            .zip(&thresholds)
            .map(|(column, ends)| column.iter().map(|value| ends.partition_point(|end| end < value) as u8).collect())
            .collect();
        // The last bin has no end.
        thresholds.iter_mut().for_each(|ends| ends.push(f32::INFINITY));
        let mut score = rows.offset.clone();
        let mut trees = Vec::with_capacity(TREES);
        for number in 0..TREES {
            let (slopes, units) = slopes(rows, &score);
            let data = Binned { bins: &bins, slopes: &slopes, gradient_unit: units.0, hessian_unit: units.1 };
            let lot = |index: u64| crate::demand::drawn(index, 1000 + number as u64);
            let chosen: Vec<u32> = (0..rows.count() as u32)
                .filter(|row| (rows.ticket[*row as usize] + lot(0) + number as f64 * 0.618_034).fract() < ROW_SHARE)
                .collect();
            let features: Vec<usize> =
                (0..bins.len()).filter(|feature| lot(1 + *feature as u64) < FEATURE_SHARE).collect();
            let features = if features.is_empty() { (0..bins.len()).collect() } else { features };
            let tree = Tree::grow(&data, chosen, &features, &thresholds, RATE);
            score
                .par_iter_mut()
                .enumerate()
                .with_min_len(4096)
                .for_each(|(row, score)| *score += f64::from(tree.predict_binned(&bins, row)));
            trees.push(tree);
        }
        Boosted { trees }
    }

    /// What the trees add to the logarithm of the offset.
    pub fn predict(&self, row: &[f32]) -> f64 {
        self.trees.iter().map(|tree| f64::from(tree.predict(row))).sum()
    }
}

/// Gradients and hessians of Tweedie's deviance under a log link, in whole numbers, and what one of each is worth.
fn slopes(rows: &Rows, score: &[f64]) -> (Vec<(i32, i32)>, (f64, f64)) {
    let exact: Vec<(f64, f64)> = (0..rows.count())
        .into_par_iter()
        .with_min_len(4096)
        .map(|row| {
            let (came, weight) = (rows.came[row], rows.weight[row]);
            let low = (score[row] * (1.0 - POWER)).exp();
            let high = low * score[row].exp();
            let gradient = weight * (high - came * low);
            let hessian = weight * ((2.0 - POWER) * high + (POWER - 1.0) * came * low);
            (gradient, hessian)
        })
        .collect();
    let largest = exact.iter().fold((1e-300_f64, 1e-300_f64), |most, (g, h)| (most.0.max(g.abs()), most.1.max(*h)));
    let units = (largest.0 / WHOLE_MAX, largest.1 / WHOLE_MAX);
    let whole = |(gradient, hessian): &(f64, f64)| ((gradient / units.0) as i32, (hessian / units.1).ceil() as i32);
    (exact.iter().map(whole).collect(), units)
}
