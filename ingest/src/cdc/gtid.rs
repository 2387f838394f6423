//! Sets of transactions, of both kinds of server.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The transactions before a place in the binlog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GtidSet {
    /// The server numbers no transactions.
    #[default]
    None,
    Mysql(MysqlGtids),
    Mariadb(MariadbGtids),
}

/// Half-open intervals by `uuid` or `uuid:tag`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlGtids {
    sets: BTreeMap<(String, String), Vec<(u64, u64)>>,
}

/// The last transaction of each domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MariadbGtids {
    domains: BTreeMap<u32, (u32, u64)>,
}

impl MysqlGtids {
    /// `uuid[:tag]:1-5:7,uuid:…` as `gtid_executed` prints it.
    pub fn parse(text: &str) -> Option<MysqlGtids> {
        let mut set = MysqlGtids::default();
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let mut fields = part.split(':');
            let uuid = fields.next()?.to_ascii_lowercase();
            uuid_bytes(&uuid)?;
            let mut tag = String::new();
            for field in fields {
                let Some((start, end)) = interval(field) else {
                    tag = field.to_ascii_lowercase();
                    continue;
                };
                set.add_interval(&uuid, &tag, start, end);
            }
        }
        Some(set)
    }

    pub fn add(&mut self, uuid: &str, tag: &str, number: u64) {
        // Nearly always the next number of the last interval.
        if let Some(intervals) = self.sets.get_mut(&(uuid, tag) as &dyn Pair)
            && let Some(last) = intervals.last_mut()
            && last.1 == number
        {
            last.1 += 1;
            return;
        }
        self.add_interval(uuid, tag, number, number.saturating_add(1));
    }

    fn add_interval(&mut self, uuid: &str, tag: &str, start: u64, end: u64) {
        let intervals = self.sets.entry((uuid.to_owned(), tag.to_owned())).or_default();
        intervals.push((start, end));
        intervals.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
        for &(start, end) in intervals.iter() {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        *intervals = merged;
    }

    pub fn contains(&self, uuid: &str, tag: &str, number: u64) -> bool {
        let intervals = self.sets.get(&(uuid, tag) as &dyn Pair);
        intervals.is_some_and(|all| all.iter().any(|(start, end)| (*start..*end).contains(&number)))
    }

    /// Whether every transaction of `other` is in here.
    pub fn includes(&self, other: &MysqlGtids) -> bool {
        other.sets.iter().all(|(key, intervals)| {
            let ours = self.sets.get(key).map_or(&[][..], Vec::as_slice);
            intervals.iter().all(|(start, end)| ours.iter().any(|(s, e)| s <= start && end <= e))
        })
    }

    /// How many transactions of this are not in `other`.
    pub fn count_without(&self, other: &MysqlGtids) -> u64 {
        let count = |intervals: &[(u64, u64)]| intervals.iter().map(|(s, e)| e - s).sum::<u64>();
        self.sets
            .iter()
            .map(|(key, intervals)| {
                let theirs = other.sets.get(key).map_or(&[][..], Vec::as_slice);
                let common: u64 = intervals
                    .iter()
                    .flat_map(|(s, e)| theirs.iter().map(move |(a, b)| e.min(b).saturating_sub(*s.max(a))))
                    .sum();
                count(intervals) - common
            })
            .sum()
    }

    /// As the dump command takes it. Tags are left out where there are none; older servers know none.
    pub fn encode(&self) -> Vec<u8> {
        let sets = self.sets.iter();
        let by_uuid: Vec<_> =
            sets.map(|((uuid, tag), intervals)| (uuid_bytes(uuid).unwrap_or_default(), tag, intervals)).collect();
        let tagged = by_uuid.iter().any(|(_, tag, _)| !tag.is_empty());
        let count = by_uuid.len() as u64;
        let head = if tagged { 1 << 56 | count << 8 | 1 } else { count };
        let mut out = head.to_le_bytes().to_vec();
        for (uuid, tag, intervals) in by_uuid {
            out.extend_from_slice(&uuid);
            if tagged {
                out.push((tag.len() as u8) << 1);
                out.extend_from_slice(tag.as_bytes());
            }
            out.extend_from_slice(&(intervals.len() as u64).to_le_bytes());
            for (start, end) in intervals {
                out.extend_from_slice(&start.to_le_bytes());
                out.extend_from_slice(&end.to_le_bytes());
            }
        }
        out
    }
}

/// Looks up a pair of texts without making texts.
trait Pair {
    fn pair(&self) -> (&str, &str);
}

impl Pair for (&str, &str) {
    fn pair(&self) -> (&str, &str) {
        *self
    }
}

impl Pair for (String, String) {
    fn pair(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

impl<'a> std::borrow::Borrow<dyn Pair + 'a> for (String, String) {
    fn borrow(&self) -> &(dyn Pair + 'a) {
        self
    }
}

impl PartialEq for dyn Pair + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.pair() == other.pair()
    }
}

impl Eq for dyn Pair + '_ {}

impl PartialOrd for dyn Pair + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Pair + '_ {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.pair().cmp(&other.pair())
    }
}

fn interval(text: &str) -> Option<(u64, u64)> {
    let (start, last) = text.split_once('-').unwrap_or((text, text));
    let (start, last) = (start.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    (start >= 1 && start <= last && last < u64::MAX).then_some((start, last + 1))
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let mut out = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

impl MariadbGtids {
    /// `0-1-100,1-2-7` as `gtid_binlog_pos` prints it.
    pub fn parse(text: &str) -> Option<MariadbGtids> {
        let mut set = MariadbGtids::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut fields = part.split('-');
            let (domain, server, number) = (fields.next()?, fields.next()?, fields.next()?);
            set.add(domain.parse().ok()?, server.parse().ok()?, number.parse().ok()?);
        }
        Some(set)
    }

    pub fn add(&mut self, domain: u32, server: u32, number: u64) {
        self.domains.insert(domain, (server, number));
    }

    pub fn contains(&self, domain: u32, number: u64) -> bool {
        self.domains.get(&domain).is_some_and(|(_, last)| number <= *last)
    }

    /// Whether the server's domains are all as far as these.
    pub fn includes(&self, other: &MariadbGtids) -> bool {
        other.domains.iter().all(|(domain, (_, number))| self.contains(*domain, *number))
    }

    pub fn count_without(&self, other: &MariadbGtids) -> u64 {
        let behind = |(domain, (_, number)): (&u32, &(u32, u64))| {
            number.saturating_sub(other.domains.get(domain).map_or(0, |(_, last)| *last))
        };
        self.domains.iter().map(behind).sum()
    }
}

impl GtidSet {
    pub fn is_none(&self) -> bool {
        matches!(self, GtidSet::None)
    }

    /// Transactions of this that `other` lacks; `None` for sets of different kinds.
    pub fn count_without(&self, other: &GtidSet) -> Option<u64> {
        match (self, other) {
            (GtidSet::Mysql(ours), GtidSet::Mysql(theirs)) => Some(ours.count_without(theirs)),
            (GtidSet::Mariadb(ours), GtidSet::Mariadb(theirs)) => Some(ours.count_without(theirs)),
            _ => None,
        }
    }

    pub fn includes(&self, other: &GtidSet) -> bool {
        match (self, other) {
            (GtidSet::Mysql(ours), GtidSet::Mysql(theirs)) => ours.includes(theirs),
            (GtidSet::Mariadb(ours), GtidSet::Mariadb(theirs)) => ours.includes(theirs),
            (_, GtidSet::None) => true,
            _ => false,
        }
    }
}

impl fmt::Display for MysqlGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ((uuid, tag), intervals)) in self.sets.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            f.write_str(uuid)?;
            if !tag.is_empty() {
                write!(f, ":{tag}")?;
            }
            for (start, end) in intervals {
                write!(f, ":{start}")?;
                if end - start > 1 {
                    write!(f, "-{}", end - 1)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for MariadbGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (domain, (server, number))) in self.domains.iter().enumerate() {
            write!(f, "{}{domain}-{server}-{number}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GtidSet::None => Ok(()),
            GtidSet::Mysql(set) => set.fmt(f),
            GtidSet::Mariadb(set) => set.fmt(f),
        }
    }
}

/// `mysql <set>`, `mariadb <set>` or `none`.
impl Serialize for GtidSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            GtidSet::None => serializer.serialize_str("none"),
            GtidSet::Mysql(set) => serializer.collect_str(&format_args!("mysql {set}")),
            GtidSet::Mariadb(set) => serializer.collect_str(&format_args!("mariadb {set}")),
        }
    }
}

impl<'de> Deserialize<'de> for GtidSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GtidSet, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = match text.split_once(' ').unwrap_or((text.as_str(), "")) {
            ("none", _) => Some(GtidSet::None),
            ("mysql", set) => MysqlGtids::parse(set).map(GtidSet::Mysql),
            ("mariadb", set) => MariadbGtids::parse(set).map(GtidSet::Mariadb),
            _ => None,
        };
        parsed.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no set of GTIDs")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "00000000-0000-0000-0000-000000000001";

    #[test]
    fn mysql_sets_grow_compare_and_print() {
        let mut set = MysqlGtids::parse(&format!("{}:1-5:7,\n{B}:3", A.to_uppercase())).unwrap();
        assert_eq!(set.to_string(), format!("{B}:3,{A}:1-5:7"));
        set.add(A, "", 8);
        set.add(A, "", 6);
        assert_eq!(set.to_string(), format!("{B}:3,{A}:1-8"));
        assert!(set.contains(A, "", 8) && !set.contains(A, "", 9) && !set.contains(A, "tag", 8));
        let smaller = MysqlGtids::parse(&format!("{A}:2-4")).unwrap();
        assert!(set.includes(&smaller) && !smaller.includes(&set));
        assert_eq!((set.count_without(&smaller), smaller.count_without(&set)), (6, 0));
        assert_eq!(MysqlGtids::parse("").unwrap(), MysqlGtids::default());
        for bad in ["x", "3e11:1", &format!("{A}:5-1-2-3-x:9-")] {
            assert!(MysqlGtids::parse(bad).is_none_or(|set| set.count_without(&MysqlGtids::default()) == 0), "{bad}");
        }
    }

    #[test]
    fn mysql_sets_are_encoded_as_the_protocol_says() {
        let set = MysqlGtids::parse(&format!("{B}:1-5:7")).unwrap();
        let bytes = set.encode();
        assert_eq!(bytes.len(), 8 + 16 + 8 + 2 * 16);
        assert_eq!(&bytes[..8], 1u64.to_le_bytes());
        assert_eq!(bytes[23], 1);
        assert_eq!(&bytes[24..32], 2u64.to_le_bytes());
        assert_eq!(&bytes[32..48], [1u64.to_le_bytes(), 6u64.to_le_bytes()].concat());
    }

    #[test]
    fn sets_of_both_kinds_survive_the_record() {
        for text in [format!("\"mysql {A}:1-5\""), "\"mariadb 0-1-100,7-2-3\"".to_owned(), "\"none\"".to_owned()] {
            let set: GtidSet = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&set).unwrap(), text);
        }
        let mut set = MariadbGtids::parse("0-1-100").unwrap();
        set.add(0, 2, 101);
        assert_eq!(set.to_string(), "0-2-101");
        assert!(set.includes(&MariadbGtids::parse("0-1-7").unwrap()));
        assert_eq!(set.count_without(&MariadbGtids::parse("0-1-91").unwrap()), 10);
    }
}
