//! What the crate promises, held from outside.

mod classical;
mod properties;
mod stubborn;
