//! Which records count: the future, lateness, history and repetitions are settled here, in this order.

pub(crate) mod marks;
pub(crate) mod seen;

use linli_schemas::event::{BuyersPart, Click, Event, ItemChange, Kind, OrderChange, Record, RefundChange, Reject};
use linli_schemas::identity::Identity;
use linli_schemas::{EventTime, Topic};

use crate::journal::{Change, LineChange, Payment, Refund, Visit};
use crate::names::Good;
use crate::orders::minute_of;
use crate::state::State;
use crate::task::TaskConfig;
use marks::place;
use seen::{SeenKey, Told, told};

/// What becomes of a decoded record.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It counts, and may change something.
    Applied(Option<Change>),
    Duplicate,
    /// Of a snapshot, and older than every window that is open.
    History,
    Rejected(Reject),
}

pub(crate) fn judge(config: &TaskConfig, topic: Topic, record: &Record, state: &mut State) -> Verdict {
    if let Some(reject) = unusable(config, topic, record) {
        return Verdict::Rejected(reject);
    }
    if let Event::Buyers(part) = &record.event {
        return judge_part(config, part, state);
    }
    if let Some(at) = record.event_time {
        match record.snapshot_at {
            Some(snapshot_at) => {
                if is_history(config, topic, at, snapshot_at, state) {
                    return Verdict::History;
                }
            }
            None => {
                let by_ms = state.marks.closed_before(topic).saturating_sub(at.0);
                if by_ms > 0 {
                    return Verdict::Rejected(Reject::Late { by_ms });
                }
            }
        }
    }
    if repeats_place(topic, record, state) {
        return Verdict::Duplicate;
    }
    match &record.event {
        Event::Order(order) => judge_order(record, order, state),
        Event::Item(item) => judge_item(record, item, state),
        Event::Refund(refund) => judge_refund(record, refund, state),
        Event::Click(click) => judge_click(record, click, state),
        Event::Buyers(_) | Event::Ignored => Verdict::Applied(None),
    }
}

/// A time that would lead the marks astray, or that no window can hold.
fn unusable(config: &TaskConfig, topic: Topic, record: &Record) -> Option<Reject> {
    if topic == Topic::Buyers {
        return None;
    }
    let bound = record.received_at.0.saturating_add(config.ahead_ms);
    for time in [record.event_time, Some(record.source_time)].into_iter().flatten() {
        if time.0 > bound {
            let received_at = record.received_at.0;
            return Some(Reject::Future { event_time: time.0, received_at, bound_ms: config.ahead_ms });
        }
    }
    let at = record.event_time?;
    let cause = "the event time lies outside the years 1970 to 9999".to_owned();
    (minute_of(at.0).is_none() || at.0 > 253_402_300_799_999).then(|| Reject::Malformed { topic: topic.name(), cause })
}

/// Rows since the local midnight at or before (snapshot - lateness) make their day whole; windows of older days are
/// computed in batch. So are those that live changes have closed since the snapshot.
fn is_history(config: &TaskConfig, topic: Topic, at: EventTime, snapshot_at: EventTime, state: &mut State) -> bool {
    let (since, _) = state.days.of(snapshot_at.0.saturating_sub(config.lateness_ms));
    at.0 < since || state.days.of(at.0).1 <= state.marks.closed_before(topic)
}

fn judge_part(config: &TaskConfig, part: &BuyersPart, state: &State) -> Verdict {
    if part.shard >= config.partitions || part.day_start >= part.day_end {
        let cause = format!("no such shard or day: {} of {}", part.shard, config.partitions);
        return Verdict::Rejected(Reject::Malformed { topic: Topic::Buyers.name(), cause });
    }
    match state.buyers.late_by(part) {
        Some(by_ms) => Verdict::Rejected(Reject::Late { by_ms }),
        None => Verdict::Applied(Some(Change::Bought(part.clone()))),
    }
}

/// Whether the record lies at or before the last place read in its server's log. Rows of a snapshot all bear the
/// place where it began.
fn repeats_place(topic: Topic, record: &Record, state: &mut State) -> bool {
    let Some(Told::ByPlace(server, at)) = record.identity.map(told) else { return false };
    if record.snapshot_at.is_some() {
        return false;
    }
    let servers = &mut state.servers[place(topic)];
    if servers.has_read(server, at) {
        return true;
    }
    servers.read(server, at, record.source_time.0);
    false
}

fn judge_order(record: &Record, order: &OrderChange, state: &State) -> Verdict {
    match record.event_time {
        Some(paid_at) if order.kind == Kind::Written && !order.was_paid => {
            // The order itself tells a repetition: it is paid once.
            if state.orders.is_paid(order.order_id.0) {
                return Verdict::Duplicate;
            }
            Verdict::Applied(Some(Change::Paid(Payment {
                order_id: order.order_id.0,
                user_id: order.user_id.0,
                community_id: order.community_id.0,
                amount: order.pay_amount.0,
                paid_at: paid_at.0,
            })))
        }
        _ => judge_without_effect(Topic::Orders, record, state),
    }
}

fn judge_refund(record: &Record, refund: &RefundChange, state: &State) -> Verdict {
    match record.event_time {
        Some(refunded_at) if refund.kind == Kind::Written && !refund.was_refunded => {
            if state.refunds.contains(SeenKey::id(refund.refund_id)) {
                return Verdict::Duplicate;
            }
            Verdict::Applied(Some(Change::Refunded(Refund {
                refund_id: refund.refund_id,
                community_id: refund.community_id.0,
                amount: refund.amount.0,
                refunded_at: refunded_at.0,
            })))
        }
        _ => judge_without_effect(Topic::Refunds, record, state),
    }
}

fn judge_item(record: &Record, item: &ItemChange, state: &mut State) -> Verdict {
    let Ok(quantity) = i32::try_from(item.quantity) else {
        let cause = format!("item {} of order {} has a quantity beyond 32 bits", item.item_id, item.order_id);
        return Verdict::Rejected(Reject::Malformed { topic: Topic::OrderItems.name(), cause });
    };
    if item.kind == Kind::Moved {
        // It left for another partition: if its order was paid here, its quantities stay as the GMV does.
        return judge_without_effect(Topic::OrderItems, record, state);
    }
    let deleted = item.kind == Kind::Deleted;
    match record.identity {
        // Imported and snapshot rows are not rewritten: the line held tells the repetition, and nothing more is kept.
        Some(Identity::Event(_) | Identity::Snapshot(_)) if !deleted => {
            let good = state.names.goods.known(Good { category: item.category_id.0, sku: item.sku_id.0 });
            let held = |good| state.orders.holds(item.order_id.0, item.item_id, good, item.quantity);
            if good.is_some_and(held) {
                return Verdict::Duplicate;
            }
        }
        Some(identity) => {
            if let Told::ByKey(key) = told(identity) {
                if state.untimed[place(Topic::OrderItems)].contains(key) {
                    return Verdict::Duplicate;
                }
                state.seen_beside = Some(key);
            }
        }
        None => {}
    }
    Verdict::Applied(Some(Change::Line(LineChange {
        order_id: item.order_id.0,
        item_id: item.item_id,
        sku_id: item.sku_id.0,
        category_id: item.category_id.0,
        quantity,
        deleted,
    })))
}

fn judge_click(record: &Record, click: &Click, state: &State) -> Verdict {
    let key = record.identity.and_then(|identity| match told(identity) {
        Told::ByKey(key) => Some(key),
        Told::ByPlace(..) => None,
    });
    if key.is_some_and(|key| state.clicks.contains(key)) {
        return Verdict::Duplicate;
    }
    Verdict::Applied(Some(Change::Visited(Visit {
        key,
        actor: click.actor,
        community_id: click.community_id.0,
        at: record.event_time.unwrap_or(record.source_time).0,
    })))
}

/// A row that no job counts is still told apart from its repetition, for the books.
fn judge_without_effect(topic: Topic, record: &Record, state: &State) -> Verdict {
    match record.identity.map(told) {
        Some(Told::ByKey(key)) => {
            if state.untimed[place(topic)].contains(key) {
                Verdict::Duplicate
            } else {
                Verdict::Applied(Some(Change::Seen { topic: place(topic) as u8, key }))
            }
        }
        _ => Verdict::Applied(None),
    }
}
