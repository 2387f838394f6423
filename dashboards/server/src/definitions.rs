//! The catalogue of metrics: what each number on a page means, in both languages.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One metric, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricDefinition {
    pub key: String,
    /// `fen`, `count`.
    pub unit: String,
    pub name: Text,
    pub definition: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    #[serde(rename = "zh-CN")]
    pub zh_cn: String,
    pub en: String,
}

static CATALOGUE: &str = include_str!("../../metrics.json");

/// All of them, in the order of the page. Empty only if the file in the sources is broken, which a test forbids.
pub static DEFINITIONS: LazyLock<Vec<MetricDefinition>> =
    LazyLock::new(|| serde_json::from_str(CATALOGUE).unwrap_or_default());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_both_languages() {
        assert!(DEFINITIONS.len() >= 5);
        for metric in DEFINITIONS.iter() {
            for text in [&metric.name, &metric.definition] {
                assert!(!text.zh_cn.is_empty() && !text.en.is_empty(), "{}", metric.key);
            }
            assert!(["fen", "count"].contains(&metric.unit.as_str()), "{}", metric.key);
        }
    }
}
