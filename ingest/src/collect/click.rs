//! Checking the events of a request and writing them as records. Pure: time and randomness come in.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::log::NewRecord;
use linli_connectors::random::Random;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::partition::partition_of;
use linli_schemas::zone::Zone;
use linli_schemas::{Topic, event};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::CollectOptions;
use super::fields::{Fields, Kind, OWN, integer};

/// The longest event as sent. The record made of it is a little longer and fits every log.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// The most events of one request. Past it they are not looked at, and the request is refused.
pub(super) const EVENTS_MAX: usize = 50_000;

/// How much of a refused event the dead letter keeps.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What an event is held to, and where it goes.
pub(super) struct ClickRules {
    partitions: u32,
    ahead_ms: i64,
    age_ms_max: i64,
    clicks: Arc<str>,
    dead_letter: Arc<str>,
}

/// An event that was refused, as the sender is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Of the event in the request, from 0.
    pub index: usize,
    /// `malformed`, `future`, `late`.
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub reason: String,
}

/// What became of a request's events.
#[derive(Default)]
pub(super) struct Checked {
    /// Clicks and dead letters, in the order of the events.
    pub records: Vec<NewRecord>,
    pub accepted: usize,
    pub rejected: Vec<Rejected>,
    pub ids_made: usize,
}

struct Refusal {
    code: &'static str,
    field: Option<String>,
    reason: String,
    /// The event's key, as far as it is known.
    key: Vec<u8>,
}

impl ClickRules {
    pub fn new(options: &CollectOptions) -> ClickRules {
        let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        ClickRules {
            partitions: options.partitions,
            ahead_ms: ms(options.ahead),
            age_ms_max: ms(options.age_max),
            clicks: Topic::Clicks.name().into(),
            dead_letter: Topic::DeadLetter.name().into(),
        }
    }

    /// Checks the events of a body: one object, an array of them, or one on each line.
    pub fn check(&self, body: &[u8], received_at: i64, random: &dyn Random) -> Checked {
        let mut checked = Checked::default();
        let text = match std::str::from_utf8(body) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii(),
            Err(error) => {
                let refusal = malformed(None, format!("is not UTF-8 at byte {}", error.valid_up_to()), Vec::new());
                self.refuse(&mut checked, 0, refusal, body, received_at);
                return checked;
            }
        };
        if text.starts_with('[') {
            self.array(text, received_at, random, &mut checked);
        } else if !text.contains('\n') || serde_json::from_str::<&RawValue>(text).is_ok() {
            self.event(text, 0, received_at, random, &mut checked);
        } else {
            let lines = text.lines().map(str::trim_ascii).filter(|line| !line.is_empty());
            for (index, line) in lines.take(EVENTS_MAX + 1).enumerate() {
                self.event(line, index, received_at, random, &mut checked);
            }
        }
        checked
    }

    fn array(&self, text: &str, received_at: i64, random: &dyn Random, checked: &mut Checked) {
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(events) if events.is_empty() => {
                let refusal = malformed(None, "is an empty array".to_owned(), Vec::new());
                self.refuse(checked, 0, refusal, text.as_bytes(), received_at);
            }
            Ok(events) => {
                for (index, event) in events.into_iter().take(EVENTS_MAX + 1).enumerate() {
                    self.event(event.get(), index, received_at, random, checked);
                }
            }
            // Where one event ends and the next begins is not known any more: the array is refused as a whole.
            Err(error) => {
                let index = elements_before_error(text);
                let refusal = malformed(None, format!("breaks the array: {error}"), Vec::new());
                self.refuse(checked, index, refusal, text.as_bytes(), received_at);
            }
        }
    }

    fn event(&self, text: &str, index: usize, received_at: i64, random: &dyn Random, checked: &mut Checked) {
        match self.record(text, received_at, random) {
            Ok((record, id_made)) => {
                checked.records.push(record);
                checked.accepted += 1;
                checked.ids_made += usize::from(id_made);
            }
            Err(refusal) => self.refuse(checked, index, *refusal, text.as_bytes(), received_at),
        }
    }

    fn record(&self, text: &str, received_at: i64, random: &dyn Random) -> Result<(NewRecord, bool), Box<Refusal>> {
        if text.len() > EVENT_BYTES_MAX {
            let reason = format!("has {} bytes, more than {EVENT_BYTES_MAX}", text.len());
            return Err(Box::new(malformed(None, reason, Vec::new())));
        }
        let fields: Fields<'_> = serde_json::from_str(text)
            .map_err(|error| Box::new(malformed(None, format!("is not a JSON object: {error}"), Vec::new())))?;
        let key = key_of(&fields);
        let refused = |field: &str, reason: String| {
            Box::new(malformed(Some(field.to_owned()), reason, key.clone().unwrap_or_default()))
        };
        check_fields(&fields).map_err(|(field, reason)| refused(&field, reason))?;
        let Some(record_key) = key.clone() else {
            return Err(refused("user_id", "is missing, and there is no anonymous_id".to_owned()));
        };
        let ts = match fields.get("ts") {
            Some(ts) => integer(ts).ok_or_else(|| refused("ts", "must be an integer".to_owned()))?,
            None => received_at,
        };
        self.check_time(ts, received_at, &record_key)?;
        let (value, id_made) = written(&fields, ts, received_at, random);
        // What is accepted here is what the jobs can read.
        event::decode(Topic::Clicks, &value, Zone::UTC)
            .map_err(|reject| Box::new(malformed(None, reject.to_string(), record_key.clone())))?;
        let record = NewRecord {
            topic: Arc::clone(&self.clicks),
            partition: partition_of(&record_key, self.partitions),
            timestamp_ms: received_at,
            key: record_key.into(),
            value: Some(value.into()),
        };
        Ok((record, id_made))
    }

    fn check_time(&self, ts: i64, received_at: i64, key: &[u8]) -> Result<(), Box<Refusal>> {
        let refusal =
            |code, reason| Box::new(Refusal { code, field: Some("ts".to_owned()), reason, key: key.to_owned() });
        if ts > received_at.saturating_add(self.ahead_ms) {
            let reason = format!("is {ts}, more than {} ms ahead of the time of receipt {received_at}", self.ahead_ms);
            return Err(refusal("future", reason));
        }
        if ts < received_at.saturating_sub(self.age_ms_max) {
            let reason = format!("is {ts}, more than {} ms before the time of receipt {received_at}", self.age_ms_max);
            return Err(refusal("late", reason));
        }
        Ok(())
    }

    fn refuse(&self, checked: &mut Checked, index: usize, refusal: Refusal, original: &[u8], received_at: i64) {
        let Refusal { code, field, reason, key } = refusal;
        let mut why = match &field {
            Some(field) => format!("field \"{field}\" {reason}"),
            None => format!("the event {reason}"),
        };
        checked.rejected.push(Rejected { index, code, field, reason: reason.clone() });
        let kept = &original[..original.len().min(KEPT_BYTES_MAX)];
        if kept.len() < original.len() {
            why.push_str(&format!(" (the first {} of {} bytes are kept)", kept.len(), original.len()));
        }
        let letter = DeadLetter {
            topic: Topic::Clicks.name().to_owned(),
            partition: None,
            offset: None,
            code: code.to_owned(),
            reason: why,
            at: received_at,
            key: DeadLetter::encode_bytes(&key),
            value: DeadLetter::encode_bytes(kept),
        };
        let key = Bytes::from(key);
        checked.records.push(NewRecord {
            topic: Arc::clone(&self.dead_letter),
            partition: partition_of(&key, self.partitions),
            timestamp_ms: received_at,
            key,
            value: Some(letter.encode().into()),
        });
    }
}

fn malformed(field: Option<String>, reason: String, key: Vec<u8>) -> Refusal {
    Refusal { code: "malformed", field, reason, key }
}

/// The user's id, else the anonymous one.
fn key_of(fields: &Fields<'_>) -> Option<Vec<u8>> {
    if let Some(user) = fields.get("user_id") {
        return integer(user).map(|user| user.to_string().into_bytes());
    }
    let id: Cow<'_, str> =
        fields.get("anonymous_id").and_then(|id| serde_json::from_str::<String>(id.get()).ok())?.into();
    (!id.is_empty()).then(|| id.as_bytes().to_vec())
}

/// Checks each field by itself; the first that is wrong is named with why.
fn check_fields(fields: &Fields<'_>) -> Result<(), (String, String)> {
    for (name, kind, required) in OWN {
        match fields.get(name) {
            Some(value) => kind.check(value).map_err(|reason| (name.to_owned(), reason))?,
            None if required => return Err((name.to_owned(), "is missing".to_owned())),
            None => {}
        }
    }
    for (name, value) in fields.others() {
        // In full: what is kept as it came must be readable by everyone later.
        serde_json::from_str::<Value>(value.get())
            .map_err(|error| (name.to_owned(), format!("cannot be read: {error}")))?;
    }
    Ok(())
}

/// The record's JSON: the fields as they came, with `event_id` and `ts` made where absent and our `received_at`.
fn written(fields: &Fields<'_>, ts: i64, received_at: i64, random: &dyn Random) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(fields.bytes() + 120);
    let id_made = fields.get("event_id").is_none();
    out.push(b'{');
    if id_made {
        out.extend_from_slice(b"\"event_id\":\"");
        out.extend_from_slice(uuid(random).as_bytes());
        out.extend_from_slice(b"\",");
    }
    for (name, value) in fields.all() {
        if name == "received_at" || (value.get() == "null" && matches!(name, "event_id" | "ts")) {
            continue; // ours to say
        }
        // A string's JSON cannot fail to be written.
        out.extend_from_slice(serde_json::to_string(name).unwrap_or_default().as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
        out.push(b',');
    }
    if fields.get("ts").is_none() {
        out.extend_from_slice(format!("\"ts\":{ts},").as_bytes());
    }
    out.extend_from_slice(format!("\"received_at\":{received_at}}}").as_bytes());
    (out, id_made)
}

/// A random UUID (version 4).
fn uuid(random: &dyn Random) -> String {
    let (a, b) = (random.next_u64(), random.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        0x8000 | b >> 48 & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}

/// How many elements of a broken array could be read.
fn elements_before_error(text: &str) -> usize {
    struct Count<'a>(&'a mut usize);
    impl<'de> serde::de::DeserializeSeed<'de> for Count<'_> {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Count<'_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element::<&RawValue>()?.is_some() {
                *self.0 += 1;
            }
            Ok(())
        }
    }
    let mut count = 0;
    let _ = serde::de::DeserializeSeed::deserialize(Count(&mut count), &mut serde_json::Deserializer::from_str(text));
    count
}

impl Kind {
    /// Why a value is not of this kind.
    fn check(self, value: &RawValue) -> Result<(), String> {
        let text = value.get();
        match self {
            Kind::Integer => integer(value).map(|_| ()).ok_or_else(|| "must be an integer of 64 bits".to_owned()),
            Kind::Text { bytes_max, empty } => {
                let text: String = serde_json::from_str(text).map_err(|_| "must be text".to_owned())?;
                if text.is_empty() && !empty {
                    return Err("must not be empty".to_owned());
                }
                if text.len() > bytes_max {
                    return Err(format!("has {} bytes, more than {bytes_max}", text.len()));
                }
                Ok(())
            }
            Kind::Type => serde_json::from_str::<event::ClickType>(text)
                .map(|_| ())
                .map_err(|_| "must be one of view, cart, order, pay, search, share, login".to_owned()),
            Kind::Object => match serde_json::from_str::<Value>(text) {
                Ok(Value::Object(_)) => Ok(()),
                Ok(_) => Err("must be an object".to_owned()),
                Err(error) => Err(format!("cannot be read: {error}")),
            },
        }
    }
}
