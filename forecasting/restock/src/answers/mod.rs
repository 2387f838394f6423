//! What suppliers answer, behind the signed link of their mail.
//!
//! A link opens one supplier's lines of one run ([`Keys`]). Answers are kept by version on the blob store ([`Store`]) and
//! appended to topic `forecast.answers`; what was stored and not appended before a crash is appended later.

mod form;
mod link;
mod page;
mod router;
mod store;

pub use link::{KEY_BYTES_MIN, Key, Keys, Links, Refusal, Ticket};
pub use router::{Answers, router, serve};
pub use store::{Given, Sheet, Store, Submitted, answered};
