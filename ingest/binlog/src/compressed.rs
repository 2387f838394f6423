//! MariaDB's compressed events: a head that tells the length, then zlib.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::bytes::{Bytes, be};
use crate::error::{DecodeError, Result};

/// More than a server puts into one event (`max_allowed_packet` ends at 1 GiB).
pub(crate) const EVENT_LEN_MAX: u64 = 1 << 30;

pub(crate) fn uncompress(compressed: &[u8]) -> Result<Vec<u8>> {
    const WHAT: &str = "compressed event";
    let mut bytes = Bytes::new(compressed, WHAT);
    let head = bytes.u8()?;
    if head & 0xf0 != 0x80 {
        return Err(DecodeError::invalid(WHAT, format!("it begins with {head:#04x}")));
    }
    let declared = be(bytes.take(usize::from(head & 7))?);
    if declared > EVENT_LEN_MAX {
        return Err(DecodeError::TooLarge { what: WHAT, declared, max: EVENT_LEN_MAX });
    }
    // The declared length bounds what is read, it is not allocated at once.
    let mut out = Vec::new();
    let read = ZlibDecoder::new(bytes.rest()).take(declared + 1).read_to_end(&mut out);
    read.map_err(|error| DecodeError::invalid(WHAT, error.to_string()))?;
    if out.len() as u64 != declared {
        return Err(DecodeError::invalid(WHAT, format!("it holds {} bytes, not the declared {declared}", out.len())));
    }
    Ok(out)
}
