//! How far a loader has come, kept in the blob store.

use std::collections::BTreeMap;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_schemas::Topic;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// The content of `loader/<name>/positions`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Positions {
    pub format: u32,
    /// By topic: the next offset of each partition.
    pub next: BTreeMap<Topic, Vec<u64>>,
    /// What the sink must know to give the same rows again.
    #[serde(default)]
    pub memory: serde_json::Value,
    /// Server time in epoch ms from which on loaded rows may not be counted in `community_sales` yet.
    #[serde(default)]
    pub sales_since: i64,
}

const FORMAT: u32 = 1;

impl Positions {
    pub fn key(name: &str) -> String {
        format!("loader/{name}/positions")
    }

    /// Reads them, or begins at the start of each topic. A topic that is new to the loader begins at its start too.
    pub async fn read(blobs: &SharedBlobs, name: &str, topics: &[Topic], partitions: u32) -> Result<Positions> {
        let key = Positions::key(name);
        let object = || format!("blob \"{key}\"");
        let mut positions = match blobs.get(&key).await? {
            None => Positions::default(),
            Some(bytes) => serde_json::from_slice::<Positions>(&bytes).map_err(|error| {
                Error::new(ErrorKind::Corrupt, object(), error.to_string())
                    .hint("delete it: the loader then reads the topics from their start, which changes no answer")
            })?,
        };
        if positions.format > FORMAT {
            return Err(Error::new(ErrorKind::Config, object(), "written by a newer version of linli")
                .hint("start that version, or delete it: the loader then reads the topics from their start"));
        }
        positions.format = FORMAT;
        for topic in topics {
            let next = positions.next.entry(*topic).or_insert_with(|| vec![0; partitions as usize]);
            if next.len() != partitions as usize {
                let cause = format!("holds {} partitions of topic \"{}\", not {partitions}", next.len(), topic.name());
                return Err(Error::new(ErrorKind::Config, object(), cause)
                    .hint("start with the partition count of the topics, or name another --namespace"));
            }
        }
        Ok(positions)
    }

    pub fn encode(&self) -> Bytes {
        // Numbers, names and numbers' lists: there is nothing in it that JSON cannot hold.
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }
}
