//! What is kept of a table in quarantine: its events as the server sent them, each with what it takes to read it later.
//!
//! The oldest stand in objects, the newest in the reader's record itself: small ones cause no other object.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};

use super::encoded;

/// Where the objects are, behind the reader's prefix.
pub const FOLDER: &str = "held";

/// Events of one table, in the order of the binlog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Objects that hold events, the oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    objects: VecDeque<Objects>,
    /// Of the oldest object, or of the rest where there is none, so many events are applied.
    #[serde(default, skip_serializing_if = "is_zero")]
    done: u64,
    /// The events behind the objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "encoded")]
    rest: Vec<u8>,
    /// What the last event of the rest is read with.
    #[serde(skip)]
    told: Told,
}

/// Objects of one session, numbered without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Objects {
    run: String,
    first: u64,
    count: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    format: Vec<u8>,
    map: Vec<u8>,
}

/// Where an event stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub file: String,
    pub pos: u64,
    /// The transaction's GTID, or the place where it began.
    pub transaction: String,
    /// It is a GTID.
    pub numbered: bool,
    /// When it was committed, epoch ms.
    pub ts_ms: i64,
    /// Rows and records of the transaction before this event.
    pub row: u64,
    pub order: u64,
    /// The format description event and the body of the table map, without checksums; absent where they are those of the
    /// event before.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "encoded")]
    pub format: Vec<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "encoded")]
    pub map: Vec<u8>,
}

/// The oldest of what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Front {
    /// An object, by its key behind the reader's prefix.
    Object(String),
    Rest(Bytes),
    Empty,
}

impl Kept {
    /// Keeps an event, which is without its checksum.
    pub fn push(&mut self, mut head: Head, event: &[u8]) {
        let told = &mut self.told;
        for (new, old) in [(&mut head.format, &mut told.format), (&mut head.map, &mut told.map)] {
            if new == old {
                new.clear();
            } else if !new.is_empty() {
                old.clone_from(new);
            }
        }
        // Texts and numbers alone: writing them cannot fail.
        let head = serde_json::to_vec(&head).unwrap_or_default();
        for part in [&head[..], event] {
            self.rest.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            self.rest.extend_from_slice(part);
        }
    }

    /// Bytes that no object holds.
    pub fn rest_len(&self) -> usize {
        self.rest.len()
    }

    /// Makes an object of the rest: its key and content. `number` is new within `run`.
    pub fn cut(&mut self, run: &str, number: u64) -> (String, Bytes) {
        match self.objects.back_mut() {
            Some(last) if last.run == run && last.first + last.count == number => last.count += 1,
            _ => self.objects.push_back(Objects { run: run.to_owned(), first: number, count: 1 }),
        }
        self.told = Told::default(); // each can be read without those before it
        (key(run, number), Bytes::from(std::mem::take(&mut self.rest)))
    }

    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.objects
            .iter()
            .flat_map(|objects| (0..objects.count).map(|number| key(&objects.run, objects.first + number)))
    }

    /// The oldest of what is kept, and how many of its events are applied already.
    pub fn front(&self) -> (Front, u64) {
        match self.objects.front() {
            Some(objects) => (Front::Object(key(&objects.run, objects.first)), self.done),
            None if self.rest.is_empty() => (Front::Empty, 0),
            None => (Front::Rest(Bytes::copy_from_slice(&self.rest)), self.done),
        }
    }

    /// So many events of the oldest are applied.
    pub fn applied(&mut self, events: u64) {
        self.done = events;
    }

    /// All events of the oldest are applied. Gives the key of its object.
    pub fn pop(&mut self) -> Option<String> {
        self.done = 0;
        let Some(objects) = self.objects.front_mut() else {
            self.rest.clear();
            self.told = Told::default();
            return None;
        };
        let key = key(&objects.run, objects.first);
        (objects.first, objects.count) = (objects.first + 1, objects.count - 1);
        if objects.count == 0 {
            self.objects.pop_front();
        }
        Some(key)
    }
}

fn key(run: &str, number: u64) -> String {
    format!("{FOLDER}/{run}/{number:08}")
}

/// The next event of an object or of the rest; `None` behind the last.
pub fn next(bytes: &mut Bytes) -> Option<Result<(Head, Bytes), String>> {
    if bytes.is_empty() {
        return None;
    }
    let read = take(bytes).and_then(|head| Some((head, take(bytes)?)));
    Some(match read {
        None => Err("what is held ends within an event".to_owned()),
        Some((head, event)) => serde_json::from_slice(&head)
            .map(|head| (head, event))
            .map_err(|error| format!("what is held is damaged: {error}")),
    })
}

fn take(bytes: &mut Bytes) -> Option<Bytes> {
    let length = bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize)?;
    (bytes.len() - 4 >= length).then(|| {
        bytes.advance(4);
        bytes.split_to(length)
    })
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn head(pos: u64, format: &[u8], map: &[u8]) -> Head {
        let (file, transaction) = ("binlog.000001".to_owned(), format!("u:{pos}"));
        let (format, map) = (format.to_vec(), map.to_vec());
        Head { file, pos, transaction, numbered: true, ts_ms: 5, row: 1, order: 2, format, map }
    }

    fn all(mut bytes: Bytes) -> Vec<(Head, Bytes)> {
        std::iter::from_fn(|| next(&mut bytes)).map(|read| read.expect("an event")).collect()
    }

    #[test]
    fn events_come_back_in_order_over_objects_and_restarts_and_each_object_stands_alone() {
        let (mut kept, mut store, mut number) = (Kept::default(), BTreeMap::new(), 7);
        for pos in 0..40 {
            kept.push(head(pos, b"format", if pos < 20 { b"old" } else { b"new" }), &[pos as u8; 30]);
            if pos % 8 == 7 {
                store.extend([kept.cut(if pos < 20 { "first" } else { "second" }, number)]);
                number += 1;
            }
            if pos % 8 == 3 {
                let text = serde_json::to_string(&kept).expect("JSON");
                kept = serde_json::from_str(&text).expect("what was written");
            }
        }
        kept.push(head(40, b"format", b"new"), &[40; 30]);
        assert_eq!(kept.keys().collect::<Vec<_>>(), store.keys().cloned().collect::<Vec<_>>());
        let (mut found, mut garbage) = (Vec::new(), Vec::new());
        loop {
            let bytes = match kept.front() {
                (Front::Object(key), 0) => store[&key].clone(),
                (Front::Rest(bytes), 0) => bytes,
                (front, done) => break assert_eq!((front, done), (Front::Empty, 0)),
            };
            let events = all(bytes);
            assert!(!events[0].0.format.is_empty() && !events[0].0.map.is_empty(), "it needs none before it");
            found.extend(events);
            kept.applied(3);
            assert_eq!(kept.front().1, 3);
            garbage.extend(kept.pop());
        }
        assert_eq!(found.len(), 41);
        assert!(found.iter().enumerate().all(|(at, (head, event))| head.pos == at as u64 && **event == [at as u8; 30]));
        assert_eq!(garbage.len(), 5);
    }

    #[test]
    fn damaged_bytes_are_errors() {
        let mut kept = Kept::default();
        kept.push(head(1, b"f", b"m"), b"event");
        let (Front::Rest(whole), _) = kept.front() else { panic!("a rest") };
        for length in 1..whole.len() {
            assert!(next(&mut whole.slice(..length)).expect("something").is_err(), "{length}");
        }
    }
}
