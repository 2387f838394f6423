//! One number that orders the changes of a row.
//!
//! An imported line is ordered by its own time, so a line that is repeated, in this import or the next, has the same version.
//! A change of the shop is ordered by its place on the log, which holds the changes of a row in commit order: the time that
//! ingest read it, raised above every earlier one of the partition. Neither a binlog position nor a GTID number could be
//! compared across a failover, and the time in a binlog event is that of the statement's start, not of the commit.
//! A change published a second time after a crash gets a higher version, and so do those that follow on it:
//! between the two the row shows an earlier state, for as long as ingest takes to catch up.

use linli_schemas::identity::EventKey;
use serde::{Deserialize, Serialize};

const TICK_BITS: u32 = 22;
const TICKS: u64 = (1 << TICK_BITS) - 1;
const MS_MAX: i64 = (1 << (64 - TICK_BITS)) - 1;

/// The version of a row of an imported line: its time, and a hash that tells lines of one millisecond apart.
pub(super) fn of_line(ts_ms: i64, event_id: &str) -> u64 {
    let hash = u64::from(EventKey::new(event_id.as_bytes(), 0).0[0]);
    (ts_ms.clamp(0, MS_MAX) as u64) << TICK_BITS | (hash & TICKS)
}

/// The last version given in a partition: milliseconds and, below them, a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PartitionClock(u64);

impl PartitionClock {
    /// The next version: of the millisecond `ts_ms` where that is ahead, else just above the last.
    pub fn next(&mut self, ts_ms: i64) -> u64 {
        let at = (ts_ms.clamp(0, MS_MAX) as u64) << TICK_BITS;
        self.0 = at.max(self.0.saturating_add(1));
        self.0
    }
}

/// The version of a tracked event: the first received wins.
pub(super) fn of_click(received_at: i64) -> u64 {
    u64::MAX - received_at.max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_partition_rise_even_when_the_clock_steps_back() {
        let mut clock = PartitionClock::default();
        let versions: Vec<u64> = [5, 5, 4, 9, 9, 8].into_iter().map(|ts| clock.next(ts)).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(versions[3], 9 << TICK_BITS);
    }

    #[test]
    fn a_line_has_one_version_and_a_later_one_a_higher() {
        assert_eq!(of_line(7, "a"), of_line(7, "a"));
        assert_ne!(of_line(7, "a"), of_line(7, "b"));
        assert!(of_line(8, "a") > of_line(7, "b"));
        assert!(of_line(-1, "a") <= TICKS);
        assert!(PartitionClock::default().next(8) > of_line(7, "z"));
    }

    #[test]
    fn the_first_receipt_of_a_click_wins() {
        assert!(of_click(5) > of_click(6));
    }
}
