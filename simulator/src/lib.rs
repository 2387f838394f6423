//! The simulated shop (`shop://`): a made-up city that buys in groups, as the stream of changes its databases and pages would cause.
//!
//! The core is pure: the changes of a day are a function of the options and the day alone. So a stream can be taken up at any
//! [`Position`], and what is published twice carries the same identity.

pub mod buyer;
mod catalog;
mod change;
mod city;
mod curve;
mod day;
pub mod demand;
mod error;
pub mod feed;
pub mod holidays;
mod journey;
mod ledger;
pub mod load;
mod options;
mod orders;
mod plan;
mod promotions;
pub mod records;
mod reference;
mod rng;
mod rows;
mod schedule;
mod shop;
pub mod sql;
mod table;
pub mod truth;

pub use catalog::{Brand, Catalog, Category, Sku};
pub use change::{Body, Change, ClickChange, Op, Position, RowChange, Strand, Transaction};
pub use city::{City, Community, Leader, Supplier, Warehouse};
pub use error::{Error, Result};
pub use options::ShopOptions;
pub(crate) use shop::World;
pub use shop::{Changes, Shop};
pub use table::{Column, Row, Table, Type, Value};
