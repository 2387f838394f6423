//! The stream jobs: pure functions from records to results.
//!
//! No I/O, no clock, no randomness, no `async`. Time comes in as records and watermarks.
//!
//! The way of a record: [`task::Task::apply`] decodes it once, `admission` decides whether it counts,
//! what counts becomes a change of the [`state`], which is also written to the journal that an epoch publishes
//! as its delta. `orders` joins orders with their lines; the jobs `gmv`, `activity`, `top_n` and `buyers` fold
//! what comes out into windows, and pack each window that changed when the epoch ends.

mod activity;
mod admission;
mod buyers;
mod cells;
mod codec;
pub mod effect;
mod gmv;
mod hashing;
mod job;
mod journal;
mod names;
mod orders;
mod rotation;
mod state;
mod table;
pub mod task;
mod top_n;
mod window;
