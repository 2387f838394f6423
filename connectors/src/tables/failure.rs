//! ClickHouse's failures as this crate's errors.

use clickhouse::error::Error as ClientError;

use crate::{Error, ErrorKind};

/// The code in `Code: 60. DB::Exception: …`.
pub(crate) fn code_of(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// `object` is the warehouse, or a table of it.
pub(super) fn error_of(object: &str, error: ClientError) -> Error {
    let (kind, cause, hint) = match &error {
        ClientError::Network(_) | ClientError::TimedOut => (
            ErrorKind::Retry,
            "is not reachable".to_owned(),
            "start ClickHouse there, or name another with --warehouse; a chdb:// engine ends with the process that started it",
        ),
        ClientError::BadResponse(text) => refused(text),
        ClientError::RowNotFound => (ErrorKind::Reject, "has no row for this question".to_owned(), ""),
        ClientError::InvalidParams(_) | ClientError::Unsupported(_) => (
            ErrorKind::Config,
            "cannot be asked like this".to_owned(),
            "see --warehouse: clickhouse://[USER:PASSWORD@]HOST:PORT",
        ),
        _ => (
            ErrorKind::Corrupt,
            format!("answers with other columns than expected: {error}"),
            "bring its tables to this version: linli warehouse migrate",
        ),
    };
    let mapped = Error::new(kind, object, cause).caused_by(error);
    if hint.is_empty() { mapped } else { mapped.hint(hint) }
}

fn refused(text: &str) -> (ErrorKind, String, &'static str) {
    let cause = text.trim().to_owned();
    let (kind, hint) = match code_of(text) {
        // network, timeouts, too many queries or parts, memory, read-only while Keeper is away, cancelled
        Some(159 | 160 | 202 | 209 | 210 | 225 | 241 | 242 | 243 | 252 | 279 | 285 | 319 | 394 | 425 | 439 | 999) => {
            (ErrorKind::Retry, "the warehouse is busy or out of a resource; see its log if this goes on")
        }
        Some(60 | 81) => (ErrorKind::Config, "create the tables with: linli warehouse migrate"),
        Some(16 | 47) => (ErrorKind::Config, "bring the tables to this version with: linli warehouse migrate"),
        Some(192..=195 | 497 | 516) => {
            (ErrorKind::Config, "put the user and the password in the URL: clickhouse://USER:PASSWORD@HOST:PORT")
        }
        // data that does not fit its column
        Some(6 | 26 | 27 | 33 | 38 | 41 | 69 | 70 | 72 | 117 | 131 | 349) => (ErrorKind::Reject, ""),
        // checksums, broken parts, files that are gone
        Some(40 | 79 | 107 | 228 | 246 | 271) => {
            (ErrorKind::Corrupt, "the warehouse's files are damaged: restore them, or rebuild from the log")
        }
        Some(_) => (ErrorKind::Config, ""),
        // No ClickHouse speaks like this, or a proxy before it.
        None => (ErrorKind::Retry, "see whether a ClickHouse server listens at --warehouse"),
    };
    (kind, cause, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        let check = |text: &str, kind| {
            assert_eq!(error_of("warehouse", ClientError::BadResponse(text.to_owned())).kind, kind, "{text}");
        };
        check("Code: 60. DB::Exception: Unknown table (UNKNOWN_TABLE)", ErrorKind::Config);
        check("Code: 241. DB::Exception: Memory limit exceeded", ErrorKind::Retry);
        check("Code: 27. DB::Exception: Cannot parse input", ErrorKind::Reject);
        check("Code: 40. DB::Exception: Checksum doesn't match", ErrorKind::Corrupt);
        check("<html>Bad Gateway</html>", ErrorKind::Retry);
        assert_eq!(error_of("warehouse", ClientError::TimedOut).kind, ErrorKind::Retry);
        assert_eq!(code_of("Code: 62"), Some(62));
        assert_eq!(code_of("Code: x"), None);
    }
}
