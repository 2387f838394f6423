//! The outbox: how far each mail is, kept on the blob store, and what comes next.
//!
//! A mail is prepared (its bytes are stored) before a server is asked, and every step is a new object that only one process
//! can create. So a mail is handed over again only where the answer to an earlier attempt was not written down: it is then
//! the same message with the same id.

use bytes::Bytes;
use linli_connectors::blobs::{PutOutcome, SharedBlobs};
use linli_connectors::{Error, ErrorKind, Result};
use linli_schemas::forecast::RunId;
use serde::{Deserialize, Serialize};

use super::{Kind, Letter, SupplierOrder};

/// Waiting after the first attempt that failed; it doubles with each.
const BACKOFF_FIRST_MS: i64 = 15_000;
const BACKOFF_MAX_MS: i64 = 15 * 60_000;
/// Attempts at one mail: more than fit before any cut-off.
const ATTEMPTS_MAX: u32 = 1_000;

/// How far a mail is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Somebody hands it over now. `until` (epoch ms) the attempt is over, whatever became of it.
    Sending { attempt: u32, until: i64, owner: String },
    /// The server answers for it.
    Sent { attempt: u32, answer: String },
    /// The server will never take it.
    Refused { attempt: u32, answer: String },
    /// Not taken, to be tried again at `next_at` (epoch ms).
    Waiting { attempt: u32, reason: String, next_at: i64 },
    /// Not taken before the cut-off.
    Missed { attempts: u32, reason: String },
    /// Nobody acts on its run any more: it was never sent.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Epoch ms.
    pub at: i64,
    #[serde(flatten)]
    pub state: State,
}

/// What to do with a mail now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Send {
        attempt: u32,
    },
    /// Until this time, epoch ms.
    Wait {
        until: i64,
    },
    Miss {
        attempts: u32,
        reason: String,
    },
    Done,
}

/// What comes next, from how far the mail is; `None`: it has never been tried.
pub fn next(newest: Option<&Entry>, now: i64, cut_off: i64) -> Step {
    let (attempts, reason) = match newest.map(|entry| &entry.state) {
        Some(State::Sent { .. } | State::Refused { .. } | State::Missed { .. } | State::Withdrawn) => {
            return Step::Done;
        }
        Some(State::Sending { until, .. }) if now < *until => return Step::Wait { until: *until },
        Some(State::Waiting { next_at, .. }) if now < (*next_at).min(cut_off) => {
            return Step::Wait { until: (*next_at).min(cut_off) };
        }
        None => (0, "the run came after the cut-off".to_owned()),
        Some(State::Sending { attempt, .. }) => (*attempt, "the answer to the last attempt is not known".to_owned()),
        Some(State::Waiting { attempt, reason, .. }) => (*attempt, reason.clone()),
    };
    if now >= cut_off || attempts >= ATTEMPTS_MAX {
        return Step::Miss { attempts, reason };
    }
    Step::Send { attempt: attempts + 1 }
}

/// When to try again after the attempt of this number failed.
pub fn next_attempt_at(attempt: u32, now: i64) -> i64 {
    let doubled = BACKOFF_FIRST_MS.saturating_mul(1_i64 << attempt.saturating_sub(1).min(20));
    now.saturating_add(doubled.min(BACKOFF_MAX_MS))
}

/// One mail's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub run: RunId,
    pub supplier_id: i64,
    pub kind: Kind,
}

impl Slot {
    pub fn of(order: &SupplierOrder, kind: Kind) -> Slot {
        Slot { run: order.run.clone(), supplier_id: order.supplier_id, kind }
    }

    fn folder(&self) -> String {
        format!("{}/{}", order_folder(&self.run, self.supplier_id), self.kind.name())
    }
}

fn order_folder(run: &RunId, supplier_id: i64) -> String {
    format!("restock/mail/{run}/{supplier_id}")
}

fn withdrawal_key(run: &RunId) -> String {
    format!("restock/withdrawn/{run}")
}

/// What is stored before the bytes of a letter, on a line of its own.
#[derive(Serialize, Deserialize)]
struct Head {
    message_id: String,
    from: String,
    to: String,
}

/// The mails of all runs, on a blob store.
#[derive(Clone)]
pub struct Outbox {
    blobs: SharedBlobs,
}

impl Outbox {
    pub fn new(blobs: SharedBlobs) -> Outbox {
        Outbox { blobs }
    }

    /// Stores what a supplier is asked for; the first that was stored holds and is returned.
    pub async fn keep_order(&self, order: &SupplierOrder) -> Result<SupplierOrder> {
        let key = format!("{}/order.json", order_folder(&order.run, order.supplier_id));
        let bytes = encode(&key, order)?;
        match self.blobs.put_if_absent(&key, bytes).await? {
            PutOutcome::Created => Ok(order.clone()),
            PutOutcome::Exists => match self.order(&order.run, order.supplier_id).await? {
                Some(kept) => Ok(kept),
                None => Err(gone(&key)),
            },
        }
    }

    /// What a supplier was asked for in a run; `None`: nothing.
    pub async fn order(&self, run: &RunId, supplier_id: i64) -> Result<Option<SupplierOrder>> {
        let key = format!("{}/order.json", order_folder(run, supplier_id));
        let Some(bytes) = self.blobs.get(&key).await? else { return Ok(None) };
        decode(&key, &bytes).map(Some)
    }

    /// The suppliers who were asked for something in a run.
    pub async fn suppliers(&self, run: &RunId) -> Result<Vec<i64>> {
        let of = |key: &String| key.strip_suffix("/order.json")?.rsplit('/').next()?.parse().ok();
        Ok(self.blobs.list(&format!("restock/mail/{run}")).await?.iter().filter_map(of).collect())
    }

    /// Nobody is to act on a run any more, from now on and for good: its page and its mails keep to that.
    pub async fn withdraw(&self, run: &RunId, now: i64) -> Result<()> {
        self.blobs.put_if_absent(&withdrawal_key(run), Bytes::from(now.to_string())).await.map(drop)
    }

    pub async fn is_withdrawn(&self, run: &RunId) -> Result<bool> {
        Ok(self.blobs.get(&withdrawal_key(run)).await?.is_some())
    }

    /// Stores a letter; the first that was stored holds and is returned.
    pub async fn prepare(&self, slot: &Slot, letter: Letter) -> Result<Letter> {
        let key = format!("{}/letter", slot.folder());
        let head = Head { message_id: letter.message_id.clone(), from: letter.from.clone(), to: letter.to.clone() };
        let mut bytes = encode(&key, &head)?.to_vec();
        bytes.push(b'\n');
        bytes.extend_from_slice(&letter.bytes);
        match self.blobs.put_if_absent(&key, bytes.into()).await? {
            PutOutcome::Created => Ok(letter),
            PutOutcome::Exists => self.letter(slot).await?.ok_or_else(|| gone(&key)),
        }
    }

    /// The letter that was stored; `None`: none yet.
    pub async fn letter(&self, slot: &Slot) -> Result<Option<Letter>> {
        let key = format!("{}/letter", slot.folder());
        let Some(bytes) = self.blobs.get(&key).await? else { return Ok(None) };
        let split = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| corrupt(&key))?;
        let Head { message_id, from, to } = decode(&key, &bytes[..split])?;
        Ok(Some(Letter { message_id, from, to, bytes: bytes[split + 1..].to_vec() }))
    }

    /// How far a mail is: the number of its newest entry and the entry; 0 and `None` before the first.
    pub async fn newest(&self, slot: &Slot) -> Result<(u64, Option<Entry>)> {
        let folder = format!("{}/log", slot.folder());
        let keys = self.blobs.list(&folder).await?;
        let Some(key) = keys.last() else { return Ok((0, None)) };
        let number = key.rsplit('/').next().and_then(|name| name.parse().ok()).ok_or_else(|| corrupt(key))?;
        let bytes = self.blobs.get(key).await?.ok_or_else(|| gone(key))?;
        Ok((number, Some(decode(key, &bytes)?)))
    }

    /// Writes the entry behind number `after`. `false`: another process was quicker.
    pub async fn advance(&self, slot: &Slot, after: u64, entry: &Entry) -> Result<bool> {
        let key = format!("{}/log/{:08}", slot.folder(), after + 1);
        let bytes = encode(&key, entry)?;
        match self.blobs.put_if_absent(&key, bytes.clone()).await? {
            PutOutcome::Created => Ok(true),
            // It may be ours, of a put whose answer got lost.
            PutOutcome::Exists => Ok(self.blobs.get(&key).await?.is_some_and(|found| found == bytes)),
        }
    }
}

fn encode(key: &str, value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        Error::new(ErrorKind::Reject, format!("blob {key:?}"), "cannot be written as JSON").caused_by(error)
    })
}

fn decode<T: serde::de::DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(key).caused_by(error))
}

fn corrupt(key: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("blob {key:?}"), "does not hold what was stored there")
        .hint("was it written by another version, or altered by hand?")
}

fn gone(key: &str) -> Error {
    Error::new(ErrorKind::Retry, format!("blob {key:?}"), "was there a moment ago and is not now")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT_OFF: i64 = 1_000_000;

    fn entry(state: State) -> Entry {
        Entry { at: 0, state }
    }

    #[test]
    fn a_mail_is_tried_until_it_is_taken_refused_or_too_late() {
        assert_eq!(next(None, 0, CUT_OFF), Step::Send { attempt: 1 });
        let reason = "the run came after the cut-off".to_owned();
        assert_eq!(next(None, CUT_OFF, CUT_OFF), Step::Miss { attempts: 0, reason });
        for done in [
            State::Sent { attempt: 1, answer: String::new() },
            State::Refused { attempt: 1, answer: String::new() },
            State::Missed { attempts: 1, reason: String::new() },
        ] {
            assert_eq!(next(Some(&entry(done)), CUT_OFF, CUT_OFF), Step::Done);
        }
        let waiting = entry(State::Waiting { attempt: 2, reason: "busy".to_owned(), next_at: 500 });
        assert_eq!(next(Some(&waiting), 499, CUT_OFF), Step::Wait { until: 500 });
        assert_eq!(next(Some(&waiting), 500, CUT_OFF), Step::Send { attempt: 3 });
        assert_eq!(next(Some(&waiting), 499, 400), Step::Miss { attempts: 2, reason: "busy".to_owned() });
        assert_eq!(next(Some(&waiting), 300, 400), Step::Wait { until: 400 });
    }

    #[test]
    fn an_attempt_whose_end_is_not_known_is_left_alone_while_it_may_last() {
        let sending = entry(State::Sending { attempt: 1, until: 60, owner: "a".to_owned() });
        assert_eq!(next(Some(&sending), 59, CUT_OFF), Step::Wait { until: 60 });
        assert_eq!(next(Some(&sending), 60, CUT_OFF), Step::Send { attempt: 2 });
        let Step::Miss { attempts: 1, reason } = next(Some(&sending), CUT_OFF, CUT_OFF) else { panic!("not missed") };
        assert!(reason.contains("not known"), "{reason}");
    }

    #[test]
    fn waiting_doubles_up_to_its_bound() {
        let waits: Vec<i64> = [1, 2, 3, 7, 8, 60].map(|attempt| next_attempt_at(attempt, 5) - 5).to_vec();
        assert_eq!(waits, [15_000, 30_000, 60_000, 900_000, 900_000, 900_000]);
    }
}
