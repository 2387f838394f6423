//! An epoch of a task: its state's delta, its positions and its pending effects in one object.

mod object;
mod outbox;
mod store;
mod wire;

use std::collections::BTreeMap;
use std::fmt;

use linli_schemas::Topic;
use linli_stream_jobs::task::{Conservation, Counts};

pub use object::{BaseRef, CorruptBlob, EpochHeader, EpochObject};
pub use outbox::{Outbox, OutboxItem};
pub use store::{CLAIMS_KEPT, EpochStore};

/// The number of an epoch in the one line of a task's epochs, over all generations. The first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a task has been taken over: the fence. The first owner has 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// A version has 20 bits for it.
    pub const MAX: Generation = Generation((1 << 20) - 1);

    pub fn next(self) -> Option<Generation> {
        (self < Generation::MAX).then(|| Generation(self.0 + 1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Drawn anew by each owner: tells its own epochs from those of another of the same generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriterNonce(pub u128);

impl fmt::Display for WriterNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The offset of the next record to read, for each of [`Topic::INPUTS`] in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions(pub [u64; Topic::INPUTS.len()]);

impl Positions {
    pub fn iter(&self) -> impl Iterator<Item = (Topic, u64)> + '_ {
        Topic::INPUTS.into_iter().zip(self.0)
    }

    /// Records between here and `ends`.
    pub fn lag(&self, ends: &Positions) -> u64 {
        self.0.iter().zip(ends.0).map(|(position, end)| end.saturating_sub(*position)).sum()
    }
}

/// Conservation by job and topic, as read back.
pub type ConservationByName = BTreeMap<String, BTreeMap<String, Counts>>;

pub(crate) fn by_name(conservation: &Conservation) -> ConservationByName {
    let owned = |topics: &BTreeMap<&'static str, Counts>| {
        topics.iter().map(|(topic, counts)| ((*topic).to_owned(), *counts)).collect()
    };
    conservation.iter().map(|(job, topics)| ((*job).to_owned(), owned(topics))).collect()
}
