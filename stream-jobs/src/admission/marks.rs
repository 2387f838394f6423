//! How far the reading of each topic has come.

use linli_schemas::Topic;

use crate::codec::{Damaged, Reader, Writer};
use crate::state::PerTopic;

/// How far an idle topic may lie behind another before joins and distinct sets stop waiting for it.
/// Without this bound a topic that nobody writes any more would hold the state of all others for ever.
/// A topic that is not idle is waited for whatever its distance: a backlog of weeks is read in any order.
const SKEW_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1000;

/// The bounds on disorder that every mark is measured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) out_of_orderness_ms: i64,
    pub(crate) lateness_ms: i64,
}

impl Bounds {
    /// How far behind the highest event time a record may be and still count.
    pub(crate) fn horizon(self) -> i64 {
        self.out_of_orderness_ms.saturating_add(self.lateness_ms)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicMarks {
    /// The highest event time of an admitted record, history apart.
    pub(crate) high: Option<i64>,
    /// The highest time at which the source wrote an admitted record.
    pub(crate) progress: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Marks {
    pub(crate) bounds: Bounds,
    topics: PerTopic<TopicMarks>,
    /// Which topics have had nothing to read for a while.
    idle: PerTopic<bool>,
    /// The end of an import: results are written as of then.
    advanced: Option<i64>,
}

pub(crate) fn place(topic: Topic) -> usize {
    match topic {
        Topic::Orders => 0,
        Topic::OrderItems => 1,
        Topic::Refunds => 2,
        Topic::Clicks => 3,
        _ => 4,
    }
}

impl Marks {
    pub(crate) fn new(bounds: Bounds) -> Marks {
        Marks { bounds, topics: Default::default(), idle: Default::default(), advanced: None }
    }

    pub(crate) fn of(&self, topic: Topic) -> TopicMarks {
        self.topics[place(topic)]
    }

    pub(crate) fn move_on(&mut self, topic: Topic, high: Option<i64>, progress: i64) {
        let marks = &mut self.topics[place(topic)];
        marks.high = marks.high.max(high);
        marks.progress = marks.progress.max(Some(progress));
    }

    pub(crate) fn set_idle(&mut self, idle: PerTopic<bool>) {
        self.idle = idle;
    }

    pub(crate) fn is_idle(&self, topic: Topic) -> bool {
        self.idle[place(topic)]
    }

    pub(crate) fn advance(&mut self, watermark: i64) {
        self.advanced = self.advanced.max(Some(watermark));
    }

    /// No earlier event of the topic is expected.
    pub(crate) fn watermark(&self, topic: Topic) -> Option<i64> {
        self.of(topic).high.map(|high| high - self.bounds.out_of_orderness_ms)
    }

    /// How far the results from a topic have come. History has no watermark, so it is as of its snapshot.
    pub(crate) fn as_of(&self, topic: Topic) -> Option<i64> {
        let watermark = match topic {
            // A part of the buyers says before when its shard is closed: a lateness behind that shard's watermark.
            Topic::Buyers => {
                let closed = self.of(topic).progress.filter(|closed| *closed > 0);
                closed.map(|closed| closed.saturating_add(self.bounds.lateness_ms))
            }
            _ => self.watermark(topic).or(self.of(topic).progress),
        };
        watermark.max(self.advanced)
    }

    /// A window of the topic that ends here or before is closed.
    pub(crate) fn closed_before(&self, topic: Topic) -> i64 {
        self.of(topic).high.map_or(i64::MIN, |high| high.saturating_sub(self.bounds.horizon()))
    }

    /// The lowest and the highest of the marks that bound the join of orders and items.
    ///
    /// Paid orders move all three, items their progress. Whichever is behind holds the join's state, so that a topic
    /// read ahead of the other loses nothing; an idle topic not more than [`SKEW_MS_MAX`].
    pub(crate) fn join(&self) -> (Option<i64>, Option<i64>) {
        let orders = self.of(Topic::Orders);
        let items = self.of(Topic::OrderItems);
        let marks =
            [(Topic::Orders, orders.high), (Topic::Orders, orders.progress), (Topic::OrderItems, items.progress)];
        let newest = marks.into_iter().filter_map(|(_, mark)| mark).max();
        let lowest = newest.map(|newest| {
            let behind = newest.saturating_sub(SKEW_MS_MAX);
            let bound = |(topic, mark): (Topic, Option<i64>)| match self.is_idle(topic) {
                true => mark.unwrap_or(behind).max(behind),
                false => mark.unwrap_or(i64::MIN),
            };
            marks.into_iter().map(bound).min().unwrap_or(behind)
        });
        (lowest, newest)
    }

    /// A window of joined lines that ends here or before is closed.
    pub(crate) fn join_closed_before(&self) -> i64 {
        self.join().0.map_or(i64::MIN, |mark| mark.saturating_sub(self.bounds.horizon()))
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        for marks in &self.topics {
            out.option(marks.high);
            out.option(marks.progress);
        }
        for idle in self.idle {
            out.byte(u8::from(idle));
        }
        out.option(self.advanced);
    }

    pub(crate) fn load(bounds: Bounds, reader: &mut Reader<'_>) -> Result<Marks, Damaged> {
        let mut marks = Marks::new(bounds);
        for topic in &mut marks.topics {
            *topic = TopicMarks { high: reader.option()?, progress: reader.option()? };
        }
        for idle in &mut marks.idle {
            *idle = reader.flag()?;
        }
        marks.advanced = reader.option()?;
        Ok(marks)
    }
}

/// The skew after which an idle shard of buyers no longer keeps a day open.
pub(crate) fn skew_ms_max() -> i64 {
    SKEW_MS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    #[test]
    fn a_topic_that_is_behind_is_waited_for_unless_it_is_idle() {
        let mut marks = Marks::new(Bounds { out_of_orderness_ms: 0, lateness_ms: DAY });
        marks.move_on(Topic::Orders, Some(100 * DAY), 100 * DAY);
        assert_eq!(marks.join_closed_before(), i64::MIN, "no item was read yet");
        marks.move_on(Topic::OrderItems, None, 60 * DAY);
        assert_eq!(marks.join_closed_before(), 59 * DAY);
        let mut idle = PerTopic::default();
        idle[place(Topic::OrderItems)] = true;
        marks.set_idle(idle);
        assert_eq!(marks.join_closed_before(), 92 * DAY, "an idle topic is waited for a week");
        marks.set_idle(PerTopic::default());
        assert_eq!(marks.join(), (Some(60 * DAY), Some(100 * DAY)));
    }
}
