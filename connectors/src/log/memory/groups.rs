//! Consumer groups in memory: shared by range among those who joined, or as a test assigns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Records;
use crate::Result;
use crate::log::Membership;

#[derive(Default)]
pub(super) struct Groups {
    groups: Mutex<BTreeMap<String, Group>>,
    changed: Notify,
}

#[derive(Default)]
struct Group {
    partitions: u32,
    /// In the order of joining: (number of the membership, client id).
    members: Vec<(u64, String)>,
    joined: u64,
    /// Set by a test: from then on the only word.
    assigned: Option<BTreeMap<String, BTreeSet<u32>>>,
}

impl Group {
    fn owned(&self, number: u64, client_id: &str) -> BTreeSet<u32> {
        if let Some(assigned) = &self.assigned {
            return assigned.get(client_id).cloned().unwrap_or_default();
        }
        let count = u32::try_from(self.members.len()).unwrap_or(u32::MAX).max(1);
        let Some(rank) = self.members.iter().position(|(member, _)| *member == number) else {
            return BTreeSet::new();
        };
        let rank = u32::try_from(rank).unwrap_or(u32::MAX);
        // As the range assignor: the first members take one more when it does not divide.
        let (each, extra) = (self.partitions / count, self.partitions % count);
        let start = rank * each + rank.min(extra);
        (start..start + each + u32::from(rank < extra)).collect()
    }
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn assign(&self, group: &str, member: &str, partitions: BTreeSet<u32>) {
        let mut groups = self.lock();
        let group = groups.entry(group.to_owned()).or_default();
        group.assigned.get_or_insert_default().insert(member.to_owned(), partitions);
        drop(groups);
        self.changed.notify_waiters();
    }
}

pub(super) struct MemoryMembership {
    records: Arc<Records>,
    group: String,
    client_id: String,
    number: u64,
    told: Option<BTreeSet<u32>>,
}

impl MemoryMembership {
    pub(super) fn join(records: Arc<Records>, group: String, client_id: String, partitions: u32) -> MemoryMembership {
        let number = {
            let mut groups = records.groups.lock();
            let found = groups.entry(group.clone()).or_default();
            found.partitions = partitions;
            found.joined += 1;
            let number = found.joined;
            found.members.push((number, client_id.clone()));
            number
        };
        records.groups.changed.notify_waiters();
        MemoryMembership { records, group, client_id, number, told: None }
    }
}

impl Drop for MemoryMembership {
    /// A member that dies leaves too: nothing waits for a time-out here.
    fn drop(&mut self) {
        let mut groups = self.records.groups.lock();
        if let Some(group) = groups.get_mut(&self.group) {
            group.members.retain(|(number, _)| *number != self.number);
        }
        drop(groups);
        self.records.groups.changed.notify_waiters();
    }
}

#[async_trait]
impl Membership for MemoryMembership {
    async fn changed(&mut self) -> Result<BTreeSet<u32>> {
        let records = Arc::clone(&self.records);
        loop {
            let mut changed = std::pin::pin!(records.groups.changed.notified());
            changed.as_mut().enable();
            let owned = records.groups.lock().get(&self.group).map(|group| group.owned(self.number, &self.client_id));
            if owned != self.told && owned.is_some() {
                self.told = owned.clone();
                return Ok(owned.unwrap_or_default());
            }
            changed.await;
        }
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
