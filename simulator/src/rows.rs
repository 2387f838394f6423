//! Rows about an order as they stand at an instant; a change of a row is its image just before and at the instant.

use linli_schemas::EventTime;

use crate::orders::{COUPONS, HOUR, NEVER, Order, REASONS, status};
use crate::plan::Plan;
use crate::rng::{Rng, mix};
use crate::schedule::thanked;
use crate::table::{Row, Value};
use crate::{RowChange, Table, World, city};

/// Tables of orders and of items over all servers; half of them on each.
pub const TABLES: u64 = 16;
const NOTES: [&str; 6] =
    ["请放门口，谢谢", "到了请打电话", "要新鲜一点的", "不要葱", "放自提点冰柜", "麻烦晚上七点后送"];
const GATEWAYS: [&str; 4] = ["wechat", "wechat", "wechat", "alipay"];
const COUPON_DAYS: i64 = 7;

/// The physical table of an order.
pub fn shard_of(order_id: u64) -> u8 {
    (order_id % TABLES) as u8
}

/// The server of an order.
pub fn server_of(order_id: u64) -> u8 {
    shard_of(order_id) / (TABLES / 2) as u8
}

/// A change at `at` of the row that `image` tells for any instant.
pub fn change(table: Table, shard: Option<u8>, at: i64, image: impl Fn(i64) -> Option<Row>) -> Option<RowChange> {
    let after = image(at)?;
    Some(RowChange { table, shard, before: image(at - 1), after })
}

/// A time as a row of instant `t` holds it: set once it has come.
fn time(at: i64, t: i64) -> Value {
    if at <= t && at != NEVER { Value::Instant(EventTime(at)) } else { Value::Null }
}

fn latest(times: &[i64], t: i64) -> Value {
    let at = times.iter().copied().filter(|at| *at <= t && *at != NEVER).max();
    at.map_or(Value::Null, |at| Value::Instant(EventTime(at)))
}

/// Draws that belong to an order's texts, apart from those of its life.
fn texts(world: &World, order: &Order) -> Rng {
    Rng::of(&[world.options.seed, 70, order.order_id])
}

impl Plan {
    fn ids(&self, world: &World, order: &Order) -> (Value, Value, Value) {
        let community = &world.city.communities[order.community as usize];
        (Value::UInt(order.order_id), Value::Int(community.community_id), Value::Int(community.leader_id))
    }

    /// When the whole of an order is refunded.
    fn refunded_wholly(&self, order: &Order) -> i64 {
        let refund = self.trouble_of(order).and_then(|t| t.refund.as_ref());
        refund.filter(|r| r.line.is_none()).map_or(NEVER, |r| r.refunded)
    }

    pub fn order_row(&self, world: &World, order: &Order, t: i64) -> Option<Row> {
        if order.placed > t {
            return None;
        }
        let refunded = self.refunded_wholly(order);
        let steps = [
            (order.placed, status::CREATED),
            (order.paid, status::PAID),
            (order.accepted, status::ACCEPTED),
            (order.sorted, status::SORTED),
            (order.delivered, status::DELIVERED),
            (refunded, status::REFUNDED),
            (order.canceled, status::CANCELED),
        ];
        let current = steps.iter().filter(|(at, _)| *at <= t).max_by_key(|(at, _)| *at)?;
        let (order_id, community, leader) = self.ids(world, order);
        let mut rng = texts(world, order);
        let address = format!("{{\"自提点\":{},\"楼栋\":{}}}", 1 + rng.below(3), 1 + rng.below(40));
        let note = if rng.chance(0.12) { Value::Word(NOTES[rng.below(6) as usize]) } else { Value::Null };
        let phone = city::phone_of(world.options.seed, order.user);
        Some(vec![
            order_id,
            Value::Int(i64::from(order.user)),
            community,
            leader,
            Value::Int(current.1),
            Value::Fen(order.pay_amount),
            if order.discount > 0 { Value::Fen(order.discount) } else { Value::Null },
            Value::Text(address.into()),
            note,
            Value::Text(phone),
            time(order.placed, t),
            time(order.paid, t),
            time(order.accepted, t),
            time(order.sorted, t),
            time(order.delivered, t),
            Value::Instant(EventTime(current.0)),
        ])
    }

    pub fn item_row(&self, world: &World, order: &Order, line: usize, t: i64) -> Option<Row> {
        if order.placed > t {
            return None;
        }
        let item = self.items_of(order).get(line)?;
        let goods = &world.catalog.skus[item.sku as usize];
        let refund = self.trouble_of(order).and_then(|trouble| trouble.refund.as_ref());
        let refunded = refund.is_some_and(|r| r.refunded <= t && r.line.is_none_or(|l| l == line));
        let (order_id, community, _) = self.ids(world, order);
        Some(vec![
            Value::UInt(order.order_id * 16 + line as u64),
            order_id,
            community,
            Value::Int(goods.sku_id),
            Value::Int(goods.category_id),
            Value::Int(goods.supplier_id),
            Value::Int(item.qty),
            Value::Fen(item.price),
            Value::Fen(item.qty * item.price),
            Value::Text(goods.title.clone()),
            // goods are sold by the piece
            Value::Null,
            Value::Int(i64::from(refunded)),
        ])
    }

    pub fn payment_row(&self, world: &World, order: &Order, t: i64) -> Option<Row> {
        if order.paid > t {
            return None;
        }
        let refund = self.trouble_of(order).and_then(|trouble| trouble.refund.as_ref());
        let refund = refund.filter(|r| r.refunded <= t);
        let (order_id, community, _) = self.ids(world, order);
        let state = match refund {
            None => "paid",
            Some(r) if r.line.is_none() => "refunded",
            Some(_) => "partly_refunded",
        };
        Some(vec![
            order_id.clone(),
            order_id,
            community,
            Value::Int(i64::from(order.user)),
            Value::Word(GATEWAYS[(mix(&[72, u64::from(order.user)]) % 4) as usize]),
            Value::Fen(order.pay_amount),
            Value::Fen(refund.map_or(0, |r| r.amount)),
            Value::Word(state),
            time(order.paid, t),
            latest(&[order.paid, refund.map_or(NEVER, |r| r.refunded)], t),
        ])
    }

    pub fn delivery_row(&self, world: &World, order: &Order, t: i64) -> Option<Row> {
        if order.sorted > t {
            return None;
        }
        let (order_id, community, leader) = self.ids(world, order);
        let warehouse = &world.city.warehouses[world.warehouse_of(order)];
        Some(vec![
            order_id.clone(),
            order_id,
            community,
            leader,
            Value::Int(warehouse.warehouse_id),
            Value::Text(format!("LJ{}", order.order_id).into()),
            Value::Word(if order.delivered <= t { "delivered" } else { "shipped" }),
            time(order.sorted, t),
            Value::Instant(EventTime(self.end + 18 * HOUR)),
            time(order.delivered, t),
        ])
    }

    pub fn refund_row(&self, world: &World, order: &Order, t: i64) -> Option<Row> {
        let refund = self.trouble_of(order)?.refund.as_ref().filter(|r| r.asked <= t)?;
        let (order_id, community, _) = self.ids(world, order);
        Some(vec![
            Value::UInt(order.order_id * 10 + 1),
            order_id,
            community,
            Value::Int(i64::from(order.user)),
            refund.line.map_or(Value::Null, |line| Value::UInt(order.order_id * 16 + line as u64)),
            Value::Fen(refund.amount),
            Value::Word(REASONS[refund.reason].0),
            Value::Word(if refund.refunded <= t { "refunded" } else { "requested" }),
            time(refund.asked, t),
            time(refund.refunded, t),
        ])
    }

    pub fn complaint_row(&self, world: &World, order: &Order, t: i64) -> Option<Row> {
        let complaint = self.trouble_of(order)?.complaint.as_ref().filter(|c| c.opened <= t)?;
        let (order_id, community, leader) = self.ids(world, order);
        Some(vec![
            Value::UInt(order.order_id * 10 + 2),
            order_id,
            community,
            leader,
            Value::Int(i64::from(order.user)),
            Value::Word(REASONS[complaint.reason].0),
            Value::Word(if complaint.resolved <= t { "resolved" } else { "open" }),
            time(complaint.opened, t),
            time(complaint.resolved, t),
        ])
    }

    /// The coupon with which an order is paid.
    pub fn grant_row(&self, order: &Order, t: i64) -> Option<Row> {
        let coupon = order.coupon.filter(|_| order.granted <= t)?;
        let used = order.paid <= t && order.paid != NEVER;
        Some(grant(order, 3, i64::from(coupon), order.granted, used.then_some(order.paid)))
    }

    /// The coupon that thanks for an order.
    pub fn thanks_row(&self, order: &Order, t: i64) -> Option<Row> {
        let at = thanked(order);
        (at <= t && at != NEVER).then(|| grant(order, 4, (order.order_id % COUPONS.len() as u64) as i64, at, None))
    }
}

fn grant(order: &Order, salt: u64, coupon: i64, granted: i64, used: Option<i64>) -> Row {
    vec![
        Value::UInt(order.order_id * 10 + salt),
        Value::Int(coupon + 1),
        Value::Int(i64::from(order.user)),
        used.map_or(Value::Null, |_| Value::UInt(order.order_id)),
        Value::Instant(EventTime(granted)),
        Value::Instant(EventTime(granted + COUPON_DAYS * 24 * HOUR)),
        used.map_or(Value::Null, |at| Value::Instant(EventTime(at))),
    ]
}
