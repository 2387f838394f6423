//! Reading a log of files: large reads straight into the batch, never past the published end.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Files;
use super::frame::{self, Parsed};
use super::partition::{Partition, failed, read_at};
use crate::clock::SharedClock;
use crate::log::{Batch, LogReader, Stored};
use crate::{Error, ErrorKind, Result};

/// The longest read, but for a longer record.
const READ_BYTES_MAX: usize = 1 << 20;
const READ_BYTES_MIN: usize = 16 << 10;
/// A poll stops here, so that the caller's thread is not held for long.
const POLL_BYTES_MAX: usize = 8 << 20;
/// How often a waiting reader looks for what other processes wrote.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) struct FileReader {
    files: Arc<Files>,
    clock: SharedClock,
    sources: Vec<Source>,
    /// The source whose turn is first, so that none starves behind a full one.
    first: usize,
}

struct Source {
    partition: Arc<Partition>,
    next: u64,
    segment: Option<Segment>,
    /// What a record takes on disk of late: to read as much as is asked for.
    frame_bytes: usize,
}

struct Segment {
    file: File,
    base: u64,
    position: u64,
}

impl FileReader {
    pub(super) fn new(files: Arc<Files>, clock: SharedClock, sources: Vec<(Arc<Partition>, u64)>) -> FileReader {
        let sources = sources
            .into_iter()
            .map(|(partition, next)| Source { partition, next, segment: None, frame_bytes: 512 })
            .collect();
        FileReader { files, clock, sources, first: 0 }
    }

    fn fill(&mut self, batch: &mut Batch, records_max: usize) -> Result<()> {
        let count = self.sources.len();
        let turn = records_max.div_ceil(count.max(1)).max(1);
        let mut idle = 0;
        while batch.len() < records_max && batch.bytes() < POLL_BYTES_MAX && idle < count {
            let index = self.first;
            let room = turn.min(records_max - batch.len());
            let read = match self.sources[index].read(index, batch, room) {
                Ok(read) => read,
                Err(_) if !batch.is_empty() => return Ok(()), // it will come again when these are taken
                Err(error) => return Err(error),
            };
            self.first = (self.first + 1) % count;
            idle = if read == 0 { idle + 1 } else { 0 };
        }
        Ok(())
    }
}

impl Source {
    /// Takes up to `room` records, and returns how many it took.
    fn read(&mut self, index: usize, batch: &mut Batch, room: usize) -> Result<usize> {
        if self.next >= self.partition.visible().next && self.next >= self.partition.look()?.next {
            return Ok(0);
        }
        if self.segment.is_none() && !self.seek()? {
            return Ok(0);
        }
        let mut end = self.readable()?;
        if end == Some(0) {
            self.next_segment()?;
            end = self.readable()?;
        }
        let available = end.unwrap_or(0);
        let likely = (self.frame_bytes + self.frame_bytes / 8) * room;
        let mut want = likely.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        loop {
            let length = usize::try_from(available).unwrap_or(usize::MAX).min(want);
            match self.take(index, batch, room, length)? {
                Taken::Records(taken) => return Ok(taken),
                Taken::Needs(bytes) if bytes as u64 <= available => want = bytes,
                Taken::Needs(_) => return Err(self.corrupt("ends within a record")),
            }
        }
    }

    /// The bytes between here and the end of what may be read of this segment.
    fn readable(&self) -> Result<Option<u64>> {
        let Some(segment) = &self.segment else { return Ok(None) };
        let tail = self.partition.visible();
        let end = if tail.base == segment.base {
            tail.len
        } else {
            // Another follows, so this one does not change any more.
            segment.file.metadata().map_err(|error| self.failed(error))?.len()
        };
        Ok(Some(end.saturating_sub(segment.position)))
    }

    fn next_segment(&mut self) -> Result<()> {
        let file = self.partition.segment(self.next).map_err(|error| self.failed(error))?;
        self.segment = Some(Segment { file, base: self.next, position: 0 });
        Ok(())
    }

    fn seek(&mut self) -> Result<bool> {
        let Some((file, found)) = self.partition.seek(self.next).map_err(|error| self.failed(error))? else {
            return Ok(false);
        };
        let mut segment = Segment { file, base: found.base, position: found.len };
        let mut chunk = vec![0; READ_BYTES_MAX];
        let mut offset = found.next;
        while offset < self.next {
            let read = read_at(&segment.file, &mut chunk, segment.position).map_err(|error| self.failed(error))?;
            let mut at = 0;
            while offset < self.next {
                match frame::parse(&chunk[at..read]) {
                    Parsed::Whole(frame) => at += frame.bytes,
                    Parsed::Cut(needed) if read == chunk.len() => {
                        chunk.resize(needed.max(READ_BYTES_MAX), 0);
                        break;
                    }
                    _ => return Err(self.corrupt("is broken before its end")),
                }
                offset += 1;
            }
            segment.position += at as u64;
        }
        self.segment = Some(segment);
        Ok(true)
    }

    fn take(&mut self, index: usize, batch: &mut Batch, room: usize, length: usize) -> Result<Taken> {
        let Some(segment) = &mut self.segment else {
            return Ok(Taken::Records(0));
        };
        let (start, filled) = batch
            .fill_arena(length, |buffer| read_at(&segment.file, buffer, segment.position))
            .map_err(|error| failed(self.partition.directory(), "cannot be read", error))?;
        let (mut at, mut taken) = (start, 0);
        let outcome = loop {
            if taken == room {
                break Ok(taken);
            }
            match frame::parse(batch.arena(at..filled)) {
                Parsed::Whole(found) if found.offset == self.next => {
                    batch.push_stored(Stored {
                        source: index,
                        offset: found.offset,
                        timestamp_ms: found.timestamp_ms,
                        start: at + frame::HEADER,
                        key_len: found.key_len,
                        value_len: found.value_len,
                    });
                    at += found.bytes;
                    self.next += 1;
                    taken += 1;
                }
                // A file that is shorter than it was published is not waited for.
                Parsed::Cut(bytes) if taken == 0 => break Err((filled - start == length).then_some(bytes)),
                Parsed::Cut(_) => break Ok(taken),
                _ if taken > 0 => break Ok(taken), // the next read meets it first, and says so
                _ => break Err(None),
            }
        };
        batch.cut_arena(at);
        segment.position += (at - start) as u64;
        match outcome {
            Ok(taken) => {
                self.frame_bytes = (self.frame_bytes * 7 + (at - start) / taken.max(1)) / 8;
                Ok(Taken::Records(taken))
            }
            Err(Some(bytes)) => Ok(Taken::Needs(bytes)),
            Err(None) => Err(self.corrupt("is broken before its end")),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        failed(self.partition.directory(), "cannot be read", error)
    }

    fn corrupt(&self, cause: &str) -> Error {
        let place = match &self.segment {
            Some(segment) => format!("{:020}.log at byte {}", segment.base, segment.position),
            None => "a segment".to_owned(),
        };
        let object = format!("event log file://{}", self.partition.directory().display());
        Error::new(ErrorKind::Corrupt, object, format!("{place} {cause}, at offset {}", self.next))
            .hint("the disk damaged it: restore the directory, or start with a new one and import again")
    }
}

enum Taken {
    Records(usize),
    /// The next record alone is of this many bytes.
    Needs(usize),
}

#[async_trait]
impl LogReader for FileReader {
    async fn poll(&mut self, batch: &mut Batch, records_max: usize, wait: Duration) -> Result<()> {
        batch.clear();
        let (files, clock) = (Arc::clone(&self.files), Arc::clone(&self.clock));
        let mut timeout = clock.sleep(wait);
        loop {
            let mut appended = std::pin::pin!(files.appended.notified());
            appended.as_mut().enable(); // before looking, so that no append is missed in between
            self.fill(batch, records_max)?;
            if !batch.is_empty() || wait.is_zero() {
                return Ok(());
            }
            tokio::select! {
                () = &mut appended => {}
                () = clock.sleep(LOOK_EVERY) => {}
                () = &mut timeout => return Ok(()),
            }
        }
    }
}
