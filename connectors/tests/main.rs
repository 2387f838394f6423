//! The ports' implementations from outside.

mod conformance;
mod file_log;
mod memory_log;
