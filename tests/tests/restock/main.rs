//! Runs are published into a real MySQL and a real Kafka, read, ordered by, and everybody is killed.

mod kills;
mod nightly;
mod readers;
mod refusals;
mod runs;
mod shop;
mod topics;

use std::time::Duration;

pub const PARTITIONS: u32 = 4;
/// No single step of these tests takes longer on a slow machine.
pub const DEADLINE: Duration = Duration::from_secs(240);
