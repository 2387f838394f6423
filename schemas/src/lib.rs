//! Every type, topic, table and message that crosses a process.
//!
//! A leaf crate: it imports none of the others, does no I/O and reads no clock.

pub mod alert;
pub mod change;
pub mod click;
pub mod dead_letter;
pub mod event;
pub mod forecast;
pub mod identity;
pub mod ids;
pub mod json;
pub mod metric;
pub mod named;
pub mod partition;
mod plain;
mod scan;
pub mod shop;
pub mod stock;
mod strict;
pub mod topic;
pub mod zone;

pub use ids::{CategoryId, CommunityId, EventTime, LeaderId, Money, OrderId, SkuId, SupplierId, UserId};
pub use topic::Topic;
