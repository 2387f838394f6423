//! The warehouse on the real engine, behind the same protocol as in production.

mod answers;
mod demand;
mod facts;
mod faults;
mod live;
mod migrations;
mod results;
mod sales;
mod support;
