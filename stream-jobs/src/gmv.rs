//! GMV, orders and buyers of paid orders by payment time; refunds by refund time.

use linli_schemas::event::BuyersPart;
use linli_schemas::metric::Metric;
use linli_schemas::partition::partition_of;
use linli_schemas::zone::MINUTE_MS;
use linli_schemas::{EventTime, Topic, UserId};

use crate::admission::marks::Marks;
use crate::cells::Sum;
use crate::codec::{Damaged, Reader, Writer};
use crate::effect::Effect;
use crate::hashing::{IdMap, IdSet};
use crate::job::{Context, Delivery, Job};
use crate::journal::{Payment, Refund};
use crate::names::Names;
use crate::window::{Windows, columns, start_of};

/// The day of a part that names no user.
const NO_DAY: (i64, i64) = (0, 1);

#[derive(Debug, Default)]
pub(crate) struct Gmv {
    minutes: Windows<i64, Sum>,
    days: Windows<i64, Sum>,
    buyers: IdMap<i64, DayBuyers>,
    refund_minutes: Windows<i64, Sum>,
    refund_days: Windows<i64, Sum>,
    /// First purchases of this epoch: day's start and end, user.
    fresh: Vec<(i64, i64, i64)>,
    /// Days that ended here or before were announced as closed to every partition.
    announced: i64,
    /// Whether every partition was told that this shard is idle.
    announced_idle: bool,
}

/// Who bought on a day.
#[derive(Debug, Default)]
struct DayBuyers {
    end: i64,
    users: IdSet<i64>,
    /// By community and user.
    pairs: IdSet<(i64, i64)>,
    by_community: IdMap<i64, i64>,
}

pub(crate) enum Input {
    Paid(Payment),
    Refunded(Refund),
}

impl Job for Gmv {
    const NAME: &'static str = "gmv";
    const TOPICS: &'static [Topic] = &[Topic::Orders, Topic::Refunds];
    type Input<'a> = Input;

    fn apply(&mut self, input: Input, context: &mut Context<'_>) {
        match input {
            Input::Paid(order) => self.pay(&order, context),
            Input::Refunded(refund) => {
                let minute = start_of(refund.refunded_at, MINUTE_MS);
                let day = context.days.of(refund.refunded_at);
                let community = refund.community_id;
                add(self.refund_minutes.cell(minute, minute + MINUTE_MS, community), refund.amount);
                add(self.refund_days.cell(day.0, day.1, community), refund.amount);
            }
        }
    }

    fn deliver(&mut self, out: &mut Delivery<'_>) {
        let Gmv { minutes, days, buyers, refund_minutes, refund_days, .. } = self;
        for (metric, windows) in
            [(Metric::GmvMin, minutes), (Metric::RefundMin, refund_minutes), (Metric::RefundDay, refund_days)]
        {
            windows.each_dirty(|start, window| {
                let rows = window.rows().into_iter().map(|(id, sum)| [id, sum.amount, i64::from(sum.count)]);
                out.metric((metric, start, 0), window.end, columns(rows));
            });
        }
        days.each_dirty(|start, window| {
            let distinct = buyers.get(&start).map(|day| &day.by_community);
            let rows = window.rows().into_iter().map(|(id, sum)| {
                let buyers = distinct.and_then(|d| d.get(&id)).copied().unwrap_or(0);
                [id, sum.amount, i64::from(sum.count), buyers]
            });
            out.metric((Metric::GmvDay, start, 0), window.end, columns(rows));
        });
        self.forward(out);
    }

    fn close(&mut self, marks: &Marks) {
        let before = marks.closed_before(Topic::Orders);
        self.minutes.close(before);
        self.days.close(before);
        self.buyers.retain(|_, day| day.end > before);
        let refunds_before = marks.closed_before(Topic::Refunds);
        self.refund_minutes.close(refunds_before);
        self.refund_days.close(refunds_before);
        for (windows, topic) in [
            (&mut self.minutes, Topic::Orders),
            (&mut self.days, Topic::Orders),
            (&mut self.refund_minutes, Topic::Refunds),
            (&mut self.refund_days, Topic::Refunds),
        ] {
            windows.quieten(marks.watermark(topic).unwrap_or(i64::MIN));
        }
    }

    fn redeliver(&mut self) {
        for windows in [&mut self.minutes, &mut self.days, &mut self.refund_minutes, &mut self.refund_days] {
            windows.redeliver();
        }
    }

    fn save(&self, out: &mut Writer) {
        for windows in [&self.minutes, &self.days, &self.refund_minutes, &self.refund_days] {
            windows.save(out);
        }
        out.i64(self.announced);
        out.byte(u8::from(self.announced_idle));
        out.len(self.buyers.len());
        for (start, day) in &self.buyers {
            out.i64(*start);
            out.i64(day.end);
            out.len(day.pairs.len());
            for (community, user) in &day.pairs {
                out.i64(*community);
                out.i64(*user);
            }
        }
    }

    fn load(reader: &mut Reader<'_>, _names: &Names) -> Result<Gmv, Damaged> {
        let mut gmv = Gmv {
            minutes: Windows::load(reader, |_| true)?,
            days: Windows::load(reader, |_| true)?,
            refund_minutes: Windows::load(reader, |_| true)?,
            refund_days: Windows::load(reader, |_| true)?,
            announced: reader.i64()?,
            announced_idle: reader.flag()?,
            ..Gmv::default()
        };
        for _ in 0..reader.len()? {
            let start = reader.i64()?;
            let mut day = DayBuyers { end: reader.i64()?, ..DayBuyers::default() };
            for _ in 0..reader.len()? {
                let (community, user) = (reader.i64()?, reader.i64()?);
                day.add(community, user);
            }
            gmv.buyers.insert(start, day);
        }
        Ok(gmv)
    }
}

fn add(cell: Option<&mut Sum>, amount: i64) {
    if let Some(sum) = cell {
        // An amount beyond 9e16 yuan in a window is no amount; it must not stop the shop's other windows either.
        sum.amount = sum.amount.saturating_add(amount);
        sum.count += 1;
    }
}

impl DayBuyers {
    /// Whether the user buys for the first time on this day.
    fn add(&mut self, community: i64, user: i64) -> bool {
        if self.pairs.insert((community, user)) {
            *self.by_community.entry(community).or_insert(0) += 1;
        }
        self.users.insert(user)
    }
}

impl Gmv {
    pub(crate) fn redeliver_days(&mut self) {
        self.days.redeliver();
        self.refund_days.redeliver();
    }

    fn pay(&mut self, order: &Payment, context: &mut Context<'_>) {
        let minute = start_of(order.paid_at, MINUTE_MS);
        add(self.minutes.cell(minute, minute + MINUTE_MS, order.community_id), order.amount);
        let (start, end) = context.days.of(order.paid_at);
        let Some(day) = self.days.cell(start, end, order.community_id) else { return };
        add(Some(day), order.amount);
        let buyers = self.buyers.entry(start).or_default();
        buyers.end = end;
        if buyers.add(order.community_id, order.user_id) {
            self.fresh.push((start, end, order.user_id));
        }
    }

    /// Tells the partitions of the users who bought first on a day, and all of them when a day is closed here, or when
    /// this shard begins or ends to be idle.
    fn forward(&mut self, out: &mut Delivery<'_>) {
        let closed_before = out.marks.closed_before(Topic::Orders);
        let mut fresh: Vec<(i64, u32, i64, i64)> = std::mem::take(&mut self.fresh)
            .into_iter()
            .map(|(start, end, user)| {
                let mut text = itoa::Buffer::new();
                (start, partition_of(text.format(user).as_bytes(), out.partitions), end, user)
            })
            .collect();
        fresh.sort_unstable();
        for part in fresh.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (start, partition, end, _) = part[0];
            let users = part.iter().map(|(_, _, _, user)| UserId(*user)).collect();
            self.send(out, partition, closed_before, (start, end), users);
        }
        let ended = self.buyers.iter().map(|(start, day)| (*start, day.end)).filter(|(_, end)| *end <= closed_before);
        let ended = ended.max_by_key(|(_, end)| *end).filter(|(_, end)| *end > self.announced);
        let idle = out.marks.is_idle(Topic::Orders);
        if ended.is_some() || idle != self.announced_idle {
            self.announced_idle = idle;
            let day = ended.unwrap_or(NO_DAY);
            self.announced = self.announced.max(day.1);
            for partition in 0..out.partitions {
                self.send(out, partition, closed_before, day, Vec::new());
            }
        }
    }

    fn send(&self, out: &mut Delivery<'_>, partition: u32, closed: i64, day: (i64, i64), users: Vec<UserId>) {
        let part = BuyersPart {
            shard: out.shard,
            idle: out.marks.is_idle(Topic::Orders),
            closed_before: EventTime(closed.max(0)),
            day_start: EventTime(day.0),
            day_end: EventTime(day.1),
            users,
        };
        out.effects.push(Effect::Forward {
            topic: Topic::Buyers,
            partition,
            key: format!("{}/{}", day.0, out.shard).into_bytes(),
            value: encode(&part),
        });
    }
}

/// The JSON that `linli_schemas::event::decode` reads.
fn encode(part: &BuyersPart) -> Vec<u8> {
    // Writing plain numbers to memory has no way to fail.
    serde_json::to_vec(part).unwrap_or_default()
}
