//! What admitted records change, as an epoch's delta writes it.
//!
//! The state is a fold of these changes and of the ends of epochs alone. So the delta of an epoch is the list of its
//! changes, a few bytes each, and a task restored from them is the live one by construction, whichever way the jobs
//! keep their state.

use linli_schemas::event::{ActorId, BuyersPart};
use linli_schemas::{EventTime, UserId};

use crate::admission::seen::SeenKey;
use crate::codec::{Damaged, Reader, Writer};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// A record without an effect of its own, to be known when it comes again. `topic` is its place in the inputs.
    Seen {
        topic: u8,
        key: SeenKey,
    },
    Paid(Payment),
    Line(LineChange),
    Refunded(Refund),
    Visited(Visit),
    Bought(BuyersPart),
}

/// An order newly paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) order_id: u64,
    pub(crate) user_id: i64,
    pub(crate) community_id: i64,
    /// In fen.
    pub(crate) amount: i64,
    pub(crate) paid_at: i64,
}

/// The newest row of an order's line, or that it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineChange {
    pub(crate) order_id: u64,
    pub(crate) item_id: u64,
    pub(crate) sku_id: i64,
    pub(crate) category_id: i64,
    pub(crate) quantity: i32,
    pub(crate) deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) refund_id: u64,
    pub(crate) community_id: i64,
    /// In fen.
    pub(crate) amount: i64,
    pub(crate) refunded_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) key: Option<SeenKey>,
    pub(crate) actor: ActorId,
    pub(crate) community_id: i64,
    pub(crate) at: i64,
}

/// What neighbouring changes share is written as a difference.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    at: i64,
    order_id: u64,
}

impl Last {
    fn at(&mut self, out: &mut Writer, at: i64) {
        out.i64(at.wrapping_sub(self.at));
        self.at = at;
    }

    fn order(&mut self, out: &mut Writer, id: u64) {
        out.i64(id.wrapping_sub(self.order_id) as i64);
        self.order_id = id;
    }

    fn read_at(&mut self, reader: &mut Reader<'_>) -> Result<i64, Damaged> {
        self.at = self.at.wrapping_add(reader.i64()?);
        Ok(self.at)
    }

    fn read_order(&mut self, reader: &mut Reader<'_>) -> Result<u64, Damaged> {
        self.order_id = self.order_id.wrapping_add(reader.i64()? as u64);
        Ok(self.order_id)
    }
}

const SEEN: u8 = 0;
const PAID: u8 = 1;
const LINE: u8 = 2;
const LINE_GONE: u8 = 3;
const REFUNDED: u8 = 4;
const VISITED: u8 = 5;
const VISITED_WITHOUT_KEY: u8 = 6;
const VISITED_BY_ANYONE: u8 = 7;
const BOUGHT: u8 = 8;

/// The changes of one epoch so far.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    out: Writer,
    last: Last,
}

impl Journal {
    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).out.into_bytes()
    }

    pub(crate) fn write(&mut self, change: &Change) {
        let (out, last) = (&mut self.out, &mut self.last);
        match change {
            Change::Seen { topic, key } => {
                out.byte(SEEN);
                out.byte(*topic);
                key.save(out);
            }
            Change::Paid(order) => {
                out.byte(PAID);
                last.order(out, order.order_id);
                out.i64(order.user_id);
                out.i64(order.community_id);
                out.i64(order.amount);
                last.at(out, order.paid_at);
            }
            Change::Line(line) => {
                out.byte(if line.deleted { LINE_GONE } else { LINE });
                last.order(out, line.order_id);
                out.u64(line.item_id);
                out.i64(line.sku_id);
                out.i64(line.category_id);
                out.i64(i64::from(line.quantity));
            }
            Change::Refunded(refund) => {
                out.byte(REFUNDED);
                out.u64(refund.refund_id);
                out.i64(refund.community_id);
                out.i64(refund.amount);
                last.at(out, refund.refunded_at);
            }
            Change::Visited(visit) => write_visit(out, last, visit),
            Change::Bought(part) => write_part(out, last, part),
        }
    }
}

fn write_visit(out: &mut Writer, last: &mut Last, visit: &Visit) {
    match (visit.key, u64::try_from(visit.actor.0)) {
        (Some(key), Ok(user)) => {
            out.byte(VISITED);
            key.save(out);
            out.u64(user);
        }
        (None, Ok(user)) => {
            out.byte(VISITED_WITHOUT_KEY);
            out.u64(user);
        }
        (key, Err(_)) => {
            out.byte(VISITED_BY_ANYONE);
            out.byte(u8::from(key.is_some()));
            if let Some(key) = key {
                key.save(out);
            }
            out.u64(visit.actor.0 as u64);
            out.u64((visit.actor.0 >> 64) as u64);
        }
    }
    out.i64(visit.community_id);
    last.at(out, visit.at);
}

fn write_part(out: &mut Writer, last: &mut Last, part: &BuyersPart) {
    out.byte(BOUGHT);
    out.u32(part.shard);
    out.byte(u8::from(part.idle));
    last.at(out, part.closed_before.0);
    last.at(out, part.day_start.0);
    last.at(out, part.day_end.0);
    out.len(part.users.len());
    for user in &part.users {
        out.i64(user.0);
    }
}

/// Reads the changes of a delta in order.
pub(crate) struct Replay<'a> {
    reader: Reader<'a>,
    last: Last,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(reader: Reader<'a>) -> Replay<'a> {
        Replay { reader, last: Last::default() }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Change>, Damaged> {
        if self.reader.at_end() {
            return Ok(None);
        }
        let (reader, last) = (&mut self.reader, &mut self.last);
        let change = match reader.byte()? {
            SEEN => Change::Seen { topic: reader.byte()?, key: SeenKey::load(reader)? },
            PAID => Change::Paid(Payment {
                order_id: last.read_order(reader)?,
                user_id: reader.i64()?,
                community_id: reader.i64()?,
                amount: reader.i64()?,
                paid_at: last.read_at(reader)?,
            }),
            tag @ (LINE | LINE_GONE) => Change::Line(LineChange {
                order_id: last.read_order(reader)?,
                item_id: reader.u64()?,
                sku_id: reader.i64()?,
                category_id: reader.i64()?,
                quantity: i32::try_from(reader.i64()?).map_err(|_| Damaged::Invalid("quantity"))?,
                deleted: tag == LINE_GONE,
            }),
            REFUNDED => Change::Refunded(Refund {
                refund_id: reader.u64()?,
                community_id: reader.i64()?,
                amount: reader.i64()?,
                refunded_at: last.read_at(reader)?,
            }),
            tag @ (VISITED | VISITED_WITHOUT_KEY | VISITED_BY_ANYONE) => read_visit(reader, last, tag)?,
            BOUGHT => read_part(reader, last)?,
            _ => return Err(Damaged::Invalid("change")),
        };
        Ok(Some(change))
    }
}

fn read_visit(reader: &mut Reader<'_>, last: &mut Last, tag: u8) -> Result<Change, Damaged> {
    let has_key = match tag {
        VISITED => true,
        VISITED_WITHOUT_KEY => false,
        _ => reader.flag()?,
    };
    let key = if has_key { Some(SeenKey::load(reader)?) } else { None };
    let low = u128::from(reader.u64()?);
    let high = if tag == VISITED_BY_ANYONE { u128::from(reader.u64()?) } else { 0 };
    Ok(Change::Visited(Visit {
        key,
        actor: ActorId(high << 64 | low),
        community_id: reader.i64()?,
        at: last.read_at(reader)?,
    }))
}

fn read_part(reader: &mut Reader<'_>, last: &mut Last) -> Result<Change, Damaged> {
    let mut part = BuyersPart {
        shard: reader.u32()?,
        idle: reader.flag()?,
        closed_before: EventTime(last.read_at(reader)?),
        day_start: EventTime(last.read_at(reader)?),
        day_end: EventTime(last.read_at(reader)?),
        users: Vec::new(),
    };
    for _ in 0..reader.len()? {
        part.users.push(UserId(reader.i64()?));
    }
    Ok(Change::Bought(part))
}
