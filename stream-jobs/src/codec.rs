//! The bytes of the state: variable-length integers, written and read by hand.
//!
//! Reading never panics and never reserves more than the bytes at hand could hold.

/// Why bytes are not what a writer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damaged {
    #[error("the bytes end too early")]
    Short,
    #[error("{0} bytes are left over")]
    Long(usize),
    #[error("not a valid {0}")]
    Invalid(&'static str),
}

#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// LEB128.
    pub(crate) fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.u64(u64::from(value));
    }

    pub(crate) fn len(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// Zigzag, so that small negative numbers are short too.
    pub(crate) fn i64(&mut self, value: i64) {
        self.u64((value << 1) as u64 ^ (value >> 63) as u64);
    }

    pub(crate) fn words(&mut self, words: &[u32]) {
        for word in words {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
    }

    pub(crate) fn option(&mut self, value: Option<i64>) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            self.i64(value);
        }
    }

    pub(crate) fn append(&mut self, other: &[u8]) {
        self.bytes.extend_from_slice(other);
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub(crate) fn finish(self) -> Result<(), Damaged> {
        if self.bytes.is_empty() { Ok(()) } else { Err(Damaged::Long(self.bytes.len())) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.bytes.split_first().ok_or(Damaged::Short)?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damaged::Invalid("flag")),
        }
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damaged> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged::Invalid("integer"))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.u64()?).map_err(|_| Damaged::Invalid("integer of 32 bit"))
    }

    /// How many elements follow. Each takes at least one byte, so the count cannot exceed what is left.
    pub(crate) fn len(&mut self) -> Result<usize, Damaged> {
        let len = usize::try_from(self.u64()?).map_err(|_| Damaged::Invalid("length"))?;
        if len > self.bytes.len() { Err(Damaged::Short) } else { Ok(len) }
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Damaged> {
        let value = self.u64()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn words<const N: usize>(&mut self) -> Result<[u32; N], Damaged> {
        let mut words = [0; N];
        for word in &mut words {
            let (bytes, rest) = self.bytes.split_first_chunk::<4>().ok_or(Damaged::Short)?;
            *word = u32::from_le_bytes(*bytes);
            self.bytes = rest;
        }
        Ok(words)
    }

    pub(crate) fn option(&mut self) -> Result<Option<i64>, Damaged> {
        if self.flag()? { self.i64().map(Some) } else { Ok(None) }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<Reader<'a>, Damaged> {
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(Damaged::Short)?;
        self.bytes = rest;
        Ok(Reader { bytes: head })
    }

    /// All that is left.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// All that is left, as UTF-8.
    pub(crate) fn text(self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes).map_err(|_| Damaged::Invalid("text"))
    }

    pub(crate) fn at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Damaged, Reader, Writer};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_wrote(numbers: Vec<(u64, i64, u32, Option<i64>)>) {
            let mut out = Writer::default();
            for (a, b, c, d) in &numbers {
                out.u64(*a);
                out.i64(*b);
                out.words(&[*c]);
                out.option(*d);
            }
            let bytes = out.into_bytes();
            let mut reader = Reader::new(&bytes);
            for (a, b, c, d) in &numbers {
                prop_assert_eq!(reader.u64(), Ok(*a));
                prop_assert_eq!(reader.i64(), Ok(*b));
                prop_assert_eq!(reader.words(), Ok([*c]));
                prop_assert_eq!(reader.option(), Ok(*d));
            }
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn damage_is_an_error() {
        assert_eq!(Reader::new(&[0x80]).u64(), Err(Damaged::Short));
        assert_eq!(Reader::new(&[0xff; 11]).u64(), Err(Damaged::Invalid("integer")));
        assert_eq!(Reader::new(&[5, 1]).len(), Err(Damaged::Short));
        assert_eq!(Reader::new(&[1]).finish(), Err(Damaged::Long(1)));
    }
}
