//! Answers by version on the blob store, and their way to the log.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use linli_connectors::blobs::{Blobs, PutOutcome, SharedBlobs};
use linli_connectors::log::{NewRecord, SharedLog};
use linli_connectors::{Error, ErrorKind, Result};
use linli_schemas::Topic;
use linli_schemas::forecast::{AnswerKind, RunId, SupplierAnswer};
use linli_schemas::partition::partition_of;
use serde::{Deserialize, Serialize};

use crate::mail::SupplierOrder;

/// Times that a supplier may change its mind in a run.
const VERSIONS_MAX: u64 = 10_000;
/// Races with another tab before a submission is given back.
const RACES_MAX: u32 = 8;
/// A note of a version that never came to be is kept so long: its writer may still be at it.
const NOTE_KEPT_MS: i64 = 10 * 60_000;

/// What a supplier says of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub answer: AnswerKind,
    /// Pieces that will be delivered.
    pub quantity: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The sheet's version in which it was given.
    pub version: u64,
    /// Epoch ms.
    pub answered_at: i64,
}

impl Given {
    fn says(&self, answer: &NewAnswer) -> bool {
        (self.answer, self.quantity, &self.note) == (answer.answer, answer.quantity, &answer.note)
    }
}

/// An answer that is submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnswer {
    pub answer: AnswerKind,
    pub quantity: i64,
    pub note: Option<String>,
}

/// All answers of a supplier to a run, by the place of the line in the order that was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// 0: nothing is answered.
    pub version: u64,
    pub answers: BTreeMap<usize, Given>,
}

impl Sheet {
    /// The records of what was new in this version.
    fn records(&self, order: &SupplierOrder) -> Vec<SupplierAnswer> {
        let new = self.answers.iter().filter(|(_, given)| given.version == self.version);
        new.filter_map(|(at, given)| {
            let line = order.lines.get(*at)?;
            Some(SupplierAnswer {
                run: order.run.clone(),
                supplier_id: order.supplier_id,
                warehouse_id: line.warehouse_id,
                community_id: line.community_id,
                sku_id: line.sku_id,
                answer: given.answer,
                quantity: given.quantity,
                note: given.note.clone(),
                answered_at: given.answered_at,
                version: given.version,
            })
        })
        .collect()
    }
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// Stored under this version.
    Stored(u64),
    /// All of it was said before.
    Unchanged,
    /// These lines were answered otherwise since the version that the supplier saw.
    Conflict(BTreeSet<usize>),
}

/// Answers on a blob store and a log.
#[derive(Clone)]
pub struct Store {
    pub blobs: SharedBlobs,
    pub log: SharedLog,
    pub partitions: u32,
}

fn folder(run: &RunId, supplier_id: i64) -> String {
    format!("restock/answers/{run}/{supplier_id}")
}

/// A note that a version may not be on the log yet.
const NOTES: &str = "restock/answers-open";

/// Whether a supplier has answered anything of a run.
pub async fn answered(blobs: &dyn Blobs, run: &RunId, supplier_id: i64) -> Result<bool> {
    Ok(!blobs.list(&folder(run, supplier_id)).await?.is_empty())
}

impl Store {
    /// The newest answers.
    pub async fn sheet(&self, run: &RunId, supplier_id: i64) -> Result<Sheet> {
        match self.blobs.list(&folder(run, supplier_id)).await?.last() {
            None => Ok(Sheet::default()),
            Some(key) => self.read(key).await?.ok_or_else(|| gone(key)),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<Sheet>> {
        let Some(bytes) = self.blobs.get(key).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::new(ErrorKind::Corrupt, format!("blob {key:?}"), "does not hold a supplier's answers")
                .caused_by(error)
        })
    }

    /// Stores what differs from the newest answers and appends it to the log. `seen` is the version that the supplier saw.
    /// Once it is stored it will be on the log, also where appending fails now.
    pub async fn submit(
        &self,
        order: &SupplierOrder,
        seen: u64,
        answers: &BTreeMap<usize, NewAnswer>,
        now: i64,
    ) -> Result<Submitted> {
        for _ in 0..RACES_MAX {
            let mut sheet = self.sheet(&order.run, order.supplier_id).await?;
            let said = |at: &usize, new: &NewAnswer| sheet.answers.get(at).is_some_and(|given| given.says(new));
            let new: Vec<(usize, NewAnswer)> =
                answers.iter().filter(|(at, new)| !said(at, new)).map(|(at, new)| (*at, new.clone())).collect();
            if new.is_empty() {
                return Ok(Submitted::Unchanged);
            }
            let newer = |at: &usize| sheet.answers.get(at).is_some_and(|given| given.version > seen);
            let conflicts: BTreeSet<usize> = new.iter().map(|(at, _)| *at).filter(newer).collect();
            if !conflicts.is_empty() {
                return Ok(Submitted::Conflict(conflicts));
            }
            if sheet.version >= VERSIONS_MAX {
                let object = format!("answers of supplier {} to run {}", order.supplier_id, order.run);
                return Err(Error::new(ErrorKind::Reject, object, "were changed too often"));
            }
            sheet.version += 1;
            for (at, NewAnswer { answer, quantity, note }) in new {
                let given = Given { answer, quantity, note, version: sheet.version, answered_at: now };
                sheet.answers.insert(at, given);
            }
            if self.store(order, &sheet, now).await? {
                return Ok(Submitted::Stored(sheet.version));
            }
        }
        Err(Error::new(ErrorKind::Retry, format!("answers of supplier {}", order.supplier_id), "are changed elsewhere"))
    }

    /// `false`: another tab was quicker.
    async fn store(&self, order: &SupplierOrder, sheet: &Sheet, now: i64) -> Result<bool> {
        let place = format!("{}/{}/{:08}", order.run, order.supplier_id, sheet.version);
        let (key, note) = (format!("restock/answers/{place}"), format!("{NOTES}/{place}"));
        let bytes = serde_json::to_vec(sheet).map(Bytes::from).map_err(|error| {
            Error::new(ErrorKind::Reject, format!("blob {key:?}"), "cannot be written as JSON").caused_by(error)
        })?;
        // The note first: what is stored is noted.
        self.blobs.put(&note, Bytes::from(now.to_string())).await?;
        if self.blobs.put_if_absent(&key, bytes.clone()).await? == PutOutcome::Exists
            && self.blobs.get(&key).await? != Some(bytes)
        {
            return Ok(false);
        }
        if let Err(error) = self.append(order, sheet, &note).await {
            tracing::warn!(%error, "a supplier's answers are stored and not on the log yet");
        }
        Ok(true)
    }

    async fn append(&self, order: &SupplierOrder, sheet: &Sheet, note: &str) -> Result<()> {
        let record = |answer: SupplierAnswer| {
            let key = answer.log_key();
            NewRecord {
                topic: Topic::ForecastAnswers.name().into(),
                partition: partition_of(key.as_bytes(), self.partitions),
                timestamp_ms: answer.answered_at,
                value: Some(answer.encode().into()),
                key: key.into(),
            }
        };
        self.log.append(sheet.records(order).into_iter().map(record).collect()).await?;
        self.blobs.delete(note).await
    }

    /// Appends what was stored and may not be on the log; how many versions that were. A record may come twice: it is the
    /// same then.
    pub async fn append_open(&self, outbox: &crate::mail::outbox::Outbox, now: i64) -> Result<usize> {
        let mut appended = 0;
        for note in self.blobs.list(NOTES).await? {
            let Some((run, supplier_id, place)) = place_of(&note) else { continue };
            let sheet = self.read(&format!("restock/answers/{place}")).await?;
            let order = outbox.order(&run, supplier_id).await?;
            match sheet.zip(order) {
                Some((sheet, order)) => {
                    self.append(&order, &sheet, &note).await?;
                    appended += 1;
                }
                None => self.forget(&note, now).await?,
            }
        }
        Ok(appended)
    }

    /// Removes a note whose version never came to be.
    async fn forget(&self, note: &str, now: i64) -> Result<()> {
        let at = self.blobs.get(note).await?.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse::<i64>().ok());
        if at.is_none_or(|at| at + NOTE_KEPT_MS < now) { self.blobs.delete(note).await } else { Ok(()) }
    }
}

/// Run, supplier, and what stands behind the folder of notes.
fn place_of(note: &str) -> Option<(RunId, i64, &str)> {
    let place = note.strip_prefix(NOTES)?.strip_prefix('/')?;
    let mut parts = place.split('/');
    let run = RunId::parse(parts.next()?).ok()?;
    Some((run, parts.next()?.parse().ok()?, place))
}

fn gone(key: &str) -> Error {
    Error::new(ErrorKind::Retry, format!("blob {key:?}"), "was there a moment ago and is not now")
}
