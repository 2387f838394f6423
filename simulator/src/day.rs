//! One day's changes, one after another.

use std::sync::Arc;

use linli_schemas::EventTime;

use crate::journey::{NO_ORDER, NO_SKU};
use crate::ledger::{Ledger, write_off_kind};
use crate::orders::Order;
use crate::plan::{DAYS_OF_LIFE, Plan};
use crate::rng::mix;
use crate::rows::{change, server_of, shard_of};
use crate::schedule::{self, CHUNK, Event, Schedule, Step};
use crate::table::Value;
use crate::{Body, Change, ClickChange, Position, RowChange, Strand, Table, Transaction, World, reference};

const PLATFORMS: [&str; 3] = ["mini_program", "app", "web"];
const REFERRERS: [&str; 5] = ["", "wechat_group", "wechat_group", "search", "leader_share"];

pub struct DayStream {
    world: Arc<World>,
    /// Of this day and the two before.
    plans: [Arc<Plan>; DAYS_OF_LIFE],
    schedule: Schedule,
    ledger: Ledger,
    index: usize,
}

impl DayStream {
    pub fn new(world: Arc<World>, day: i32) -> DayStream {
        let plans = [0, 1, 2].map(|age| Arc::new(Plan::new(&world, day - age)));
        DayStream::of(world, plans)
    }

    fn of(world: Arc<World>, mut plans: [Arc<Plan>; DAYS_OF_LIFE]) -> DayStream {
        let start = plans[0].start;
        for plan in &mut plans[1..] {
            // of older days, only the clicks that are received on this one are needed
            Arc::make_mut(plan).visits.clicks.retain(|click| click.received >= start);
        }
        let schedule = schedule::of_day(&world, &plans);
        let ledger = Ledger::at_midnight(&world, &plans);
        DayStream { world, plans, schedule, ledger, index: 0 }
    }

    pub fn next_day(&mut self) {
        let today = Arc::new(Plan::new(&self.world, self.plans[0].day + 1));
        // taken out, not cloned: a plan that no one shares is trimmed in place
        let left = std::array::from_fn(|_| today.clone());
        let [yesterday, before, _] = std::mem::replace(&mut self.plans, left);
        *self = DayStream::of(self.world.clone(), [today, yesterday, before]);
    }

    pub fn position(&self) -> Position {
        Position { day: self.plans[0].day, index: self.index as u64 }
    }

    pub fn next_at(&self) -> Option<i64> {
        self.schedule.events.get(self.index).map(|event| event.at)
    }

    /// Goes on to change number `index`; stock is booked on the way.
    pub fn skip_to(&mut self, index: u64) {
        while (self.index as u64) < index {
            let Some(event) = self.schedule.events.get(self.index).copied() else { return };
            if event.step.moves_stock() {
                self.stock(event);
            }
            self.index += 1;
        }
    }

    pub fn next(&mut self) -> Option<Change> {
        let event = *self.schedule.events.get(self.index)?;
        let position = self.position();
        let body = match event.step {
            Step::Clicked(click) => Body::Click(self.click(event, click as usize)),
            step if step.moves_stock() => Body::Transaction(self.stock_transaction(event)),
            _ => Body::Transaction(self.transaction(event)),
        };
        self.index += 1;
        Some(Change { position, at: EventTime(event.at), body })
    }

    fn order(&self, event: Event) -> (&Plan, &Order) {
        let plan = &self.plans[event.age as usize];
        (plan, &plan.orders[event.order as usize])
    }

    /// An id that no other event of any day gives.
    fn unique(&self, n: usize) -> Value {
        let day = self.plans[0].day as u64;
        Value::UInt((day * 20_000_000 + self.index as u64) * 100 + n as u64)
    }

    fn stock_transaction(&mut self, event: Event) -> Transaction {
        let warehouse = match event.step {
            Step::Refilled(chunk) => chunk as usize / schedule::chunks(&self.world),
            Step::Shipped(wave) => self.schedule.waves[wave as usize].warehouse,
            _ => self.world.warehouse_of(self.order(event).1),
        };
        Transaction { server: 0, strand: Strand::Warehouse(warehouse as u64), rows: self.stock(event) }
    }

    fn stock(&mut self, event: Event) -> Vec<RowChange> {
        let world = self.world.clone();
        match event.step {
            Step::Refilled(chunk) => self.refill(&world, chunk as usize, event.at),
            Step::Shipped(wave) => self.ship(&world, wave as usize, event.at),
            step => {
                let plan = self.plans[event.age as usize].clone();
                let order = &plan.orders[event.order as usize];
                let sign = if step == Step::Reserved { 1 } else { -1 };
                let w = world.warehouse_of(order);
                let items = plan.items_of(order).iter();
                items.map(|i| self.ledger.reserve(&world, w, i.sku as usize, event.at, sign * i.qty)).collect()
            }
        }
    }

    fn refill(&mut self, world: &World, chunk: usize, at: i64) -> Vec<RowChange> {
        let chunks = schedule::chunks(world);
        let (w, first) = (chunk / chunks, chunk % chunks * CHUNK);
        let (mut stock, mut movements, mut batches) = (Vec::new(), Vec::new(), Vec::new());
        for sku in first..world.catalog.skus.len().min(first + CHUNK) {
            let (booking, row) = self.ledger.refill(world, w, sku, at);
            stock.push(row);
            if booking.written_off != 0 {
                let id = self.unique(movements.len());
                movements.push(movement(world, id, w, sku, write_off_kind(world, sku), booking.written_off, at));
            }
            if booking.received > 0 {
                let id = self.unique(movements.len());
                movements.push(movement(world, id, w, sku, "inbound", booking.received, at));
                let id = self.unique(batches.len());
                batches.push(self.batch(world, id, w, sku, booking.received, at));
            }
        }
        stock.into_iter().chain(movements).chain(batches).collect()
    }

    /// Fresh goods were made the day before, others some while ago; now and then a batch comes old.
    fn batch(&self, world: &World, id: Value, w: usize, sku: usize, quantity: i64, at: i64) -> RowChange {
        let goods = &world.catalog.skus[sku];
        let day = self.plans[0].day;
        let draw = mix(&[world.options.seed, 80, day as u64, w as u64, sku as u64]) % 100;
        let age = match draw {
            _ if goods.shelf_days <= 3 => 0,
            0..=2 => goods.shelf_days * 8 / 10,
            n => goods.shelf_days * n as i64 / 400,
        };
        let produced = day - age as i32;
        let after = vec![
            id,
            Value::Int(world.city.warehouses[w].warehouse_id),
            Value::Int(goods.sku_id),
            Value::Int(goods.supplier_id),
            Value::Int(quantity),
            Value::Day(produced),
            Value::Day(produced + goods.shelf_days as i32),
            Value::Instant(EventTime(at)),
        ];
        RowChange { table: Table::StockBatches, shard: None, before: None, after }
    }

    fn ship(&mut self, world: &World, wave: usize, at: i64) -> Vec<RowChange> {
        let wave = self.schedule.waves[wave].clone();
        let w = wave.warehouse;
        let goods = || wave.goods.iter().enumerate().map(|(n, (sku, qty))| (n, *sku as usize, *qty));
        let mut rows: Vec<RowChange> = goods().map(|(_, sku, qty)| self.ledger.ship(world, w, sku, at, qty)).collect();
        rows.extend(goods().map(|(n, sku, qty)| movement(world, self.unique(n), w, sku, "outbound", -qty, at)));
        rows
    }

    fn transaction(&self, event: Event) -> Transaction {
        let (world, at) = (&self.world, event.at);
        match event.step {
            Step::Reference(number) => {
                let rows = reference::transaction(world, &self.ledger, number as usize, at);
                Transaction { server: 0, strand: Strand::Opening, rows }
            }
            Step::Announced(i) | Step::Ended(i) => {
                let id = self.plans[0].promotions[i as usize].promotion_id;
                Transaction { server: 0, strand: Strand::Promotion(id), rows: self.promotion(i as usize, at) }
            }
            _ => {
                let (plan, order) = self.order(event);
                let marketing = matches!(event.step, Step::Granted | Step::GrantUsed | Step::Thanked);
                let server = if marketing { 0 } else { server_of(order.order_id) };
                let strand = Strand::Order(order.order_id);
                Transaction { server, strand, rows: self.order_rows(event.step, plan, order, at) }
            }
        }
    }

    fn order_rows(&self, step: Step, plan: &Plan, order: &Order, at: i64) -> Vec<RowChange> {
        let world = &self.world;
        let shard = Some(shard_of(order.order_id));
        let row = change(Table::Orders, shard, at, |t| plan.order_row(world, order, t));
        let item = |line| change(Table::OrderItems, shard, at, |t| plan.item_row(world, order, line, t));
        let payment = || change(Table::Payments, None, at, |t| plan.payment_row(world, order, t));
        let delivery = || change(Table::Deliveries, None, at, |t| plan.delivery_row(world, order, t));
        let refund = || change(Table::Refunds, None, at, |t| plan.refund_row(world, order, t));
        let complaint = || change(Table::Complaints, None, at, |t| plan.complaint_row(world, order, t));
        let mut rows: Vec<Option<RowChange>> = Vec::new();
        match step {
            Step::Placed => {
                rows.push(row);
                rows.extend((0..order.items as usize).map(item));
            }
            Step::Paid => rows.extend([row, payment()]),
            Step::Sorted | Step::Delivered => rows.extend([row, delivery()]),
            Step::Accepted | Step::Canceled => rows.push(row),
            Step::Granted | Step::GrantUsed => {
                rows.push(change(Table::CouponGrants, None, at, |t| plan.grant_row(order, t)));
            }
            Step::Thanked => rows.push(change(Table::CouponGrants, None, at, |t| plan.thanks_row(order, t))),
            Step::RefundAsked => rows.push(refund()),
            Step::Refunded => {
                rows.extend([refund(), payment()]);
                let line = plan.trouble_of(order).and_then(|t| t.refund.as_ref()).and_then(|r| r.line);
                match line {
                    Some(line) => rows.push(item(line)),
                    None => {
                        rows.push(row);
                        rows.extend((0..order.items as usize).map(item));
                    }
                }
            }
            _ => rows.push(complaint()),
        }
        rows.into_iter().flatten().collect()
    }

    fn promotion(&self, index: usize, at: i64) -> Vec<RowChange> {
        let today = &self.plans[0];
        let promotion = &today.promotions[index];
        let until = today.minute_start(promotion.until);
        let announced = today.start + 42_000 + index as i64;
        let id = Value::Int(promotion.promotion_id);
        let image = |t: i64| {
            (t >= announced).then(|| {
                vec![
                    id.clone(),
                    Value::Word("limited_time"),
                    Value::Word(promotion.name),
                    Value::Word(promotion.name_en),
                    Value::Int(promotion.percent_off),
                    Value::Word(if t >= until { "ended" } else { "announced" }),
                    Value::Instant(EventTime(today.minute_start(promotion.from))),
                    Value::Instant(EventTime(until)),
                ]
            })
        };
        let mut rows: Vec<RowChange> = change(Table::Promotions, None, at, image).into_iter().collect();
        if at == announced {
            rows.extend(promotion.skus.iter().map(|sku| {
                let sku_id = Value::Int(self.world.catalog.skus[*sku as usize].sku_id);
                let price = Value::Fen(promotion.price(&self.world, *sku));
                RowChange {
                    table: Table::PromotionSkus,
                    shard: None,
                    before: None,
                    after: vec![id.clone(), sku_id, price],
                }
            }));
        }
        rows
    }

    fn click(&self, event: Event, index: usize) -> ClickChange {
        use linli_schemas::event::ClickType;
        let (world, plan) = (&self.world, &self.plans[event.age as usize]);
        let click = &plan.visits.clicks[index];
        let visit = &plan.visits.visits[click.visit as usize];
        let sku = (click.sku != NO_SKU).then(|| &world.catalog.skus[click.sku as usize]);
        let (page, sku_id) = match click.click_type {
            ClickType::View | ClickType::Share => ("product", sku.map(|s| s.sku_id)),
            ClickType::Cart => ("cart", sku.map(|s| s.sku_id)),
            ClickType::Search => ("search", None),
            ClickType::Login => ("login", None),
            ClickType::Order => ("checkout", None),
            ClickType::Pay => ("payment", None),
        };
        let mut properties = Vec::new();
        if let (ClickType::Search, Some(sku)) = (click.click_type, sku) {
            properties.push(("query", sku.title.split(' ').next().unwrap_or("").to_owned()));
        }
        if visit.order != NO_ORDER && matches!(click.click_type, ClickType::Order | ClickType::Pay) {
            properties.push(("order_id", plan.orders[visit.order as usize].order_id.to_string()));
        }
        ClickChange {
            event_id: format!("c-{}-{}", plan.day, click.number),
            click_type: click.click_type,
            user_id: visit.known.then_some(i64::from(visit.user)),
            anonymous_id: format!("d-{:016x}", mix(&[world.options.seed, 81, u64::from(visit.user)])),
            session_id: format!("s-{}-{}", plan.day, click.visit),
            community_id: world.city.communities[visit.community as usize].community_id,
            sku_id,
            ts: EventTime(click.received - i64::from(click.delay)),
            received_at: EventTime(click.received),
            platform: PLATFORMS[visit.platform as usize % 3],
            page,
            referrer: REFERRERS[visit.referrer as usize % 5],
            properties,
        }
    }
}

fn movement(world: &World, id: Value, w: usize, sku: usize, kind: &'static str, quantity: i64, at: i64) -> RowChange {
    let after = vec![
        id,
        Value::Int(world.city.warehouses[w].warehouse_id),
        Value::Int(world.catalog.skus[sku].sku_id),
        Value::Word(kind),
        Value::Int(quantity),
        Value::Instant(EventTime(at)),
    ];
    RowChange { table: Table::StockMovements, shard: None, before: None, after }
}
