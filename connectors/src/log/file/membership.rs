//! A group on one machine: whoever holds the lock has all partitions, the others wait to take over.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use super::partition::failed;
use crate::Result;
use crate::clock::SharedClock;
use crate::log::Membership;

const TRY_EVERY: Duration = Duration::from_millis(50);

/// The system gives the lock back when the process dies, however it dies.
pub(super) struct FileMembership {
    file: File,
    path: PathBuf,
    partitions: u32,
    clock: SharedClock,
    owner: bool,
}

impl FileMembership {
    pub(super) fn join(path: &Path, partitions: u32, clock: SharedClock) -> Result<FileMembership> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|error| failed(path, "cannot be opened", error))?;
        Ok(FileMembership { file, path: path.to_owned(), partitions, clock, owner: false })
    }
}

#[async_trait]
impl Membership for FileMembership {
    async fn changed(&mut self) -> Result<BTreeSet<u32>> {
        if self.owner {
            return std::future::pending().await; // nobody takes it from a living owner
        }
        loop {
            match self.file.try_lock() {
                Ok(()) => {
                    self.owner = true;
                    return Ok((0..self.partitions).collect());
                }
                Err(TryLockError::WouldBlock) => self.clock.sleep(TRY_EVERY).await,
                Err(TryLockError::Error(error)) => return Err(failed(&self.path, "cannot be locked", error)),
            }
        }
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        Ok(()) // dropping the file gives the lock back
    }
}
