//! How far the snapshots of tables are: part of the one atomic record.

use std::collections::BTreeMap;

use bytes::Bytes;
use linli_binlog::{ColumnType, Table};
use serde::{Deserialize, Serialize};

use super::changed::{self, Part};
use super::wire::{Wire, name};

/// Rows that a piece of a table has at least, as the server guesses them.
const PIECE_ROWS_MIN: u64 = 50_000;
/// Pieces for each connection that reads: the lengths of pieces differ where keys have gaps.
const PIECES_A_WORKER: u64 = 4;

/// By `database.table`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    pub tables: BTreeMap<String, Progress>,
    /// Objects that tell which rows of these tables changed meanwhile, behind the reader's prefix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// Of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows may have gone that no change told: the table is emptied first, on its topic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emptied: bool,
    /// Those that are not read to their ends, in the order of the key.
    pub pieces: Vec<Piece>,
    pub rows: u64,
}

/// Rows of a table that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Tells it from the others of its table.
    pub number: u32,
    /// The primary key before the first row that is not on the log, each column as literal of SQL; at the beginning of a
    /// piece its first column alone. `None`: the beginning of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<String>>,
    /// The last value of the first column of the primary key. `None`: to the end of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { emptied: false, pieces: vec![Piece::default()], rows: 0 }
    }
}

impl Progress {
    /// Rows of a piece are on the log, up to the key `after`; `done` where it has no more.
    pub fn advance(&mut self, number: u32, rows: u64, after: Option<Vec<String>>, done: bool) {
        self.rows += rows;
        if done {
            self.pieces.retain(|piece| piece.number != number);
        } else if let (Some(piece), Some(after)) = (self.pieces.iter_mut().find(|piece| piece.number == number), after)
        {
            piece.after = Some(after);
        }
    }

    pub fn is_done(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl Snapshots {
    pub fn open(&self) -> impl Iterator<Item = (&String, &Progress)> {
        self.tables.iter().filter(|(_, progress)| !progress.is_done())
    }

    /// Names a part of what changed: the object to be stored, and those that nobody needs behind the next record.
    pub fn name_part(&mut self, part: Part, number: u64) -> (Option<(String, Bytes)>, Vec<String>) {
        let garbage = if part.replaces { std::mem::take(&mut self.changed) } else { Vec::new() };
        if part.bytes.is_empty() {
            return (None, garbage);
        }
        let key = format!("{}/{number:016x}", changed::FOLDER);
        self.changed.push(key.clone());
        (Some((key, part.bytes)), garbage)
    }

    pub fn are_done(&self) -> bool {
        self.open().next().is_none()
    }
}

/// Cuts a long table whose primary key begins with a number, so that several connections can read it. `rows` as the server
/// guesses them.
pub async fn pieces(wire: &mut Wire, table: &Table, rows: u64, workers: usize) -> Vec<Piece> {
    let count = (rows / PIECE_ROWS_MIN).min(PIECES_A_WORKER * workers as u64);
    let column = table.primary_key.first().and_then(|index| table.columns.get(*index));
    let (Some(column), true, true) = (column, count > 1, workers > 1) else {
        return vec![Piece::default()];
    };
    if !matches!(column.kind, ColumnType::Integer { .. }) {
        return vec![Piece::default()];
    }
    let (column, of) = (name(&column.name), format!("{}.{}", name(&table.db), name(&table.name)));
    // Where the ends are not told, nothing is cut; wherever it is cut, no row is left out.
    let ends = wire.query(&format!("SELECT MIN({column}),MAX({column}) FROM {of}")).await.unwrap_or_default();
    match ends.first().map(Vec::as_slice) {
        Some([Some(first), Some(last)]) => match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) => cut(first, last, count),
            _ => vec![Piece::default()],
        },
        _ => vec![Piece::default()],
    }
}

/// `count` pieces of the same length in keys; the first and the last are open.
fn cut(first: i128, last: i128, count: u64) -> Vec<Piece> {
    let count = i128::from(count).min(last - first).max(1);
    let mut pieces = Vec::new();
    let mut after = None;
    for number in 1..=count {
        let until = (number < count).then(|| (first + (last - first) * number / count).to_string());
        let next = until.clone().map(|until| vec![until]);
        pieces.push(Piece { number: pieces.len() as u32, after: std::mem::replace(&mut after, next), until });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_without_gaps_and_do_not_overlap() {
        for (first, last, count) in
            [(1, 1_000_000, 8), (-5, 5, 4), (0, 2, 8), (7, 7, 4), (i128::from(i64::MIN), i128::from(u64::MAX), 8)]
        {
            let pieces = cut(first, last, count);
            assert!(!pieces.is_empty() && pieces.len() as u64 <= count);
            assert_eq!(pieces[0].after, None);
            assert_eq!(pieces[pieces.len() - 1].until, None);
            for pair in pieces.windows(2) {
                assert_eq!(pair[1].after, pair[0].until.clone().map(|until| vec![until]));
                assert_eq!(pair[1].number, pair[0].number + 1);
            }
            let ends: Vec<i128> = pieces.iter().filter_map(|piece| piece.until.as_ref()?.parse().ok()).collect();
            assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "{ends:?}");
            assert!(ends.iter().all(|end| (first..last).contains(end)), "{ends:?}");
        }
    }

    #[test]
    fn a_table_is_done_when_all_its_pieces_are() {
        let mut progress = Progress { pieces: cut(0, 100, 2), ..Progress::default() };
        progress.advance(0, 10, Some(vec!["20".into()]), false);
        progress.advance(1, 5, None, true);
        assert!(!progress.is_done());
        assert_eq!((progress.rows, progress.pieces.len()), (15, 1));
        assert_eq!(progress.pieces[0].after, Some(vec!["20".to_owned()]));
        progress.advance(0, 1, None, true);
        assert!(progress.is_done());
    }
}
