//! Events: what a server's log says, one at a time.

use std::borrow::Cow;

use crate::bytes::{Bytes, text};
use crate::charset::Charset;
use crate::compressed;
use crate::error::{DecodeError, Result};
use crate::gtid::{Gtid, MariadbGtid, MariadbGtidList, PreviousGtids};
use crate::header::{FormatDescription, Header, kind};
use crate::payload::Payload;
use crate::query::Query;
use crate::rows::Rows;
use crate::table_map::TableMap;
use crate::xa::Xid;

/// An event, borrowed from its bytes.
#[derive(Debug)]
pub enum Event<'a> {
    FormatDescription(FormatDescription),
    /// The log goes on in another file.
    Rotate {
        file: String,
        pos: u64,
    },
    /// A MySQL transaction begins.
    Gtid(Gtid),
    /// A transaction without a GTID begins (`gtid_mode` off); `Gtid::uuid` and `number` are zero.
    AnonymousGtid(Gtid),
    PreviousGtids(PreviousGtids),
    /// A MariaDB transaction begins.
    MariadbGtid(MariadbGtid),
    MariadbGtidList(MariadbGtidList),
    /// A statement: BEGIN, COMMIT, XA, DDL; and of rows, where a session does not log the rows.
    Query(Query<'a>),
    /// A transaction is committed.
    Xid(u64),
    TableMap(TableMap<'a>),
    Rows(Rows<'a>),
    TransactionPayload(Payload<'a>),
    /// The statement behind the rows that follow, where the server logs it.
    RowsQuery(Cow<'a, str>),
    /// The server lives; it has sent everything up to here.
    Heartbeat {
        file: String,
        pos: u64,
    },
    /// The server lost track of its own log: what follows may lack changes.
    Incident {
        number: u16,
        message: String,
    },
    /// An XA transaction was prepared; `one_phase` is set where it was committed at once.
    XaPrepare {
        one_phase: bool,
        xid: Xid,
    },
    /// The file ends for good.
    Stop,
    /// Nothing that concerns row changes.
    Other {
        kind: u8,
    },
}

/// Reads the body of an event as [`crate::frame`] gives it.
pub fn parse<'a>(header: &Header, body: &'a [u8], format: &FormatDescription) -> Result<Event<'a>> {
    Ok(match header.kind {
        kind::FORMAT_DESCRIPTION => Event::FormatDescription(FormatDescription::parse(body)?),
        kind::ROTATE => rotate(body)?,
        kind::GTID => Event::Gtid(Gtid::parse(body)?),
        kind::ANONYMOUS_GTID => Event::AnonymousGtid(Gtid::parse(body)?),
        kind::TAGGED_GTID => Event::Gtid(Gtid::parse_tagged(body)?),
        kind::PREVIOUS_GTIDS => Event::PreviousGtids(PreviousGtids::parse(body)?),
        kind::MARIADB_GTID => Event::MariadbGtid(MariadbGtid::parse(header.server_id, body)?),
        kind::MARIADB_GTID_LIST => Event::MariadbGtidList(MariadbGtidList::parse(body)?),
        // LOAD DATA as a statement: its file came in blocks before
        kind::QUERY | kind::EXECUTE_LOAD_QUERY => Event::Query(Query::parse(header.kind, body, format)?),
        kind::MARIADB_QUERY_COMPRESSED => {
            let mut query = Query::parse(kind::QUERY, body, format)?;
            query.sql = Cow::Owned(compressed::uncompress(&query.sql)?);
            Event::Query(query)
        }
        kind::XID => Event::Xid(Bytes::new(body, "commit event").u64()?),
        kind::TABLE_MAP => Event::TableMap(TableMap::parse(body, format)?),
        kind::WRITE_ROWS_V1..=kind::DELETE_ROWS_V1
        | kind::WRITE_ROWS..=kind::DELETE_ROWS
        | kind::MARIADB_WRITE_ROWS_COMPRESSED_V1..=kind::MARIADB_DELETE_ROWS_COMPRESSED => {
            Event::Rows(Rows::parse(header.kind, body, format)?)
        }
        kind::TRANSACTION_PAYLOAD => Event::TransactionPayload(Payload::parse(body)?),
        kind::ROWS_QUERY => {
            let mut bytes = Bytes::new(body, "rows query");
            bytes.skip(1)?; // a length too short for most statements
            Event::RowsQuery(String::from_utf8_lossy(bytes.rest()))
        }
        kind::MARIADB_ANNOTATE_ROWS => Event::RowsQuery(String::from_utf8_lossy(body)),
        kind::HEARTBEAT => Event::Heartbeat { file: text(body), pos: u64::from(header.next_pos) },
        kind::HEARTBEAT_V2 => heartbeat_v2(header, body)?,
        kind::INCIDENT => {
            let mut bytes = Bytes::new(body, "incident");
            let number = bytes.u16()?;
            let len = if bytes.is_empty() { 0 } else { bytes.u8()? };
            Event::Incident { number, message: text(bytes.take(usize::from(len))?) }
        }
        kind::XA_PREPARE => {
            let mut bytes = Bytes::new(body, "XA prepare");
            Event::XaPrepare { one_phase: bytes.u8()? != 0, xid: Xid::of_prepare(&mut bytes)? }
        }
        kind::STOP => Event::Stop,
        kind::PARTIAL_UPDATE_ROWS => return Err(unsupported(header.kind, PARTIAL_HINT)),
        kind::MARIADB_START_ENCRYPTION => return Err(unsupported(header.kind, ENCRYPTION_HINT)),
        kind @ 1 | kind @ 6..=8 | kind @ 10 | kind @ 12..=14 | kind @ 20..=22 => {
            return Err(unsupported(kind, STATEMENT_HINT));
        }
        kind => Event::Other { kind },
    })
}

const PARTIAL_HINT: &str = "the server writes JSON updates in parts; set global binlog_row_value_options = ''";
const ENCRYPTION_HINT: &str = "the binlog file is encrypted; read it from the server, which decrypts it";
const STATEMENT_HINT: &str = "it comes of a server before 5.1";

fn unsupported(kind: u8, hint: &'static str) -> DecodeError {
    DecodeError::Unsupported { kind, hint }
}

fn rotate(body: &[u8]) -> Result<Event<'_>> {
    let mut bytes = Bytes::new(body, "rotate event");
    let pos = bytes.u64()?;
    Ok(Event::Rotate { file: text(bytes.rest()), pos })
}

fn heartbeat_v2<'a>(header: &Header, body: &'a [u8]) -> Result<Event<'a>> {
    let mut bytes = Bytes::new(body, "heartbeat");
    let (mut file, mut pos) = (String::new(), u64::from(header.next_pos));
    loop {
        let field = bytes.lenenc()?;
        if field == 0 {
            return Ok(Event::Heartbeat { file, pos });
        }
        let mut value = Bytes::new(bytes.lenenc_bytes()?, "heartbeat");
        match field {
            1 => file = text(value.rest()),
            2 => pos = value.lenenc()?,
            _ => {}
        }
    }
}

/// Decodes statement text by its session's character set.
pub(crate) fn statement_text(sql: &[u8], charset: Option<Charset>) -> Cow<'_, str> {
    match charset {
        Some(charset) if charset != Charset::Binary => charset.decode(sql),
        _ => String::from_utf8_lossy(sql),
    }
}
