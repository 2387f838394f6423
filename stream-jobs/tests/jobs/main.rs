//! The jobs from the outside: bytes of records in, effects out.

mod golden;
mod oracle;
mod script;
mod shop;
mod zones;
