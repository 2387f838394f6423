//! Reading from memory.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryLog;
use crate::Result;
use crate::log::{Batch, Fetched, LogReader};

/// The records taken from one partition before the next has its turn.
const TURN: usize = 256;

pub(super) struct MemoryReader {
    log: MemoryLog,
    sources: Vec<Source>,
    /// The source whose turn is first, so that none starves behind a full one.
    first: usize,
}

struct Source {
    topic: String,
    partition: usize,
    offset: u64,
}

impl MemoryReader {
    pub(super) fn new(log: MemoryLog, sources: Vec<(String, usize, u64)>) -> MemoryReader {
        let sources =
            sources.into_iter().map(|(topic, partition, offset)| Source { topic, partition, offset }).collect();
        MemoryReader { log, sources, first: 0 }
    }

    fn fill(&mut self, batch: &mut Batch, records_max: usize) {
        let topics = self.log.records.topics();
        let count = self.sources.len();
        let mut idle = 0;
        while batch.len() < records_max && idle < count {
            let index = self.first;
            self.first = (self.first + 1) % count;
            let source = &mut self.sources[index];
            let Some(topic) = topics.get(&source.topic) else { break };
            let stored = &topic.partitions[source.partition];
            let from = source.offset as usize;
            let until = stored.len().min(from + TURN.min(records_max - batch.len()));
            for record in &stored[from..until] {
                batch.push(Fetched {
                    source: index,
                    offset: source.offset,
                    timestamp_ms: record.timestamp_ms,
                    key: &record.key,
                    value: record.value.as_deref(),
                });
                source.offset += 1;
            }
            idle = if from == until { idle + 1 } else { 0 };
        }
    }
}

#[async_trait]
impl LogReader for MemoryReader {
    async fn poll(&mut self, batch: &mut Batch, records_max: usize, wait: Duration) -> Result<()> {
        batch.clear();
        let clock = self.log.options.clock.clone();
        let delay = self.log.faults.poll()?;
        if !delay.is_zero() {
            clock.sleep(delay).await;
        }
        let records = self.log.records.clone();
        let mut timeout = clock.sleep(wait);
        loop {
            let mut appended = std::pin::pin!(records.appended.notified());
            appended.as_mut().enable(); // before looking, so that no append is missed in between
            self.fill(batch, records_max);
            if !batch.is_empty() || wait.is_zero() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = &mut appended => {}
                () = &mut timeout => return Ok(()),
            }
        }
    }
}
