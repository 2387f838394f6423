//! Days off: those of a country's calendar, and what the settings add to them and take off.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};
use linli_forecasting::holidays::days_off;

use crate::config::{Forecast, HolidayCalendar};
use crate::failure::{Failure, Kind, Outcome};

/// Longest range: a typing error in a year is not a holiday of a hundred years.
const DAYS_MAX: usize = 60;

/// The days off of a span of days. Settings are applied in their order: the last one that names a day holds.
pub fn within(settings: &Forecast, span: &RangeInclusive<NaiveDate>) -> Outcome<BTreeSet<NaiveDate>> {
    let mut days = match settings.holiday_calendar {
        HolidayCalendar::China => china(span),
        HolidayCalendar::None => BTreeSet::new(),
    };
    for setting in &settings.holidays {
        match setting.trim().strip_prefix('!') {
            Some(worked) => {
                for day in parse(setting, worked)? {
                    days.remove(&day);
                }
            }
            None => days.extend(parse(setting, setting)?),
        }
    }
    // A day that no model sees must not make it another run.
    days.retain(|day| span.contains(day));
    Ok(days)
}

/// Of a year that the calendar does not know there are only the days that the settings name.
fn china(span: &RangeInclusive<NaiveDate>) -> BTreeSet<NaiveDate> {
    // The New Year's days off of the year after may begin in the last one.
    (span.start().year()..=span.end().year() + 1).filter_map(|year| days_off(year).ok()).flatten().collect()
}

/// `2026-10-01` and `2026-10-01..2026-10-07`.
fn parse(setting: &str, text: &str) -> Outcome<Vec<NaiveDate>> {
    let wrong = |cause: &str| {
        Failure::new(Kind::Config, format!("forecast.holidays: \"{setting}\" {cause}"))
            .hint("write days as 2026-10-01, ranges as 2026-10-01..2026-10-07, and those that are none as !2026-10-08")
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let date = |text: &str| text.trim().parse::<NaiveDate>().map_err(|_| wrong("is no date"));
    let (first, last) = (date(first)?, date(last)?);
    let found: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).take(DAYS_MAX + 1).collect();
    if found.is_empty() {
        return Err(wrong("ends before it begins"));
    }
    if found.len() > DAYS_MAX {
        return Err(wrong("is longer than 60 days"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    /// Days off from one day to another.
    fn off(calendar: HolidayCalendar, settings: &[&str], first: &str, last: &str) -> Vec<String> {
        let mut forecast = crate::config::Config::load(None, &Default::default()).expect("the defaults").forecast;
        forecast.holiday_calendar = calendar;
        forecast.holidays = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let days = within(&forecast, &(day(first)..=day(last))).expect("days");
        days.into_iter().map(|day| day.to_string()).collect()
    }

    #[test]
    fn days_and_ranges_are_read_and_nonsense_is_refused() {
        let days = ["2026-10-01..2026-10-07", "2026-05-01"];
        assert_eq!(off(HolidayCalendar::None, &days, "2026-05-01", "2026-12-31").len(), 8);
        for wrong in ["tomorrow", "2026-10-07..2026-10-01", "2026-10-01..2062-10-07", "", "!", "!!2026-10-01"] {
            let error = parse(wrong, wrong.strip_prefix('!').unwrap_or(wrong)).expect_err(wrong);
            assert!(error.message.contains("forecast.holidays") && error.hint.is_some(), "{error}");
        }
    }

    #[test]
    fn the_calendar_is_that_of_the_days_that_a_run_looks_at() {
        // 112 days until the eve of Dragon Boat 2026, and ten ahead.
        let days = off(HolidayCalendar::China, &[], "2026-02-27", "2026-06-28");
        assert_eq!(days.first().map(String::as_str), Some("2026-04-04"));
        assert_eq!(days.last().map(String::as_str), Some("2026-06-21"));
        assert_eq!(days.len(), 3 + 5 + 3);
        // New Year 2029 is a Monday: its weekend lies in 2028.
        assert_eq!(off(HolidayCalendar::China, &[], "2028-12-20", "2028-12-31"), ["2028-12-30", "2028-12-31"]);
        assert!(off(HolidayCalendar::None, &[], "2026-01-01", "2026-12-31").is_empty());
        assert!(off(HolidayCalendar::China, &[], "2023-01-01", "2023-12-31").is_empty(), "before the rule");
    }

    #[test]
    fn settings_add_days_and_take_them_off_in_their_order() {
        let of = |settings: &[&str]| off(HolidayCalendar::China, settings, "2026-10-01", "2026-10-10");
        assert_eq!(of(&[]).len(), 7);
        assert_eq!(of(&["!2026-10-06..2026-10-07", "2026-10-09"]).last().map(String::as_str), Some("2026-10-09"));
        assert_eq!(of(&["!2026-10-01..2026-10-31", "2026-10-03"]), ["2026-10-03"]);
        assert!(of(&["2026-10-03", "!2026-10-01..2026-10-31"]).is_empty());
        assert_eq!(of(&["2027-06-01", "!2026-10-10"]).len(), 7, "neither is seen or off");
    }

    /// Written down apart from each other: the simulated shop from the announcements, the calendar by its rule.
    #[test]
    fn the_simulated_shop_has_the_calendars_holidays() {
        let mut beyond = Vec::new();
        for holiday in linli_simulator::holidays::holidays() {
            let days = days_off(holiday.first.year()).expect("days");
            let of_holiday = holiday.first.iter_days().take(holiday.days as usize);
            beyond.extend(of_holiday.filter(|day| !days.contains(day)).map(|day| day.to_string()));
        }
        assert_eq!(beyond, ["2026-02-15"], "the Sunday that was given beyond the rule");
    }
}
