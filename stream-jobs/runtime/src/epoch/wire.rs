//! Numbers and byte strings of the epoch object: LEB128, zigzag for signed, lengths before bytes.

use bytes::{Buf, Bytes};

pub(super) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// `None` as 0, else the value's successor-free form: a flag, then the value.
pub(super) fn put_option_i64(out: &mut Vec<u8>, value: Option<i64>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put_i64(out, value);
    }
}

/// What cannot be right about the bytes.
pub(super) type Malformed = String;

/// Reads from the front of shared bytes; what it hands out shares them too.
pub(super) struct Reader {
    bytes: Bytes,
}

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Reader {
        Reader { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.bytes.try_get_u8().map_err(|_| "it ends too early".to_owned())
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number has more than 64 bits".to_owned())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.u64()?).map_err(|_| "a number has more than 32 bits".to_owned())
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        let raw = self.u64()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    pub(super) fn option_i64(&mut self) -> Result<Option<i64>, Malformed> {
        if self.flag()? { self.i64().map(Some) } else { Ok(None) }
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("{other} is no flag")),
        }
    }

    pub(super) fn take(&mut self, len: u64) -> Result<Bytes, Malformed> {
        match usize::try_from(len) {
            Ok(len) if len <= self.bytes.len() => Ok(self.bytes.split_to(len)),
            _ => Err(format!("{len} bytes are announced, {} are left", self.bytes.len())),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let len = self.u64()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(u in any::<u64>(), i in any::<i64>(), o in any::<Option<i64>>()) {
            let mut out = Vec::new();
            put_u64(&mut out, u);
            put_i64(&mut out, i);
            put_option_i64(&mut out, o);
            let mut reader = Reader::new(out.into());
            prop_assert_eq!(reader.u64(), Ok(u));
            prop_assert_eq!(reader.i64(), Ok(i));
            prop_assert_eq!(reader.option_i64(), Ok(o));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn a_number_that_is_too_long_is_refused() {
        assert!(Reader::new(Bytes::from_static(&[0xff; 10])).u64().is_err());
        assert!(Reader::new(Bytes::from_static(&[0x80; 3])).u64().is_err());
    }
}
