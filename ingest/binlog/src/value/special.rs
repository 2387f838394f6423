//! Types that MariaDB alone has.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt::Display;
use std::io::Read as _;

use crate::bytes::{Bytes, be};
use crate::error::{DecodeError, Result};
use crate::escape::{Form, write_text};
use crate::gtid::Uuid;

fn write_display(value: impl Display, form: Form, out: &mut Vec<u8>) {
    write_text(value.to_string().as_bytes(), form, out);
}

/// The log cuts what stands behind the last byte that counts: zeros.
fn padded<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N]> {
    if bytes.len() > N {
        return Err(DecodeError::invalid(what, format!("it has {} bytes", bytes.len())));
    }
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(array)
}

/// In the log the parts stand in the order of the text, unlike in MariaDB's tables.
pub(crate) fn write_uuid(bytes: &[u8], form: Form, out: &mut Vec<u8>) -> Result<()> {
    write_display(Uuid(padded(bytes, "UUID")?), form, out);
    Ok(())
}

pub(crate) fn write_inet4(bytes: &[u8], form: Form, out: &mut Vec<u8>) -> Result<()> {
    write_display(Ipv4Addr::from(padded::<4>(bytes, "INET4")?), form, out);
    Ok(())
}

pub(crate) fn write_inet6(bytes: &[u8], form: Form, out: &mut Vec<u8>) -> Result<()> {
    let address = Ipv6Addr::from(padded::<16>(bytes, "INET6")?);
    // As the server prints them: an address that holds one of version 4 shows it.
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            let [.., a, b, c, d] = address.octets();
            write_display(format_args!("::{}", Ipv4Addr::new(a, b, c, d)), form, out);
        }
        _ => write_display(address, form, out),
    }
    Ok(())
}

/// A value of a column declared COMPRESSED: a head, the length, then zlib or the bytes themselves.
pub(crate) fn uncompress(value: &[u8]) -> Result<Vec<u8>> {
    const WHAT: &str = "compressed column";
    let Some(head) = value.first() else {
        return Ok(Vec::new());
    };
    let mut bytes = Bytes::new(value, WHAT);
    bytes.skip(1)?;
    if *head == 0 {
        return Ok(bytes.rest().to_vec());
    }
    let declared = be(bytes.take(usize::from(head & 7))?);
    if declared > crate::compressed::EVENT_LEN_MAX || head >> 4 != 8 {
        return Err(DecodeError::invalid(WHAT, format!("head {head:#04x}, {declared} bytes")));
    }
    let mut out = Vec::new();
    // Its wrap bit set means bare deflate without zlib's own head.
    let invalid = |error: std::io::Error| DecodeError::invalid(WHAT, error.to_string());
    if head & 8 != 0 {
        flate2::read::DeflateDecoder::new(bytes.rest()).take(declared + 1).read_to_end(&mut out).map_err(invalid)?;
    } else {
        flate2::read::ZlibDecoder::new(bytes.rest()).take(declared + 1).read_to_end(&mut out).map_err(invalid)?;
    }
    if out.len() as u64 != declared {
        return Err(DecodeError::invalid(WHAT, format!("it holds {} bytes, not {declared}", out.len())));
    }
    Ok(out)
}
