//! Tables that cannot be followed: what is known of each, as the one atomic record holds it.

use std::collections::BTreeMap;

use bytes::Bytes;
use linli_connectors::log::NewRecord;
use linli_schemas::Topic;
use linli_schemas::alert::{Alert, AlertState};
use linli_schemas::partition::partition_of;
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::position::{Partial, Place};

/// The topic of notes about records that are too long.
pub const TOPIC: &str = "cdc.quarantine";
/// The rule by which a table in quarantine is told on topic `alerts`.
pub const RULE: &str = linli_schemas::alert::QUARANTINE;

/// By `database.table`.
pub type Quarantines = BTreeMap<String, Quarantine>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub reason: String,
    /// When the transaction was committed whose changes could not be followed first, epoch ms.
    pub since_ms: i64,
    pub place: Place,
    /// The transaction within which it began, and how many of its records come before: read again, those are as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Partial>,
    /// What is held and not applied yet.
    pub events: u64,
    pub bytes: u64,
    #[serde(default)]
    pub kept: Kept,
    /// Why it cannot be applied, if so: then it takes a new snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// It is being applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applying: Option<Applying>,
}

/// What applying was asked for with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applying {
    /// How the table was from the first event on that does not fit what is known: its CREATE TABLE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

impl Quarantine {
    /// The record on topic `alerts` that says that it began, or that it is over.
    pub fn alert(&self, server: &str, table: &str, state: AlertState, partitions: u32, now_ms: i64) -> NewRecord {
        let alert = Alert {
            rule: RULE.to_owned(),
            subject: format!("{server}/{table}"),
            state,
            value: if state == AlertState::Firing { 1.0 } else { 0.0 },
            threshold: Some(0.0),
            since: self.since_ms,
            reason: Some(self.reason.clone()),
        };
        let key = Bytes::from(alert.log_key());
        NewRecord {
            topic: Topic::Alerts.name().into(),
            partition: partition_of(&key, partitions),
            timestamp_ms: now_ms,
            key,
            value: Some(Bytes::from(alert.encode())),
        }
    }
}

/// Database and name of `database.table`.
pub fn split(table: &str) -> (&str, &str) {
    table.split_once('.').unwrap_or(("", table))
}
