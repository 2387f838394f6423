//! From a forecast to an order that a supplier confirms and the shop reads back.
//!
//! The core is pure: an order line is a function of what is known of one SKU at one place ([`Situation`]) and of a
//! [`Policy`]. What came of it can be computed again from the line alone ([`Terms::sum`]).
//!
//! Units: quantities are pieces, money is fen, days are the shop's local days.

pub mod answers;
pub mod books;
pub mod calendar;
mod date;
pub mod expiry;
pub mod history;
mod line;
pub mod mail;
pub mod models;
mod patient;
pub mod plan;
mod policy;
pub mod publish;
mod release;
pub mod simulation;
mod sql;
pub mod stock;
mod terms;
pub mod value;

pub use line::{Conflict, Hold, Line, Place, Situation, order};
pub use policy::{Fate, Margins, Outlook, Policy, Quantile, Rule};
pub use release::{Release, Released};
pub use terms::{Addend, PIECES_MAX, Sum, Term, Terms};
