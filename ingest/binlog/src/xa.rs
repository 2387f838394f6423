//! XA transactions: what servers log of them.

use std::fmt;

use crate::bytes::Bytes;
use crate::error::{DecodeError, Result};

/// What tells one XA transaction of a server from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid {
    pub format: u32,
    pub global: Vec<u8>,
    pub branch: Vec<u8>,
}

/// No server takes longer ones, of either part.
const PART_LEN_MAX: usize = 64;

impl Xid {
    /// `X'6731',X'6231',7`, as servers write it into their logs.
    pub fn parse(text: &str) -> Option<Xid> {
        let mut parts = text.trim().split(',').map(str::trim);
        let (global, branch) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let format = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Xid { format, global, branch })
    }

    /// The format, two lengths of four bytes, both parts.
    pub(crate) fn of_prepare(bytes: &mut Bytes<'_>) -> Result<Xid> {
        let (format, global, branch) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
        Xid::of_parts(bytes, format, global, branch)
    }

    /// The format, two lengths of one byte, both parts.
    pub(crate) fn of_mariadb(bytes: &mut Bytes<'_>) -> Result<Xid> {
        let (format, global, branch) = (bytes.u32()?, bytes.u8()?, bytes.u8()?);
        Xid::of_parts(bytes, format, u32::from(global), u32::from(branch))
    }

    fn of_parts(bytes: &mut Bytes<'_>, format: u32, global: u32, branch: u32) -> Result<Xid> {
        let (global, branch) = (global as usize, branch as usize);
        if global > PART_LEN_MAX || branch > PART_LEN_MAX {
            return Err(DecodeError::invalid("XA transaction", format!("parts of {global} and {branch} bytes")));
        }
        Ok(Xid { format, global: bytes.take(global)?.to_vec(), branch: bytes.take(branch)?.to_vec() })
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(['X', 'x'])?.strip_prefix('\'')?.strip_suffix('\'')?;
    if digits.len() % 2 != 0 || digits.len() > 2 * PART_LEN_MAX || !digits.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.global, &self.branch] {
            f.write_str("X'")?;
            part.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("',")?;
        }
        write!(f, "{}", self.format)
    }
}

/// A statement about an XA transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XaStatement {
    /// Rows of it follow. MariaDB says so in the GTID event instead.
    Start(Xid),
    Commit(Xid),
    Rollback(Xid),
    /// Nothing follows from it: END, whose PREPARE is an event of its own.
    Other,
}

impl XaStatement {
    pub(crate) fn parse(sql: &[u8]) -> Option<XaStatement> {
        let text = std::str::from_utf8(sql.trim_ascii()).ok()?;
        let (first, rest) = text.split_once(' ')?;
        if !first.eq_ignore_ascii_case("XA") {
            return None;
        }
        let (verb, rest) = rest.trim_start().split_once(' ')?;
        let xid = || Xid::parse(rest.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' '));
        Some(match verb.to_ascii_uppercase().as_str() {
            "START" | "BEGIN" => XaStatement::Start(xid()?),
            "COMMIT" => XaStatement::Commit(xid()?),
            "ROLLBACK" => XaStatement::Rollback(xid()?),
            _ => XaStatement::Other,
        })
    }
}
