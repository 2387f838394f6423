//! Recovery and lost races as pure decisions over facts already read.

use linli_connectors::serving::Incarnation;

use crate::epoch::{Epoch, EpochHeader, Generation, WriterNonce};

/// What this runner would run the task as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub partitions: u32,
    pub state_version: u32,
    pub zone: String,
}

/// What was read before a task starts.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub wanted: &'a Wanted,
    /// The newest epoch and whether it is marked delivered.
    pub newest: Option<(&'a EpochHeader, Marked)>,
    /// The serving store as it is now.
    pub incarnation: &'a Incarnation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    Delivered,
    /// The effects may have been delivered, in part or whole: only the mark is missing.
    Undelivered,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No epoch yet: begin with the first generation at the logs' starts.
    StartFresh,
    TakeOver {
        from: Epoch,
        generation: Generation,
        /// `Undelivered`: the first epoch of the new generation carries the outbox on.
        outbox: Marked,
        /// The serving store is not the one that the epoch knew: deliver every open window again.
        windows: Windows,
    },
    Refuse(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    Stand,
    Redeliver,
}

/// The state found belongs to another set-up. Running on would publish wrong numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("its state was made with {found} partitions, now there are {wanted}")]
    PartitionCount { found: u32, wanted: u32 },
    #[error("its state has version {found}, this build reads {wanted}")]
    StateVersion { found: u32, wanted: u32 },
    #[error("its days were cut in zone {found}, now it is {wanted}")]
    Zone { found: String, wanted: String },
    #[error("it was taken over {} times and has no generation left", Generation::MAX)]
    Generations,
}

impl Refusal {
    pub fn remedy(&self) -> String {
        let back = match self {
            Refusal::PartitionCount { found, .. } => format!("set partitions = {found}"),
            Refusal::StateVersion { found, .. } => format!("run the build that wrote state version {found}"),
            Refusal::Zone { found, .. } => format!("set zone = \"{found}\""),
            Refusal::Generations => return "replay the log under a new --namespace".to_owned(),
        };
        format!("{back}, or replay the log under a new --namespace")
    }
}

pub fn decide(facts: &Facts<'_>) -> Decision {
    let Some((newest, marked)) = facts.newest else {
        return Decision::StartFresh;
    };
    let wanted = facts.wanted;
    if newest.partitions != wanted.partitions {
        return Decision::Refuse(Refusal::PartitionCount { found: newest.partitions, wanted: wanted.partitions });
    }
    if newest.state_version != wanted.state_version {
        return Decision::Refuse(Refusal::StateVersion { found: newest.state_version, wanted: wanted.state_version });
    }
    if newest.zone != wanted.zone {
        return Decision::Refuse(Refusal::Zone { found: newest.zone.clone(), wanted: wanted.zone.clone() });
    }
    let Some(generation) = newest.generation.next() else {
        return Decision::Refuse(Refusal::Generations);
    };
    let windows =
        if newest.incarnation.as_ref() == Some(facts.incarnation) { Windows::Stand } else { Windows::Redeliver };
    Decision::TakeOver { from: newest.epoch, generation, outbox: marked, windows }
}

/// Who wrote an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub generation: Generation,
    pub writer: WriterNonce,
}

impl Owner {
    pub fn of(header: &EpochHeader) -> Owner {
        Owner { generation: header.generation, writer: header.writer }
    }
}

/// What to do when the key of the own next epoch was found taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishDecision {
    /// An earlier put had succeeded although it reported a failure: go on as published.
    AlreadyOurs,
    /// Another owner wrote it: stop and deliver nothing more.
    Fenced { by: Generation },
    /// It is not there after all: put again.
    Retry,
}

/// For the owner of a task. Any other owner's epoch at the own number fences, whatever its generation:
/// to stop is always safe.
pub fn publish_decision(own: Owner, found: Option<Owner>) -> PublishDecision {
    match found {
        None => PublishDecision::Retry,
        Some(found) if found == own => PublishDecision::AlreadyOurs,
        Some(found) => PublishDecision::Fenced { by: found.generation },
    }
}

#[cfg(test)]
mod tests {
    use linli_stream_jobs::task::Task;

    use super::*;
    use crate::epoch::Positions;

    fn header() -> EpochHeader {
        EpochHeader {
            task: 0,
            generation: Generation(3),
            epoch: Epoch(12),
            writer: WriterNonce(7),
            partitions: 8,
            state_version: Task::STATE_VERSION,
            zone: "Asia/Shanghai".to_owned(),
            base: None,
            base_before: None,
            deltas_bytes: 0,
            positions: Positions::default(),
            import_watermark: None,
            as_of: None,
            unfinished: false,
            incarnation: Some(Incarnation("a".to_owned())),
            claims: Vec::new(),
            conservation: Default::default(),
        }
    }

    fn decided(newest: Option<(&EpochHeader, Marked)>, wanted: &Wanted, incarnation: &str) -> Decision {
        decide(&Facts { wanted, newest, incarnation: &Incarnation(incarnation.to_owned()) })
    }

    #[test]
    fn the_newest_epoch_decides() {
        let wanted = Wanted { partitions: 8, state_version: Task::STATE_VERSION, zone: "Asia/Shanghai".to_owned() };
        assert_eq!(decided(None, &wanted, "a"), Decision::StartFresh);
        let take_over =
            |outbox, windows| Decision::TakeOver { from: Epoch(12), generation: Generation(4), outbox, windows };
        let newest = header();
        for marked in [Marked::Delivered, Marked::Undelivered] {
            assert_eq!(decided(Some((&newest, marked)), &wanted, "a"), take_over(marked, Windows::Stand));
            assert_eq!(decided(Some((&newest, marked)), &wanted, "b"), take_over(marked, Windows::Redeliver));
        }
    }

    #[test]
    fn another_set_up_is_refused_with_a_remedy() {
        let fitting = Wanted { partitions: 8, state_version: Task::STATE_VERSION, zone: "Asia/Shanghai".to_owned() };
        let newest = header();
        let check = |wanted: Wanted, words: &str| {
            let Decision::Refuse(refusal) = decided(Some((&newest, Marked::Delivered)), &wanted, "a") else {
                panic!("not refused: {wanted:?}")
            };
            assert!(refusal.remedy().starts_with(words), "{}", refusal.remedy());
        };
        check(Wanted { partitions: 4, ..fitting.clone() }, "set partitions = 8");
        check(
            Wanted { state_version: 99, ..fitting.clone() },
            &format!("run the build that wrote state version {}", Task::STATE_VERSION),
        );
        check(Wanted { zone: "UTC".to_owned(), ..fitting.clone() }, "set zone = \"Asia/Shanghai\"");
        let mut worn = header();
        worn.generation = Generation::MAX;
        let decision = decided(Some((&worn, Marked::Delivered)), &fitting, "a");
        assert_eq!(decision, Decision::Refuse(Refusal::Generations));
    }

    #[test]
    fn a_lost_race_tells_who_owns_the_task() {
        let own = Owner { generation: Generation(3), writer: WriterNonce(7) };
        assert_eq!(publish_decision(own, None), PublishDecision::Retry);
        assert_eq!(publish_decision(own, Some(own)), PublishDecision::AlreadyOurs);
        for (generation, writer) in [(4, 8), (3, 8), (2, 7)] {
            let found = Owner { generation: Generation(generation), writer: WriterNonce(writer) };
            assert_eq!(publish_decision(own, Some(found)), PublishDecision::Fenced { by: Generation(generation) });
        }
    }
}
