//! Public holidays: what everybody knows ahead, and what they do to demand.

use chrono::NaiveDate;

/// A run of days off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holiday {
    pub name: &'static str,
    pub name_en: &'static str,
    pub first: NaiveDate,
    pub days: i64,
}

/// Where a day lies against the nearest holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Season {
    Ordinary,
    /// So many days before one of so many days: people stock up.
    Before {
        days: i64,
        length: i64,
    },
    /// Within one: people are away.
    During {
        length: i64,
    },
}

/// Days before a holiday on which people stock up.
const STOCKING_UP_DAYS: i64 = 6;
/// A long holiday; the effects of shorter ones are less, in proportion.
const LONG_DAYS: f64 = 8.0;
/// On the eve of a long holiday, and within it, as logarithms.
const EVE: f64 = 0.40;
const AWAY: f64 = -0.45;

/// (year, month, day, days, Chinese, English): as the calendars of the years announced them.
const HOLIDAYS: [(i32, u32, u32, i64, &str, &str); 15] = [
    (2025, 1, 1, 1, "元旦", "New Year"),
    (2025, 1, 28, 8, "春节", "Spring Festival"),
    (2025, 4, 4, 3, "清明", "Qingming"),
    (2025, 5, 1, 5, "劳动节", "Labour Day"),
    (2025, 5, 31, 3, "端午", "Dragon Boat"),
    (2025, 10, 1, 8, "国庆中秋", "National Day and Mid-Autumn"),
    (2026, 1, 1, 3, "元旦", "New Year"),
    (2026, 2, 15, 9, "春节", "Spring Festival"),
    (2026, 4, 4, 3, "清明", "Qingming"),
    (2026, 5, 1, 5, "劳动节", "Labour Day"),
    (2026, 6, 19, 3, "端午", "Dragon Boat"),
    (2026, 9, 25, 3, "中秋", "Mid-Autumn"),
    (2026, 10, 1, 7, "国庆", "National Day"),
    (2027, 1, 1, 3, "元旦", "New Year"),
    (2027, 2, 5, 8, "春节", "Spring Festival"),
];

/// All that are known.
pub fn holidays() -> impl Iterator<Item = Holiday> {
    HOLIDAYS.into_iter().filter_map(|(year, month, day, days, name, name_en)| {
        let first = NaiveDate::from_ymd_opt(year, month, day)?;
        Some(Holiday { name, name_en, first, days })
    })
}

/// The season of a day.
pub(crate) fn season(date: NaiveDate) -> Season {
    for holiday in holidays() {
        let ahead = (holiday.first - date).num_days();
        if (1..=STOCKING_UP_DAYS).contains(&ahead) {
            return Season::Before { days: ahead, length: holiday.days };
        }
        if (1 - holiday.days..=0).contains(&ahead) {
            return Season::During { length: holiday.days };
        }
    }
    Season::Ordinary
}

impl Season {
    /// What an ordinary day's demand is multiplied by; `strength` is how much goods of a kind follow it.
    pub(crate) fn factor(self, strength: f64) -> f64 {
        let size = |length: i64| (length as f64 / LONG_DAYS).min(1.0).powf(0.7);
        let effect = match self {
            Season::Ordinary => 0.0,
            Season::Before { days, length } => EVE * size(length) * 0.72_f64.powi(days as i32 - 1),
            Season::During { length } => AWAY * size(length),
        };
        (effect * strength).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_rises_before_a_holiday_and_falls_within() {
        let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day).expect("a date");
        assert_eq!(season(day(2, 14)), Season::Before { days: 1, length: 9 });
        assert_eq!(
            (season(day(2, 15)), season(day(2, 23))),
            (Season::During { length: 9 }, Season::During { length: 9 })
        );
        assert_eq!((season(day(2, 24)), season(day(2, 8))), (Season::Ordinary, Season::Ordinary));
        let of = |date| season(date).factor(1.0);
        assert!(of(day(2, 14)) > of(day(2, 11)) && of(day(2, 11)) > 1.0);
        assert!(of(day(2, 16)) < of(day(1, 2)) && of(day(1, 2)) < 1.0, "a short one empties the city less");
    }
}
