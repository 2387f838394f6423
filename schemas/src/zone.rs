//! The business's calendar: local days and wall time.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::EventTime;

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

#[derive(Debug, thiserror::Error)]
#[error("time zone \"{name}\" is not in the IANA database")]
pub struct UnknownZone {
    pub name: String,
}

/// The zone in which days begin and in which the shop writes its wall times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    pub const SHANGHAI: Zone = Zone(chrono_tz::Asia::Shanghai);
    pub const UTC: Zone = Zone(chrono_tz::UTC);

    pub fn parse(name: &str) -> Result<Zone, UnknownZone> {
        name.parse().map(Zone).map_err(|_| UnknownZone { name: name.to_owned() })
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The half-open local day `[start, end)` around an instant. 23 or 25 hours long where the clocks change.
    pub fn day_of(self, at: EventTime) -> (EventTime, EventTime) {
        let local = self.0.from_utc_datetime(&utc(at).naive_utc());
        let date = local.date_naive();
        let next = date.succ_opt().unwrap_or(date);
        (self.midnight(date), self.midnight(next))
    }

    /// The instant at which a local date begins: the first that exists where midnight itself does not.
    pub fn midnight(self, date: NaiveDate) -> EventTime {
        self.instant(date.and_time(NaiveTime::MIN))
    }

    /// The instant of a local wall time: the earlier of two where the clocks went back,
    /// the first after the gap where they went forward.
    pub fn instant(self, wall: NaiveDateTime) -> EventTime {
        let mut probe = wall;
        for _ in 0..=48 {
            match self.0.from_local_datetime(&probe) {
                LocalResult::Single(at) => return EventTime(at.timestamp_millis()),
                LocalResult::Ambiguous(earlier, _) => return EventTime(earlier.timestamp_millis()),
                LocalResult::None => probe += chrono::Duration::minutes(30),
            }
        }
        EventTime(wall.and_utc().timestamp_millis())
    }

    /// A wall time as Debezium writes a DATETIME (milliseconds as if it were UTC) as an instant.
    pub fn from_wall_ms(self, wall_ms: i64) -> EventTime {
        self.instant(utc(EventTime(wall_ms)).naive_utc())
    }

    /// An instant as Debezium writes a DATETIME of this zone.
    pub fn to_wall_ms(self, at: EventTime) -> i64 {
        let local = self.0.from_utc_datetime(&utc(at).naive_utc());
        local.naive_local().and_utc().timestamp_millis()
    }

    /// The wall time of an instant, as in `2026-11-01 08:00:00`.
    pub fn wall_text(self, at: EventTime) -> String {
        self.0.from_utc_datetime(&utc(at).naive_utc()).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The local date of an instant.
    pub fn date_of(self, at: EventTime) -> NaiveDate {
        self.0.from_utc_datetime(&utc(at).naive_utc()).date_naive()
    }

    /// Days since 1970-01-01 of the local date of an instant.
    pub fn day_number(self, at: EventTime) -> i32 {
        self.date_of(at).to_epoch_days()
    }
}

fn utc(at: EventTime) -> DateTime<Utc> {
    // Instants outside chrono's range (year ±262,000) are cut to the epoch; decoding refuses them before.
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}
