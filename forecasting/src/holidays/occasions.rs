//! What days off do to the days around them.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

/// Days before days off on which people stock up.
const STOCKING_UP: u64 = 7;
/// So many days off and more are a long holiday, of which everything is the most.
const LONG: f32 = 8.0;

/// What days off make of the days from `first` on, as occasions of a panel ([`crate::Panel::with_occasions`]): how much
/// people stock up before them, the more the nearer and the longer they are, and how much they are away within them.
/// Days off that follow each other are one run.
pub fn occasions(days_off: &BTreeSet<NaiveDate>, first: NaiveDate, days: usize) -> [Vec<f32>; 2] {
    let (mut before, mut within) = (vec![0.0_f32; days], vec![0.0_f32; days]);
    let place = |date: NaiveDate| usize::try_from(date.signed_duration_since(first).num_days()).ok();
    for run in runs(days_off) {
        let Some(start) = run.first() else { continue };
        let size = (run.len() as f32 / LONG).min(1.0);
        for day in run.iter().filter_map(|date| place(*date)).filter(|day| *day < days) {
            within[day] = size;
        }
        for ahead in 1..=STOCKING_UP {
            let Some(date) = start.checked_sub_days(Days::new(ahead)) else { break };
            if let Some(day) = place(date).filter(|day| *day < days && !days_off.contains(&date)) {
                let near = (STOCKING_UP + 1 - ahead) as f32 / STOCKING_UP as f32;
                before[day] = before[day].max(size * near);
            }
        }
    }
    [before, within]
}

/// Days that follow each other, together.
fn runs(days: &BTreeSet<NaiveDate>) -> Vec<Vec<NaiveDate>> {
    let mut runs: Vec<Vec<NaiveDate>> = Vec::new();
    for date in days {
        match runs.last_mut() {
            Some(run) if run.last().and_then(NaiveDate::succ_opt) == Some(*date) => run.push(*date),
            _ => runs.push(vec![*date]),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).unwrap()
    }

    fn off(first: NaiveDate, days: usize) -> impl Iterator<Item = NaiveDate> {
        first.iter_days().take(days)
    }

    #[test]
    fn people_stock_up_before_a_holiday_the_more_the_nearer_and_the_longer_it_is() {
        let days_off: BTreeSet<NaiveDate> = off(day(5, 1), 4).chain(off(day(10, 1), 9)).collect();
        let [before, within] = occasions(&days_off, day(4, 20), 20);
        assert_eq!(within[11..16], [0.5, 0.5, 0.5, 0.5, 0.0]);
        assert_eq!((before[3], before[4], before[10], before[11]), (0.0, 0.5 / 7.0, 0.5, 0.0));
        let [before, within] = occasions(&days_off, day(9, 30), 3);
        assert_eq!((before[0], &within[..]), (1.0, &[0.0, 1.0, 1.0][..]), "nine days are no more than eight");
    }

    #[test]
    fn a_day_off_is_no_day_before_another_and_the_greater_holiday_counts() {
        // a single day, two days on eight more
        let days_off: BTreeSet<NaiveDate> = off(day(9, 25), 1).chain(off(day(9, 28), 8)).collect();
        let [before, within] = occasions(&days_off, day(9, 24), 5);
        assert_eq!(within, [0.0, 0.125, 0.0, 0.0, 1.0]);
        let ramp = |ahead: f32| (8.0 - ahead) / 7.0;
        assert_eq!(before, [ramp(4.0), 0.0, ramp(2.0), ramp(1.0), 0.0]);
        // a span in the midst of a holiday, one before any, and none
        assert_eq!(occasions(&days_off, day(10, 5), 2), [vec![0.0, 0.0], vec![1.0, 0.0]]);
        assert_eq!(occasions(&days_off, day(1, 5), 2), [vec![0.0, 0.0], vec![0.0, 0.0]]);
        assert_eq!(occasions(&days_off, day(10, 5), 0), [vec![], vec![]]);
    }
}
