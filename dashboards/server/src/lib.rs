//! The dashboards' server: the page, its JSON API and its live stream.
//!
//! It asks a [`LiveSource`] once a second on behalf of everybody who looks, and writes nothing.
//! What needs attention it reads from an [`AlertLog`].

mod alert_log;
mod alerts;
mod api;
mod definitions;
mod hub;
mod live_view;
mod meters;
mod problem;
mod routes;
mod scope;
mod security;
mod serve;
pub mod source;
mod stream;
mod view;
mod web;

pub use alert_log::AlertLog;
pub use routes::openapi_json;
pub use serve::{BoundServer, ServeError, ServeOptions, bind, run};
pub use source::{
    LiveSource, Minute, Names, SkuName, Snapshot, SourceError, Top, TopQuery, TopRow, TopScope, TopWindow, Totals, View,
};
