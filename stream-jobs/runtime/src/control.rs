//! What a runner looks at now and then, once for all its tasks: the end of an import, the serving store, the logs' ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::log::TopicPartition;
use linli_connectors::serving::Incarnation;
use linli_schemas::{EventTime, Topic};
use tokio::sync::watch;

use crate::Ports;
use crate::epoch::{CorruptBlob, Positions};
use crate::error::Result;
use crate::meters::Meters;
use crate::status::StatusBoard;

const IMPORT_WATERMARK: &str = "import/watermark";

/// As last seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control {
    pub import_watermark: Option<EventTime>,
    pub incarnation: Option<Incarnation>,
    pub ends: BTreeMap<u32, Positions>,
}

/// Tells every runner, of this process and of others, that an import ended: their tasks take the watermark to be at least
/// at `watermark`. The importer calls it when all it wrote has been drained, and then waits again.
pub async fn end_of_import(blobs: &SharedBlobs, watermark: EventTime) -> Result<()> {
    let newest = import_watermark(blobs).await?.map_or(watermark, |found| found.max(watermark));
    Ok(blobs.put(IMPORT_WATERMARK, Bytes::from(newest.0.to_string())).await?)
}

/// The highest end of an import so far.
pub async fn import_watermark(blobs: &SharedBlobs) -> Result<Option<EventTime>> {
    let Some(bytes) = blobs.get(IMPORT_WATERMARK).await? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    match text {
        Some(ms) => Ok(Some(EventTime(ms))),
        None => {
            let cause = "it holds no number of milliseconds".to_owned();
            Err(CorruptBlob { key: IMPORT_WATERMARK.to_owned(), cause }.into())
        }
    }
}

/// Looks until dropped. What cannot be seen now stays as it was.
pub(crate) async fn watch_control(
    ports: Ports,
    meters: Meters,
    board: StatusBoard,
    interval: Duration,
    seen: Arc<watch::Sender<Control>>,
) {
    loop {
        let import_watermark = noted(&meters, "read import watermark", import_watermark(&ports.blobs).await);
        let incarnation = noted(&meters, "ask incarnation", ports.serving.incarnation().await.map_err(Into::into));
        let positions = board.positions();
        let ends = noted(&meters, "ask ends", ends(&ports, &positions).await);
        for (task, positions) in &positions {
            if let Some(ends) = ends.as_ref().and_then(|ends| ends.get(task)) {
                meters.lag(*task, positions.lag(ends));
            }
        }
        seen.send_modify(|control| {
            control.import_watermark = import_watermark.flatten().or(control.import_watermark);
            control.incarnation = incarnation.or_else(|| control.incarnation.take());
            control.ends = ends.unwrap_or_else(|| std::mem::take(&mut control.ends));
        });
        ports.clock.sleep(interval).await;
    }
}

fn noted<T>(meters: &Meters, what: &'static str, result: Result<T>) -> Option<T> {
    result
        .inspect_err(|error| {
            meters.retried(what);
            tracing::debug!(what, error = %error, "looked in vain, looking again later");
        })
        .ok()
}

async fn ends(ports: &Ports, tasks: &BTreeMap<u32, Positions>) -> Result<BTreeMap<u32, Positions>> {
    let inputs: Vec<TopicPartition> = tasks.keys().flat_map(|task| inputs_of(*task)).collect();
    if inputs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ends = ports.log.ends(&inputs).await?;
    Ok(tasks.keys().copied().zip(ends.chunks(Topic::INPUTS.len()).map(positions)).collect())
}

fn positions(offsets: &[u64]) -> Positions {
    let mut positions = Positions::default();
    for (position, offset) in positions.0.iter_mut().zip(offsets) {
        *position = *offset;
    }
    positions
}

/// The logs' ends of tasks `0..partitions`.
pub(crate) async fn all_ends(log: &linli_connectors::log::SharedLog, partitions: u32) -> Result<Vec<Positions>> {
    let inputs: Vec<TopicPartition> = (0..partitions).flat_map(inputs_of).collect();
    let ends = log.ends(&inputs).await?;
    Ok(ends.chunks(Topic::INPUTS.len()).map(positions).collect())
}

/// The partitions that a task reads, in the order of [`Topic::INPUTS`].
pub(crate) fn inputs_of(task: u32) -> impl Iterator<Item = TopicPartition> {
    Topic::INPUTS.into_iter().map(move |topic| TopicPartition { topic: Arc::from(topic.name()), partition: task })
}
