//! From the lines of a file to records on the log: reading and mapping on a thread, appending here.

use std::path::PathBuf;
use std::time::Duration;

use indicatif::ProgressBar;
use linli_connectors::blobs::Blobs;
use linli_connectors::clock::Clock;
use linli_connectors::log::{EventLog, NewRecord};
use linli_ingest::import::{ImportOptions, Importer, LineError, LineKind, Lines, RawLine, SourceError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::inputs::{Input, Progress, source_failure};
use crate::failure::Outcome;

const CHUNK_BYTES: usize = 4 << 20;
/// Batches mapped ahead of the one that is being appended.
const BATCHES_AHEAD: usize = 2;
/// While throttled, so many batches a second.
const THROTTLED_BATCHES_PER_S: u64 = 5;
const RETRY_MS_MAX: u64 = 10_000;

pub struct Pump<'a> {
    pub log: &'a dyn EventLog,
    pub blobs: &'a dyn Blobs,
    pub clock: &'a dyn Clock,
    pub partitions: u32,
    pub ahead_ms: i64,
    /// Lines a second.
    pub throttle: Option<u32>,
    pub bar: ProgressBar,
    pub shutdown: CancellationToken,
}

/// Records of consecutive lines, and the progress once they are durable.
struct MappedBatch {
    records: Vec<NewRecord>,
    progress: Progress,
}

impl Pump<'_> {
    /// Imports the rest of an input. Returns the progress; short of the end when `shutdown` came.
    pub async fn run(&self, input: &Input) -> Outcome<Progress> {
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let mapper = Mapper {
            path: input.path.clone(),
            sha256: input.identity.sha256.clone(),
            options: ImportOptions {
                partitions: self.partitions,
                received_at_ms: input.progress.received_at_ms,
                ahead_ms: self.ahead_ms,
            },
            progress: input.progress.clone(),
            batch_lines: self.throttle.map_or(u64::MAX, |lines| (u64::from(lines) / THROTTLED_BATCHES_PER_S).max(1)),
        };
        let mapping = tokio::task::spawn_blocking(move || mapper.run(&sender));
        let mut progress = input.progress.clone();
        let started_ms = self.clock.now_ms();
        let lines_before = progress.lines;
        while let Some(batch) = batches.recv().await {
            if self.shutdown.is_cancelled() {
                return Ok(progress);
            }
            self.append(batch.records).await?;
            input.store(self.blobs, &batch.progress).await?;
            progress = batch.progress;
            self.bar.set_position(progress.byte);
            self.throttle(started_ms, progress.lines - lines_before).await;
        }
        match mapping.await {
            Ok(mapped) => mapped.map_err(source_failure)?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
        Ok(progress)
    }

    /// Appends, again and again while the log's failure may pass; the records carry identities, so twice is once.
    async fn append(&self, records: Vec<NewRecord>) -> Outcome {
        let mut wait_ms = 100;
        loop {
            match self.log.append(records.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_retry() && !self.shutdown.is_cancelled() => {
                    tracing::warn!(%error, hint = error.hint, wait_ms, "append failed, trying again");
                    tokio::select! {
                        () = self.clock.sleep(Duration::from_millis(wait_ms)) => {}
                        () = self.shutdown.cancelled() => {}
                    }
                    wait_ms = (wait_ms * 2).min(RETRY_MS_MAX);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn throttle(&self, started_ms: i64, lines: u64) {
        let Some(per_second) = self.throttle else { return };
        let due_ms = i64::try_from(lines * 1000 / u64::from(per_second.max(1))).unwrap_or(i64::MAX);
        let ahead = due_ms - (self.clock.now_ms() - started_ms);
        if let Ok(ahead) = u64::try_from(ahead) {
            tokio::select! {
                () = self.clock.sleep(Duration::from_millis(ahead)) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }
}

struct Mapper {
    path: PathBuf,
    sha256: String,
    options: ImportOptions,
    progress: Progress,
    batch_lines: u64,
}

impl Mapper {
    fn run(mut self, sender: &mpsc::Sender<MappedBatch>) -> Result<(), SourceError> {
        let mut importer = Importer::new(self.options);
        let mut lines = Lines::open(&self.path, self.progress.byte, CHUNK_BYTES)?;
        while let Some(chunk) = lines.next_chunk()? {
            let mut records = Vec::new();
            let mut in_batch = 0;
            for line in chunk.lines() {
                self.map(&mut importer, &line, &mut records);
                in_batch += 1;
                if in_batch >= self.batch_lines {
                    in_batch = 0;
                    if self.send(sender, std::mem::take(&mut records)).is_err() {
                        return Ok(());
                    }
                }
            }
            self.progress.byte = chunk.end();
            if self.send(sender, records).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// An error when nobody receives any more.
    fn send(&self, sender: &mpsc::Sender<MappedBatch>, records: Vec<NewRecord>) -> Result<(), ()> {
        sender.blocking_send(MappedBatch { records, progress: self.progress.clone() }).map_err(|_| ())
    }

    fn map(&mut self, importer: &mut Importer, line: &RawLine<'_>, records: &mut Vec<NewRecord>) {
        let whole = line.len == line.bytes.len() as u64;
        let mapped =
            if whole { importer.line(line.bytes, records) } else { Err(LineError::TooLong { bytes: line.len }) };
        self.progress.lines += 1;
        self.progress.byte = line.end;
        match mapped {
            Ok(kind) => {
                match kind {
                    LineKind::Order => self.progress.orders += 1,
                    LineKind::Click => self.progress.clicks += 1,
                }
                let at = records.last().map_or(0, |record| record.timestamp_ms);
                self.progress.last_event_ms = self.progress.last_event_ms.max(at);
            }
            Err(error) => {
                self.progress.refused += 1;
                let position = format!("{}:{}", self.sha256, line.start);
                records.push(importer.dead_letter(&error, line.bytes, &position));
            }
        }
    }
}
