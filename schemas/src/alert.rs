//! What someone has to look at: one record when it begins, one when it is over.

use serde::{Deserialize, Serialize};

use crate::strict::{Object, int, named};

/// The rule of a table that change capture cannot follow; the subject is `SERVER/DATABASE.TABLE`.
pub const QUARANTINE: &str = "cdc.quarantine";

/// The value of a record of topic `alerts`.
///
/// A change of state: a record that repeats the last one of its key (`rule`, `subject`, `state`, `since`) is a repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What is watched, as in `cdc.quarantine`.
    pub rule: String,
    /// What it is about, as in `127.0.0.1:3306/shop_0.orders_3`.
    pub subject: String,
    pub state: AlertState,
    /// What was found, and what it went beyond.
    pub value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Since when it is so, epoch ms; a resolved one keeps when it began to fire.
    #[serde(deserialize_with = "int")]
    pub since: i64,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    Firing,
    Resolved,
}

named!(AlertState { "firing" => AlertState::Firing, "resolved" => AlertState::Resolved });

/// A record of topic `alerts` that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not an alert: {cause}")]
pub struct MalformedAlert {
    pub cause: String,
}

impl Alert {
    /// The key on the log.
    pub fn log_key(&self) -> String {
        format!("{}/{}", self.rule, self.subject)
    }

    /// The JSON of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        // Strings and finite numbers alone: writing them cannot fail.
        sonic_rs::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Alert::encode`] wrote.
    pub fn decode(value: &[u8]) -> Result<Alert, MalformedAlert> {
        sonic_rs::from_slice::<Object<Alert>>(value)
            .map(|Object(alert)| alert)
            .map_err(|error| MalformedAlert { cause: crate::event::cause_of(&error) })
    }
}
