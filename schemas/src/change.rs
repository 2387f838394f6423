//! Debezium's envelope around a row change of the shop, and the rows that the jobs read.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};

use crate::event::{Event, ItemChange, Kind, OrderChange, Record, RefundChange, Reject, cause_of};
use crate::identity::{BinlogPlace, EventKey, Identity};
pub use crate::plain::{KnownRow, parse_known};
use crate::strict::{
    Int, Object, int, int_column, named, object, optional_int, optional_object, optional_time_ms, time_ms,
};
use crate::zone::Zone;
use crate::{CategoryId, CommunityId, EventTime, Money, OrderId, SkuId, Topic, UserId};

/// Debezium's `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Create,
    Update,
    Delete,
    Read,
    Truncate,
}

named!(Op {
    "c" => Op::Create,
    "u" => Op::Update,
    "d" => Op::Delete,
    "r" => Op::Read,
    "t" => Op::Truncate,
});

/// `before, after, op, ts_ms, source`; what else an envelope carries is skipped here and kept on the log.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>"))]
pub struct Envelope<'a, R> {
    #[serde(default = "Option::default", deserialize_with = "optional_object")]
    pub before: Option<R>,
    #[serde(default = "Option::default", deserialize_with = "optional_object")]
    pub after: Option<R>,
    pub op: Op,
    #[serde(default, deserialize_with = "optional_time_ms")]
    pub ts_ms: Option<i64>,
    #[serde(borrow, deserialize_with = "object")]
    pub source: Source<'a>,
    /// The routing column changed: this is half of a move.
    #[serde(default)]
    pub moved: bool,
}

#[derive(Debug, Deserialize)]
pub struct Source<'a> {
    #[serde(borrow)]
    pub server: Cow<'a, str>,
    #[serde(default, borrow)]
    pub table: Cow<'a, str>,
    #[serde(default, borrow)]
    pub file: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "optional_int")]
    pub pos: Option<u64>,
    #[serde(default, deserialize_with = "optional_int")]
    pub row: Option<u64>,
    #[serde(default, borrow)]
    pub gtid: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "time_ms")]
    pub ts_ms: i64,
    /// Debezium writes `true`, `"first"`, `"last"`, `"incremental"`, `"false"` or nothing.
    #[serde(default, deserialize_with = "snapshot_flag")]
    pub snapshot: bool,
    #[serde(default, borrow)]
    pub event_id: Option<Cow<'a, str>>,
}

impl Source<'_> {
    /// Every row of a snapshot bears the place where the snapshot began, so its primary key tells it apart.
    fn snapshot_identity(&self, key: u64) -> Identity {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&hash_of(&self.table).to_le_bytes());
        bytes[8..].copy_from_slice(&key.to_le_bytes());
        Identity::Snapshot(EventKey::new(&bytes, 0))
    }

    fn identity(&self) -> Option<Identity> {
        let row = self.row.unwrap_or(0);
        if let Some(event_id) = &self.event_id {
            return Some(Identity::Event(EventKey::new(event_id.as_bytes(), row as u32)));
        }
        let place = match (&self.gtid, &self.file, self.pos) {
            (Some(gtid), _, _) => {
                let number = gtid.rsplit([':', '-']).next()?.parse().ok()?;
                let source = &gtid[..gtid.rfind([':', '-'])?];
                return Some(Identity::Binlog {
                    server: hash_of(source),
                    place: BinlogPlace { file: number, pos: 0, row },
                });
            }
            (None, Some(file), Some(pos)) => BinlogPlace { file: file.rsplit('.').next()?.parse().ok()?, pos, row },
            _ => return None,
        };
        Some(Identity::Binlog { server: hash_of(&self.server), place })
    }
}

fn hash_of(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// `orders`: the columns that the jobs and the warehouse read.
#[derive(Debug, Deserialize)]
pub struct OrderRow {
    #[serde(deserialize_with = "int")]
    pub order_id: u64,
    #[serde(default, deserialize_with = "int")]
    pub user_id: i64,
    #[serde(default, deserialize_with = "int")]
    pub community_id: i64,
    #[serde(default, deserialize_with = "optional_int")]
    pub leader_id: Option<i64>,
    #[serde(default, deserialize_with = "optional_int")]
    pub status: Option<i64>,
    #[serde(default)]
    pub pay_amount: Option<Decimal>,
    #[serde(default)]
    pub created_at: Option<Instant>,
    #[serde(default)]
    pub paid_at: Option<Instant>,
}

/// `order_items`: the columns that the jobs and the warehouse read.
#[derive(Debug, Deserialize)]
pub struct ItemRow {
    #[serde(deserialize_with = "int")]
    pub item_id: u64,
    #[serde(deserialize_with = "int")]
    pub order_id: u64,
    #[serde(default, deserialize_with = "int")]
    pub community_id: i64,
    #[serde(default, deserialize_with = "int")]
    pub sku_id: i64,
    #[serde(default, deserialize_with = "optional_int")]
    pub category_id: Option<i64>,
    #[serde(default, deserialize_with = "optional_int")]
    pub supplier_id: Option<i64>,
    #[serde(default, deserialize_with = "int_column")]
    pub qty: i64,
    #[serde(default)]
    pub price: Option<Decimal>,
    #[serde(default)]
    pub amount: Option<Decimal>,
}

/// `refunds`: the columns that the jobs read.
#[derive(Debug, Deserialize)]
pub struct RefundRow {
    #[serde(deserialize_with = "int")]
    pub refund_id: u64,
    #[serde(default, deserialize_with = "int")]
    pub order_id: u64,
    #[serde(default, deserialize_with = "int")]
    pub community_id: i64,
    #[serde(default)]
    pub amount: Option<Decimal>,
    #[serde(default)]
    pub refunded_at: Option<Instant>,
}

/// A DECIMAL(p, 2) as Debezium's `decimal.handling.mode=string` writes it, in fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Money);

/// A DATETIME (a number: wall time in ms or µs as if it were UTC) or a TIMESTAMP (text: an instant in UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instant {
    WallMs(i64),
    Utc(EventTime),
}

impl Instant {
    pub fn event_time(self, zone: Zone) -> EventTime {
        match self {
            Instant::WallMs(ms) => zone.from_wall_ms(ms),
            Instant::Utc(at) => at,
        }
    }
}

/// Reads an envelope of any row type. `topic` is for the words of the error.
pub fn parse<'a, R: Deserialize<'a>>(topic: Topic, value: &'a [u8]) -> Result<Envelope<'a, R>, Reject> {
    let Object(envelope) =
        sonic_rs::from_slice::<Object<Envelope<'a, R>>>(value).map_err(|error| malformed(topic, cause_of(&error)))?;
    if envelope.source.event_id.as_ref().is_some_and(|id| id.is_empty()) {
        return Err(malformed(topic, "source.event_id is empty".to_owned()));
    }
    Ok(envelope)
}

fn malformed(topic: Topic, cause: String) -> Reject {
    Reject::Malformed { topic: topic.name(), cause }
}

fn kind<R>(envelope: &Envelope<'_, R>) -> Kind {
    match (envelope.moved, envelope.op) {
        (true, _) => Kind::Moved,
        (false, Op::Delete) => Kind::Deleted,
        (false, _) => Kind::Written,
    }
}

fn record<R>(envelope: &Envelope<'_, R>, event: Event, key: u64, event_time: Option<EventTime>) -> Record {
    let source_time = EventTime(envelope.source.ts_ms);
    let snapshot = envelope.op == Op::Read || envelope.source.snapshot;
    let identity = match snapshot {
        true => Some(envelope.source.snapshot_identity(key)),
        false => envelope.source.identity(),
    };
    Record {
        event,
        event_time: event_time.filter(|_| envelope.op != Op::Delete && !envelope.moved),
        source_time,
        received_at: EventTime(envelope.ts_ms.unwrap_or(envelope.source.ts_ms)),
        identity,
        snapshot_at: snapshot.then_some(source_time),
    }
}

/// The row after the change, or before a delete. `None` for a truncate.
pub(crate) fn row<'e, R>(topic: Topic, envelope: &'e Envelope<'_, R>) -> Result<Option<&'e R>, Reject> {
    match envelope.op {
        Op::Truncate => Ok(None),
        Op::Delete => match &envelope.before {
            Some(before) => Ok(Some(before)),
            None => Err(malformed(topic, "op \"d\" without before".to_owned())),
        },
        _ => match &envelope.after {
            Some(after) => Ok(Some(after)),
            None => Err(malformed(topic, "a written row without after".to_owned())),
        },
    }
}

pub(crate) fn decode_order(value: &[u8], zone: Zone) -> Result<Record, Reject> {
    let envelope: Envelope<'_, OrderRow> = parse_known(Topic::Orders, value)?;
    let Some(order) = row(Topic::Orders, &envelope)? else {
        return Ok(record(&envelope, Event::Ignored, 0, None));
    };
    let paid_at = order.paid_at.map(|at| at.event_time(zone));
    if paid_at.is_some() && order.pay_amount.is_none() && envelope.op != Op::Delete {
        return Err(malformed(Topic::Orders, format!("order {} is paid but has no pay_amount", order.order_id)));
    }
    let change = OrderChange {
        kind: kind(&envelope),
        order_id: OrderId(order.order_id),
        user_id: UserId(order.user_id),
        community_id: CommunityId(order.community_id),
        pay_amount: order.pay_amount.map_or(Money(0), |amount| amount.0),
        paid_at,
        was_paid: envelope.before.as_ref().is_some_and(|before| before.paid_at.is_some()),
    };
    // A later change of a paid order happens at no time that a metric names: it is never late, whenever it was paid.
    let event_time = paid_at.filter(|_| !change.was_paid);
    Ok(record(&envelope, Event::Order(change), order.order_id, event_time))
}

pub(crate) fn decode_item(value: &[u8], _zone: Zone) -> Result<Record, Reject> {
    let envelope: Envelope<'_, ItemRow> = parse_known(Topic::OrderItems, value)?;
    let Some(item) = row(Topic::OrderItems, &envelope)? else {
        return Ok(record(&envelope, Event::Ignored, 0, None));
    };
    let change = ItemChange {
        // A line that came to a new key is written there like any other: it counts when its order is paid there.
        kind: if envelope.op == Op::Delete { kind(&envelope) } else { Kind::Written },
        order_id: OrderId(item.order_id),
        item_id: item.item_id,
        community_id: CommunityId(item.community_id),
        sku_id: SkuId(item.sku_id),
        category_id: CategoryId(item.category_id.unwrap_or(0)),
        quantity: item.qty,
    };
    Ok(record(&envelope, Event::Item(change), item.item_id, None))
}

pub(crate) fn decode_refund(value: &[u8], zone: Zone) -> Result<Record, Reject> {
    let envelope: Envelope<'_, RefundRow> = parse_known(Topic::Refunds, value)?;
    let Some(refund) = row(Topic::Refunds, &envelope)? else {
        return Ok(record(&envelope, Event::Ignored, 0, None));
    };
    let refunded_at = refund.refunded_at.map(|at| at.event_time(zone));
    let change = RefundChange {
        kind: kind(&envelope),
        refund_id: refund.refund_id,
        order_id: OrderId(refund.order_id),
        community_id: CommunityId(refund.community_id),
        amount: refund.amount.map_or(Money(0), |amount| amount.0),
        refunded_at,
        was_refunded: envelope.before.as_ref().is_some_and(|before| before.refunded_at.is_some()),
    };
    let event_time = refunded_at.filter(|_| !change.was_refunded);
    Ok(record(&envelope, Event::Refund(change), refund.refund_id, event_time))
}

fn snapshot_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Flag;
    impl<'de> de::Visitor<'de> for Flag {
        type Value = bool;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a boolean or Debezium's word for a snapshot")
        }
        fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }
        fn visit_str<E>(self, value: &str) -> Result<bool, E> {
            Ok(value != "false")
        }
        fn visit_unit<E>(self) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_none<E>(self) -> Result<bool, E> {
            Ok(false)
        }
    }
    deserializer.deserialize_any(Flag)
}

impl Decimal {
    /// `"12.5"`, `"-0.05"`, `"12"`. More than two decimals are refused unless they are zeros; so are more than 13 digits
    /// before the point, so that thousands of the largest amounts can still be summed in 64 bits.
    pub fn parse(text: &str) -> Option<Decimal> {
        if let Some(fen) = plain_fen(text.as_bytes()) {
            return Some(Decimal(Money(fen)));
        }
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        if whole.is_empty()
            || whole.len() > 13
            || fraction.is_empty()
            || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let (cents, rest) = fraction.split_at(fraction.len().min(2));
        if rest.bytes().any(|b| b != b'0') {
            return None;
        }
        let cents: i64 = match cents.len() {
            0 => 0,
            1 => cents.parse::<i64>().ok()? * 10,
            _ => cents.parse().ok()?,
        };
        let fen = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)?;
        Some(Decimal(Money(if negative { -fen } else { fen })))
    }
}

/// The fen of up to 13 digits, a point and two digits: what a DECIMAL(p, 2) that is not negative always looks like.
fn plain_fen(text: &[u8]) -> Option<i64> {
    let (fraction, whole) = (text.last_chunk::<3>()?, text.len() - 3);
    if fraction[0] != b'.' || !(1..=13).contains(&whole) {
        return None;
    }
    let digits = text[..whole].iter().chain(&fraction[1..]);
    let mut fen = 0;
    for digit in digits.map(|byte| byte.wrapping_sub(b'0')) {
        if digit > 9 {
            return None;
        }
        fen = fen * 10 + i64::from(digit);
    }
    Some(fen)
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        struct Text;
        impl<'de> de::Visitor<'de> for Text {
            type Value = Decimal;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a decimal as text with at most two decimals")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Instant;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("milliseconds of a DATETIME, or a TIMESTAMP in UTC")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Instant, E> {
                wall_ms(value)
                    .map(Instant::WallMs)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(value), &self))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Instant, E> {
                let signed =
                    i64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))?;
                self.visit_i64(signed)
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Instant, E> {
                let Int(whole) = Int::<i64>::deserialize(de::value::F64Deserializer::new(value))?;
                self.visit_i64(whole)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
                parse_utc(text).map(Instant::Utc).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// DATETIME up to (3) comes in ms, above in µs; business times lie between 1971 and 5138 in ms.
/// Years 1 to 9999, as a DATETIME has them.
pub(crate) fn wall_ms(value: i64) -> Option<i64> {
    const MS_MAX: u64 = 100_000_000_000_000;
    const US: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
    if !US.contains(&value) {
        return None;
    }
    Some(if value.unsigned_abs() >= MS_MAX { value.div_euclid(1000) } else { value })
}

/// `2026-11-01T00:00:00.123Z`, with up to nine decimals of the second; those after the third are cut.
pub fn parse_utc(text: &str) -> Option<EventTime> {
    let b = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let mut n = 0i64;
        for byte in b.get(from..to)? {
            n = n * 10 + i64::from(byte.checked_sub(b'0').filter(|d| *d < 10)?);
        }
        Some(n)
    };
    let separators = b.get(4) == Some(&b'-')
        && b.get(7) == Some(&b'-')
        && b.get(10) == Some(&b'T')
        && b.get(13) == Some(&b':')
        && b.get(16) == Some(&b':');
    if !separators {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let (fraction, rest) = match b.get(19) {
        Some(b'.') => {
            let digits = b[20..].iter().take_while(|c| c.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            let ms = number(20, 20 + digits.min(3))? * [0, 100, 10, 1][digits.min(3)];
            (ms, &b[20 + digits..])
        }
        _ => (0, &b[19..]),
    };
    let valid = (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    if rest != b"Z" || !valid || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some(EventTime((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fraction))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
