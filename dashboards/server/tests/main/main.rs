//! The server from outside: addresses, headers, errors, the stream, the committed description.

mod api;
mod description;
mod support;
