//! Keeping two topics that are joined near each other while a backlog is read.
//!
//! The join of orders and their items holds one side until the other comes, within bounds. A backlog of weeks is fetched
//! as it comes: where the log hands out all orders first, their items would come too late. So the topic that is far ahead
//! rests until the other, as long as that has unread records, has come near.

use linli_schemas::{EventTime, Topic};

const HOLD_BACK_MS: i64 = 24 * 3_600_000;
const LET_GO_MS: i64 = 12 * 3_600_000;

/// How far the reading of a topic has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// By the time its source wrote it.
    pub progress: Option<EventTime>,
    pub unread: u64,
}

/// Which of the two should rest, given which does.
pub(crate) fn held_back(orders: Reading, items: Reading, now: Option<Topic>) -> Option<Topic> {
    let check = |ahead: Reading, behind: Reading, topic: Topic| {
        let bound = if now == Some(topic) { LET_GO_MS } else { HOLD_BACK_MS };
        let far = match (ahead.progress, behind.progress) {
            (Some(ahead), Some(behind)) => ahead.0.saturating_sub(behind.0) > bound,
            (Some(_), None) => true,
            (None, _) => false,
        };
        (far && behind.unread > 0).then_some(topic)
    };
    check(orders, items, Topic::Orders).or_else(|| check(items, orders, Topic::OrderItems))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64, unread: u64) -> Reading {
        Reading { progress: Some(EventTime(hours * 3_600_000)), unread }
    }

    #[test]
    fn the_topic_that_is_far_ahead_rests_until_the_other_is_near() {
        let none = Reading { progress: None, unread: 5 };
        for (orders, items, now, expected) in [
            (at(10, 5), at(0, 5), None, None),
            (at(30, 5), at(0, 5), None, Some(Topic::Orders)),
            (at(0, 5), at(30, 5), None, Some(Topic::OrderItems)),
            // Once it rests it goes on resting until the other is well near, so that readers are not opened all the time.
            (at(30, 5), at(15, 5), Some(Topic::Orders), Some(Topic::Orders)),
            (at(30, 5), at(15, 5), None, None),
            (at(30, 5), at(20, 5), Some(Topic::Orders), None),
            // Nothing to wait for.
            (at(90, 5), at(0, 0), Some(Topic::Orders), None),
            (at(1, 5), none, None, Some(Topic::Orders)),
            (none, none, None, None),
        ] {
            assert_eq!(held_back(orders, items, now), expected, "{orders:?} {items:?} {now:?}");
        }
    }
}
