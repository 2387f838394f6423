//! The suppliers' mail and the page behind its link, read by others' readers.

mod content;
mod sample;
