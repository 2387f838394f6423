//! What could not be used, with why, so that it can be read, mended and driven again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The value of a record of topic `dead-letter`. Its identity is `(topic, partition, offset)`; a repetition is dropped by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where it was read; the collector, which has no log position yet, writes `clicks` and no offset.
    pub topic: String,
    pub partition: Option<u32>,
    pub offset: Option<u64>,
    /// `malformed`, `future`, `late`.
    pub code: String,
    pub reason: String,
    /// When it was refused, epoch ms.
    pub at: i64,
    /// The original key and value, base64.
    pub key: String,
    pub value: String,
}

impl DeadLetter {
    pub fn encode_bytes(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    pub fn decode_bytes(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(text)
    }
}
