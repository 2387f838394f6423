//! A prefix of every name, so that two runs on one server do not meet.

use crate::{Error, ErrorKind, Result};

/// Refuses a namespace that some store could not carry in a name.
pub(crate) fn check(namespace: &str) -> Result<()> {
    let fits = namespace.len() <= 64 && namespace.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("namespace {namespace:?}"), "has a character that names cannot carry")
        .hint("use up to 64 letters, digits, underscores and hyphens"))
}
