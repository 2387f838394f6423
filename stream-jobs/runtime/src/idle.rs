//! Which topics of a task have had nothing to read for a while.

use linli_schemas::Topic;

use crate::epoch::Positions;

type Inputs<T> = [T; Topic::INPUTS.len()];

/// The ends are asked for now and then and so lag behind the log: that a topic is read to its end counts from when it
/// was first seen, and only for as long as nothing more is read.
#[derive(Debug, Default)]
pub(crate) struct Idleness {
    /// Read to its end since then, and how far that was.
    since: Inputs<Option<(i64, u64)>>,
    idle: Inputs<bool>,
}

impl Idleness {
    /// Which topics are idle, when that has changed.
    pub(crate) fn look(&mut self, at: &Positions, ends: &Positions, now: i64, after_ms: i64) -> Option<Inputs<bool>> {
        let mut idle = self.idle;
        for (input, idle) in idle.iter_mut().enumerate() {
            let position = at.0[input];
            let since = &mut self.since[input];
            if position < ends.0[input] {
                *since = None;
            } else if since.is_none_or(|(_, seen)| seen != position) {
                *since = Some((now, position));
            }
            *idle = since.is_some_and(|(began, _)| now.saturating_sub(began) >= after_ms);
        }
        (idle != self.idle).then(|| {
            self.idle = idle;
            idle
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_idle_when_nothing_was_there_to_read_for_a_while() {
        let at = |first: u64| {
            let mut positions = Positions::default();
            positions.0[0] = first;
            positions
        };
        let mut idleness = Idleness::default();
        let mut first = |position: u64, end: u64, now: i64| {
            let changed = idleness.look(&at(position), &at(end), now, 100);
            changed.map(|idle| (idle[0], idle[1]))
        };
        assert_eq!(first(5, 9, 0), None); // unread
        assert_eq!(first(9, 9, 50), None); // the other topics have nothing since 0
        assert_eq!(first(9, 9, 100), Some((false, true)));
        assert_eq!(first(10, 9, 140), None); // read on: the end that is known is an old one
        assert_eq!(first(10, 10, 239), None);
        assert_eq!(first(10, 10, 240), Some((true, true)));
        assert_eq!(first(10, 11, 250), Some((false, true)));
        assert_eq!(first(11, 11, 400), None);
    }
}
