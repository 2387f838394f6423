//! Days off as the settings name them.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::failure::{Failure, Kind, Outcome};

/// Longest range: a typing error in a year is not a holiday of a hundred years.
const DAYS_MAX: usize = 60;

/// `2026-10-01` and `2026-10-01..2026-10-07`.
pub fn parse(settings: &[String]) -> Outcome<BTreeSet<NaiveDate>> {
    let mut days = BTreeSet::new();
    for setting in settings {
        let wrong = |cause: &str| {
            Failure::new(Kind::Config, format!("forecast.holidays: \"{setting}\" {cause}"))
                .hint("write days as 2026-10-01 and ranges as 2026-10-01..2026-10-07")
        };
        let (first, last) = setting.split_once("..").unwrap_or((setting, setting));
        let date = |text: &str| text.trim().parse::<NaiveDate>().map_err(|_| wrong("is no date"));
        let (first, last) = (date(first)?, date(last)?);
        let found: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).take(DAYS_MAX + 1).collect();
        if found.is_empty() {
            return Err(wrong("ends before it begins"));
        }
        if found.len() > DAYS_MAX {
            return Err(wrong("is longer than 60 days"));
        }
        days.extend(found);
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_ranges_are_read_and_nonsense_is_refused() {
        let days = parse(&["2026-10-01..2026-10-07".to_owned(), "2026-05-01".to_owned()]).expect("days");
        assert_eq!(days.len(), 8);
        for wrong in ["tomorrow", "2026-10-07..2026-10-01", "2026-10-01..2062-10-07", ""] {
            let error = parse(&[wrong.to_owned()]).expect_err(wrong);
            assert!(error.message.contains("forecast.holidays") && error.hint.is_some(), "{error}");
        }
    }
}
