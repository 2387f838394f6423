//! The ports to the outside and their twins: each is opened by a URL whose scheme picks the implementation.
//!
//! Imports none of our crates. The only crate that may ask the clock, draw randomness or sleep.

pub mod blobs;
pub mod clock;
pub mod error;
pub mod log;
mod namespace;
pub mod random;
pub mod serving;
pub mod tables;

pub use error::{Error, ErrorKind, Result};
