//! The suppliers' mail and the page behind its link, read by others' readers.

mod conformance;
mod content;
mod delivery;
mod kills;
mod page;
mod sample;
