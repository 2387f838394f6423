//! The topics of the event log and who is allowed to expect what on them.

use serde::{Deserialize, Serialize};

/// A topic that Linli's own programs read or write by name.
///
/// Tables of the shop that no job reads are `shop.<table>` too and need no variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Topic {
    #[serde(rename = "shop.orders")]
    Orders,
    #[serde(rename = "shop.order_items")]
    OrderItems,
    #[serde(rename = "shop.refunds")]
    Refunds,
    #[serde(rename = "shop.communities")]
    Communities,
    #[serde(rename = "shop.categories")]
    Categories,
    #[serde(rename = "shop.skus")]
    Skus,
    /// What is on hand and reserved, as it changes.
    #[serde(rename = "shop.stock")]
    Stock,
    #[serde(rename = "clicks")]
    Clicks,
    /// First purchases of a user on a day, sent by `gmv` to the partition of the user.
    #[serde(rename = "gmv.buyers-repartition")]
    Buyers,
    #[serde(rename = "metrics.gmv")]
    MetricsGmv,
    #[serde(rename = "metrics.activity")]
    MetricsActivity,
    #[serde(rename = "metrics.top_n")]
    MetricsTopN,
    #[serde(rename = "metrics.buyers")]
    MetricsBuyers,
    /// The demand that a run expects, and where the run ends.
    #[serde(rename = "forecast.demand")]
    ForecastDemand,
    /// What a run asks to be ordered, and where the run ends.
    #[serde(rename = "forecast.restock")]
    ForecastRestock,
    /// What suppliers say to that.
    #[serde(rename = "forecast.answers")]
    ForecastAnswers,
    /// What someone has to look at, when it begins and when it is over.
    #[serde(rename = "alerts")]
    Alerts,
    #[serde(rename = "dead-letter")]
    DeadLetter,
}

impl Topic {
    pub const ALL: [Topic; 18] = [
        Topic::Orders,
        Topic::OrderItems,
        Topic::Refunds,
        Topic::Communities,
        Topic::Categories,
        Topic::Skus,
        Topic::Stock,
        Topic::Clicks,
        Topic::Buyers,
        Topic::MetricsGmv,
        Topic::MetricsActivity,
        Topic::MetricsTopN,
        Topic::MetricsBuyers,
        Topic::ForecastDemand,
        Topic::ForecastRestock,
        Topic::ForecastAnswers,
        Topic::Alerts,
        Topic::DeadLetter,
    ];

    /// The topics that the stream jobs read; a task is one partition number over all of them.
    pub const INPUTS: [Topic; 5] = [Topic::Orders, Topic::OrderItems, Topic::Refunds, Topic::Clicks, Topic::Buyers];

    /// The topics whose rows name something.
    pub const NAMING: [Topic; 3] = [Topic::Communities, Topic::Categories, Topic::Skus];

    pub const METRICS: [Topic; 4] =
        [Topic::MetricsGmv, Topic::MetricsActivity, Topic::MetricsTopN, Topic::MetricsBuyers];

    /// The name on the log, without a namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Orders => "shop.orders",
            Topic::OrderItems => "shop.order_items",
            Topic::Refunds => "shop.refunds",
            Topic::Communities => "shop.communities",
            Topic::Categories => "shop.categories",
            Topic::Skus => "shop.skus",
            Topic::Stock => "shop.stock",
            Topic::Clicks => "clicks",
            Topic::Buyers => "gmv.buyers-repartition",
            Topic::MetricsGmv => "metrics.gmv",
            Topic::MetricsActivity => "metrics.activity",
            Topic::MetricsTopN => "metrics.top_n",
            Topic::MetricsBuyers => "metrics.buyers",
            Topic::ForecastDemand => "forecast.demand",
            Topic::ForecastRestock => "forecast.restock",
            Topic::ForecastAnswers => "forecast.answers",
            Topic::Alerts => "alerts",
            Topic::DeadLetter => "dead-letter",
        }
    }

    pub fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// Whether the log may drop all but the newest record of a key.
    pub const fn compacted(self) -> bool {
        matches!(self, Topic::MetricsGmv | Topic::MetricsActivity | Topic::MetricsTopN | Topic::MetricsBuyers)
    }

    /// The name on a log that several runs share: `<namespace>.<name>`, or the bare name.
    pub fn in_namespace(self, namespace: &str) -> String {
        if namespace.is_empty() { self.name().to_owned() } else { format!("{namespace}.{}", self.name()) }
    }
}
