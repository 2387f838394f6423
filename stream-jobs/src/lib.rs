//! The stream jobs: pure functions from records to results.
//!
//! No I/O, no clock, no randomness, no `async`. Time comes in as records and watermarks.

pub mod effect;
pub mod task;
