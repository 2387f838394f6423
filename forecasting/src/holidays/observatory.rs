//! Festivals against the tables of the Hong Kong Observatory, days off against what the State Council announced.
//!
//! Festivals: the Observatory's Gregorian-Lunar Calendar Conversion Tables of the years 2001 to 2099,
//! <https://www.hko.gov.hk/en/gts/time/conversion.htm>, in `observatory.csv`. Days off: the yearly notices of the State
//! Council's General Office, as that of 2025, <https://www.gov.cn/zhengce/content/202411/content_6986382.htm>.

use super::*;

/// Month and day of each festival that moves, a line a year.
const TABLE: &str = include_str!("observatory.csv");

/// First and last days, as announced.
const ANNOUNCED: [(&str, &str); 13] = [
    ("2025-01-01", "2025-01-01"),
    ("2025-01-28", "2025-02-04"),
    ("2025-04-04", "2025-04-06"),
    ("2025-05-01", "2025-05-05"),
    ("2025-05-31", "2025-06-02"),
    ("2025-10-01", "2025-10-08"),
    ("2026-01-01", "2026-01-03"),
    ("2026-02-15", "2026-02-23"),
    ("2026-04-04", "2026-04-06"),
    ("2026-05-01", "2026-05-05"),
    ("2026-06-19", "2026-06-21"),
    ("2026-09-25", "2026-09-27"),
    ("2026-10-01", "2026-10-07"),
];

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn range(first: &str, last: &str) -> BTreeSet<NaiveDate> {
    day(first).iter_days().take_while(|date| *date <= day(last)).collect()
}

#[test]
fn festivals_that_move_are_the_observatorys_in_every_year() {
    let moving = [Festival::SpringFestival, Festival::Qingming, Festival::DragonBoat, Festival::MidAutumn];
    let mut years = Vec::new();
    for line in TABLE.lines().skip(1) {
        let (year, dates) = line.split_once(',').expect("a year");
        let year: i32 = year.parse().expect("a year");
        for (festival, date) in moving.into_iter().zip(dates.split(',')) {
            assert_eq!(festival.date(year), Ok(day(&format!("{year}-{date}"))), "{festival:?} of {year}");
        }
        years.push(year);
    }
    assert_eq!(years, FESTIVALS.collect::<Vec<_>>());
    // Qingming of 2100 is on the 5th: the rule would be a day early behind the last year.
    assert_eq!(qingming(100), 4);
}

/// Leap months of the Observatory's tables: 2020 the fourth, 2023 the second, 2025 the sixth, 2028 the fifth, 2033 the
/// eleventh; and 2052 the eighth. The festival is in the month that bears the number first.
#[test]
fn a_leap_month_doubles_no_festival() {
    for (year, month) in [(2020, 4), (2023, 2), (2025, 6), (2028, 5), (2033, 11), (2052, 8)] {
        assert!(Date::try_new_chinese_traditional(year, Month::leap(month), 1).is_ok(), "{year} repeats month {month}");
    }
    assert_eq!(Festival::DragonBoat.date(2028), Ok(day("2028-05-28")));
    assert_eq!(Festival::MidAutumn.date(2052), Ok(day("2052-09-07")));
    let days = days_off(2028).expect("days");
    assert!(days.is_superset(&range("2028-05-27", "2028-05-29")));
    assert!(days.range(day("2028-05-30")..day("2028-09-15")).next().is_none(), "nothing on 27 June, the fifth again");
}

#[test]
fn days_off_are_those_announced() {
    let announced = |year: &str| -> BTreeSet<NaiveDate> {
        let of_year = ANNOUNCED.iter().filter(|(first, _)| first.starts_with(year));
        of_year.flat_map(|(first, last)| range(first, last)).collect()
    };
    assert_eq!(days_off(2025).expect("days"), announced("2025"));
    // One day of 2026 was given beyond the rule: the Sunday before the eve.
    let mut rule = days_off(2026).expect("days");
    assert!(rule.insert(day("2026-02-15")));
    assert_eq!(rule, announced("2026"));
}

/// Each weekday once; from the notices for 2021 to 2026.
#[test]
fn three_days_lie_at_a_weekend() {
    for (festival, first, last) in [
        ("2021-06-14", "2021-06-12", "2021-06-14"), // a Monday
        ("2021-09-21", "2021-09-19", "2021-09-21"),
        ("2023-04-05", "2023-04-05", "2023-04-05"),
        ("2023-06-22", "2023-06-22", "2023-06-24"),
        ("2025-04-04", "2025-04-04", "2025-04-06"),
        ("2022-09-10", "2022-09-10", "2022-09-12"),
        ("2023-01-01", "2022-12-31", "2023-01-02"), // a Sunday
    ] {
        assert_eq!(three(day(festival)).collect::<BTreeSet<_>>(), range(first, last), "{festival}");
    }
}

#[test]
fn mid_autumn_and_national_day_are_eight_days_where_they_meet() {
    for (year, first, last) in [
        (2031, "2031-10-01", "2031-10-08"), // Mid-Autumn on 1 October
        (2028, "2028-10-01", "2028-10-08"), // on the 3rd
        (2050, "2050-09-30", "2050-10-07"), // on Friday, 30 September
    ] {
        let days = days_off(year).expect("days");
        let autumn: BTreeSet<NaiveDate> =
            days.range(NaiveDate::from_ymd_opt(year, 9, 1).expect("a date")..).copied().collect();
        assert_eq!(autumn, range(first, last), "{year}");
    }
    assert!(!days_off(2042).expect("days").contains(&day("2042-09-30")), "Sunday, 28 September, stands alone");
}

#[test]
fn new_year_may_begin_in_the_year_before() {
    // 1 January 2028 is a Saturday, of 2029 a Monday.
    assert_eq!(days_off(2028).expect("days").first(), Some(&day("2028-01-01")));
    assert_eq!(days_off(2029).expect("days").first(), Some(&day("2028-12-30")));
}

#[test]
fn years_that_are_not_known_are_refused() {
    for year in [i32::MIN, 0, 2000, 2100, i32::MAX] {
        for festival in Festival::ALL {
            assert_eq!(festival.date(year), Err(Error::Year { year, first: 2001, last: 2099 }));
        }
    }
    for year in [2001, 2024, 2100] {
        assert_eq!(days_off(year), Err(Error::Year { year, first: 2025, last: 2099 }));
    }
    for year in RULE {
        let days = days_off(year).expect("days");
        assert!((24..=32).contains(&days.len()), "{year}: {}", days.len());
        for festival in Festival::ALL {
            assert!(days.contains(&festival.date(year).expect("a date")), "{year} {festival:?}");
        }
    }
}
