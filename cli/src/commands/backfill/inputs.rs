//! What is known of an input: who it is by the hash of its content, and the byte reached, kept in the blob store.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use linli_connectors::blobs::Blobs;
use linli_ingest::import::{InputIdentity, SourceError, identify};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;

/// How far an input has been imported. Stored after its records are durable, so a crash repeats at most one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The byte of the content reached.
    pub byte: u64,
    pub lines: u64,
    pub orders: u64,
    pub clicks: u64,
    /// Lines that went to the dead letter.
    pub refused: u64,
    /// The latest time of a line, epoch ms.
    pub last_event_ms: i64,
    /// When the import of this input began: the records' time of receipt, the same after a restart.
    pub received_at_ms: i64,
}

pub struct Input {
    pub path: PathBuf,
    pub identity: InputIdentity,
    pub progress: Progress,
}

fn key(identity: &InputIdentity) -> String {
    format!("import/inputs/{}", identity.sha256)
}

impl Input {
    /// Hashes the file and looks up how far it got.
    pub async fn open(path: &Path, blobs: &dyn Blobs, now_ms: i64, output: &Output) -> Outcome<Input> {
        let owned = path.to_owned();
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let bar = output.progress(bytes, "identify");
        let identity = tokio::task::spawn_blocking(move || {
            let identity = identify(&owned, |read| bar.set_position(read));
            bar.finish_and_clear();
            identity
        })
        .await
        .map_err(|error| Failure::new(Kind::Internal, format!("hashing ended by a defect: {error}")))?
        .map_err(source_failure)?;
        let progress = match blobs.get(&key(&identity)).await? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(Kind::Corrupt, format!("blob \"{}\": {error}", key(&identity)))
                    .hint("start with another --data-dir or --namespace")
            })?,
            None => Progress { received_at_ms: now_ms, ..Progress::default() },
        };
        Ok(Input { path: path.to_owned(), identity, progress })
    }

    pub async fn store(&self, blobs: &dyn Blobs, progress: &Progress) -> Outcome {
        let json = serde_json::to_vec(progress)
            .map_err(|error| Failure::new(Kind::Internal, format!("progress of an input: {error}")))?;
        Ok(blobs.put(&key(&self.identity), Bytes::from(json)).await?)
    }
}

pub fn source_failure(error: SourceError) -> Failure {
    Failure::new(Kind::Input, error.to_string())
}
