//! The effects of an epoch as they stand in its object, encoded once and delivered from there.

use bytes::Bytes;
use linli_schemas::Topic;
use linli_schemas::metric::{Metric, PartKey, Version};
use linli_stream_jobs::effect::Effect;

use super::wire::{Malformed, Reader, put_bytes, put_i64, put_u64};

const METRIC: u8 = 1;
const FORWARD: u8 = 2;
const DEAD_LETTER: u8 = 3;

/// One effect, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxItem {
    Metric {
        key: PartKey,
        version: Version,
        /// The JSON of the record.
        value: Bytes,
    },
    Forward {
        topic: Topic,
        partition: u32,
        key: Bytes,
        value: Bytes,
    },
    DeadLetter {
        key: Bytes,
        /// The JSON of the letter.
        value: Bytes,
    },
}

/// Effects in their order, validated, sharing the bytes of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    count: u64,
    bytes: Bytes,
}

impl Outbox {
    pub fn from_effects(effects: &[Effect]) -> Outbox {
        let mut out = Vec::new();
        for effect in effects {
            match effect {
                Effect::Metric(record) => {
                    out.push(METRIC);
                    // The place in `Metric::ALL` is part of the format: variants are added at its end only.
                    let metric = Metric::ALL.iter().position(|metric| *metric == record.key.metric);
                    put_u64(&mut out, metric.map_or(u64::MAX, |place| place as u64));
                    put_i64(&mut out, record.key.window_start);
                    put_i64(&mut out, record.key.dimension);
                    put_u64(&mut out, u64::from(record.key.shard));
                    put_u64(&mut out, u64::from(record.version.generation));
                    put_u64(&mut out, record.version.epoch);
                    put_u64(&mut out, u64::from(record.version.sequence));
                    put_bytes(&mut out, &record.encode());
                }
                Effect::Forward { topic, partition, key, value } => {
                    out.push(FORWARD);
                    put_bytes(&mut out, topic.name().as_bytes());
                    put_u64(&mut out, u64::from(*partition));
                    put_bytes(&mut out, key);
                    put_bytes(&mut out, value);
                }
                Effect::DeadLetter { key, letter } => {
                    out.push(DEAD_LETTER);
                    put_bytes(&mut out, key);
                    // A struct of texts and numbers always has a JSON form.
                    put_bytes(&mut out, &serde_json::to_vec(letter).unwrap_or_default());
                }
            }
        }
        Outbox { count: effects.len() as u64, bytes: out.into() }
    }

    /// Takes bytes that another wrote: every item is looked at before any is sent.
    pub(super) fn decode(count: u64, bytes: Bytes) -> Result<Outbox, Malformed> {
        let mut reader = Reader::new(bytes.clone());
        let mut found = 0;
        while !reader.is_empty() {
            item(&mut reader)?;
            found += 1;
        }
        if found != count {
            return Err(format!("the outbox announces {count} effects and holds {found}"));
        }
        Ok(Outbox { count, bytes })
    }

    pub fn len(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn iter(&self) -> impl Iterator<Item = OutboxItem> + Send {
        let mut reader = Reader::new(self.bytes.clone());
        // Validated when it was made, so that nothing is cut off here.
        std::iter::from_fn(move || if reader.is_empty() { None } else { item(&mut reader).ok() })
    }
}

fn item(reader: &mut Reader) -> Result<OutboxItem, Malformed> {
    match reader.u8()? {
        METRIC => {
            let place = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
            let metric = *Metric::ALL.get(place).ok_or_else(|| format!("metric {place} is not known"))?;
            let window_start = reader.i64()?;
            let dimension = reader.i64()?;
            let shard = reader.u32()?;
            let version = Version { generation: reader.u32()?, epoch: reader.u64()?, sequence: reader.u32()? };
            let key = PartKey { metric, window_start, dimension, shard };
            Ok(OutboxItem::Metric { key, version, value: reader.bytes()? })
        }
        FORWARD => {
            let name = reader.text()?;
            let topic = Topic::from_name(&name).ok_or_else(|| format!("topic \"{name}\" is not known"))?;
            Ok(OutboxItem::Forward { topic, partition: reader.u32()?, key: reader.bytes()?, value: reader.bytes()? })
        }
        DEAD_LETTER => Ok(OutboxItem::DeadLetter { key: reader.bytes()?, value: reader.bytes()? }),
        other => Err(format!("effect of kind {other} is not known")),
    }
}
