//! DECIMAL: nine digits in four bytes, the rest in as many as they need.

use crate::bytes::be;
use crate::error::{DecodeError, Result};
use crate::escape::{Form, quote};

const GROUP_DIGITS: usize = 9;
const GROUP_BYTES: usize = 4;
const BYTES_OF_DIGITS: [usize; GROUP_DIGITS] = [0, 1, 1, 2, 2, 3, 3, 4, 4];
pub(crate) const PRECISION_MAX: u8 = 65;

fn part_len(digits: usize) -> usize {
    digits / GROUP_DIGITS * GROUP_BYTES + BYTES_OF_DIGITS.get(digits % GROUP_DIGITS).copied().unwrap_or(0)
}

/// Bytes of a value in a row image.
pub(crate) fn len(precision: u8, scale: u8) -> usize {
    part_len(usize::from(precision.saturating_sub(scale))) + part_len(usize::from(scale))
}

fn invalid() -> DecodeError {
    DecodeError::invalid("DECIMAL", "its digits are none")
}

/// Appends the number as the server prints it, in quotes where the form has them.
pub(crate) fn write(bytes: &[u8], precision: u8, scale: u8, form: Form, out: &mut Vec<u8>) -> Result<()> {
    if precision > PRECISION_MAX || scale > precision || bytes.len() != len(precision, scale) {
        return Err(invalid());
    }
    let mut copy = [0; 40];
    let digits = copy.get_mut(..bytes.len()).ok_or_else(invalid)?;
    digits.copy_from_slice(bytes);
    let first = digits.first_mut().ok_or_else(invalid)?;
    let negative = *first & 0x80 == 0;
    *first ^= 0x80;
    if negative {
        digits.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let (whole, fraction) = digits.split_at(part_len(usize::from(precision - scale)));
    quote(form, out);
    if negative && digits.iter().any(|byte| *byte != 0) {
        out.push(b'-');
    }
    write_whole(whole, out)?;
    if scale > 0 {
        out.push(b'.');
        write_fraction(fraction, usize::from(scale), out)?;
    }
    quote(form, out);
    Ok(())
}

fn write_whole(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let (head, groups) = bytes.split_at(bytes.len() % GROUP_BYTES);
    let mut buffer = itoa::Buffer::new();
    let mut begun = false;
    for group in std::iter::once(head).chain(groups.chunks(GROUP_BYTES)) {
        let value = be(group);
        if value > 999_999_999 {
            return Err(invalid());
        }
        if begun {
            padded(value, GROUP_DIGITS, out);
        } else if value > 0 {
            out.extend_from_slice(buffer.format(value).as_bytes());
            begun = true;
        }
    }
    if !begun {
        out.push(b'0');
    }
    Ok(())
}

fn write_fraction(bytes: &[u8], scale: usize, out: &mut Vec<u8>) -> Result<()> {
    let (groups, tail) = bytes.split_at(scale / GROUP_DIGITS * GROUP_BYTES);
    for group in groups.chunks(GROUP_BYTES) {
        let value = be(group);
        if value > 999_999_999 {
            return Err(invalid());
        }
        padded(value, GROUP_DIGITS, out);
    }
    let digits = scale % GROUP_DIGITS;
    if digits > 0 {
        let value = be(tail);
        if value >= 10u64.pow(digits as u32) {
            return Err(invalid());
        }
        padded(value, digits, out);
    }
    Ok(())
}

/// A number of at most nine digits with zeros in front.
fn padded(mut value: u64, digits: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; GROUP_DIGITS];
    for digit in text.iter_mut().take(digits).rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(text.get(..digits).unwrap_or_default());
}

/// The same of a SELECT's text, which may have zeros in front (ZEROFILL).
pub(crate) fn write_text(text: &[u8], form: Form, out: &mut Vec<u8>) -> Result<()> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let valid = digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if !valid || !digits.iter().any(u8::is_ascii_digit) {
        return Err(invalid());
    }
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let shown = digits.get(zeros..).unwrap_or_default();
    quote(form, out);
    if negative && digits.iter().any(|byte| (b'1'..=b'9').contains(byte)) {
        out.push(b'-');
    }
    if !shown.first().is_some_and(u8::is_ascii_digit) {
        out.push(b'0');
    }
    out.extend_from_slice(shown);
    quote(form, out);
    Ok(())
}
