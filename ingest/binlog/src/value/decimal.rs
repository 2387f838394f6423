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
    // The first bit is the sign, turned around; of a negative number all bits are turned around.
    let negative = bytes.first().is_none_or(|first| first & 0x80 == 0);
    let (whole, fraction) = bytes.split_at(part_len(usize::from(precision - scale)));
    let mut number = Number { text: [b'0'; TEXT_MAX], len: 2, begun: false };
    let mut groups = Groups { negative, first: true };
    let (head, rest) = whole.split_at(whole.len() % GROUP_BYTES);
    if !head.is_empty() {
        number.whole(groups.value(head)?);
    }
    for group in rest.chunks_exact(GROUP_BYTES) {
        number.whole(groups.value(group)?);
    }
    if !number.begun {
        number.digits(0, 1);
    }
    if scale > 0 {
        number.push(b'.');
        let (full, tail) = fraction.split_at(usize::from(scale) / GROUP_DIGITS * GROUP_BYTES);
        for group in full.chunks_exact(GROUP_BYTES) {
            number.digits(groups.value(group)?, GROUP_DIGITS);
        }
        let digits = usize::from(scale) % GROUP_DIGITS;
        if digits > 0 {
            let value = groups.value(tail)?;
            if value >= 10u32.pow(digits as u32) {
                return Err(invalid());
            }
            number.digits(value, digits);
        }
    }
    number.append(negative, form, out);
    Ok(())
}

/// Quote, sign, 65 digits and a zero, point, quote, and room for a group that is too much.
const TEXT_MAX: usize = 80;

/// Reads groups of digits.
struct Groups {
    negative: bool,
    first: bool,
}

impl Groups {
    fn value(&mut self, group: &[u8]) -> Result<u32> {
        let bits = 8 * group.len() as u32;
        let mut value = be(group) as u32;
        if self.negative {
            value = !value & (u32::MAX >> (32 - bits));
        }
        if std::mem::take(&mut self.first) {
            value &= !(1 << (bits - 1)); // the sign, which is set in both cases by now
        }
        if value > 999_999_999 { Err(invalid()) } else { Ok(value) }
    }
}

/// The text in the making; its first two places are kept for quote and sign.
struct Number {
    text: [u8; TEXT_MAX],
    len: usize,
    begun: bool,
}

impl Number {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// A number with zeros in front.
    fn digits(&mut self, mut value: u32, count: usize) {
        let places = self.text.get_mut(self.len..self.len + count).unwrap_or_default();
        for place in places.iter_mut().rev() {
            *place = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.len += places.len();
    }

    /// A group before the point: zeros in front are left out.
    fn whole(&mut self, value: u32) {
        if self.begun {
            self.digits(value, GROUP_DIGITS);
        } else if value > 0 {
            self.begun = true;
            self.digits(value, value.ilog10() as usize + 1);
        }
    }

    fn append(mut self, negative: bool, form: Form, out: &mut Vec<u8>) {
        let digits = self.text.get(2..self.len).unwrap_or_default();
        let mut start = 2;
        if negative && digits.iter().any(|digit| (b'1'..=b'9').contains(digit)) {
            start -= 1;
            self.text[start] = b'-';
        }
        if form == Form::Json {
            start -= 1;
            self.text[start] = b'"';
            self.push(b'"');
        }
        out.extend_from_slice(self.text.get(start..self.len).unwrap_or_default());
    }
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
