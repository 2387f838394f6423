//! Places in a server's binlog.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::gtid::GtidSet;

/// A byte in a binlog file. Ordered by the number of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: String,
    pub pos: u64,
}

impl Place {
    pub fn new(file: impl Into<String>, pos: u64) -> Place {
        Place { file: file.into(), pos }
    }

    /// `binlog.000003:154`
    pub fn parse(text: &str) -> Option<Place> {
        let (file, pos) = text.rsplit_once(':')?;
        let place = Place::new(file, pos.parse().ok()?);
        (file_number(file).is_some() && place.pos >= 4).then_some(place)
    }

    /// Orders places of one server: the number at the end of the file's name, then the byte.
    pub fn order(&self) -> (u64, u64) {
        (file_number(&self.file).unwrap_or(0), self.pos)
    }
}

fn file_number(file: &str) -> Option<u64> {
    file.rsplit_once('.')?.1.parse().ok()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.pos)
    }
}

/// Where to go on reading: the start of a transaction, what of it is published, and the transactions before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    #[serde(flatten)]
    pub place: Place,
    /// What of the transaction that begins here is on the log already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
    pub gtids: GtidSet,
}

/// A transaction that is on the log in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Its GTID, or its place.
    pub id: String,
    pub records: u64,
}

impl Position {
    /// Whether all that lies before this lies before `other` too: by GTIDs where there are any, for places of two servers
    /// cannot be compared.
    pub fn is_before(&self, other: &Position) -> bool {
        match (&self.gtids, &other.gtids) {
            (GtidSet::None, _) | (_, GtidSet::None) => self.place.order() <= other.place.order(),
            (ours, theirs) => theirs.includes(ours),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.file.as_str() {
            "" => f.write_str("a place to be told")?, // on another server, which is asked by GTID
            _ => write!(f, "{}", self.place)?,
        }
        if let Some(partial) = &self.partial {
            write!(f, " and {} records", partial.records)?;
        }
        match &self.gtids {
            GtidSet::None => Ok(()),
            set => write!(f, " (GTIDs {set})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_by_number_of_file_not_by_its_text() {
        let early = Place::parse("binlog.999999:4").unwrap();
        let late = Place::parse("binlog.1000000:4").unwrap();
        assert!(early.order() < late.order());
        assert_eq!(late.to_string(), "binlog.1000000:4");
        for bad in ["binlog:4", "binlog.000001", "binlog.000001:x", "binlog.000001:3", ""] {
            assert!(Place::parse(bad).is_none(), "{bad}");
        }
    }
}
