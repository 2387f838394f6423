//! The hopping lists of the past: the sums of 60 minutes, slid by one minute over the quantities by minute.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use clickhouse::Row;
use linli_schemas::metric::TOP_N;
use linli_schemas::zone::{HOUR_MS, MINUTE_MS};
use serde::Deserialize;

use super::csv::{File, put_row};
use crate::query::{self, TOP_MIN};
use crate::{Result, Warehouse};

#[derive(Row, Deserialize)]
struct Cell {
    minute_ms: i64,
    sku_id: i64,
    qty: i64,
}

/// Writes `top_hop.csv`: the list of every minute whose hour holds a sale. Returns its rows.
pub(super) async fn write(warehouse: &Warehouse, limit: Duration, folder: &Path) -> Result<u64> {
    let mut file = File::create(folder, "top_hop", "window_end_ms,rn,sku_id,qty").await?;
    let prepared = warehouse.query_within(TOP_MIN.sql, limit).param("from_ms", 0_i64).param("to_ms", i64::MAX / 4);
    let failure = |error| query::named_failure(warehouse, TOP_MIN, error);
    let mut cursor = prepared.fetch::<Cell>().map_err(failure)?;
    let mut hopping = Hopping::default();
    let mut lines = Vec::new();
    let mut count = 0;
    while let Some(cell) = cursor.next().await.map_err(failure)? {
        hopping.add(cell.minute_ms, cell.sku_id, cell.qty, |end, rank, sku, quantity| {
            put_row(&mut lines, &[end, rank, sku, quantity]);
            count += 1;
        });
        if lines.len() > 1 << 18 {
            file.rows(&lines, std::mem::take(&mut count)).await?;
            lines.clear();
        }
    }
    hopping.finish(|end, rank, sku, quantity| {
        put_row(&mut lines, &[end, rank, sku, quantity]);
        count += 1;
    });
    file.rows(&lines, count).await?;
    file.finish().await
}

/// Slides the hour over cells that come in order of their minutes, and emits `(window_end_ms, rank, sku, quantity)`.
#[derive(Default)]
pub struct Hopping {
    /// SKUs are numbered as they appear; the sums are a plain vector.
    numbers: HashMap<i64, u32>,
    skus: Vec<i64>,
    sums: Vec<i64>,
    /// Numbers with a sum, in no order; may hold some whose sum has gone.
    selling: Vec<u32>,
    listed: Vec<bool>,
    /// The cells of the window, by minute, oldest first.
    window: std::collections::VecDeque<(i64, Vec<(u32, i64)>)>,
    /// The next list to emit ends here; 0 before the first cell.
    next_end: i64,
    order: Vec<(i64, i64)>,
}

impl Hopping {
    /// Takes a cell; its minute is not before the last one's. Emits the lists that no further cell can change.
    pub fn add(&mut self, minute_ms: i64, sku: i64, quantity: i64, mut emit: impl FnMut(i64, i64, i64, i64)) {
        self.emit_until(minute_ms, &mut emit);
        let number = match self.numbers.get(&sku) {
            Some(number) => *number,
            None => {
                let number = self.skus.len() as u32;
                self.numbers.insert(sku, number);
                self.skus.push(sku);
                self.sums.push(0);
                self.listed.push(false);
                number
            }
        };
        match self.window.back_mut() {
            Some((minute, cells)) if *minute == minute_ms => cells.push((number, quantity)),
            _ => self.window.push_back((minute_ms, vec![(number, quantity)])),
        }
        self.sums[number as usize] += quantity;
        self.list(number);
        if self.next_end == 0 {
            self.next_end = minute_ms + MINUTE_MS;
        }
    }

    fn list(&mut self, number: u32) {
        if !self.listed[number as usize] {
            self.listed[number as usize] = true;
            self.selling.push(number);
        }
    }

    /// Emits the lists of the hour after the last cell.
    pub fn finish(mut self, mut emit: impl FnMut(i64, i64, i64, i64)) {
        self.emit_until(i64::MAX, &mut emit);
    }

    /// Emits every list whose window ends at or before `minute_ms`.
    fn emit_until(&mut self, minute_ms: i64, emit: &mut impl FnMut(i64, i64, i64, i64)) {
        while self.next_end != 0 && self.next_end <= minute_ms {
            let start = self.next_end - HOUR_MS;
            while self.window.front().is_some_and(|(minute, _)| *minute < start) {
                let (_, cells) = self.window.pop_front().unwrap_or_default();
                for (number, quantity) in cells {
                    self.sums[number as usize] -= quantity;
                    // What was given back may have hidden what was sold before.
                    self.list(number);
                }
            }
            if self.window.is_empty() {
                // No sale in this hour: the next list ends a minute after the next sale.
                self.next_end = 0;
                return;
            }
            self.emit_list(emit);
            self.next_end += MINUTE_MS;
        }
    }

    fn emit_list(&mut self, emit: &mut impl FnMut(i64, i64, i64, i64)) {
        self.order.clear();
        let (sums, skus, listed, order) = (&self.sums, &self.skus, &mut self.listed, &mut self.order);
        self.selling.retain(|number| {
            let sum = sums[*number as usize];
            listed[*number as usize] = sum != 0;
            if sum != 0 {
                order.push((-sum, skus[*number as usize]));
            }
            sum != 0
        });
        if order.len() > TOP_N {
            order.select_nth_unstable(TOP_N - 1);
            order.truncate(TOP_N);
        }
        order.sort_unstable();
        for (rank, (negative, sku)) in (1..).zip(order.iter()) {
            emit(self.next_end, rank, *sku, -negative);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Every minute whose hour holds a sale, by definition.
    fn naive(cells: &[(i64, i64, i64)]) -> Vec<(i64, i64, i64, i64)> {
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return Vec::new() };
        let mut lists = Vec::new();
        for end in first.0 + 1..=last.0 + 60 {
            let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
            for (minute, sku, quantity) in cells.iter().filter(|(m, ..)| (end - 60..end).contains(m)) {
                let _ = minute;
                *sums.entry(*sku).or_default() += quantity;
            }
            let mut list: Vec<(i64, i64)> = sums.into_iter().filter(|(_, q)| *q != 0).map(|(s, q)| (-q, s)).collect();
            list.sort_unstable();
            for (rank, (quantity, sku)) in (1..).zip(list.into_iter().take(TOP_N)) {
                lists.push((end * MINUTE_MS, rank, sku, -quantity));
            }
        }
        lists
    }

    fn slid(cells: &[(i64, i64, i64)]) -> Vec<(i64, i64, i64, i64)> {
        let mut lists = Vec::new();
        let mut hopping = Hopping::default();
        for (minute, sku, quantity) in cells {
            hopping.add(minute * MINUTE_MS, *sku, *quantity, |e, r, s, q| lists.push((e, r, s, q)));
        }
        hopping.finish(|e, r, s, q| lists.push((e, r, s, q)));
        lists
    }

    proptest! {
        #[test]
        fn equals_the_naive_fold(cells in prop::collection::vec((1_000i64..1_400, 1i64..150, -2i64..4), 0..600)) {
            let mut cells = cells;
            cells.sort_by_key(|cell| cell.0);
            prop_assert_eq!(slid(&cells), naive(&cells));
        }

        #[test]
        fn equals_it_over_gaps_of_hours(cells in prop::collection::vec((0i64..30, 1i64..5, -4i64..9), 1..40)) {
            // Minutes 97 apart: some hours hold nothing.
            let mut cells: Vec<_> = cells.into_iter().map(|(m, s, q)| (1 + m * 47, s, q)).collect();
            cells.sort_by_key(|cell| cell.0);
            prop_assert_eq!(slid(&cells), naive(&cells));
        }
    }

    #[test]
    fn ties_go_to_the_lower_sku_and_the_list_is_cut_at_100() {
        let cells: Vec<(i64, i64, i64)> = (0..150).map(|i| (10, 1_000 - i, 1)).collect();
        let lists = slid(&cells);
        assert_eq!(lists.len(), 60 * TOP_N);
        assert_eq!(lists[0], (11 * MINUTE_MS, 1, 851, 1));
        assert_eq!(lists[99], (11 * MINUTE_MS, 100, 950, 1));
    }
}
