//! Failures of the log by a seed: the same seed and the same calls give the same failures.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::random::{SeededRandom, SharedRandom};
use crate::{Error, ErrorKind, Result};

/// How likely each failure of one call is, 0 to 1. All are of kind `Retry`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogFaults {
    /// An append fails and nothing was appended.
    pub append_fails_before: f64,
    /// An append fails after a random prefix of its records.
    pub append_fails_midway: f64,
    /// An append fails although all of it is in the log: the caller cannot know.
    pub append_fails_after: f64,
    /// A poll fails; the reader stays where it was.
    pub poll_fails: f64,
    /// A poll first waits up to `poll_delay_max`.
    pub poll_is_slow: f64,
    pub poll_delay_max: Duration,
    /// `ends`, `partition_count` and `create_topics` fail.
    pub other_calls_fail: f64,
}

pub(super) struct Faults {
    random: SharedRandom,
    rates: Mutex<LogFaults>,
}

/// How an append goes.
pub(super) enum AppendFate {
    Whole,
    PrefixThenError(usize),
    WholeThenError,
}

impl AppendFate {
    pub(super) fn result(&self) -> Result<()> {
        match self {
            AppendFate::Whole => Ok(()),
            AppendFate::PrefixThenError(0) => Err(injected("append", "injected failure before the records")),
            AppendFate::PrefixThenError(_) => Err(injected("append", "injected failure after some of the records")),
            AppendFate::WholeThenError => Err(injected("append", "injected failure after the records")),
        }
    }
}

impl Faults {
    pub(super) fn none() -> Faults {
        Faults::new(0, LogFaults::default())
    }

    pub(super) fn new(seed: u64, rates: LogFaults) -> Faults {
        Faults { random: Arc::new(SeededRandom::new(seed)), rates: Mutex::new(rates) }
    }

    pub(super) fn set(&self, rates: LogFaults) {
        *self.rates.lock().unwrap_or_else(PoisonError::into_inner) = rates;
    }

    fn rates(&self) -> LogFaults {
        *self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(&self, what: &str) -> Result<()> {
        if self.random.happens(self.rates().other_calls_fail) {
            Err(injected(what, "injected failure"))
        } else {
            Ok(())
        }
    }

    /// Draws the same numbers whatever the rates are, so that changing one does not shift the rest.
    pub(super) fn append(&self, records: usize) -> AppendFate {
        let rates = self.rates();
        let before = self.random.happens(rates.append_fails_before);
        let midway = self.random.happens(rates.append_fails_midway);
        let after = self.random.happens(rates.append_fails_after);
        let kept = self.random.below(records as u64) as usize;
        match (before, midway, after) {
            (true, _, _) => AppendFate::PrefixThenError(0),
            (_, true, _) => AppendFate::PrefixThenError(kept),
            (_, _, true) => AppendFate::WholeThenError,
            _ => AppendFate::Whole,
        }
    }

    /// How long a poll dawdles first, or that it fails.
    pub(super) fn poll(&self) -> Result<Duration> {
        let rates = self.rates();
        let fails = self.random.happens(rates.poll_fails);
        let slow = self.random.happens(rates.poll_is_slow);
        let share = self.random.below(1 + u64::try_from(rates.poll_delay_max.as_millis()).unwrap_or(u64::MAX - 1));
        if fails {
            return Err(injected("poll", "injected failure"));
        }
        Ok(if slow { Duration::from_millis(share) } else { Duration::ZERO })
    }
}

fn injected(what: &str, cause: &str) -> Error {
    Error::new(ErrorKind::Retry, format!("{what} on memory://"), cause)
}
