//! Transaction identities of both servers.

use std::fmt;

use crate::bytes::{Bytes, text};
use crate::error::{DecodeError, Result};
use crate::xa::Xid;

/// A MySQL transaction: `uuid:number`, or `uuid:tag:number`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gtid {
    pub uuid: [u8; 16],
    /// Empty but on MySQL 8.3 and newer.
    pub tag: String,
    pub number: u64,
    pub last_committed: i64,
    pub sequence_number: i64,
    /// When the server read from committed it, in microseconds since the epoch.
    pub committed_us: Option<u64>,
    /// When the server that ran it first committed it.
    pub original_committed_us: Option<u64>,
    /// Bytes of the transaction with this event.
    pub transaction_len: Option<u64>,
}

/// A UUID as servers print it.
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.tag.is_empty() { "" } else { ":" };
        write!(f, "{}{separator}{}:{}", Uuid(self.uuid), self.tag, self.number)
    }
}

impl Gtid {
    pub(crate) fn parse(body: &[u8]) -> Result<Gtid> {
        let mut bytes = Bytes::new(body, "GTID event");
        bytes.skip(1)?;
        let mut gtid = Gtid { uuid: bytes.array()?, number: bytes.u64()?, ..Gtid::default() };
        // Each server version wrote a little more.
        let logical_clock = !bytes.is_empty() && bytes.u8()? == 2;
        if logical_clock && bytes.rest().len() >= 16 {
            gtid.last_committed = bytes.u64()? as i64;
            gtid.sequence_number = bytes.u64()? as i64;
            if bytes.rest().len() >= 7 {
                gtid.parse_times(&mut bytes)?;
            }
        }
        Ok(gtid)
    }

    fn parse_times(&mut self, bytes: &mut Bytes<'_>) -> Result<()> {
        const ORIGINAL_FOLLOWS: u64 = 1 << 55;
        let committed = bytes.uint(7)?;
        self.committed_us = Some(committed & !ORIGINAL_FOLLOWS);
        let original = if committed & ORIGINAL_FOLLOWS != 0 { Some(bytes.uint(7)?) } else { self.committed_us };
        self.original_committed_us = original;
        if !bytes.is_empty() {
            self.transaction_len = Some(bytes.lenenc()?);
        }
        Ok(())
    }

    /// The self-describing message of MySQL 8.3: numbered fields, numbers of variable length.
    pub(crate) fn parse_tagged(body: &[u8]) -> Result<Gtid> {
        let mut bytes = Bytes::new(body, "tagged GTID event");
        let version = varlen(&mut bytes)?;
        if version != 1 {
            return Err(DecodeError::invalid("tagged GTID event", format!("message version {version}")));
        }
        let _message_len = varlen(&mut bytes)?;
        let _last_needed_field = varlen(&mut bytes)?;
        let mut gtid = Gtid::default();
        while !bytes.is_empty() {
            match varlen(&mut bytes)? {
                0 => drop(varlen(&mut bytes)?), // flags
                1 => {
                    for byte in &mut gtid.uuid {
                        *byte = u8::try_from(varlen(&mut bytes)?).map_err(|_| {
                            DecodeError::invalid("tagged GTID event", "a byte of the UUID is too large")
                        })?;
                    }
                }
                2 => gtid.number = signed(varlen(&mut bytes)?) as u64,
                3 => gtid.tag = tag(&mut bytes)?,
                4 => gtid.last_committed = signed(varlen(&mut bytes)?),
                5 => gtid.sequence_number = signed(varlen(&mut bytes)?),
                6 => gtid.committed_us = Some(varlen(&mut bytes)?),
                7 => gtid.original_committed_us = Some(varlen(&mut bytes)?),
                8 => gtid.transaction_len = Some(varlen(&mut bytes)?),
                _ => break, // versions of servers, the group's ticket
            }
        }
        gtid.original_committed_us = gtid.original_committed_us.or(gtid.committed_us);
        Ok(gtid)
    }
}

/// A number whose first byte tells by its trailing ones how many bytes follow.
fn varlen(bytes: &mut Bytes<'_>) -> Result<u64> {
    let first = bytes.u8()?;
    let more = first.trailing_ones() as usize;
    let rest = bytes.uint(more)?;
    Ok(match more {
        0..=6 => u64::from(first >> (more + 1)) | rest << (7 - more),
        _ => rest,
    })
}

fn signed(value: u64) -> i64 {
    if value & 1 == 1 { -((value >> 1) as i64) - 1 } else { (value >> 1) as i64 }
}

fn tag(bytes: &mut Bytes<'_>) -> Result<String> {
    let len = usize::try_from(varlen(bytes)?).unwrap_or(usize::MAX);
    Ok(text(bytes.take(len)?))
}

/// The transactions of all earlier files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreviousGtids {
    pub sets: Vec<GtidIntervals>,
}

/// Numbers of one server (and tag): half-open intervals, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidIntervals {
    pub uuid: [u8; 16],
    pub tag: String,
    pub intervals: Vec<(u64, u64)>,
}

impl PreviousGtids {
    pub(crate) fn parse(body: &[u8]) -> Result<PreviousGtids> {
        let mut bytes = Bytes::new(body, "previous GTIDs");
        let head = bytes.u64()?;
        let tagged = head >> 56 == 1;
        let count = if tagged { head << 8 >> 16 } else { head };
        let mut sets = Vec::new();
        for _ in 0..count {
            let mut set = GtidIntervals { uuid: bytes.array()?, ..GtidIntervals::default() };
            if tagged {
                set.tag = tag(&mut bytes)?;
            }
            for _ in 0..bytes.u64()? {
                set.intervals.push((bytes.u64()?, bytes.u64()?));
            }
            sets.push(set);
        }
        Ok(PreviousGtids { sets })
    }
}

/// As `gtid_executed` prints it.
impl fmt::Display for PreviousGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, set) in self.sets.iter().enumerate() {
            write!(f, "{}{}", if index > 0 { "," } else { "" }, Uuid(set.uuid))?;
            if !set.tag.is_empty() {
                write!(f, ":{}", set.tag)?;
            }
            for (start, end) in &set.intervals {
                write!(f, ":{start}")?;
                if end.saturating_sub(1) > *start {
                    write!(f, "-{}", end - 1)?;
                }
            }
        }
        Ok(())
    }
}

/// A MariaDB transaction: `domain-server-number`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariadbGtid {
    pub domain: u32,
    pub server_id: u32,
    pub number: u64,
    pub flags: u8,
    pub commit_id: Option<u64>,
    /// The XA transaction that is prepared, or decided, by this one.
    pub xid: Option<Xid>,
}

impl MariadbGtid {
    /// One statement without BEGIN and COMMIT of its own, such as DDL.
    pub const STANDALONE: u8 = 1;
    pub const GROUP_COMMIT_ID: u8 = 2;
    pub const TRANSACTIONAL: u8 = 4;
    pub const DDL: u8 = 32;
    pub const PREPARED_XA: u8 = 64;
    pub const COMPLETED_XA: u8 = 128;

    pub(crate) fn parse(server_id: u32, body: &[u8]) -> Result<MariadbGtid> {
        let mut bytes = Bytes::new(body, "GTID event");
        let (number, domain, flags) = (bytes.u64()?, bytes.u32()?, bytes.u8()?);
        let commit_id = if flags & MariadbGtid::GROUP_COMMIT_ID != 0 { Some(bytes.u64()?) } else { None };
        let xa = flags & (MariadbGtid::PREPARED_XA | MariadbGtid::COMPLETED_XA) != 0;
        let xid = if xa { Some(Xid::of_mariadb(&mut bytes)?) } else { None };
        Ok(MariadbGtid { domain, server_id, number, flags, commit_id, xid })
    }

    /// The XA transaction whose rows follow, to be decided later.
    pub fn prepares(&self) -> Option<&Xid> {
        self.xid.as_ref().filter(|_| self.flags & MariadbGtid::PREPARED_XA != 0)
    }

    /// Whether the statement stands alone: no commit follows.
    pub fn is_standalone(&self) -> bool {
        self.flags & MariadbGtid::STANDALONE != 0
    }
}

impl fmt::Display for MariadbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server_id, self.number)
    }
}

/// Where the domains stood when the file began: `(domain, server_id, number)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MariadbGtidList {
    pub gtids: Vec<(u32, u32, u64)>,
}

impl MariadbGtidList {
    pub(crate) fn parse(body: &[u8]) -> Result<MariadbGtidList> {
        let mut bytes = Bytes::new(body, "GTID list");
        let count = bytes.u32()? & 0x0fff_ffff;
        let mut gtids = Vec::new();
        for _ in 0..count {
            gtids.push((bytes.u32()?, bytes.u32()?, bytes.u64()?));
        }
        Ok(MariadbGtidList { gtids })
    }
}

/// As `gtid_binlog_pos` prints it.
impl fmt::Display for MariadbGtidList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (domain, server, number)) in self.gtids.iter().enumerate() {
            write!(f, "{}{domain}-{server}-{number}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}
