//! What all jobs have in common.

use linli_schemas::Topic;
use linli_schemas::metric::{Metric, MetricRecord, PartKey, Version};

use crate::admission::marks::Marks;
use crate::codec::{Damaged, Reader, Writer};
use crate::effect::Effect;
use crate::names::Names;
use crate::window::Days;

/// A pure fold of changes into windows. No I/O, clock or randomness.
pub(crate) trait Job: Sized {
    const NAME: &'static str;
    /// The topics whose records it counts; each has its own line of conservation.
    const TOPICS: &'static [Topic];
    type Input<'a>;

    fn apply(&mut self, input: Self::Input<'_>, context: &mut Context<'_>);

    /// Packs every window that changed, whole, and everything else that waited for the epoch's end.
    fn deliver(&mut self, out: &mut Delivery<'_>);

    /// Drops what no record in time can meet any more. Comes after [`Job::deliver`].
    fn close(&mut self, marks: &Marks);

    /// The next epoch delivers every open window.
    fn redeliver(&mut self);

    fn save(&self, out: &mut Writer);
    fn load(reader: &mut Reader<'_>, names: &Names) -> Result<Self, Damaged>;
}

/// What a job may look up while it applies.
pub(crate) struct Context<'a> {
    pub(crate) names: &'a Names,
    pub(crate) days: &'a mut Days,
}

/// The end of an epoch, as a job sees it.
pub(crate) struct Delivery<'a> {
    pub(crate) shard: u32,
    pub(crate) partitions: u32,
    pub(crate) version: Version,
    pub(crate) marks: &'a Marks,
    pub(crate) names: &'a Names,
    pub(crate) pace: Pace,
    pub(crate) effects: &'a mut Vec<Effect>,
}

/// How much of what can wait is written in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The input is as fast as its events: everything is fresh each epoch.
    Live,
    /// A backlog is read: TOP lists and a day's quantities, which the next epoch changes again, take turns.
    CatchUp,
}

impl Pace {
    /// How many of `waiting` results are written now.
    pub(crate) fn share(self, waiting: usize, turn_max: usize) -> usize {
        match self {
            Pace::Live => waiting,
            Pace::CatchUp => waiting.min(turn_max),
        }
    }
}

impl Delivery<'_> {
    pub(crate) fn metric(&mut self, key: (Metric, i64, i64), window_end: i64, columns: Vec<Vec<i64>>) {
        let (metric, window_start, dimension) = key;
        let source = match metric {
            Metric::RefundMin | Metric::RefundDay => Topic::Refunds,
            Metric::BuyersDayTotal => Topic::Buyers,
            _ if metric.topic() == Topic::MetricsActivity => Topic::Clicks,
            _ => Topic::Orders,
        };
        debug_assert_eq!(columns.len(), metric.columns().len());
        self.effects.push(Effect::Metric(MetricRecord {
            key: PartKey { metric, window_start, dimension, shard: self.shard },
            version: self.version,
            as_of: self.marks.as_of(source).unwrap_or(window_start),
            window_end,
            columns,
        }));
    }
}
