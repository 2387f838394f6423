//! The JSON Schemas (draft 2020-12) of the topics. Decoding accepts exactly what they accept: a test holds it.
//!
//! Two things a schema cannot say are left to the decoders: that a name stands once in an object, and that the columns
//! of a metric's record are of one length.

use crate::Topic;

/// The envelope of tables that no job reads: their rows are not described.
pub const OTHER_TABLES: &str = include_str!("../json/shop.other.schema.json");

/// The schema of a topic's values.
pub const fn schema(topic: Topic) -> &'static str {
    match topic {
        Topic::Orders => include_str!("../json/shop.orders.schema.json"),
        Topic::OrderItems => include_str!("../json/shop.order_items.schema.json"),
        Topic::Refunds => include_str!("../json/shop.refunds.schema.json"),
        Topic::Communities => include_str!("../json/shop.communities.schema.json"),
        Topic::Categories => include_str!("../json/shop.categories.schema.json"),
        Topic::Skus => include_str!("../json/shop.skus.schema.json"),
        Topic::Stock => include_str!("../json/shop.stock.schema.json"),
        Topic::Clicks => include_str!("../json/clicks.schema.json"),
        Topic::Buyers => include_str!("../json/gmv.buyers-repartition.schema.json"),
        Topic::MetricsGmv => include_str!("../json/metrics.gmv.schema.json"),
        Topic::MetricsActivity => include_str!("../json/metrics.activity.schema.json"),
        Topic::MetricsTopN => include_str!("../json/metrics.top_n.schema.json"),
        Topic::MetricsBuyers => include_str!("../json/metrics.buyers.schema.json"),
        Topic::ForecastDemand => include_str!("../json/forecast.demand.schema.json"),
        Topic::ForecastRestock => include_str!("../json/forecast.restock.schema.json"),
        Topic::ForecastAnswers => include_str!("../json/forecast.answers.schema.json"),
        Topic::Alerts => include_str!("../json/alerts.schema.json"),
        Topic::DeadLetter => include_str!("../json/dead-letter.schema.json"),
    }
}
