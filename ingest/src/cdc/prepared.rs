//! XA transactions that were prepared and are not decided yet: part of the one atomic record.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use linli_binlog::Xid;
use serde::{Deserialize, Serialize};

use super::catalog::Catalog;
use super::encoded;

/// By the server's name of the transaction.
pub type PreparedSet = BTreeMap<Xid, Prepared>;

/// The events of a prepared transaction, and what they are read with.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub stored: Stored,
    /// The tables as they were then.
    pub catalog: Arc<Catalog>,
}

/// What the record holds of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// `X'6731',X'6231',7`
    pub xid: String,
    /// The transaction that prepared it: its GTID, or its place.
    pub id: String,
    /// When it was prepared, epoch ms.
    pub at_ms: i64,
    /// Of all its events.
    pub bytes: u64,
    /// Objects that hold its events, by number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parts: u32,
    /// The events behind those.
    #[serde(default, skip_serializing_if = "Bytes::is_empty", with = "encoded")]
    pub rest: Bytes,
    /// The object with the definitions of then.
    #[serde(default)]
    pub schema: String,
}

impl Stored {
    /// Where a part of a prepared transaction is, behind the reader's prefix.
    pub fn part_key(id: &str, part: u32) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        format!("{FOLDER}/{}/{part:06}", id.chars().map(plain).collect::<String>())
    }

    pub fn part_keys(&self) -> impl Iterator<Item = String> {
        (0..self.parts).map(|part| Stored::part_key(&self.id, part))
    }
}

/// Where the parts are, behind the reader's prefix.
pub const FOLDER: &str = "prepared";

fn is_zero(count: &u32) -> bool {
    *count == 0
}
