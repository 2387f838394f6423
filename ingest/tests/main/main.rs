//! The collector from outside: its routes, its bounds, and what is on the log once it has answered.

mod bounds;
mod clicks;
mod harness;
mod socket;
