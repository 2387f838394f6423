//! Statements with the session they ran in.

use std::borrow::Cow;

use crate::bytes::{Bytes, text};
use crate::charset::Charset;
use crate::error::Result;
use crate::event::statement_text;
use crate::header::{FormatDescription, kind};
use crate::xa::XaStatement;

/// Bytes of the fixed part that every statement has, and of that which names the file of a LOAD DATA.
const POST_HEADER: usize = 13;
const LOAD_POST_HEADER: usize = 26;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    pub thread_id: u32,
    /// The statement's default database; empty without one.
    pub db: String,
    /// As the client sent it: see [`Query::text`].
    pub sql: Cow<'a, [u8]>,
    pub error: u16,
    pub session: Session,
}

/// What of the session a statement's meaning depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    pub sql_mode: Option<u64>,
    pub client_charset: Option<Charset>,
    /// Collation number of `collation_connection`.
    pub connection_collation: Option<u16>,
    /// Collation number of `collation_server`: what a database without its own charset gets.
    pub server_collation: Option<u16>,
    /// Collation number of `collation_database`.
    pub database_collation: Option<u16>,
    pub time_zone: Option<String>,
    pub utf8mb4_collation: Option<u16>,
    pub microseconds: Option<u32>,
    /// The transaction that a DDL of MySQL 8 or MariaDB is.
    pub ddl_xid: Option<u64>,
}

impl Session {
    pub const ANSI_QUOTES: u64 = 4;
    pub const NO_BACKSLASH_ESCAPES: u64 = 0x10_0000;
}

impl<'a> Query<'a> {
    /// `kind` is the event's: of a LOAD DATA there stands more before the statement.
    pub(crate) fn parse(kind: u8, body: &'a [u8], format: &FormatDescription) -> Result<Query<'a>> {
        let mut bytes = Bytes::new(body, "query event");
        let thread_id = bytes.u32()?;
        bytes.skip(4)?; // seconds it took
        let db_len = usize::from(bytes.u8()?);
        let error = bytes.u16()?;
        let vars_len = usize::from(bytes.u16()?);
        let usual = if kind == kind::EXECUTE_LOAD_QUERY { LOAD_POST_HEADER } else { POST_HEADER };
        let post_header = format.post_header_len(kind).unwrap_or(usual);
        bytes.skip(post_header.saturating_sub(POST_HEADER))?;
        let session = session(bytes.take(vars_len)?);
        let db = text(bytes.take(db_len)?);
        bytes.skip(1)?;
        Ok(Query { thread_id, db, sql: Cow::Borrowed(bytes.rest()), error, session })
    }

    /// The statement as text.
    pub fn text(&self) -> Cow<'_, str> {
        statement_text(&self.sql, self.session.client_charset)
    }

    /// What it says of an XA transaction; `None` for every other statement.
    pub fn xa(&self) -> Option<XaStatement> {
        XaStatement::parse(&self.sql)
    }

    /// Whether the statement is this one, whatever its case: for BEGIN and COMMIT, which are by far the most.
    pub fn is(&self, statement: &str) -> bool {
        self.sql.trim_ascii().eq_ignore_ascii_case(statement.as_bytes())
    }
}

/// What is known of the status variables; behind one that is not known nothing can be read.
fn session(vars: &[u8]) -> Session {
    let mut session = Session::default();
    let mut bytes = Bytes::new(vars, "status variables");
    while let Ok(code) = bytes.u8() {
        if variable(code, &mut bytes, &mut session).is_err() {
            break;
        }
    }
    session
}

fn variable(code: u8, bytes: &mut Bytes<'_>, session: &mut Session) -> Result<()> {
    match code {
        0 | 10 => bytes.skip(4)?,
        1 => session.sql_mode = Some(bytes.u64()?),
        2 => {
            let len = usize::from(bytes.u8()?);
            bytes.skip(len + 1)?;
        }
        3 => bytes.skip(4)?,
        4 => {
            session.client_charset = Charset::of_collation(u32::from(bytes.u16()?));
            session.connection_collation = Some(bytes.u16()?);
            session.server_collation = Some(bytes.u16()?);
        }
        5 => {
            let len = usize::from(bytes.u8()?);
            session.time_zone = Some(text(bytes.take(len)?));
        }
        6 => {
            let len = usize::from(bytes.u8()?);
            bytes.skip(len)?;
        }
        7 => bytes.skip(2)?,
        8 => session.database_collation = Some(bytes.u16()?),
        9 => bytes.skip(8)?,
        11 => {
            for _ in 0..2 {
                let len = usize::from(bytes.u8()?);
                bytes.skip(len)?;
            }
        }
        12 => updated_dbs(bytes)?,
        13 | 128 => session.microseconds = Some(bytes.uint(3)? as u32),
        16 | 19 | 20 => bytes.skip(1)?,
        17 | 129 => session.ddl_xid = Some(bytes.u64()?),
        18 => session.utf8mb4_collation = Some(bytes.u16()?),
        _ => return Err(bytes.truncated(1)),
    }
    Ok(())
}

fn updated_dbs(bytes: &mut Bytes<'_>) -> Result<()> {
    const TOO_MANY: u8 = 254;
    let count = bytes.u8()?;
    for _ in 0..if count == TOO_MANY { 0 } else { count } {
        while bytes.u8()? != 0 {}
    }
    Ok(())
}
