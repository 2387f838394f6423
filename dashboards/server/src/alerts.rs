//! What fires now: the records of topic `alerts`, folded by rule and subject. Pure; `alert_log.rs` reads them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use linli_schemas::alert::{Alert, AlertState, MalformedAlert, QUARANTINE};

/// Firing at once. More than these are not told apart: it takes reading anew to know them, once there are fewer.
const FIRING_MAX: usize = 10_000;
/// Longer texts are cut: nothing of ours is as long.
const NAME_CHARS_MAX: usize = 600;
const REASON_CHARS_MAX: usize = 1_000;

/// An alert that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    pub rule: String,
    pub subject: String,
    /// Epoch ms.
    pub since: i64,
    pub reason: Option<String>,
}

impl Firing {
    /// A table that change capture holds: figures made from it are behind.
    pub fn is_held_table(&self) -> bool {
        self.rule == QUARANTINE
    }
}

/// The fold of all records so far.
#[derive(Debug, Default)]
pub struct AlertFold {
    firing: BTreeMap<(String, String), Firing>,
    /// Some that fire were left out.
    overflowed: bool,
}

impl AlertFold {
    /// Takes the next record of a partition; a key stays in one, so partitions may come in any order.
    ///
    /// # Errors
    /// For a record that is no alert: it changes nothing.
    pub fn take(&mut self, value: Option<&[u8]>) -> Result<(), MalformedAlert> {
        let Some(value) = value else {
            return Err(MalformedAlert { cause: "a tombstone".to_owned() });
        };
        let Alert { rule, subject, state, since, reason, .. } = Alert::decode(value)?;
        let (rule, subject) = (cut(rule, NAME_CHARS_MAX), cut(subject, NAME_CHARS_MAX));
        let key = (rule.clone(), subject.clone());
        match state {
            AlertState::Resolved => drop(self.firing.remove(&key)),
            AlertState::Firing if self.firing.len() < FIRING_MAX || self.firing.contains_key(&key) => {
                let reason = reason.map(|reason| cut(reason, REASON_CHARS_MAX));
                self.firing.insert(key, Firing { rule, subject, since, reason });
            }
            AlertState::Firing => self.overflowed = true,
        }
        Ok(())
    }

    /// Whether some were left out that there is room for again: the records have to be read anew.
    pub fn lacks_some(&self) -> bool {
        self.overflowed && self.firing.len() <= FIRING_MAX / 2
    }

    /// What fires, tables first, since they make figures wrong; what began last before what began earlier.
    pub fn firing(&self) -> Vec<Firing> {
        let mut firing: Vec<Firing> = self.firing.values().cloned().collect();
        firing.sort_by_key(|one| (!one.is_held_table(), Reverse(one.since)));
        firing
    }
}

fn cut(text: String, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fold: &mut AlertFold, rule: &str, subject: &str, state: AlertState, since: i64) {
        let reason = Some(format!("{subject} since {since}"));
        let (rule, subject) = (rule.to_owned(), subject.to_owned());
        let alert = Alert { rule, subject, state, value: 1.0, threshold: None, since, reason };
        fold.take(Some(&alert.encode())).unwrap();
    }

    fn subjects(fold: &AlertFold) -> Vec<(String, i64)> {
        fold.firing().into_iter().map(|one| (one.subject, one.since)).collect()
    }

    #[test]
    fn what_fired_last_and_is_not_over_fires() {
        let mut fold = AlertFold::default();
        assert!(fold.firing().is_empty());
        told(&mut fold, QUARANTINE, "a/s.t", AlertState::Firing, 10);
        told(&mut fold, QUARANTINE, "a/s.u", AlertState::Firing, 20);
        told(&mut fold, QUARANTINE, "a/s.t", AlertState::Firing, 10);
        assert_eq!(subjects(&fold), [("a/s.u".to_owned(), 20), ("a/s.t".to_owned(), 10)]);
        assert_eq!(fold.firing()[1].reason.as_deref(), Some("a/s.t since 10"));
        told(&mut fold, QUARANTINE, "a/s.t", AlertState::Resolved, 10);
        told(&mut fold, QUARANTINE, "a/never", AlertState::Resolved, 11);
        assert_eq!(subjects(&fold), [("a/s.u".to_owned(), 20)]);
        told(&mut fold, QUARANTINE, "a/s.t", AlertState::Firing, 30);
        assert_eq!(subjects(&fold), [("a/s.t".to_owned(), 30), ("a/s.u".to_owned(), 20)]);
    }

    #[test]
    fn a_rule_that_is_not_known_is_shown_behind_the_tables() {
        let mut fold = AlertFold::default();
        told(&mut fold, "forecast.drift", "category/3", AlertState::Firing, 90);
        told(&mut fold, QUARANTINE, "a/s.t", AlertState::Firing, 10);
        told(&mut fold, "forecast.drift", "a/s.t", AlertState::Firing, 80);
        let firing = fold.firing();
        let read: Vec<(&str, &str)> = firing.iter().map(|one| (one.rule.as_str(), one.subject.as_str())).collect();
        assert_eq!(read, [(QUARANTINE, "a/s.t"), ("forecast.drift", "category/3"), ("forecast.drift", "a/s.t")]);
        told(&mut fold, "forecast.drift", "a/s.t", AlertState::Resolved, 80);
        assert_eq!(fold.firing().len(), 2);
    }

    #[test]
    fn a_record_that_is_no_alert_changes_nothing() {
        let mut fold = AlertFold::default();
        told(&mut fold, QUARANTINE, "a/s.t", AlertState::Firing, 10);
        for bad in [None, Some("".as_bytes()), Some(b"{}"), Some(b"[1]"), Some(br#"{"rule":"cdc.quarantine"}"#)] {
            assert!(fold.take(bad).is_err(), "{bad:?}");
        }
        assert_eq!(subjects(&fold), [("a/s.t".to_owned(), 10)]);
    }

    #[test]
    fn what_is_held_has_a_bound_and_texts_are_cut() {
        let mut fold = AlertFold::default();
        for number in 0..FIRING_MAX + 5 {
            told(&mut fold, "r", &number.to_string(), AlertState::Firing, 0);
        }
        assert_eq!(fold.firing().len(), FIRING_MAX);
        // One that is held is still followed.
        told(&mut fold, "r", "7", AlertState::Firing, 9);
        assert_eq!(subjects(&fold)[0], ("7".to_owned(), 9));
        assert!(!fold.lacks_some(), "reading anew would find no room");
        for number in 0..=FIRING_MAX / 2 {
            told(&mut fold, "r", &number.to_string(), AlertState::Resolved, 0);
        }
        assert!(fold.lacks_some());
        let mut fold = AlertFold::default();
        told(&mut fold, "r", &"表".repeat(100_000), AlertState::Firing, 0);
        let one = &fold.firing()[0];
        assert_eq!(one.subject.chars().count(), NAME_CHARS_MAX + 1);
        assert_eq!(one.reason.as_ref().map(|text| text.chars().count()), Some(REASON_CHARS_MAX + 1));
        told(&mut fold, "r", &"表".repeat(100_000), AlertState::Resolved, 0);
        assert!(fold.firing().is_empty());
    }
}
