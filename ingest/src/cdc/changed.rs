//! Rows that the stream told of while their table is being read.
//!
//! A row that changed since its table's snapshot began is on the log as the change left it, so a view that is opened later
//! has nothing to add: its rows are left out of that view (as DBLog does within its watermarks). What the snapshot has to say
//! of such a row stands in the image before its first change, and is told with that. What a snapshot tells is then always
//! what was true when it began, also where it is told twice because a crash came before it was written down.

use std::collections::{BTreeMap, HashSet};

use bytes::{Buf, BufMut, Bytes};
use linli_binlog::{DecodeError, Image};
use linli_connectors::log::NewRecord;
use sha2::{Digest, Sha256};

use super::envelope::KeyText;

/// Where the parts are, behind the reader's prefix.
pub const FOLDER: &str = "changed";
/// Rows that are remembered, of all tables together (some 40 MB). A table beyond is told as its later views show it.
const ROWS_MAX: usize = 1 << 20;
/// Parts after which all is written as one.
const PARTS_MAX: usize = 64;
/// In place of a number of rows: the table is not remembered any more.
const GIVEN_UP: u32 = u32::MAX;

/// A hash of a row's primary key.
pub type RowKey = [u8; 16];

/// The hash of a primary key; `None` where the table has none, or a column of it is missing.
pub fn row_key(columns: &[usize], row: &impl KeyText, scratch: &mut Vec<u8>) -> Result<Option<RowKey>, DecodeError> {
    let mut hash = Sha256::new();
    for column in columns {
        scratch.clear();
        if !row.text(*column, scratch)? {
            return Ok(None);
        }
        hash.update((scratch.len() as u64).to_le_bytes());
        hash.update(&*scratch);
    }
    let hash = hash.finalize();
    Ok(hash.first_chunk::<16>().copied().filter(|_| !columns.is_empty()))
}

/// Of one table that is being read.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    rows: HashSet<RowKey>,
    /// Those that no part holds yet.
    fresh: Vec<RowKey>,
    /// Too many rows, or a change that did not tell the whole row: nothing is left out.
    given_up: bool,
    /// A part says that it is given up.
    said: bool,
}

impl Watched {
    /// A change was published that left this row; one that tells a part of it only does not stand for the row.
    pub fn note(&mut self, columns: &[usize], row: &Image<'_>, scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
        if self.given_up {
            return Ok(());
        }
        match row_key(columns, row, scratch)?.filter(|_| row.is_complete()) {
            Some(key) => self.add(key),
            None => self.give_up(),
        }
        Ok(())
    }

    /// Whether a change is the first of this row since the snapshot began. Its image before it is then what the snapshot has to
    /// tell of the row, which later views leave out. Where rows are not remembered, each change may be it, and telling again what
    /// a row is says nothing new.
    pub fn is_first(&self, columns: &[usize], before: &Image<'_>, scratch: &mut Vec<u8>) -> Result<bool, DecodeError> {
        if !before.is_complete() {
            return Ok(false);
        }
        if self.given_up {
            return Ok(true);
        }
        let key = row_key(columns, before, scratch)?;
        Ok(key.is_some_and(|key| !self.rows.contains(&key)))
    }

    fn add(&mut self, key: RowKey) {
        if self.rows.insert(key) {
            self.fresh.push(key);
        }
    }

    fn give_up(&mut self) {
        *self = Watched { given_up: true, ..Watched::default() };
    }

    /// The rows of a view that no change told; `keys` in the order of `records`, or empty.
    pub fn untold(&self, records: Vec<NewRecord>, keys: &[RowKey]) -> Vec<NewRecord> {
        if self.rows.is_empty() || keys.len() != records.len() {
            return records;
        }
        let told = keys.iter().map(|key| self.rows.contains(key));
        records.into_iter().zip(told).filter_map(|(record, told)| (!told).then_some(record)).collect()
    }
}

/// Of all tables that are being read, by `database.table`.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    tables: BTreeMap<String, Watched>,
    /// Parts that are stored.
    parts: usize,
    /// What is stored says more than is true: the next part replaces all.
    stale: bool,
}

/// What is to be stored before the next record.
pub struct Part {
    pub bytes: Bytes,
    /// The parts before it are not needed any more.
    pub replaces: bool,
}

impl Changed {
    /// From its parts.
    pub fn from_parts(parts: &[Bytes]) -> Option<Changed> {
        let mut changed = Changed { parts: parts.len(), ..Changed::default() };
        for part in parts {
            changed.read(part.clone())?;
        }
        changed.tables.values_mut().for_each(|watched| watched.said = watched.given_up);
        Some(changed)
    }

    fn read(&mut self, mut part: Bytes) -> Option<()> {
        while part.has_remaining() {
            let length = usize::from(part.try_get_u16_le().ok()?);
            let name = (part.remaining() >= length).then(|| part.split_to(length))?;
            let watched = self.tables.entry(std::str::from_utf8(&name).ok()?.to_owned()).or_default();
            match part.try_get_u32_le().ok()? {
                GIVEN_UP => watched.give_up(),
                rows => {
                    let length = usize::try_from(rows).ok()?.checked_mul(size_of::<RowKey>())?;
                    let keys = (part.remaining() >= length).then(|| part.split_to(length))?;
                    watched.rows.extend(keys.chunks_exact(size_of::<RowKey>()).filter_map(|key| key.first_chunk()));
                }
            }
        }
        Some(())
    }

    /// Begins to remember a table, which is being read from here on; what was remembered of it is forgotten.
    pub fn watch(&mut self, table: &str) {
        let before = self.tables.insert(table.to_owned(), Watched::default());
        self.stale |= before.is_some_and(|watched| watched.given_up || !watched.rows.is_empty());
    }

    /// Goes on to remember a table.
    pub fn keep(&mut self, table: &str) {
        self.tables.entry(table.to_owned()).or_default();
    }

    /// The table has been read, or will be from its beginning.
    pub fn forget(&mut self, table: &str) {
        self.stale |= self.tables.remove(table).is_some() && self.parts > 0;
    }

    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub fn of(&self, table: &str) -> Option<&Watched> {
        self.tables.get(table)
    }

    pub fn of_mut(&mut self, table: &str) -> Option<&mut Watched> {
        self.tables.get_mut(table)
    }

    /// Gives up the table with the most rows where there are too many.
    pub fn bound(&mut self) {
        self.bound_to(ROWS_MAX);
    }

    fn bound_to(&mut self, rows_max: usize) {
        if self.tables.values().map(|watched| watched.rows.len()).sum::<usize>() <= rows_max {
            return;
        }
        if let Some((table, watched)) = self.tables.iter_mut().max_by_key(|(_, watched)| watched.rows.len()) {
            tracing::info!(
                table,
                "too many rows changed since the snapshot of a table began: its rows are told as they are when they are read"
            );
            watched.give_up();
        }
    }

    /// All of it as one part.
    pub fn whole(&mut self) -> Part {
        self.stale = true;
        self.part().unwrap_or(Part { bytes: Bytes::new(), replaces: true })
    }

    /// What is not stored yet.
    pub fn part(&mut self) -> Option<Part> {
        let gave_up = self.tables.values().any(|watched| watched.given_up && !watched.said);
        let replaces = self.stale || gave_up || self.parts >= PARTS_MAX;
        let mut bytes = Vec::new();
        for (table, watched) in &mut self.tables {
            let Ok(length) = u16::try_from(table.len()) else { continue };
            let nothing = match (watched.given_up, replaces) {
                (true, replaces) => !replaces, // it was said when it was given up
                (false, true) => watched.rows.is_empty(),
                (false, false) => watched.fresh.is_empty(),
            };
            if nothing {
                continue;
            }
            bytes.put_u16_le(length);
            bytes.put_slice(table.as_bytes());
            match (watched.given_up, replaces) {
                (true, _) => bytes.put_u32_le(GIVEN_UP),
                (false, true) => put(&mut bytes, watched.rows.len(), watched.rows.iter()),
                (false, false) => put(&mut bytes, watched.fresh.len(), watched.fresh.iter()),
            }
            watched.fresh = Vec::new();
            watched.said = watched.given_up;
        }
        if bytes.is_empty() && !replaces {
            return None;
        }
        self.stale = false;
        self.parts = if replaces { 0 } else { self.parts } + usize::from(!bytes.is_empty());
        Some(Part { bytes: Bytes::from(bytes), replaces })
    }
}

fn put<'a>(bytes: &mut Vec<u8>, rows: usize, keys: impl Iterator<Item = &'a RowKey>) {
    bytes.put_u32_le(u32::try_from(rows).unwrap_or(GIVEN_UP)); // never so many: they are bounded
    for key in keys {
        bytes.put_slice(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> RowKey {
        [number; 16]
    }

    fn record(number: u8) -> NewRecord {
        NewRecord {
            topic: "t".into(),
            partition: 0,
            timestamp_ms: 0,
            key: Bytes::from(vec![number]),
            value: Some(Bytes::new()),
        }
    }

    fn untold(changed: &Changed, table: &str) -> Vec<u8> {
        let numbers = 0..6;
        let keys: Vec<RowKey> = numbers.clone().map(key).collect();
        let records = changed.of(table).expect("watched").untold(numbers.map(record).collect(), &keys);
        records.iter().filter_map(|record| record.key.first().copied()).collect()
    }

    fn note(changed: &mut Changed, table: &str, number: u8) {
        changed.of_mut(table).expect("watched").add(key(number));
    }

    /// Stores parts as a reader does, and reads them again.
    fn stored(changed: &mut Changed, parts: &mut Vec<Bytes>) -> Changed {
        if let Some(part) = changed.part() {
            if part.replaces {
                parts.clear();
            }
            if !part.bytes.is_empty() {
                parts.push(part.bytes);
            }
        }
        let mut read = Changed::from_parts(parts).expect("parts are whole");
        for table in ["a.x", "a.y"] {
            if changed.of(table).is_some() {
                read.keep(table);
            }
        }
        read
    }

    #[test]
    fn rows_that_changed_are_left_out_also_after_a_start() {
        let (mut changed, mut parts) = (Changed::default(), Vec::new());
        changed.watch("a.x");
        changed.watch("a.y");
        note(&mut changed, "a.x", 1);
        assert_eq!(untold(&stored(&mut changed, &mut parts), "a.x"), [0, 2, 3, 4, 5]);
        note(&mut changed, "a.x", 3);
        note(&mut changed, "a.x", 1);
        note(&mut changed, "a.y", 0);
        let read = stored(&mut changed, &mut parts);
        assert_eq!(parts.len(), 2);
        for changed in [&changed, &read] {
            assert_eq!(untold(changed, "a.x"), [0, 2, 4, 5]);
            assert_eq!(untold(changed, "a.y"), [1, 2, 3, 4, 5]);
        }
        assert!(changed.part().is_none(), "nothing is new");
    }

    #[test]
    fn a_table_that_is_read_from_its_beginning_again_leaves_nothing_out() {
        let (mut changed, mut parts) = (Changed::default(), Vec::new());
        changed.watch("a.x");
        changed.watch("a.y");
        note(&mut changed, "a.x", 1);
        note(&mut changed, "a.y", 2);
        stored(&mut changed, &mut parts);
        changed.watch("a.x");
        let read = stored(&mut changed, &mut parts);
        assert_eq!(untold(&read, "a.x"), [0, 1, 2, 3, 4, 5]);
        assert_eq!(untold(&read, "a.y"), [0, 1, 3, 4, 5]);
        changed.forget("a.x");
        changed.forget("a.y");
        stored(&mut changed, &mut parts);
        assert!(parts.is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_table_with_too_many_changes_is_given_up_and_stays_so() {
        let (mut changed, mut parts) = (Changed::default(), Vec::new());
        changed.watch("a.x");
        changed.watch("a.y");
        (0..4).for_each(|number| note(&mut changed, "a.x", number));
        note(&mut changed, "a.y", 5);
        stored(&mut changed, &mut parts);
        changed.bound_to(4);
        let read = stored(&mut changed, &mut parts);
        for changed in [&changed, &read] {
            assert_eq!(untold(changed, "a.x"), [0, 1, 2, 3, 4, 5]);
            assert_eq!(untold(changed, "a.y"), [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn many_parts_become_one() {
        let (mut changed, mut parts) = (Changed::default(), Vec::new());
        changed.watch("a.x");
        for number in 0..200 {
            note(&mut changed, "a.x", number);
            stored(&mut changed, &mut parts);
            assert!(parts.len() <= PARTS_MAX);
        }
        let read = stored(&mut changed, &mut parts);
        assert_eq!(untold(&read, "a.x"), [0u8; 0]);
        assert_eq!(read.of("a.x").expect("watched").rows.len(), 200);
        assert!(Changed::from_parts(&[Bytes::from_static(&[3, 0, b'a'])]).is_none(), "a part that was cut");
    }
}
