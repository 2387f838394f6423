//! The whole runtime on twins with faults: see `sim/mod.rs`.

mod sim;
