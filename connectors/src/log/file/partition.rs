//! One partition in one directory: segments `BASE.log` (named by their first offset), `BASE.index`, and `tail`.
//!
//! Writers of all processes take a lock on `tail`, look where the log ends, write, sync, and publish the new end in it.
//! What stands after the published end was never acknowledged: the next writer keeps its whole frames and cuts the rest.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::frame::{self, Parsed};
use super::tail::Tail;
use crate::log::{KEPT_BYTES, NewRecord};
use crate::{Error, ErrorKind, Result};

/// Bytes gathered before a write.
const WRITE_BYTES: usize = 4 << 20;
const SCAN_BYTES: usize = 1 << 20;
/// How far apart the entries of an index are at least.
const INDEX_STRIDE: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether an append waits until the disk has it.
    pub(super) sync: bool,
    /// A segment this long is followed by another.
    pub(super) segment_bytes: u64,
}

pub(super) struct Partition {
    directory: PathBuf,
    settings: Settings,
    tail_file: File,
    writer: Mutex<Writer>,
    /// The newest end seen.
    visible: Mutex<Tail>,
}

#[derive(Default)]
struct Writer {
    /// The last segment and where this process believes it ends; `None` until it has looked.
    end: Option<(File, Tail)>,
    buffer: Vec<u8>,
    indexed: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock on the partition among processes, given back on drop.
struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot give back the lock on a partition");
        }
    }
}

impl Partition {
    /// Opens the partition in a directory that is there, and cuts what a writer that died left torn.
    pub(super) fn open(directory: PathBuf, settings: Settings) -> Result<Partition> {
        let tail_file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(directory.join("tail"))
            .map_err(|error| failed(&directory, "cannot be opened", error))?;
        let partition =
            Partition { directory, settings, tail_file, writer: Mutex::default(), visible: Mutex::default() };
        {
            let mut writer = lock(&partition.writer);
            let _locked = partition.lock_processes()?;
            partition.find_end(&mut writer)?;
        }
        Ok(partition)
    }

    fn failed(&self, cause: &str, error: io::Error) -> Error {
        failed(&self.directory, cause, error)
    }

    fn lock_processes(&self) -> Result<Locked<'_>> {
        self.tail_file.lock().map_err(|error| self.failed("cannot be locked", error))?;
        Ok(Locked(&self.tail_file))
    }

    /// Appends records, all of this partition, and returns once they are durable. On an error none of them is visible.
    pub(super) fn append(&self, records: &[NewRecord]) -> Result<()> {
        let mut writer = lock(&self.writer);
        let _locked = self.lock_processes()?;
        self.find_end(&mut writer)?;
        let before = *lock(&self.visible);
        self.write(&mut writer, records).map_err(|error| {
            self.cut_back(&mut writer, before);
            self.failed("cannot be appended to", error)
        })
    }

    fn write(&self, writer: &mut Writer, records: &[NewRecord]) -> io::Result<()> {
        if writer.end.as_ref().is_none_or(|(_, tail)| tail.len >= self.settings.segment_bytes) {
            self.start_segment(writer)?;
        }
        let Writer { end, buffer, indexed } = writer;
        let Some((segment, tail)) = end else { return Ok(()) };
        self.note_index(*tail, indexed);
        buffer.clear();
        for record in records {
            frame::encode(buffer, tail.next, record);
            tail.next += 1;
            if buffer.len() >= WRITE_BYTES {
                segment.write_all_at(buffer, tail.len)?;
                tail.len += buffer.len() as u64;
                buffer.clear();
            }
        }
        segment.write_all_at(buffer, tail.len)?;
        tail.len += buffer.len() as u64;
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES);
        if self.settings.sync {
            segment.sync_data()?;
        }
        self.publish(*tail)
    }

    fn publish(&self, tail: Tail) -> io::Result<()> {
        tail.write(&self.tail_file)?;
        *lock(&self.visible) = tail;
        Ok(())
    }

    /// After a failed write: back to the published end, so that no half of an append stays.
    fn cut_back(&self, writer: &mut Writer, before: Tail) {
        if let Some((segment, tail)) = writer.end.take() {
            let len = if tail.base == before.base { before.len } else { 0 };
            if let Err(error) = segment.set_len(len) {
                // Not visible to anyone, and cut by the next writer.
                tracing::warn!(%error, directory = %self.directory.display(), "cannot cut a failed append off");
            }
        }
        if let Err(error) = before.write(&self.tail_file) {
            tracing::warn!(%error, directory = %self.directory.display(), "cannot publish the end of a partition again");
        }
    }

    /// Makes sure, under the lock, that `writer` knows the last segment and its end.
    fn find_end(&self, writer: &mut Writer) -> Result<()> {
        let unreadable = |error| self.failed("cannot be recovered", error);
        let published = Tail::read(&self.tail_file).map_err(unreadable)?;
        if let (Some((segment, tail)), Some(published)) = (&writer.end, published)
            && *tail == published
            && segment.metadata().map_err(unreadable)?.len() == tail.len
        {
            return Ok(());
        }
        writer.end = self.recover(published).map_err(unreadable)?;
        writer.indexed = 0;
        let found = writer.end.as_ref().map_or(0, |(_, tail)| tail.next);
        match published {
            Some(published) if published.next > found => Err(self.lost_records(published.next, found)),
            _ => Ok(()),
        }
    }

    /// Refuses rather than give the offsets of lost records to others.
    fn lost_records(&self, published: u64, found: u64) -> Error {
        let object = format!("event log file://{}", self.directory.display());
        Error::new(ErrorKind::Corrupt, object, format!("had {published} records, but only {found} are left"))
            .hint("restore the directory, or start with a new one and import again")
    }

    /// Looks at the last segment from the published end on: keeps whole frames and cuts a torn one.
    fn recover(&self, published: Option<Tail>) -> io::Result<Option<(File, Tail)>> {
        let Some(base) = self.segments()?.last().copied() else {
            return Ok(None);
        };
        let path = self.segment_path(base);
        let segment = OpenOptions::new().read(true).write(true).open(&path)?;
        let file_len = segment.metadata()?.len();
        let trusted = published.filter(|tail| tail.base == base && tail.len <= file_len);
        let mut tail = trusted.unwrap_or(Tail { base, len: 0, next: base });
        scan_frames(&segment, &mut tail)?;
        if published.is_some_and(|published| published.next > tail.next) {
            return Ok(Some((segment, tail))); // acknowledged records are lost: leave everything as it is
        }
        if tail.len < file_len {
            tracing::warn!(
                segment = %path.display(), bytes = file_len - tail.len, offset = tail.next,
                "cut a torn record off the end of the log: its append was never acknowledged"
            );
            segment.set_len(tail.len)?;
        }
        if published != Some(tail) {
            if self.settings.sync {
                segment.sync_all()?;
            }
            tail.write(&self.tail_file)?;
        }
        *lock(&self.visible) = tail;
        Ok(Some((segment, tail)))
    }

    fn start_segment(&self, writer: &mut Writer) -> io::Result<()> {
        let base = writer.end.as_ref().map_or(0, |(_, tail)| tail.next);
        let path = self.segment_path(base);
        let segment = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path)?;
        let tail = Tail { base, len: 0, next: base };
        writer.end = Some((segment, tail));
        writer.indexed = 0;
        self.publish(tail)?;
        if self.settings.sync {
            self.tail_file.sync_all()?;
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }

    /// The first offsets of the segments, ascending.
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut bases = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            if let Some(base) =
                name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|base| base.parse().ok())
            {
                bases.push(base);
            }
        }
        bases.sort_unstable();
        Ok(bases)
    }

    fn segment_path(&self, base: u64) -> PathBuf {
        self.directory.join(format!("{base:020}.log"))
    }

    /// Notes where a frame begins now and then. A hint only: whoever uses an entry checks it.
    fn note_index(&self, tail: Tail, indexed: &mut u64) {
        if tail.len < *indexed + INDEX_STRIDE {
            return;
        }
        *indexed = tail.len;
        let path = self.segment_path(tail.base).with_extension("index");
        let entry: Vec<u8> = [tail.next.to_le_bytes(), tail.len.to_le_bytes()].concat();
        let noted = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| io::Write::write_all(&mut file, &entry));
        if let Err(error) = noted {
            tracing::debug!(%error, directory = %self.directory.display(), "cannot note an index entry");
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest published end that this process has seen.
    pub(super) fn visible(&self) -> Tail {
        *lock(&self.visible)
    }

    /// The published end as it is now, whoever wrote.
    pub(super) fn look(&self) -> Result<Tail> {
        let published = Tail::read(&self.tail_file).map_err(|error| self.failed("cannot be read", error))?;
        let mut visible = lock(&self.visible);
        if let Some(tail) = published.filter(|tail| tail.next >= visible.next) {
            *visible = tail;
        }
        Ok(*visible)
    }

    /// Opens the segment that holds `offset`; the tail is where to read on from, at or before it. `None` in an empty partition.
    pub(super) fn seek(&self, offset: u64) -> io::Result<Option<(File, Tail)>> {
        let Some(base) = self.segments()?.into_iter().rev().find(|base| *base <= offset) else {
            return Ok(None);
        };
        let path = self.segment_path(base);
        let segment = File::open(&path)?;
        let mut found = Tail { base, len: 0, next: base };
        let entries = std::fs::read(path.with_extension("index")).unwrap_or_default();
        for entry in entries.chunks_exact(16) {
            let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| entry[at + i]));
            let (next, len) = (u64_at(0), u64_at(8));
            if next <= offset && next > found.next && frame_at(&segment, len)?.is_some_and(|frame| frame.offset == next)
            {
                found = Tail { base, len, next };
            }
        }
        Ok(Some((segment, found)))
    }

    /// The segment that begins at `base`, once it is there.
    pub(super) fn segment(&self, base: u64) -> io::Result<File> {
        File::open(self.segment_path(base))
    }
}

/// Moves `tail` behind the last whole frame in order.
fn scan_frames(segment: &File, tail: &mut Tail) -> io::Result<()> {
    let mut chunk = vec![0; SCAN_BYTES];
    loop {
        let read = read_at(segment, &mut chunk, tail.len)?;
        let mut at = 0;
        let stopped = loop {
            match frame::parse(&chunk[at..read]) {
                Parsed::Whole(frame) if frame.offset == tail.next => {
                    at += frame.bytes;
                    tail.next += 1;
                }
                other => break other,
            }
        };
        tail.len += at as u64;
        match stopped {
            Parsed::Cut(needed) if read == chunk.len() => chunk.resize(needed.max(SCAN_BYTES), 0),
            _ => return Ok(()),
        }
    }
}

fn frame_at(segment: &File, position: u64) -> io::Result<Option<frame::Frame>> {
    let mut bytes = vec![0; frame::HEADER];
    loop {
        let read = read_at(segment, &mut bytes, position)?;
        match frame::parse(&bytes[..read]) {
            Parsed::Whole(frame) => return Ok(Some(frame)),
            Parsed::Cut(needed) if read == bytes.len() => bytes.resize(needed, 0),
            _ => return Ok(None),
        }
    }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], position + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

pub(super) fn failed(path: &Path, cause: &str, error: io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Retry, "free space on the disk"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Config, "let this user write to the directory")
        }
        _ => (ErrorKind::Retry, "check the disk"),
    };
    Error::new(kind, format!("event log file://{}", path.display()), format!("{cause}: {error}"))
        .hint(hint)
        .caused_by(error)
}
