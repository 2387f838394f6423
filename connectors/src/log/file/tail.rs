//! The end of a partition as its writers publish it: all before it is whole and durable, nothing after it is visible.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// First offset of the last segment, which is its name.
    pub(super) base: u64,
    /// Bytes of the last segment.
    pub(super) len: u64,
    /// The offset after the last record.
    pub(super) next: u64,
}

const BYTES: usize = 28;
/// A write of 28 bytes may be seen half done: the checksum tells, and a moment later it is whole.
const READS_MAX: usize = 100;

impl Tail {
    /// `None` where none was published, or what stands there is torn for good.
    pub(super) fn read(file: &File) -> io::Result<Option<Tail>> {
        for _ in 0..READS_MAX {
            let mut bytes = [0; BYTES];
            match file.read_exact_at(&mut bytes, 0) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
            let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
            if crc32fast::hash(&bytes[..24]).to_le_bytes() == bytes[24..] {
                return Ok(Some(Tail { base: u64_at(0), len: u64_at(8), next: u64_at(16) }));
            }
            std::thread::yield_now();
        }
        Ok(None)
    }

    pub(super) fn write(self, file: &File) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.base.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.next.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        file.write_all_at(&bytes, 0)
    }
}
