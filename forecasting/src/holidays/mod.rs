//! Days off in mainland China, those of the lunar calendar among them: what is known ahead of a year that nobody has
//! announced yet.
//!
//! Festivals are exact: the lunar calendar is ICU4X's, which up to 2100 is a table that equals the Hong Kong Observatory's.
//! One of them, Mid-Autumn of 2089, the Observatory calls uncertain by a day: the new moon comes at midnight.
//! Days off follow the rule by which the State Council has set them since 2025. It puts the days of a year down each autumn
//! and may add one, and names weekends on which people work; both are for the caller to add.
//!
//! ```
//! use linli_forecasting::holidays::{Festival, days_off};
//!
//! assert_eq!(Festival::DragonBoat.date(2026)?.to_string(), "2026-06-19");
//! assert_eq!(days_off(2027)?.first().map(ToString::to_string).as_deref(), Some("2027-01-01"));
//! # Ok::<(), linli_forecasting::Error>(())
//! ```

#[cfg(test)]
mod observatory;
mod occasions;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use icu_calendar::Date;
use icu_calendar::types::Month;

use crate::{Error, Result};
pub use occasions::occasions;

/// Years whose festivals are known: those for which the rule of Qingming holds.
const FESTIVALS: RangeInclusive<i32> = 2001..=2099;
/// Years whose days off are known: since the rule came into force.
const RULE: RangeInclusive<i32> = 2025..=2099;

/// A public holiday of all citizens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Festival {
    /// 1 January.
    NewYear,
    /// The first day of the lunar year.
    SpringFestival,
    /// The day on which the sun reaches 15° of longitude: 4 or 5 April.
    Qingming,
    /// 1 May.
    LabourDay,
    /// The fifth day of the fifth month.
    DragonBoat,
    /// The fifteenth day of the eighth month.
    MidAutumn,
    /// 1 October.
    NationalDay,
}

impl Festival {
    /// In the order of the year.
    pub const ALL: [Festival; 7] = [
        Festival::NewYear,
        Festival::SpringFestival,
        Festival::Qingming,
        Festival::LabourDay,
        Festival::DragonBoat,
        Festival::MidAutumn,
        Festival::NationalDay,
    ];

    /// The festival's own day in a Gregorian year. A festival of a month that comes twice is that of the first.
    ///
    /// # Errors
    /// [`Error::Year`] outside 2001 to 2099.
    pub fn date(self, year: i32) -> Result<NaiveDate> {
        let unknown = || outside(year, &FESTIVALS);
        if !FESTIVALS.contains(&year) {
            return Err(unknown());
        }
        match self {
            Festival::NewYear => NaiveDate::from_ymd_opt(year, 1, 1),
            Festival::SpringFestival => lunar(year, 1, 1),
            Festival::Qingming => NaiveDate::from_ymd_opt(year, 4, qingming(year.unsigned_abs() - 2000)),
            Festival::LabourDay => NaiveDate::from_ymd_opt(year, 5, 1),
            Festival::DragonBoat => lunar(year, 5, 5),
            Festival::MidAutumn => lunar(year, 8, 15),
            Festival::NationalDay => NaiveDate::from_ymd_opt(year, 10, 1),
        }
        .ok_or_else(unknown)
    }
}

/// The days off of a year's festivals, weekends within them included. New Year's may begin in the year before.
///
/// Spring Festival has eight days from the eve on, National Day seven, Labour Day five; the others three, which end or begin
/// with a weekend, or on a Wednesday that day alone. Mid-Autumn that meets National Day has eight days together with it.
/// Source: General Office of the State Council, notice 12 of 2024 (国办发明电〔2024〕12号).
///
/// # Errors
/// [`Error::Year`] outside 2025 to 2099.
pub fn days_off(year: i32) -> Result<BTreeSet<NaiveDate>> {
    if !RULE.contains(&year) {
        return Err(outside(year, &RULE));
    }
    let mut days = BTreeSet::new();
    for festival in [Festival::NewYear, Festival::Qingming, Festival::DragonBoat] {
        days.extend(three(festival.date(year)?));
    }
    let eve = Festival::SpringFestival.date(year)? - Days::new(1);
    days.extend(from(eve, 8));
    days.extend(from(Festival::LabourDay.date(year)?, 5));
    let (autumn, national) = (Festival::MidAutumn.date(year)?, Festival::NationalDay.date(year)?);
    if three(autumn).any(|day| day >= national) {
        days.extend(from(autumn.min(national), 8));
    } else {
        days.extend(three(autumn));
        days.extend(from(national, 7));
    }
    Ok(days)
}

fn outside(year: i32, known: &RangeInclusive<i32>) -> Error {
    Error::Year { year, first: *known.start(), last: *known.end() }
}

/// A day of the lunar year that begins in a Gregorian year; never of a leap month.
fn lunar(year: i32, month: u8, day: u8) -> Option<NaiveDate> {
    let date = Date::try_new_chinese_traditional(year, Month::new(month), day).ok()?;
    // Both count from 1 January of the year 1.
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(date.to_rata_die().to_i64_date()).ok()?)
}

/// The day of April in the 21st century: `⌊0.2422 y + 4.81⌋ − ⌊y / 4⌋`, the almanac makers' rule for solar terms with the
/// constant of this one. It equals the Observatory's tables from 2001 to 2099, and no longer in 2100.
fn qingming(year_of_century: u32) -> u32 {
    (2422 * year_of_century + 48_100) / 10_000 - year_of_century / 4
}

fn from(first: NaiveDate, days: usize) -> impl Iterator<Item = NaiveDate> {
    first.iter_days().take(days)
}

/// Three days with the weekend that is nearest, or a Wednesday alone: as they were set from 2021 on.
fn three(festival: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let (before, days) = match festival.weekday() {
        Weekday::Wed => (0, 1),
        Weekday::Mon | Weekday::Tue => (2, 3),
        Weekday::Thu | Weekday::Fri | Weekday::Sat => (0, 3),
        Weekday::Sun => (1, 3),
    };
    from(festival - Days::new(before), days)
}
