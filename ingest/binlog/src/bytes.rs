//! A reader over bytes that cannot run past their end.

use crate::error::{DecodeError, Result};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Bytes<'a> {
    /// `what` names the thing in errors.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Bytes<'a> {
        Bytes { rest: bytes, what }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn truncated(&self, needed: usize) -> DecodeError {
        DecodeError::Truncated { what: self.what, needed, left: self.rest.len() }
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.truncated(len)),
        }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.truncated(N)),
        }
    }

    pub(crate) fn skip(&mut self, len: usize) -> Result<()> {
        self.take(len).map(drop)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// `len` bytes, at most 8, as a little-endian number.
    #[inline]
    pub(crate) fn uint(&mut self, len: usize) -> Result<u64> {
        Ok(le(self.take(len)?))
    }

    /// A length-encoded integer.
    pub(crate) fn lenenc(&mut self) -> Result<u64> {
        match self.u8()? {
            byte @ 0..=250 => Ok(u64::from(byte)),
            252 => self.uint(2),
            253 => self.uint(3),
            254 => self.uint(8),
            byte => Err(DecodeError::invalid("length-encoded integer", format!("it begins with {byte}"))),
        }
    }

    /// A length-encoded integer that counts bytes or things held by the rest: never more than there are.
    pub(crate) fn lenenc_len(&mut self) -> Result<usize> {
        let len = self.lenenc()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.rest.len() => Ok(len),
            _ => Err(self.truncated(usize::try_from(len).unwrap_or(usize::MAX))),
        }
    }

    pub(crate) fn lenenc_bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.lenenc_len()?;
        self.take(len)
    }

    /// A name with its length in one byte and a zero byte behind.
    pub(crate) fn name(&mut self) -> Result<&'a [u8]> {
        let len = self.u8()?;
        let name = self.take(usize::from(len))?;
        self.skip(1)?;
        Ok(name)
    }
}

/// Little-endian number of at most 8 bytes.
#[inline]
pub(crate) fn le(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.iter().rev().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte)),
    }
}

/// Big-endian number of at most 8 bytes.
#[inline]
pub(crate) fn be(bytes: &[u8]) -> u64 {
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_be_bytes([0, a, b, c])),
        [a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e] => u64::from_be_bytes([0, 0, 0, a, b, c, d, e]),
        _ => bytes.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte)),
    }
}

/// Names of the log as text; what is no UTF-8 is replaced, since a name must not stop the log.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first `len` bits of a bitmap, least significant first.
#[inline]
pub(crate) fn bit(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index >> 3).is_some_and(|byte| byte >> (index & 7) & 1 == 1)
}
