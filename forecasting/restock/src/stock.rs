//! Stock by batch: what of it can still be sold.

use chrono::NaiveDate;

use crate::calendar::{days_between, later};

/// Pieces that expire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub batch_id: u64,
    pub quantity: i64,
    /// The last day on which it may be sold; `None`: it does not spoil.
    pub expires_on: Option<NaiveDate>,
}

/// Whether a batch may be sold on a day: through the whole of the day on which it expires, not after.
pub fn is_sellable(batch: &Batch, date: NaiveDate) -> bool {
    batch.quantity > 0 && batch.expires_on.is_none_or(|expires_on| date <= expires_on)
}

/// Batches in the order in which they are sold: first expired, first out; of equals the lower id.
pub fn first_expired_first_out(batches: &mut [Batch]) {
    batches.sort_by_key(|batch| (batch.expires_on.unwrap_or(NaiveDate::MAX), batch.batch_id));
}

/// What of the stock counts for the days after `date` until `until`: goods that outlast them count whole, others as far as
/// demand can take them before they expire. `mean_total(k)` is the demand expected in the first `k` days.
///
/// More pieces in a batch never make it less.
pub fn usable(batches: &[Batch], date: NaiveDate, until: NaiveDate, mean_total: impl Fn(u32) -> f64) -> i64 {
    let mut ordered = batches.to_vec();
    first_expired_first_out(&mut ordered);
    let (mut spoiling, mut lasting) = (0, 0_i64);
    for batch in ordered.iter().filter(|batch| is_sellable(batch, later(date, 1))) {
        match batch.expires_on.filter(|expires_on| *expires_on < until) {
            Some(expires_on) => {
                let demand = mean_total(days_between(date, expires_on)).max(0.0).floor() as i64;
                spoiling = demand.min(spoiling + batch.quantity).max(spoiling);
            }
            None => lasting = lasting.saturating_add(batch.quantity),
        }
    }
    lasting.saturating_add(spoiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a date")
    }

    fn batch(batch_id: u64, quantity: i64, expires: u32) -> Batch {
        Batch { batch_id, quantity, expires_on: Some(day(expires)) }
    }

    #[test]
    fn a_batch_is_sold_through_the_day_on_which_it_expires() {
        assert!(is_sellable(&batch(1, 1, 5), day(5)) && !is_sellable(&batch(1, 1, 5), day(6)));
        assert!(!is_sellable(&batch(1, 0, 5), day(5)), "nothing is left of it");
        assert!(is_sellable(&Batch { batch_id: 1, quantity: 1, expires_on: None }, day(31)));
    }

    #[test]
    fn stock_that_spoils_before_it_is_wanted_does_not_count() {
        let three_a_day = |days: u32| 3.0 * f64::from(days);
        // at the close of the 2nd: 10 pieces for the 3rd alone, of which 3 will be sold; 4 that outlast the 5th
        assert_eq!(usable(&[batch(1, 10, 3), batch(2, 4, 6)], day(2), day(5), three_a_day), 7);
        // 2 of today's last day are gone; of the next 2 + 9 six can be sold by the 4th
        assert_eq!(usable(&[batch(1, 2, 2), batch(2, 2, 3), batch(3, 9, 4)], day(2), day(5), three_a_day), 6);
        assert_eq!(usable(&[batch(1, 10, 5)], day(2), day(5), three_a_day), 10, "good on the last day");
    }
}
