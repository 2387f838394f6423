//! When a supplier takes orders and when the goods are on sale.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

/// Days that are looked through for the next one on which a supplier works: a week holds every weekday.
const WEEK: u64 = 7;

/// Days of the week; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    pub const ALL: Weekdays = Weekdays(0x7f);

    /// `None` for no day.
    pub fn of(days: &[Weekday]) -> Option<Weekdays> {
        let bits = days.iter().fold(0, |bits, day| bits | 1 << day.num_days_from_monday());
        (bits != 0).then_some(Weekdays(bits))
    }

    /// `1234567` is every day, `135` Monday, Wednesday and Friday; `None` for anything else.
    pub fn parse(text: &str) -> Option<Weekdays> {
        let mut bits = 0;
        for digit in text.chars() {
            let number = digit.to_digit(10).filter(|number| (1..=7).contains(number))?;
            bits |= 1 << (number - 1);
        }
        (bits != 0).then_some(Weekdays(bits))
    }

    pub fn holds(self, date: NaiveDate) -> bool {
        self.0 & (1 << date.weekday().num_days_from_monday()) != 0
    }
}

/// A supplier's calendar: on which days orders are taken and delivered, until when, and how long goods take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    pub order_days: Weekdays,
    pub delivery_days: Weekdays,
    /// Local time until which an order of the day is taken; before noon: of the morning after.
    pub cut_off: NaiveTime,
    /// Goods ordered on a day can be sold so many days later, from the opening on; at least 1.
    pub lead_days: u32,
}

/// What an order placed on a day must last for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The day of the order: this one, or the next on which the supplier takes orders.
    pub order_on: NaiveDate,
    /// The first day on which the goods can be sold.
    pub arrives_on: NaiveDate,
    /// The last day before the goods of the next order.
    pub until: NaiveDate,
}

impl Cover {
    /// Days of demand to be covered, from the day after `date` on.
    pub fn days_after(&self, date: NaiveDate) -> u32 {
        days_between(date, self.until)
    }
}

/// Days from `from` to `to`; 0 where `to` is not later.
pub fn days_between(from: NaiveDate, to: NaiveDate) -> u32 {
    u32::try_from((to - from).num_days()).unwrap_or(0)
}

/// The date so many days later; the end of the calendar where there is none.
pub fn later(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}

impl Calendar {
    /// For an order decided at the close of `date`.
    pub fn cover(&self, date: NaiveDate) -> Cover {
        let order_on = next(self.order_days, date);
        let following = next(self.order_days, later(order_on, 1));
        let arrives_on = self.arrival(order_on);
        // Goods of two orders may come on one day: then the second adds nothing to wait for.
        let next_arrival = self.arrival(following).max(later(arrives_on, 1));
        Cover { order_on, arrives_on, until: next_arrival.pred_opt().unwrap_or(next_arrival) }
    }

    /// The local time until which an order of a day is taken.
    pub fn must_order_by(&self, order_on: NaiveDate) -> NaiveDateTime {
        let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
        let day = if self.cut_off < noon { later(order_on, 1) } else { order_on };
        day.and_time(self.cut_off)
    }

    fn arrival(&self, ordered_on: NaiveDate) -> NaiveDate {
        next(self.delivery_days, later(ordered_on, self.lead_days.max(1)))
    }
}

/// The first of these days at or after `date`.
fn next(days: Weekdays, date: NaiveDate) -> NaiveDate {
    (0..WEEK).filter_map(|more| date.checked_add_days(Days::new(more))).find(|date| days.holds(*date)).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a date")
    }

    fn calendar(order_days: &str, delivery_days: &str, lead_days: u32) -> Calendar {
        let days = |text| Weekdays::parse(text).expect("days");
        Calendar {
            order_days: days(order_days),
            delivery_days: days(delivery_days),
            cut_off: NaiveTime::MIN,
            lead_days,
        }
    }

    #[test]
    fn an_order_of_every_evening_lasts_until_that_of_the_next_evening_arrives() {
        // 2 March 2026 is a Monday
        let cover = calendar("1234567", "1234567", 2).cover(day(2));
        assert_eq!(cover, Cover { order_on: day(2), arrives_on: day(4), until: day(4) });
        assert_eq!(cover.days_after(day(2)), 2);
    }

    #[test]
    fn days_on_which_a_supplier_does_not_work_are_waited_for() {
        let cover = calendar("135", "1234567", 1).cover(day(3));
        assert_eq!(cover, Cover { order_on: day(4), arrives_on: day(5), until: day(6) });
        // two orders that come together: what was ordered first lasts at least the day on which it comes
        let cover = calendar("1234567", "5", 1).cover(day(2));
        assert_eq!((cover.arrives_on, cover.until), (day(6), day(6)));
    }

    #[test]
    fn a_cut_off_in_the_morning_is_that_of_the_morning_after() {
        let at = |hour| {
            let cut_off = NaiveTime::from_hms_opt(hour, 30, 0).expect("a time");
            let text = Calendar { cut_off, ..calendar("1234567", "1234567", 1) }.must_order_by(day(2)).to_string();
            text[8..16].to_owned()
        };
        assert_eq!((at(22), at(12), at(3)), ("02 22:30".into(), "02 12:30".into(), "03 03:30".into()));
    }

    #[test]
    fn weekdays_are_numbers_from_monday() {
        assert_eq!(Weekdays::parse("67"), Weekdays::of(&[Weekday::Sat, Weekday::Sun]));
        for wrong in ["", "8", "0", "1,2", "Mo"] {
            assert_eq!(Weekdays::parse(wrong), None, "{wrong}");
        }
    }
}
