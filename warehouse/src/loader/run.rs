//! The loop of a loader: read, gather, load; one load under way while the next is gathered.

use std::time::Duration;

use bytes::Bytes;
use linli_connectors::log::{Batch, Fetched, LogReader, NewRecord, TopicPartition};
use linli_schemas::Topic;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::event::Reject;
use linli_schemas::partition::partition_of;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::delivery::{Delivered, Load, Retries, Sales, deliver};
use super::positions::Positions;
use super::{Endpoints, LoaderHandle, LoaderOptions, Outcome, Place, Sink};
use crate::query::{self, SETTING, SETTING_PUT};
use crate::{Error, ErrorKind, Result, Warehouse};

/// Records asked for at a time.
const POLL_RECORDS: usize = 8_192;
/// How long an empty log is waited at, which bounds how late a shutdown is seen.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// Counting the sales may take this share of the time: a twentieth.
const SALES_SHARE: i64 = 20;

struct Run<S> {
    endpoints: Endpoints,
    options: LoaderOptions,
    sink: S,
    handle: LoaderHandle,
    shutdown: CancellationToken,
    places: Vec<Place>,
    /// How far was read; a load takes a copy.
    positions: Positions,
    /// Makes the tokens of this run differ from those of an earlier one, whose rows may have been dropped since.
    started_ms: i64,
    loads: u64,
    letters: Vec<NewRecord>,
    ignored: u64,
    /// When the first record of the gathered batch was read.
    since: Option<i64>,
    sales_pending: bool,
    sales_due_at: i64,
    under_way: Option<JoinHandle<Result<Option<Delivered>>>>,
}

pub(super) async fn run<S: Sink>(
    endpoints: Endpoints,
    options: LoaderOptions,
    mut sink: S,
    handle: LoaderHandle,
    shutdown: CancellationToken,
) -> Result<()> {
    let _ending = handle.until_dropped();
    let retries = Retries { endpoints: &endpoints, handle: &handle, shutdown: &shutdown, name: &options.name };
    let zone = options.zone.name();
    let Some(()) = retries.run(|| hold_zone(&endpoints.warehouse, zone)).await? else { return Ok(()) };
    let read = || Positions::read(&endpoints.blobs, &options.name, S::TOPICS, options.partitions);
    let Some(positions) = retries.run(read).await? else { return Ok(()) };
    if !positions.memory.is_null() {
        sink.remember(positions.memory.clone()).map_err(|error| {
            Error::new(ErrorKind::Corrupt, format!("blob \"{}\"", Positions::key(&options.name)), error.to_string())
                .hint("delete it: the loader then reads the topics from their start, which changes no answer")
        })?;
    }
    let partitions = options.partitions;
    let places = S::TOPICS
        .iter()
        .flat_map(|topic| (0..partitions).map(|partition| Place { topic: *topic, partition }))
        .collect();
    handle.update(|status| {
        status.positions.clone_from(&positions.next);
        status.sales_pending = S::FEEDS_SALES;
    });
    let started_ms = endpoints.clock.now_ms();
    let mut run = Run {
        endpoints,
        options,
        sink,
        handle,
        shutdown,
        places,
        positions,
        started_ms,
        loads: 0,
        letters: Vec::new(),
        ignored: 0,
        since: None,
        // Rows of an earlier run may not be counted yet.
        sales_pending: S::FEEDS_SALES,
        sales_due_at: started_ms,
        under_way: None,
    };
    run.follow().await
}

impl<S: Sink> Run<S> {
    async fn follow(&mut self) -> Result<()> {
        let mut batch = Batch::default();
        let mut reader: Option<Box<dyn LogReader>> = None;
        while !self.shutdown.is_cancelled() {
            let mut open = match reader.take() {
                Some(open) => open,
                None => match self.open().await? {
                    Some(open) => open,
                    None => break,
                },
            };
            let wait = if self.under_way.is_some() || self.since.is_some() { POLL_WAIT / 4 } else { POLL_WAIT };
            match open.poll(&mut batch, POLL_RECORDS, wait).await {
                Ok(()) => reader = Some(open),
                // The next round opens a reader at the positions reached.
                Err(error) if error.is_retry() => {
                    tracing::warn!(loader = self.options.name, %error, "reading failed, trying again");
                    self.handle.update(|status| status.retries += 1);
                    batch.clear();
                    self.endpoints.clock.sleep(POLL_WAIT).await;
                }
                Err(error) => return Err(error),
            }
            self.gather(&batch);
            self.load_if_due(batch.is_empty()).await?;
        }
        self.settle().await?;
        if self.since.is_some() {
            self.start(Sales::Later);
            self.settle().await?;
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<Option<Box<dyn LogReader>>> {
        let from: Vec<(TopicPartition, u64)> = self
            .places
            .iter()
            .map(|place| {
                let at = TopicPartition { topic: place.topic.name().into(), partition: place.partition };
                (at, self.positions.next[&place.topic][place.partition as usize])
            })
            .collect();
        let retries = Retries {
            endpoints: &self.endpoints,
            handle: &self.handle,
            shutdown: &self.shutdown,
            name: &self.options.name,
        };
        retries.run(|| self.endpoints.log.reader(from.clone())).await
    }

    fn gather(&mut self, batch: &Batch) {
        if batch.is_empty() {
            return;
        }
        self.since.get_or_insert(self.endpoints.clock.now_ms());
        for record in batch.iter() {
            let Some(place) = self.places.get(record.source).copied() else { continue };
            match self.sink.accept(place, &record) {
                Ok(Outcome::Taken) => {}
                Ok(Outcome::Ignored) => self.ignored += 1,
                Err(reject) => self.refuse(place, &record, &reject),
            }
            if let Some(next) = self.positions.next.get_mut(&place.topic) {
                next[place.partition as usize] = record.offset + 1;
            }
        }
    }

    fn refuse(&mut self, place: Place, record: &Fetched<'_>, reject: &Reject) {
        tracing::warn!(
            loader = self.options.name,
            topic = place.topic.name(),
            partition = place.partition,
            offset = record.offset,
            reason = %reject,
            "record cannot be loaded, sent to the dead letter"
        );
        let letter = DeadLetter {
            topic: place.topic.name().to_owned(),
            partition: Some(place.partition),
            offset: Some(record.offset),
            code: reject.code().to_owned(),
            reason: reject.to_string(),
            // Of the record, so that a repetition writes the same letter.
            at: record.timestamp_ms,
            key: DeadLetter::encode_bytes(record.key),
            value: DeadLetter::encode_bytes(record.value.unwrap_or_default()),
        };
        self.letters.push(NewRecord {
            topic: Topic::DeadLetter.name().into(),
            partition: partition_of(record.key, self.options.partitions),
            timestamp_ms: record.timestamp_ms,
            key: Bytes::copy_from_slice(record.key),
            value: Some(letter.encode().into()),
        });
    }

    async fn load_if_due(&mut self, caught_up: bool) -> Result<()> {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.settle().await?;
        }
        let now = self.endpoints.clock.now_ms();
        let hurried = caught_up && self.handle.hurried();
        let full = self.sink.rows() >= self.options.rows_max
            || self.sink.bytes() >= self.options.bytes_max
            || self.letters.len() as u64 >= self.options.rows_max;
        let aged = self.since.is_some_and(|since| hurried || !(0..self.options.interval_ms).contains(&(now - since)));
        let sales_touched = self.sales_pending || self.sink.touches_sales();
        let count = sales_touched && (hurried || now >= self.sales_due_at);
        if full {
            self.settle().await?;
        } else if self.under_way.is_some() || !(aged || count) {
            return Ok(());
        }
        self.start(match (sales_touched, count) {
            (false, _) => Sales::Untouched,
            (true, false) => Sales::Later,
            (true, true) => Sales::Now,
        });
        Ok(())
    }

    /// Sends the gathered batch on its way. None may be under way.
    fn start(&mut self, sales: Sales) {
        debug_assert!(self.under_way.is_none());
        let sales = if S::FEEDS_SALES { sales } else { Sales::Untouched };
        self.positions.memory = self.sink.memory();
        self.sales_pending = sales != Sales::Untouched;
        self.loads += 1;
        let load = Load {
            name: self.options.name.clone(),
            token: format!("{}/{}/{}", self.options.name, self.started_ms, self.loads),
            blocks: self.sink.take(),
            letters: std::mem::take(&mut self.letters),
            ignored: std::mem::take(&mut self.ignored),
            positions: self.positions.clone(),
            sales,
        };
        self.since = None;
        let delivery = deliver(self.endpoints.clone(), load, self.handle.clone(), self.shutdown.clone());
        self.under_way = Some(tokio::spawn(delivery));
    }

    /// Waits for the load under way, if there is one.
    async fn settle(&mut self) -> Result<()> {
        let Some(task) = self.under_way.take() else { return Ok(()) };
        let delivered = task.await.map_err(|error| {
            Error::new(ErrorKind::Corrupt, format!("loader \"{}\"", self.options.name), error.to_string())
        })??;
        let Some(delivered) = delivered else { return Ok(()) };
        self.positions.sales_since = delivered.sales_since;
        if let Some(took_ms) = delivered.sales_took_ms {
            self.sales_pending = false;
            let pause = self.options.sales_interval_ms.max(took_ms.saturating_mul(SALES_SHARE));
            self.sales_due_at = self.endpoints.clock.now_ms().saturating_add(pause);
        }
        Ok(())
    }
}

/// The business zone is written into every row, so it belongs to the database.
async fn hold_zone(warehouse: &Warehouse, zone: &str) -> Result<()> {
    #[derive(clickhouse::Row, serde::Deserialize)]
    struct Value {
        value: String,
    }
    const NAME: &str = "business_zone";
    let held: Vec<Value> = query::all(warehouse, SETTING, warehouse.query(SETTING.sql).param("name", NAME)).await?;
    match held.first() {
        None => warehouse
            .query(SETTING_PUT.sql)
            .param("name", NAME)
            .param("value", zone)
            .execute()
            .await
            .map_err(|error| query::named_failure(warehouse, SETTING_PUT, error)),
        Some(held) if held.value == zone => Ok(()),
        Some(held) => Err(Error::new(
            ErrorKind::Config,
            "warehouse",
            format!("its dates are of zone \"{}\", not \"{zone}\"", held.value),
        )
        .hint("start with that --zone, or name another --namespace and load again")),
    }
}
