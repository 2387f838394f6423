//! Everything a task remembers, as a fold of changes and ends of epochs.

use linli_schemas::Topic;
use linli_schemas::metric::Version;
use linli_schemas::zone::Zone;

use crate::activity::Activity;
use crate::admission::marks::{Bounds, Marks, place};
use crate::admission::seen::{Seen, SeenKey, Servers};
use crate::buyers::Buyers;
use crate::codec::{Damaged, Reader, Writer};
use crate::effect::Effect;
use crate::gmv::{self, Gmv};
use crate::job::{Context, Delivery, Job, Pace};
use crate::journal::{Change, LineChange};
use crate::names::{Good, Names};
use crate::orders::{Orders, Sale, minute_of};
use crate::task::{Counts, TaskConfig};
use crate::top_n::TopN;
use crate::window::Days;

/// How much longer than the horizon a generation of identities lives, so that the two are never equal.
const SLACK_MS: i64 = 60_000;

/// One place for each of [`Topic::INPUTS`].
pub(crate) type PerTopic<T> = [T; Topic::INPUTS.len()];

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) marks: Marks,
    pub(crate) days: Days,
    pub(crate) names: Names,
    /// Records without an event time that were seen, by topic.
    pub(crate) untimed: PerTopic<Seen>,
    pub(crate) servers: PerTopic<Servers>,
    pub(crate) clicks: Seen,
    pub(crate) refunds: Seen,
    pub(crate) orders: Orders,
    pub(crate) gmv: Gmv,
    pub(crate) activity: Activity,
    pub(crate) top_n: TopN,
    pub(crate) buyers: Buyers,
    pub(crate) counts: PerTopic<Counts>,
    /// A key that the change under way is to be known by, besides its effect.
    pub(crate) seen_beside: Option<SeenKey>,
    sales: Vec<Sale>,
}

/// What the end of an epoch depends on besides the state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EpochEnd {
    pub(crate) shard: u32,
    pub(crate) partitions: u32,
    pub(crate) version: Version,
    pub(crate) pace: Pace,
}

impl State {
    pub(crate) fn new(config: &TaskConfig) -> State {
        State {
            marks: Marks::new(bounds(config)),
            days: Days::new(config.zone),
            names: Names::default(),
            untimed: Default::default(),
            servers: Default::default(),
            clicks: Seen::default(),
            refunds: Seen::default(),
            orders: Orders::default(),
            gmv: Gmv::default(),
            activity: Activity::default(),
            top_n: TopN::default(),
            buyers: Buyers::new(config.partitions),
            counts: Default::default(),
            seen_beside: None,
            sales: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        let mut context = Context { names: &self.names, days: &mut self.days };
        match change {
            Change::Seen { topic, key } => {
                if let Some(seen) = self.untimed.get_mut(usize::from(*topic)) {
                    seen.insert(*key);
                }
            }
            Change::Paid(order) => {
                self.gmv.apply(gmv::Input::Paid(*order), &mut context);
                let community = self.names.communities.number(order.community_id);
                if let Some(minute) = minute_of(order.paid_at) {
                    self.orders.pay(order.order_id, minute, community, &mut self.sales);
                }
                self.sell();
            }
            Change::Line(line) => {
                self.write_line(line);
                self.sell();
            }
            Change::Refunded(refund) => {
                self.refunds.insert(SeenKey::id(refund.refund_id));
                self.gmv.apply(gmv::Input::Refunded(*refund), &mut context);
            }
            Change::Visited(visit) => {
                if let Some(key) = visit.key {
                    self.clicks.insert(key);
                }
                self.activity.apply(visit, &mut context);
            }
            Change::Bought(part) => self.buyers.apply(part, &mut context),
        }
    }

    fn write_line(&mut self, line: &LineChange) {
        if line.deleted {
            self.orders.delete_line(line.order_id, line.item_id, &mut self.sales);
        } else {
            let good = self.names.good(Good { category: line.category_id, sku: line.sku_id });
            self.orders.write_line(line.order_id, line.item_id, good, line.quantity, &mut self.sales);
        }
    }

    /// What the join of orders and lines brought forth goes to `top_n`.
    fn sell(&mut self) {
        let mut context = Context { names: &self.names, days: &mut self.days };
        for sale in self.sales.drain(..) {
            self.top_n.apply(&sale, &mut context);
        }
    }

    /// Packs what changed, then forgets what no record in time can meet.
    pub(crate) fn end_epoch(&mut self, end: EpochEnd, effects: &mut Vec<Effect>) {
        let mut out = Delivery {
            shard: end.shard,
            partitions: end.partitions,
            version: end.version,
            marks: &self.marks,
            names: &self.names,
            pace: end.pace,
            effects,
        };
        self.gmv.deliver(&mut out);
        self.activity.deliver(&mut out);
        self.top_n.deliver(&mut out);
        self.buyers.deliver(&mut out);

        self.gmv.close(&self.marks);
        self.activity.close(&self.marks);
        self.top_n.close(&self.marks);
        self.buyers.close(&self.marks);
        self.forget();
    }

    fn forget(&mut self) {
        let horizon = self.marks.bounds.horizon().saturating_add(SLACK_MS);
        self.clicks.forget(self.marks.of(Topic::Clicks).high, horizon);
        self.refunds.forget(self.marks.of(Topic::Refunds).high, horizon);
        self.orders.forget(&self.marks, horizon);
        for topic in Topic::INPUTS {
            let progress = self.marks.of(topic).progress;
            self.untimed[place(topic)].forget(progress, horizon);
            self.servers[place(topic)].forget(progress, horizon);
        }
    }

    pub(crate) fn redeliver(&mut self) {
        self.gmv.redeliver();
        self.activity.redeliver();
        self.top_n.redeliver();
        self.buyers.redeliver();
    }

    /// Takes the watermark to be at `watermark` for results, and lets the days say so.
    pub(crate) fn advance(&mut self, watermark: i64) {
        self.marks.advance(watermark);
        self.gmv.redeliver_days();
        self.activity.redeliver_days();
    }

    /// What moves with every record, and so is written whole with each delta.
    pub(crate) fn save_progress(&self, out: &mut Writer) {
        self.marks.save(out);
        for servers in &self.servers {
            servers.save(out);
        }
        for counts in &self.counts {
            let Counts { received, applied, duplicate, late, history, dead_lettered } = *counts;
            for count in [received, applied, duplicate, late, history, dead_lettered] {
                out.u64(count);
            }
        }
    }

    pub(crate) fn load_progress(&mut self, reader: &mut Reader<'_>) -> Result<(), Damaged> {
        self.marks = Marks::load(self.marks.bounds, reader)?;
        for servers in &mut self.servers {
            *servers = Servers::load(reader)?;
        }
        for counts in &mut self.counts {
            *counts = Counts {
                received: reader.u64()?,
                applied: reader.u64()?,
                duplicate: reader.u64()?,
                late: reader.u64()?,
                history: reader.u64()?,
                dead_lettered: reader.u64()?,
            };
        }
        Ok(())
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        self.save_progress(out);
        self.names.save(out);
        for seen in self.untimed.iter().chain([&self.clicks, &self.refunds]) {
            seen.save(out);
        }
        self.orders.save(out);
        self.gmv.save(out);
        self.activity.save(out);
        self.top_n.save(out);
        self.buyers.save(out);
    }

    pub(crate) fn load(config: &TaskConfig, reader: &mut Reader<'_>) -> Result<State, Damaged> {
        let mut state = State::new(config);
        state.load_progress(reader)?;
        state.names = Names::load(reader)?;
        for seen in &mut state.untimed {
            *seen = Seen::load(reader)?;
        }
        state.clicks = Seen::load(reader)?;
        state.refunds = Seen::load(reader)?;
        state.orders = Orders::load(reader, &state.names)?;
        state.gmv = Gmv::load(reader, &state.names)?;
        state.activity = Activity::load(reader, &state.names)?;
        state.top_n = TopN::load(reader, &state.names)?;
        state.buyers = Buyers::load(reader, &state.names)?;
        Ok(state)
    }
}

fn bounds(config: &TaskConfig) -> Bounds {
    Bounds { out_of_orderness_ms: config.out_of_orderness_ms, lateness_ms: config.lateness_ms }
}

/// What a state was made with and cannot be read without.
pub(crate) fn save_origin(config: &TaskConfig, out: &mut Writer) {
    let zone = config.zone.name().as_bytes();
    out.len(zone.len());
    out.append(zone);
    out.u32(config.shard);
    out.u32(config.partitions);
}

/// Why a state of another origin is refused, if it is.
pub(crate) fn check_origin(config: &TaskConfig, reader: &mut Reader<'_>) -> Result<Option<String>, Damaged> {
    let len = reader.len()?;
    let zone = reader.take(len)?.text()?;
    let (shard, partitions) = (reader.u32()?, reader.u32()?);
    let same_zone = Zone::parse(zone).is_ok_and(|zone| zone == config.zone);
    let refusal = if !same_zone {
        Some(format!("it was made with zone \"{zone}\", not \"{}\"; replay into a new generation", config.zone.name()))
    } else if (shard, partitions) != (config.shard, config.partitions) {
        Some(format!(
            "it is of partition {shard} of {partitions}, not {} of {}; replay into a new generation",
            config.shard, config.partitions
        ))
    } else {
        None
    };
    Ok(refusal)
}
