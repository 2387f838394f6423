//! Tables that mark their deleted rows instead of deleting them.

use linli_binlog::{DecodeError, Image, RowsKind};

/// What a change of a row is to those who do not see marked rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What it is in the table.
    Same,
    /// The row was marked: a delete.
    Goes,
    /// The mark was taken off: a create.
    Returns,
    /// The row was marked and still is: nothing.
    Unseen,
}

/// What becomes of a change, by the marks before and after it.
pub fn fate(kind: RowsKind, marked_before: bool, marked_after: bool) -> Fate {
    match (kind, marked_before, marked_after) {
        (RowsKind::Insert, _, true) | (RowsKind::Delete, true, _) | (RowsKind::Update, true, true) => Fate::Unseen,
        (RowsKind::Update, false, true) => Fate::Goes,
        (RowsKind::Update, true, false) => Fate::Returns,
        _ => Fate::Same,
    }
}

/// Whether the column holds a mark: neither NULL, 0, `false` nor the empty text.
pub fn is_marked(image: Option<&Image<'_>>, column: usize, scratch: &mut Vec<u8>) -> Result<bool, DecodeError> {
    scratch.clear();
    let Some(image) = image else { return Ok(false) };
    Ok(image.column_text(column, scratch)? && is_mark(scratch))
}

/// Whether a row of a table that keeps old rows is one of them: it held until some time, not until the last of all times.
pub fn is_past(image: Option<&Image<'_>>, end: usize, scratch: &mut Vec<u8>) -> Result<bool, DecodeError> {
    /// Of 31 bits, of 32, and of numbers of transactions.
    const NEVER: [&[u8]; 3] = [b"2038-01-19T03:14:07.999999Z", b"2106-02-07T06:28:15.999999Z", b"18446744073709551615"];
    scratch.clear();
    let Some(image) = image else { return Ok(false) };
    Ok(image.column_text(end, scratch)? && !NEVER.contains(&scratch.as_slice()))
}

/// As [`is_marked`], for a column's text.
pub fn is_mark(text: &[u8]) -> bool {
    !matches!(text, b"" | b"0" | b"false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_delete_and_taking_it_off_a_create() {
        use RowsKind::{Delete, Insert, Update};
        for (kind, before, after, expected) in [
            (Insert, false, false, Fate::Same),
            (Insert, false, true, Fate::Unseen),
            (Update, false, false, Fate::Same),
            (Update, false, true, Fate::Goes),
            (Update, true, false, Fate::Returns),
            (Update, true, true, Fate::Unseen),
            (Delete, false, false, Fate::Same),
            (Delete, true, false, Fate::Unseen),
        ] {
            assert_eq!(fate(kind, before, after), expected, "{kind:?} {before} {after}");
        }
        for (text, expected) in [("", false), ("0", false), ("false", false), ("1", true), ("1767225600000", true)] {
            assert_eq!(is_mark(text.as_bytes()), expected, "{text}");
        }
    }
}
