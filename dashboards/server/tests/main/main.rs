//! The server from outside: addresses, headers, errors, the stream, the committed description.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod alerts;
mod api;
mod description;
mod support;
