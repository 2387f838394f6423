//! Days and times: from the packed forms of the log and from text, to the numbers and texts of Debezium.

use crate::bytes::{be, le};
use crate::decoder::WarningKind;
use crate::error::{DecodeError, Result};
use crate::escape::{Form, quote};
use crate::table_map::column_type;
use crate::value::Outcome;
use crate::value::number::write_int;

const DAY_US: i64 = 86_400_000_000;

/// Wall time as the server holds it, which may be no day of any calendar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wall {
    pub year: u32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micros: u32,
}

impl Wall {
    /// Days since the epoch, or why there are none.
    fn days(&self) -> Result<i64, WarningKind> {
        if self.year == 0 && self.month == 0 && self.day == 0 {
            return Err(WarningKind::ZeroDate);
        }
        // Year 0 is none of the servers' calendar: their days begin with year 1.
        let valid = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && self.day >= 1
            && (self.day <= 28 || self.day <= days_of_month(self.year, self.month));
        if valid { Ok(days_from_civil(self.year, self.month, self.day)) } else { Err(WarningKind::ImpossibleDate) }
    }

    fn micros_since_epoch(&self) -> Result<i64, WarningKind> {
        let days = self.days()?;
        if self.hour > 23 || self.minute > 59 || self.second > 59 || self.micros > 999_999 {
            return Err(WarningKind::ImpossibleDate);
        }
        let seconds = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        Ok(days * DAY_US + seconds * 1_000_000 + i64::from(self.micros))
    }
}

#[inline]
fn days_of_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of the Gregorian calendar, extended backwards to year 1.
#[inline]
fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    const BEFORE_EPOCH: i64 = 719_469; // from the first of March of year 0, and one more since days begin with 1
    let (year, of_year) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * of_year + 2) / 5 + day;
    i64::from(days) - BEFORE_EPOCH
}

fn civil_from_days(days: i64) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

/// Days since the epoch.
pub(crate) fn write_date(wall: &Wall, out: &mut Vec<u8>) -> Outcome {
    match wall.days() {
        Ok(days) => {
            write_int(days, out);
            Outcome::Written
        }
        Err(kind) => Outcome::Null(kind),
    }
}

/// The wall time taken as UTC: milliseconds since the epoch up to three digits of a second, microseconds above.
pub(crate) fn write_datetime(wall: &Wall, fsp: u8, out: &mut Vec<u8>) -> Outcome {
    match wall.micros_since_epoch() {
        Ok(micros) => {
            write_int(if fsp <= 3 { micros.div_euclid(1000) } else { micros }, out);
            Outcome::Written
        }
        Err(kind) => Outcome::Null(kind),
    }
}

/// An instant as text in UTC, with as many digits of a second as the column has.
pub(crate) fn write_timestamp(seconds: u32, micros: u32, fsp: u8, form: Form, out: &mut Vec<u8>) -> Outcome {
    if seconds == 0 {
        return Outcome::Null(WarningKind::ZeroDate);
    }
    write_instant(&instant(seconds, micros), fsp, form, out);
    Outcome::Written
}

/// The wall time of UTC.
pub(crate) fn instant(seconds: u32, micros: u32) -> Wall {
    let (year, month, day) = civil_from_days(i64::from(seconds / 86_400));
    let of_day = seconds % 86_400;
    Wall { year, month, day, hour: of_day / 3600, minute: of_day / 60 % 60, second: of_day % 60, micros }
}

fn write_instant(wall: &Wall, fsp: u8, form: Form, out: &mut Vec<u8>) {
    quote(form, out);
    let digits = |value: u32, count: u32| b'0' + (value / 10u32.pow(count) % 10) as u8;
    let two = |value: u32| [digits(value, 1), digits(value, 0)];
    let ([y1, y2], [y3, y4]) = (two(wall.year / 100), two(wall.year));
    let ([mo1, mo2], [d1, d2]) = (two(wall.month), two(wall.day));
    let ([h1, h2], [mi1, mi2], [s1, s2]) = (two(wall.hour), two(wall.minute), two(wall.second));
    out.extend_from_slice(&[y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2]);
    if fsp > 0 {
        out.push(b'.');
        out.extend((0..u32::from(fsp.min(6))).map(|index| digits(wall.micros, 5 - index)));
    }
    out.push(b'Z');
    quote(form, out);
}

/// A SELECT's TIMESTAMP in a session of zone `+00:00`.
pub(crate) fn write_timestamp_text(wall: &Wall, fsp: u8, form: Form, out: &mut Vec<u8>) -> Outcome {
    match wall.micros_since_epoch() {
        Ok(_) => {
            write_instant(wall, fsp, form, out);
            Outcome::Written
        }
        Err(kind) => Outcome::Null(kind),
    }
}

/// Digits of a second behind the whole ones: two a byte.
pub(crate) fn fraction_len(fsp: u8) -> usize {
    usize::from(fsp.div_ceil(2))
}

fn fraction_micros(bytes: &[u8]) -> u32 {
    const UNIT: [u32; 4] = [0, 10_000, 100, 1];
    be(bytes) as u32 * UNIT.get(bytes.len()).copied().unwrap_or(0)
}

pub(crate) fn date(bytes: &[u8]) -> Wall {
    let packed = le(bytes) as u32;
    Wall { year: packed >> 9, month: packed >> 5 & 15, day: packed & 31, ..Wall::default() }
}

/// Year and month, day, hour, minute, second in 40 bits; then the fraction.
pub(crate) fn datetime2(bytes: &[u8]) -> Wall {
    let (whole, fraction) = bytes.split_at(bytes.len().min(5));
    let mut wall = packed_datetime(be(whole) as i64 - 0x80_0000_0000);
    wall.micros = fraction_micros(fraction);
    wall
}

/// The whole part of MySQL's packed form.
pub(crate) fn packed_datetime(packed: i64) -> Wall {
    let Ok(packed) = u64::try_from(packed) else {
        return Wall { month: 99, ..Wall::default() }; // before all days: none of any calendar
    };
    let (days, time) = (packed >> 17, packed & 0x1_ffff);
    let months = days >> 5;
    Wall {
        year: u32::try_from(months / 13).unwrap_or(u32::MAX),
        month: (months % 13) as u32,
        day: (days & 31) as u32,
        hour: (time >> 12) as u32,
        minute: (time >> 6 & 63) as u32,
        second: (time & 63) as u32,
        micros: 0,
    }
}

/// Before MySQL 5.6: the digits yyyymmddhhmmss as one number.
pub(crate) fn old_datetime(bytes: &[u8]) -> Wall {
    let digits = le(bytes);
    let two = |at: u64| (digits / at % 100) as u32;
    Wall {
        year: (digits / 10_000_000_000 % 1_000_000) as u32,
        month: two(100_000_000),
        day: two(1_000_000),
        hour: two(10_000),
        minute: two(100),
        second: two(1),
        micros: 0,
    }
}

fn unit(fsp: u8) -> u64 {
    10u64.pow(6 - u32::from(fsp.min(6)))
}

/// MariaDB without `mysql56_temporal_format`: everything as one number of the smallest unit.
pub(crate) fn mariadb_datetime(bytes: &[u8], fsp: u8) -> Wall {
    let unit = unit(fsp);
    let number = be(bytes);
    let (seconds, part) = (number / (1_000_000 / unit), number % (1_000_000 / unit));
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, months) = (hours / 24, hours / 24 / 32);
    Wall {
        year: u32::try_from(months / 13).unwrap_or(u32::MAX),
        month: (months % 13) as u32,
        day: (days % 32) as u32,
        hour: (hours % 24) as u32,
        minute: (minutes % 60) as u32,
        second: (seconds % 60) as u32,
        micros: (part * unit) as u32,
    }
}

pub(crate) fn mariadb_datetime_len(fsp: u8) -> usize {
    [8, 6, 6, 7, 7, 7, 8].get(usize::from(fsp)).copied().unwrap_or(8)
}

pub(crate) fn mariadb_time_len(fsp: u8) -> usize {
    [3, 4, 4, 5, 5, 5, 6].get(usize::from(fsp)).copied().unwrap_or(6)
}

/// Microseconds of a TIME, likewise.
pub(crate) fn mariadb_time(bytes: &[u8], fsp: u8) -> i64 {
    const BEYOND: i64 = 3_020_400_000_000; // one second over 838:59:59
    be(bytes) as i64 * unit(fsp) as i64 - BEYOND
}

/// Seconds and microseconds of a TIMESTAMP, likewise.
pub(crate) fn mariadb_timestamp(bytes: &[u8], fsp: u8) -> (u32, u32) {
    let (seconds, part) = bytes.split_at(bytes.len().min(4));
    (be(seconds) as u32, (be(part) * unit(fsp)) as u32)
}

pub(crate) fn timestamp2(bytes: &[u8]) -> (u32, u32) {
    let (seconds, fraction) = bytes.split_at(bytes.len().min(4));
    (be(seconds) as u32, fraction_micros(fraction))
}

/// Microseconds of a TIME before MySQL 5.6: the digits hhmmss as one signed number.
pub(crate) fn old_time(bytes: &[u8]) -> i64 {
    let digits = super::number::signed(bytes);
    let seconds = digits / 10_000 * 3600 + digits / 100 % 100 * 60 + digits % 100;
    seconds * 1_000_000
}

/// Microseconds of a TIME. The fraction is part of one signed number with the whole, so that a negative time with a fraction
/// has a whole part that is one too low.
pub(crate) fn time2(bytes: &[u8]) -> i64 {
    let (whole, fraction) = bytes.split_at(bytes.len().min(3));
    let bits = 8 * fraction.len() as u32;
    let biased = (be(whole) as i64) << bits | be(fraction) as i64;
    let value = biased - (0x80_0000 << bits);
    let (whole, fraction) = (value.abs() >> bits, value.abs() & ((1 << bits) - 1));
    const UNIT: [i64; 4] = [0, 10_000, 100, 1];
    let unit = UNIT.get(bytes.len().saturating_sub(3)).copied().unwrap_or(0);
    let seconds = (whole >> 12 & 0x3ff) * 3600 + (whole >> 6 & 63) * 60 + (whole & 63);
    (seconds * 1_000_000 + fraction * unit) * value.signum()
}

fn not_a_time(text: &[u8]) -> DecodeError {
    DecodeError::invalid("day or time", format!("{:?}", String::from_utf8_lossy(text)))
}

fn number(text: &[u8]) -> Option<u32> {
    let valid = !text.is_empty() && text.len() <= 9 && text.iter().all(u8::is_ascii_digit);
    valid.then(|| text.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

/// Microseconds of the digits behind the point.
fn fraction(text: Option<&[u8]>) -> Option<u32> {
    match text {
        None => Some(0),
        Some(digits) if digits.len() <= 6 => Some(number(digits)? * 10u32.pow(6 - digits.len() as u32)),
        Some(_) => None,
    }
}

/// `YYYY-MM-DD`, `YYYY-MM-DD hh:mm:ss[.ffffff]`
pub(crate) fn parse_wall(text: &[u8]) -> Result<Wall> {
    parse_wall_opt(text).ok_or_else(|| not_a_time(text))
}

fn parse_wall_opt(text: &[u8]) -> Option<Wall> {
    let mut halves = text.splitn(2, |byte| *byte == b' ');
    let mut date = halves.next()?.splitn(3, |byte| *byte == b'-');
    let (year, month, day) = (number(date.next()?)?, number(date.next()?)?, number(date.next()?)?);
    let mut wall = Wall { year, month, day, ..Wall::default() };
    if let Some(time) = halves.next() {
        (wall.hour, wall.minute, wall.second, wall.micros) = parse_clock(time)?;
    }
    Some(wall)
}

fn parse_clock(text: &[u8]) -> Option<(u32, u32, u32, u32)> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let mut clock = parts.next()?.splitn(3, |byte| *byte == b':');
    let (hour, minute, second) = (number(clock.next()?)?, number(clock.next()?)?, number(clock.next()?)?);
    Some((hour, minute, second, fraction(parts.next())?))
}

/// Microseconds of `[-]hhh:mm:ss[.ffffff]`.
pub(crate) fn parse_time(text: &[u8]) -> Result<i64> {
    let (negative, clock) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (hour, minute, second, micros) = parse_clock(clock).ok_or_else(|| not_a_time(text))?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let total = seconds * 1_000_000 + i64::from(micros);
    Ok(if negative { -total } else { total })
}

/// A day or time inside of MySQL's JSON, as its SELECT shows it.
pub(crate) fn write_packed(packed: i64, kind: u8, out: &mut Vec<u8>) {
    let (whole, micros) = (packed.unsigned_abs() >> 24, packed.unsigned_abs() & 0xff_ffff);
    let text = if kind == column_type::TIME {
        let sign = if packed < 0 { "-" } else { "" };
        let (hour, minute, second) = (whole >> 12 & 0x3ff, whole >> 6 & 63, whole & 63);
        format!("{sign}{hour:02}:{minute:02}:{second:02}.{micros:06}")
    } else {
        let wall = packed_datetime(whole as i64);
        let day = format!("{:04}-{:02}-{:02}", wall.year, wall.month, wall.day);
        if kind == column_type::DATE {
            day
        } else {
            format!("{day} {:02}:{:02}:{:02}.{micros:06}", wall.hour, wall.minute, wall.second)
        }
    };
    out.extend_from_slice(text.as_bytes());
}
