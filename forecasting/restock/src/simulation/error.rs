//! What can go wrong.

use chrono::NaiveDate;

use super::books::Books;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("{what}: {given} given, {needed} needed")]
    Shape { what: &'static str, given: usize, needed: usize },
    #[error("{what}: {value} is not between {least} and {most}")]
    Range { what: &'static str, value: i64, least: i64, most: i64 },
    /// A defect of the simulation: no figure of it can be trusted.
    #[error(
        "the books of SKU {sku_id} at warehouse {warehouse_id} under policy {policy} do not balance on {date}: {books}"
    )]
    Unbalanced { policy: String, warehouse_id: i64, sku_id: i64, date: NaiveDate, books: Box<Books> },
    /// A defect of the simulation: what is compared was not the same.
    #[error("policy {policy} met other demand, lead times or prices than policy {first}")]
    Unequal { policy: String, first: String },
    #[error("the forecasts of policy {policy}")]
    Forecast {
        policy: String,
        #[source]
        source: linli_forecasting::Error,
    },
}

impl Error {
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Shape { .. } => "give every item one number a day of the history and of the days that are played",
            Error::Range { .. } => "choose a size within these bounds",
            Error::Unbalanced { .. } | Error::Unequal { .. } => "report it with the command and its seed",
            Error::Forecast { .. } => "choose a longer history, or fewer items",
        }
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
