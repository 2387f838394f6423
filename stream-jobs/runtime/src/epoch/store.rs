//! Where a task's epochs stand among the blobs.
//!
//! ```text
//! tasks/3/epochs/000000000042      the epochs, by put_if_absent: one line, whichever generation writes
//! tasks/3/bases/000000000040-…     whole states, named by one epoch's header
//! tasks/3/delivered/000000000042   the outbox of that epoch is delivered; holds the epoch's header
//! ```
//!
//! **Garbage and zombies.** Epochs before the last base but one are deleted, so a number may become free again. An owner
//! that slept through that and then writes its next number would find it free and think itself the owner. Hence the
//! epochs of takeovers are kept ([`CLAIMS_KEPT`] of them): the first takeover after that owner stands at the very number
//! it would write, and fences it. Should it have slept over more takeovers than that, its version is lower than what
//! stands in every store, its epoch is not the newest and no recovery looks at it: it wastes work and changes nothing.
//! A runner that sleeps *while taking over* could come by a number freed meanwhile with a generation that is higher than
//! the owner's. So a takeover is complete only when its epoch is also seen to be the newest; until then it delivers nothing.

use bytes::Bytes;
use linli_connectors::blobs::{PutOutcome, SharedBlobs};

use super::object::{BaseRef, CorruptBlob, EpochHeader, EpochObject};
use super::{Epoch, Outbox, WriterNonce};
use crate::error::Result;

/// Epochs of takeovers that outlive the collection of garbage.
pub const CLAIMS_KEPT: usize = 256;

/// The epochs of one task.
#[derive(Clone)]
pub struct EpochStore {
    blobs: SharedBlobs,
    task: u32,
}

impl EpochStore {
    pub fn new(blobs: SharedBlobs, task: u32) -> EpochStore {
        EpochStore { blobs, task }
    }

    pub fn task(&self) -> u32 {
        self.task
    }

    fn folder(&self, kind: &str) -> String {
        format!("tasks/{}/{kind}", self.task)
    }

    pub fn epoch_key(&self, epoch: Epoch) -> String {
        format!("{}/{:012}", self.folder("epochs"), epoch.0)
    }

    fn delivered_key(&self, epoch: Epoch) -> String {
        format!("{}/{:012}", self.folder("delivered"), epoch.0)
    }

    pub async fn newest(&self) -> Result<Option<Epoch>> {
        self.newest_of("epochs").await
    }

    pub async fn newest_delivered(&self) -> Result<Option<Epoch>> {
        self.newest_of("delivered").await
    }

    async fn newest_of(&self, kind: &str) -> Result<Option<Epoch>> {
        let keys = self.blobs.list(&self.folder(kind)).await?;
        keys.last().map(|key| epoch_of(key).ok_or_else(|| foreign(key).into())).transpose()
    }

    pub async fn read(&self, epoch: Epoch) -> Result<Option<EpochObject>> {
        let key = self.epoch_key(epoch);
        let Some(bytes) = self.blobs.get(&key).await? else {
            return Ok(None);
        };
        let object = EpochObject::decode(&key, bytes)?;
        if (object.header.task, object.header.epoch) != (self.task, epoch) {
            let cause = format!("it is epoch {} of task {}", object.header.epoch, object.header.task);
            return Err(CorruptBlob { key, cause }.into());
        }
        Ok(Some(object))
    }

    pub async fn put_if_absent(&self, epoch: Epoch, object: Bytes) -> Result<PutOutcome> {
        Ok(self.blobs.put_if_absent(&self.epoch_key(epoch), object).await?)
    }

    /// What a runner without a fence would do.
    #[cfg(feature = "mutants")]
    pub async fn overwrite(&self, epoch: Epoch, object: Bytes) -> Result<()> {
        Ok(self.blobs.put(&self.epoch_key(epoch), object).await?)
    }

    /// Under a name that no other owner uses: an epoch that never comes to be leaves garbage, not confusion.
    pub async fn put_base(&self, epoch: Epoch, writer: WriterNonce, state: Bytes) -> Result<BaseRef> {
        let key = format!("{}/{:012}-{writer}", self.folder("bases"), epoch.0);
        let bytes = state.len() as u64;
        self.blobs.put(&key, state).await?;
        Ok(BaseRef { epoch, key, bytes })
    }

    pub async fn read_base(&self, base: &BaseRef) -> Result<Bytes> {
        match self.blobs.get(&base.key).await? {
            Some(bytes) if bytes.len() as u64 == base.bytes => Ok(bytes),
            Some(bytes) => {
                let cause = format!("it has {} bytes, its epoch says {}", bytes.len(), base.bytes);
                Err(CorruptBlob { key: base.key.clone(), cause }.into())
            }
            None => Err(CorruptBlob { key: base.key.clone(), cause: "it is not there".to_owned() }.into()),
        }
    }

    pub async fn delivered(&self, epoch: Epoch) -> Result<bool> {
        Ok(self.blobs.get(&self.delivered_key(epoch)).await?.is_some())
    }

    /// The header stands in the mark too, so that looking at progress need not read states.
    pub async fn mark_delivered(&self, header: &EpochHeader) -> Result<()> {
        let mark = EpochObject { header: header.clone(), delta: Bytes::new(), outbox: Outbox::default() };
        Ok(self.blobs.put(&self.delivered_key(header.epoch), mark.encode()).await?)
    }

    pub async fn delivered_header(&self, epoch: Epoch) -> Result<Option<EpochHeader>> {
        let key = self.delivered_key(epoch);
        let Some(bytes) = self.blobs.get(&key).await? else {
            return Ok(None);
        };
        Ok(Some(EpochObject::decode(&key, bytes)?.header))
    }

    /// What no recovery from `header` needs: epochs, marks and bases before the base before its own.
    pub async fn garbage(&self, header: &EpochHeader) -> Result<Vec<String>> {
        let Some(oldest) = header.base_before else {
            return Ok(Vec::new());
        };
        let mut garbage = Vec::new();
        for kind in ["epochs", "delivered", "bases"] {
            for key in self.blobs.list(&self.folder(kind)).await? {
                let old = epoch_of(&key)
                    .is_some_and(|epoch| epoch < oldest && !(kind == "epochs" && header.claims.contains(&epoch)));
                if old {
                    garbage.push(key);
                }
            }
        }
        Ok(garbage)
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        Ok(self.blobs.delete(key).await?)
    }
}

fn epoch_of(key: &str) -> Option<Epoch> {
    let name = key.rsplit('/').next()?;
    let number = name.split('-').next()?;
    number.parse().ok().map(Epoch)
}

fn foreign(key: &str) -> CorruptBlob {
    CorruptBlob { key: key.to_owned(), cause: "its name is no epoch's".to_owned() }
}
