//! Integers and floating point numbers.

use crate::decoder::WarningKind;
use crate::value::Outcome;

#[inline]
pub(crate) fn write_int(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A signed number of `bytes.len()` bytes, little-endian.
#[inline]
pub(crate) fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    (crate::bytes::le(bytes) << unused) as i64 >> unused
}

/// Shortest text that reads back as the same DOUBLE.
pub(crate) fn write_f64(value: f64, out: &mut Vec<u8>) -> Outcome {
    if !value.is_finite() {
        return Outcome::Null(WarningKind::NotFinite);
    }
    out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    Outcome::Written
}

/// Shortest text that reads back as the same FLOAT. A negative zero loses its sign, as it does in a SELECT with `+0e0`.
pub(crate) fn write_f32(value: f32, out: &mut Vec<u8>) -> Outcome {
    if !value.is_finite() {
        return Outcome::Null(WarningKind::NotFinite);
    }
    out.extend_from_slice(ryu::Buffer::new().format_finite(value + 0.0).as_bytes());
    Outcome::Written
}

/// A DOUBLE inside of JSON, as MySQL prints it: with an exponent where it is whole and has more than 15 digits, or begins
/// behind the 14th zero; a whole number gets a `.0`.
pub(crate) fn write_json_double(value: f64, out: &mut Vec<u8>) -> Outcome {
    if !value.is_finite() {
        return Outcome::Null(WarningKind::NotFinite);
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    if value.abs() < 1e15 && !text.contains('e') {
        out.extend_from_slice(text.as_bytes()); // the same in this range
        return Outcome::Written;
    }
    let mut room = [0; 24];
    let (len, point) = digits_and_point(text, &mut room);
    if text.starts_with('-') {
        out.push(b'-');
    }
    write_gcvt(room.get(..len).unwrap_or_default(), point, out);
    Outcome::Written
}

/// How many digits a number's text has without zeros at both ends, these digits in `room`, and where its decimal point stands from their start.
fn digits_and_point(text: &str, room: &mut [u8; 24]) -> (usize, i32) {
    let (mut len, mut point, mut seen_point, mut exponent) = (0, 0, false, 0i32);
    for byte in text.bytes() {
        match byte {
            b'.' => seen_point = true,
            b'e' => {
                exponent = text.rsplit('e').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
                break;
            }
            b'0'..=b'9' => {
                if len == 0 && byte == b'0' {
                    point -= i32::from(seen_point);
                    continue;
                }
                if let Some(room) = room.get_mut(len) {
                    *room = byte;
                    len += 1;
                }
                point += i32::from(!seen_point);
            }
            _ => {}
        }
    }
    while len > 0 && room.get(len - 1) == Some(&b'0') {
        len -= 1;
    }
    (len, if len == 0 { 1 } else { point + exponent })
}

fn write_gcvt(digits: &[u8], point: i32, out: &mut Vec<u8>) {
    const DIGITS: i32 = 15;
    let zeros = |count: i32, out: &mut Vec<u8>| out.extend(std::iter::repeat_n(b'0', count.max(0) as usize));
    if digits.is_empty() {
        out.extend_from_slice(b"0.0");
    } else if point < 1 - DIGITS || point > DIGITS && point as usize >= digits.len() {
        let (first, rest) = digits.split_at(1);
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.push(b'e');
        write_int(point - 1, out);
    } else if point <= 0 {
        out.extend_from_slice(b"0.");
        zeros(-point, out);
        out.extend_from_slice(digits);
    } else {
        let whole = (point as usize).min(digits.len());
        let (before, after) = digits.split_at(whole);
        out.extend_from_slice(before);
        zeros(point - before.len() as i32, out);
        out.push(b'.');
        out.extend_from_slice(if after.is_empty() { b"0" } else { after });
    }
}
