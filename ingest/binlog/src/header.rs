//! What stands before and behind every event: the common header, the checksum, and the event that announces both.

use crate::bytes::{Bytes, text};
use crate::error::{DecodeError, Result};

/// Bytes of the common header of binlog version 4.
pub const HEADER_LEN: usize = 19;
const CHECKSUM_LEN: usize = 4;
/// The first bytes of a binlog file.
pub const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];

/// Event types by number, those that are told apart here.
pub mod kind {
    pub const QUERY: u8 = 2;
    pub const STOP: u8 = 3;
    pub const ROTATE: u8 = 4;
    pub const INTVAR: u8 = 5;
    pub const FORMAT_DESCRIPTION: u8 = 15;
    pub const XID: u8 = 16;
    /// A block of the file of a LOAD DATA that is logged as a statement.
    pub const APPEND_BLOCK: u8 = 9;
    pub const BEGIN_LOAD_QUERY: u8 = 17;
    pub const EXECUTE_LOAD_QUERY: u8 = 18;
    pub const TABLE_MAP: u8 = 19;
    pub const WRITE_ROWS_V1: u8 = 23;
    pub const UPDATE_ROWS_V1: u8 = 24;
    pub const DELETE_ROWS_V1: u8 = 25;
    pub const INCIDENT: u8 = 26;
    pub const HEARTBEAT: u8 = 27;
    pub const IGNORABLE: u8 = 28;
    pub const ROWS_QUERY: u8 = 29;
    pub const WRITE_ROWS: u8 = 30;
    pub const UPDATE_ROWS: u8 = 31;
    pub const DELETE_ROWS: u8 = 32;
    pub const GTID: u8 = 33;
    pub const ANONYMOUS_GTID: u8 = 34;
    pub const PREVIOUS_GTIDS: u8 = 35;
    pub const XA_PREPARE: u8 = 38;
    pub const PARTIAL_UPDATE_ROWS: u8 = 39;
    pub const TRANSACTION_PAYLOAD: u8 = 40;
    pub const HEARTBEAT_V2: u8 = 41;
    pub const TAGGED_GTID: u8 = 42;
    pub const MARIADB_ANNOTATE_ROWS: u8 = 160;
    pub const MARIADB_BINLOG_CHECKPOINT: u8 = 161;
    pub const MARIADB_GTID: u8 = 162;
    pub const MARIADB_GTID_LIST: u8 = 163;
    pub const MARIADB_START_ENCRYPTION: u8 = 164;
    pub const MARIADB_QUERY_COMPRESSED: u8 = 165;
    pub const MARIADB_WRITE_ROWS_COMPRESSED_V1: u8 = 166;
    pub const MARIADB_UPDATE_ROWS_COMPRESSED_V1: u8 = 167;
    pub const MARIADB_DELETE_ROWS_COMPRESSED_V1: u8 = 168;
    pub const MARIADB_WRITE_ROWS_COMPRESSED: u8 = 169;
    pub const MARIADB_UPDATE_ROWS_COMPRESSED: u8 = 170;
    pub const MARIADB_DELETE_ROWS_COMPRESSED: u8 = 171;
}

/// The common header of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Seconds since the epoch; 0 in events made up for the reader.
    pub timestamp: u32,
    /// See [`kind`].
    pub kind: u8,
    pub server_id: u32,
    /// Bytes of the event with header and checksum.
    pub size: u32,
    /// Where the next event begins in its file; 0 in events made up for the reader, and inside of a payload.
    /// It wraps beyond 4 GiB.
    pub next_pos: u32,
    pub flags: u16,
}

impl Header {
    /// Set on the events that a server makes up for the reader: they stand in no file.
    pub const ARTIFICIAL: u16 = 0x20;
    /// An event that a reader may skip when it does not know it.
    pub const IGNORABLE: u16 = 0x80;

    pub fn parse(event: &[u8]) -> Result<Header> {
        let mut bytes = Bytes::new(event, "event header");
        Ok(Header {
            timestamp: bytes.u32()?,
            kind: bytes.u8()?,
            server_id: bytes.u32()?,
            size: bytes.u32()?,
            next_pos: bytes.u32()?,
            flags: bytes.u16()?,
        })
    }

    pub fn is_artificial(&self) -> bool {
        self.flags & Header::ARTIFICIAL != 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    #[default]
    None,
    Crc32,
}

impl Checksum {
    fn len(self) -> usize {
        match self {
            Checksum::None => 0,
            Checksum::Crc32 => CHECKSUM_LEN,
        }
    }
}

/// Splits a whole event into its header and its body, without the checksum. The format description is told by its own bytes.
pub fn frame(event: &[u8], checksum: Checksum) -> Result<(Header, &[u8])> {
    let header = Header::parse(event)?;
    if header.size as usize != event.len() {
        return Err(DecodeError::invalid(
            "event",
            format!("its header says {} bytes, it has {}", header.size, event.len()),
        ));
    }
    let checksum = effective(&header, event, checksum);
    let body = event.get(HEADER_LEN..event.len().saturating_sub(checksum.len()));
    let body =
        body.ok_or(DecodeError::Truncated { what: "event", needed: HEADER_LEN + checksum.len(), left: event.len() })?;
    Ok((header, body))
}

/// Holds an event to its checksum.
pub fn verify(event: &[u8], checksum: Checksum) -> Result<()> {
    let header = Header::parse(event)?;
    if effective(&header, event, checksum) == Checksum::None {
        return Ok(());
    }
    let truncated =
        DecodeError::Truncated { what: "event checksum", needed: HEADER_LEN + CHECKSUM_LEN, left: event.len() };
    let (covered, found) = event.split_last_chunk::<CHECKSUM_LEN>().ok_or(truncated)?;
    let found = u32::from_le_bytes(*found);
    let mut hasher = crc32fast::Hasher::new();
    if header.kind == kind::FORMAT_DESCRIPTION {
        hash_format_description(&mut hasher, covered);
    } else {
        hasher.update(covered);
    }
    let computed = hasher.finalize();
    if computed == found { Ok(()) } else { Err(DecodeError::Checksum { found, computed }) }
}

/// The flag "in use" of a file that is being written is left out of the checksum.
fn hash_format_description(hasher: &mut crc32fast::Hasher, covered: &[u8]) {
    const FLAGS_AT: usize = 17;
    const IN_USE: u8 = 1;
    match covered.split_at_checked(FLAGS_AT) {
        Some((before, [flags, after @ ..])) => {
            hasher.update(before);
            hasher.update(&[flags & !IN_USE]);
            hasher.update(after);
        }
        _ => hasher.update(covered),
    }
}

/// A format description carries a checksum whenever its server knows of checksums, even if the others carry none.
fn effective(header: &Header, event: &[u8], checksum: Checksum) -> Checksum {
    if header.kind != kind::FORMAT_DESCRIPTION {
        return checksum;
    }
    let version = event.get(HEADER_LEN + 2..HEADER_LEN + 52).unwrap_or_default();
    if knows_checksums(&server_version(version)) { Checksum::Crc32 } else { Checksum::None }
}

fn server_version(bytes: &[u8]) -> String {
    text(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn knows_checksums(version: &str) -> bool {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let version_number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    version_number >= if version.contains("MariaDB") { (5, 3, 0) } else { (5, 6, 1) }
}

/// How the events of a file are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatDescription {
    pub server_version: String,
    pub created: u32,
    pub checksum: Checksum,
    /// Bytes of the fixed part of each event type; the first is that of type 1.
    post_header: Vec<u8>,
}

impl FormatDescription {
    /// What is assumed until a stream's first format description: its checksum is what the session asked for.
    pub fn assumed(checksum: Checksum) -> FormatDescription {
        FormatDescription { server_version: String::new(), created: 0, checksum, post_header: Vec::new() }
    }

    pub(crate) fn parse(body: &[u8]) -> Result<FormatDescription> {
        let mut bytes = Bytes::new(body, "format description");
        let version = bytes.u16()?;
        if version != 4 {
            return Err(DecodeError::invalid(
                "format description",
                format!("binlog version {version}, only 4 is known"),
            ));
        }
        let server_version = server_version(bytes.take(50)?);
        let created = bytes.u32()?;
        let header_len = bytes.u8()?;
        if usize::from(header_len) != HEADER_LEN {
            return Err(DecodeError::invalid("format description", format!("event headers of {header_len} bytes")));
        }
        let (mut post_header, mut checksum) = (bytes.rest(), Checksum::None);
        if knows_checksums(&server_version) {
            let (algorithm, rest) = post_header.split_last().ok_or_else(|| bytes.truncated(1))?;
            post_header = rest;
            checksum = match algorithm {
                0 | 255 => Checksum::None,
                1 => Checksum::Crc32,
                other => return Err(DecodeError::invalid("checksum algorithm", other.to_string())),
            };
        }
        Ok(FormatDescription { server_version, created, checksum, post_header: post_header.to_vec() })
    }

    pub fn is_mariadb(&self) -> bool {
        self.server_version.contains("MariaDB")
    }

    /// Bytes of the fixed part of an event type, where the description tells.
    pub(crate) fn post_header_len(&self, kind: u8) -> Option<usize> {
        let index = usize::from(kind).checked_sub(1)?;
        self.post_header.get(index).map(|len| usize::from(*len))
    }
}
