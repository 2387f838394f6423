//! Reading the lines of an input, and knowing it again: by the hash of its content and the byte reached.
//!
//! Content is what the lines are made of: a compressed file and the plain one are the same input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::{DEAD_LETTER_BYTES_MAX, LINE_BYTES_MAX};

const READ_BYTES: usize = 1 << 20;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(
        "input {path:?} cannot be opened: {cause}; give the path of a file of one JSON object a line, plain or gzip"
    )]
    Open { path: PathBuf, cause: io::Error },
    #[error(
        "input {path:?} cannot be read at byte {at}: {cause}; check that the file is whole, then run again with the same data directory"
    )]
    Read { path: PathBuf, at: u64, cause: io::Error },
    #[error(
        "input {path:?} has {len} bytes, but {at} were reached before: it changed; import it under a new data directory"
    )]
    Shorter { path: PathBuf, len: u64, at: u64 },
}

/// What an input is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InputIdentity {
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
    /// The length of the content.
    pub bytes: u64,
}

/// Reads a whole input and hashes its content. `progress` is told, now and then, how many bytes of content were read.
pub fn identify(path: &Path, mut progress: impl FnMut(u64)) -> Result<InputIdentity, SourceError> {
    let mut content = Content::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        progress(content.at);
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(InputIdentity { sha256, bytes: content.at })
}

/// The content of a file, inflated where it is compressed.
struct Content {
    path: PathBuf,
    stream: Stream,
    /// The byte of the content that is read next.
    at: u64,
}

enum Stream {
    Plain(BufReader<File>),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Content {
    fn open(path: &Path) -> Result<Content, SourceError> {
        let failed = |cause| SourceError::Open { path: path.to_owned(), cause };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")));
        }
        let mut file = BufReader::with_capacity(READ_BYTES, file);
        let gzip = file.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
        let stream = if gzip { Stream::Gzip(Box::new(MultiGzDecoder::new(file))) } else { Stream::Plain(file) };
        Ok(Content { path: path.to_owned(), stream, at: 0 })
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        loop {
            let read = match &mut self.stream {
                Stream::Plain(file) => file.read(buffer),
                Stream::Gzip(file) => file.read(buffer),
            };
            match read {
                Ok(read) => {
                    self.at += read as u64;
                    return Ok(read);
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(SourceError::Read { path: self.path.clone(), at: self.at, cause }),
            }
        }
    }

    /// Goes on at a byte of the content: a plain file is sought, a compressed one read up to there.
    fn skip_to(&mut self, at: u64) -> Result<(), SourceError> {
        if let Stream::Plain(file) = &mut self.stream {
            let failed = |cause| SourceError::Read { path: self.path.clone(), at, cause };
            let len = file.get_ref().metadata().map_err(failed)?.len();
            if at > len {
                return Err(SourceError::Shorter { path: self.path.clone(), len, at });
            }
            self.at = file.seek(SeekFrom::Start(at)).map_err(failed)?;
            return Ok(());
        }
        let mut buffer = vec![0; READ_BYTES];
        while self.at < at {
            let wanted = usize::try_from(at - self.at).map_or(READ_BYTES, |left| left.min(READ_BYTES));
            if self.read(&mut buffer[..wanted])? == 0 {
                return Err(SourceError::Shorter { path: self.path.clone(), len: self.at, at });
            }
        }
        Ok(())
    }
}

/// Reads an input in chunks of whole lines.
pub struct Lines {
    content: Content,
    chunk_bytes: usize,
    /// What was read past the last newline.
    rest: Vec<u8>,
    ended: bool,
}

impl Lines {
    /// Starts at a byte where a line begins: 0, or a [`Chunk::end`] or [`RawLine::end`] of an earlier reading.
    /// Chunks have about `chunk_bytes`; more when a line is longer.
    pub fn open(path: &Path, from: u64, chunk_bytes: usize) -> Result<Lines, SourceError> {
        let mut content = Content::open(path)?;
        content.skip_to(from)?;
        Ok(Lines { content, chunk_bytes: chunk_bytes.max(1), rest: Vec::new(), ended: false })
    }

    /// The next lines, or `None` at the end. Blocks on the file.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let mut bytes = std::mem::take(&mut self.rest);
        let start = self.content.at - bytes.len() as u64;
        let mut searched = 0;
        loop {
            let target = self.chunk_bytes.max(searched + READ_BYTES.min(self.chunk_bytes));
            self.fill(&mut bytes, target)?;
            if let Some(last) = memchr::memrchr(b'\n', &bytes[searched..]) {
                let end = if self.ended { bytes.len() } else { searched + last + 1 };
                self.rest = bytes.split_off(end);
                break;
            }
            if self.ended {
                break;
            }
            if bytes.len() > LINE_BYTES_MAX {
                return self.too_long(bytes, start).map(Some);
            }
            searched = bytes.len();
        }
        Ok((!bytes.is_empty()).then_some(Chunk { end: start + bytes.len() as u64, start, bytes, excess: 0 }))
    }

    fn fill(&mut self, bytes: &mut Vec<u8>, target: usize) -> Result<(), SourceError> {
        let mut filled = bytes.len();
        bytes.resize(target.max(filled), 0);
        while filled < bytes.len() && !self.ended {
            let read = self.content.read(&mut bytes[filled..])?;
            self.ended = read == 0;
            filled += read;
        }
        bytes.truncate(filled);
        Ok(())
    }

    /// Reads on to the end of a line that is too long, and keeps as much of it as a dead letter holds.
    fn too_long(&mut self, mut bytes: Vec<u8>, start: u64) -> Result<Chunk, SourceError> {
        let mut len = bytes.len() as u64;
        bytes.truncate(DEAD_LETTER_BYTES_MAX);
        let mut next = Vec::new();
        while !self.ended {
            next.clear();
            self.fill(&mut next, READ_BYTES)?;
            if let Some(newline) = memchr::memchr(b'\n', &next) {
                self.rest = next.split_off(newline + 1);
                let excess = len + newline as u64 - bytes.len() as u64;
                return Ok(Chunk { start, end: start + len + newline as u64 + 1, bytes, excess });
            }
            len += next.len() as u64;
        }
        Ok(Chunk { start, end: start + len, excess: len - bytes.len() as u64, bytes })
    }
}

/// Whole lines that lie one after the other in an input.
#[derive(Debug)]
pub struct Chunk {
    start: u64,
    end: u64,
    bytes: Vec<u8>,
    /// How many bytes of the only line are left out, because it is too long.
    excess: u64,
}

/// A line as it stands in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The byte of the input at which it begins.
    pub start: u64,
    /// The byte at which the next line begins: go on from here once this line's records are durable.
    pub end: u64,
    /// Without its newline.
    pub bytes: &'a [u8],
    /// The length of the line. Where it is more than that of `bytes`, they are the beginning of a line that is too long.
    pub len: u64,
}

impl Chunk {
    /// The byte at which the next chunk begins.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The lines that are not blank.
    pub fn lines(&self) -> impl Iterator<Item = RawLine<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < self.bytes.len() {
                let rest = &self.bytes[at..];
                let (len, next) = match memchr::memchr(b'\n', rest) {
                    Some(newline) if self.excess == 0 => (newline, at + newline + 1),
                    _ => (rest.len(), self.bytes.len()),
                };
                let start = self.start + at as u64;
                at = next;
                let bytes = trimmed(&rest[..len], start);
                if bytes.is_empty() {
                    continue;
                }
                let end = if next == self.bytes.len() { self.end } else { self.start + next as u64 };
                return Some(RawLine { start, end, bytes, len: bytes.len() as u64 + self.excess });
            }
            None
        })
    }
}

/// Without blanks at the ends, and without the mark that some editors put at the beginning of a file.
fn trimmed(line: &[u8], start: u64) -> &[u8] {
    let line = if start == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
    line.trim_ascii()
}
