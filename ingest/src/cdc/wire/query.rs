//! Text queries: rows whose cells are the bytes that the server sent.

use std::ops::Range;

use super::packet::Wire;
use super::{WireError, WireResult};

const QUERY: u8 = 0x03;
const NULL: u8 = 0xfb;

/// A row of a small result.
pub type Row = Vec<Option<String>>;

/// Where the cells of the row lie in the payload of the connection.
pub type Cells = Vec<Option<Range<usize>>>;

impl Wire {
    /// Runs a statement that gives no rows.
    pub async fn execute(&mut self, sql: &str) -> WireResult<()> {
        self.query(sql).await.map(|_| ())
    }

    /// All rows of a small result, as text.
    pub async fn query(&mut self, sql: &str) -> WireResult<Vec<Row>> {
        let mut rows = Vec::new();
        if self.start_query(sql).await?.is_none() {
            return Ok(rows);
        }
        let mut cells = Cells::new();
        while self.next_row(&mut cells).await? {
            let payload = self.payload();
            rows.push(cells.iter().map(|cell| cell.clone().and_then(|cell| payload.get(cell)).map(text)).collect());
        }
        Ok(rows)
    }

    /// The first cell of the first row.
    pub async fn query_one(&mut self, sql: &str) -> WireResult<Option<String>> {
        Ok(self.query(sql).await?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// Begins a query; the number of columns, or `None` where it gives no rows. Then comes [`Wire::next_row`].
    pub async fn start_query(&mut self, sql: &str) -> WireResult<Option<usize>> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(QUERY);
        command.extend_from_slice(sql.as_bytes());
        self.command(&command).await?;
        let payload = self.read().await?;
        let columns = match payload.first() {
            Some(0x00) => return Ok(None),
            Some(0xff) => return Err(server_error(payload)),
            Some(_) => length(payload, &mut 0).ok_or(WireError::Protocol("a result's columns"))?,
            None => return Err(WireError::Protocol("an empty answer")),
        };
        for _ in 0..columns {
            self.read().await?;
        }
        if !is_end(self.read().await?) {
            return Err(WireError::Protocol("the end of a result's columns"));
        }
        Ok(Some(columns))
    }

    /// The next row; `false` at the end. The cells are valid until the next call.
    pub async fn next_row(&mut self, cells: &mut Cells) -> WireResult<bool> {
        cells.clear();
        let payload = self.read().await?;
        if is_end(payload) {
            return Ok(false);
        }
        if payload.first() == Some(&0xff) {
            return Err(server_error(payload));
        }
        let mut at = 0;
        while let Some(&first) = payload.get(at) {
            if first == NULL {
                cells.push(None);
                at += 1;
                continue;
            }
            let bytes = length(payload, &mut at).ok_or(WireError::Protocol("a row's cell"))?;
            if at + bytes > payload.len() {
                return Err(WireError::Protocol("a row's cell"));
            }
            cells.push(Some(at..at + bytes));
            at += bytes;
        }
        Ok(true)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_end(payload: &[u8]) -> bool {
    payload.first() == Some(&0xfe) && payload.len() < 9
}

/// An integer of 1 to 9 bytes.
fn length(payload: &[u8], at: &mut usize) -> Option<usize> {
    let first = *payload.get(*at)?;
    let wide = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        0xfb | 0xff => return None,
        small => {
            *at += 1;
            return Some(usize::from(small));
        }
    };
    let bytes = payload.get(*at + 1..*at + 1 + wide)?;
    *at += 1 + wide;
    let value = bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    usize::try_from(value).ok()
}

/// The error that a payload beginning with 0xff tells.
pub(super) fn server_error(payload: &[u8]) -> WireError {
    let Some(&[_, low, high]) = payload.first_chunk::<3>() else {
        return WireError::Protocol("an error without a code");
    };
    let rest = payload.get(3..).unwrap_or_default();
    let (state, message) = match rest.split_first() {
        Some((b'#', rest)) if rest.len() >= 5 => rest.split_at(5),
        _ => (&b"HY000"[..], rest),
    };
    WireError::Server { code: u16::from_le_bytes([low, high]), state: text(state), message: text(message) }
}

/// A text as a literal of SQL; a name is quoted by [`name`].
pub fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name quoted by backticks.
pub fn name(value: &str) -> String {
    format!("`{}`", value.replace('`', "``"))
}
