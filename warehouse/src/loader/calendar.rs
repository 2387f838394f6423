//! Local dates and hours of instants, for the columns that reports group by.

use linli_schemas::EventTime;
use linli_schemas::zone::{DAY_MS, HOUR_MS, Zone};

/// What the warehouse's `Date` can hold: 1970-01-01 to 2149-06-06, of which a day at each end is kept for the zone.
const SPAN_MS: std::ops::RangeInclusive<i64> = DAY_MS..=65_534 * DAY_MS;
/// Zones change their offset on quarters of an hour of UTC since 1973.
const SLOT_MS: i64 = HOUR_MS / 4;
const SLOTS_FROM: i64 = 3 * 365 * DAY_MS;

/// A local date and hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    /// Days since 1970-01-01.
    pub date: u16,
    pub hour: u8,
    pub weekend: bool,
}

/// Computes them, remembering the offset of the quarter of an hour that was asked for last: records come in order of time.
#[derive(Debug)]
pub(super) struct Calendar {
    zone: Zone,
    slot: i64,
    offset: i64,
}

impl Calendar {
    pub fn new(zone: Zone) -> Calendar {
        Calendar { zone, slot: i64::MIN, offset: 0 }
    }

    /// `None` for an instant that the warehouse's dates cannot hold.
    pub fn local(&mut self, at: EventTime) -> Option<Local> {
        if !SPAN_MS.contains(&at.0) {
            return None;
        }
        let slot = at.0.div_euclid(SLOT_MS);
        if slot != self.slot || at.0 < SLOTS_FROM {
            self.slot = slot;
            self.offset = self.zone.to_wall_ms(at) - at.0;
        }
        let wall = at.0 + self.offset;
        let day = wall.div_euclid(DAY_MS);
        Some(Local {
            date: u16::try_from(day).ok()?,
            hour: u8::try_from(wall.rem_euclid(DAY_MS) / HOUR_MS).ok()?,
            // 1970-01-01 was a Thursday.
            weekend: (day + 3).rem_euclid(7) >= 5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_calendar_of_the_zone(at in SPAN_MS, step in -40 * 60_000i64..40 * 60_000) {
            for name in ["Asia/Shanghai", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
                let zone = Zone::parse(name).expect("a zone");
                let mut calendar = Calendar::new(zone);
                for at in [at, (at + step).clamp(*SPAN_MS.start(), *SPAN_MS.end())] {
                    let local = calendar.local(EventTime(at)).expect("in the span");
                    prop_assert_eq!(i32::from(local.date), zone.day_number(EventTime(at)), "{} {}", name, at);
                    let wall = zone.to_wall_ms(EventTime(at));
                    prop_assert_eq!(i64::from(local.hour), wall.rem_euclid(DAY_MS) / HOUR_MS);
                }
            }
        }
    }

    #[test]
    fn knows_weekends_and_refuses_what_a_date_cannot_hold() {
        let mut calendar = Calendar::new(Zone::SHANGHAI);
        // Sunday 2026-11-01 00:30 in Shanghai is still Saturday in UTC.
        let sunday = calendar.local(EventTime(1_793_464_200_000)).expect("in the span");
        assert_eq!((sunday.date, sunday.hour, sunday.weekend), (20_758, 0, true));
        let monday = calendar.local(EventTime(1_793_464_200_000 + DAY_MS)).expect("in the span");
        assert!(!monday.weekend);
        for at in [0, -1, i64::MAX, i64::MIN, 65_536 * DAY_MS] {
            assert_eq!(calendar.local(EventTime(at)), None);
        }
    }
}
