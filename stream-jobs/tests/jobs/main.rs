//! The jobs from the outside: bytes of records in, effects out.

mod golden;
mod golden_windows;
mod oracle;
mod script;
mod shop;
mod zones;
