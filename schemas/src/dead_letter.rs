//! What could not be used, with why, so that it can be read, mended and driven again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::strict::{Object, int, optional_int};

/// The value of a record of topic `dead-letter`.
///
/// Its identity is `(topic, partition, offset)`, by which a repetition is dropped; where there is no offset,
/// `(topic, key, value)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where it was read; the collector, which has no log position yet, writes `clicks` and no offset, the importer `import`.
    pub topic: String,
    #[serde(default, deserialize_with = "optional_int")]
    pub partition: Option<u32>,
    #[serde(default, deserialize_with = "optional_int")]
    pub offset: Option<u64>,
    /// `malformed`, `future`, `late`.
    pub code: String,
    pub reason: String,
    /// When it was refused, epoch ms.
    #[serde(deserialize_with = "int")]
    pub at: i64,
    /// The original key and value, base64. The importer's key is `<sha256 of the input>:<first byte of the line>`.
    pub key: String,
    pub value: String,
}

/// A record of topic `dead-letter` that cannot be read itself.
#[derive(Debug, thiserror::Error)]
#[error("not a dead letter: {cause}")]
pub struct MalformedDeadLetter {
    pub cause: String,
}

impl DeadLetter {
    /// The JSON of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers alone: writing them cannot fail.
        sonic_rs::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`DeadLetter::encode`] wrote.
    pub fn decode(value: &[u8]) -> Result<DeadLetter, MalformedDeadLetter> {
        let malformed = |cause: String| MalformedDeadLetter { cause };
        let Object(letter) = sonic_rs::from_slice::<Object<DeadLetter>>(value)
            .map_err(|error| malformed(crate::event::cause_of(&error)))?;
        for text in [&letter.key, &letter.value] {
            DeadLetter::decode_bytes(text).map_err(|error| malformed(error.to_string()))?;
        }
        Ok(letter)
    }

    pub fn encode_bytes(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    pub fn decode_bytes(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(text)
    }
}
