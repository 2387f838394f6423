//! Addresses and names as they may stand in a header.

use lettre::Address;

/// The longest path that SMTP takes (RFC 5321, 4.5.3.1.3), without its brackets.
const ADDRESS_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 120;

/// An address that a mail can be sent to; `None` for what is none, for several, and for one with a display name.
pub(crate) fn parse(text: &str) -> Option<Address> {
    let text = text.trim();
    if text.len() > ADDRESS_BYTES_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    // Other letters need servers that all know SMTPUTF8.
    text.is_ascii().then(|| text.parse().ok()).flatten()
}

/// What is no address, for a list of problems: short and on one line.
pub(crate) fn shown(text: &str) -> String {
    one_line(text).chars().take(80).collect()
}

/// Text for a header or a file name: control characters (CR and LF among them) are spaces, and it is not long.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    plain.chars().take(NAME_CHARS_MAX).collect()
}

/// Line breaks beyond the control characters, and the marks that turn the direction of text around.
fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
