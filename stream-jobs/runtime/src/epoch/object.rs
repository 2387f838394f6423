//! The bytes of an epoch: `magic, format, header, delta, outbox, crc32`.

use std::collections::BTreeMap;

use bytes::Bytes;
use linli_connectors::serving::Incarnation;
use linli_schemas::{EventTime, Topic};
use linli_stream_jobs::task::Counts;

use super::wire::{Malformed, Reader, put_bytes, put_option_i64, put_u64};
use super::{ConservationByName, Epoch, Generation, Outbox, Positions, WriterNonce};

const MAGIC: &[u8; 4] = b"LNLE";
/// Another format found is refused: an epoch is never guessed at.
const FORMAT: u8 = 1;
const CRC_BYTES: usize = 4;

/// A blob that cannot be what it should be. The task halts: going on would publish wrong numbers.
#[derive(Debug, thiserror::Error)]
#[error("blob \"{key}\" is damaged: {cause}")]
pub struct CorruptBlob {
    pub key: String,
    pub cause: String,
}

/// The whole state as of an epoch, in a blob of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseRef {
    pub epoch: Epoch,
    pub key: String,
    pub bytes: u64,
}

/// What recovery needs to know before it reads the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochHeader {
    pub task: u32,
    pub generation: Generation,
    pub epoch: Epoch,
    pub writer: WriterNonce,
    pub partitions: u32,
    pub state_version: u32,
    /// The business's zone: the bounds of the days in the state.
    pub zone: String,
    /// The state is this base and then the deltas of every later epoch up to this one.
    pub base: Option<BaseRef>,
    /// The base before: what is older is garbage.
    pub base_before: Option<Epoch>,
    /// Bytes of the deltas since the base, this one's included.
    pub deltas_bytes: u64,
    pub positions: Positions,
    /// The end of an import that this task has taken its watermark to.
    pub import_watermark: Option<EventTime>,
    pub as_of: Option<EventTime>,
    /// Results wait for the next epoch, though no record may come.
    pub unfinished: bool,
    /// The serving store that holds every open window once this epoch is delivered.
    pub incarnation: Option<Incarnation>,
    /// The newest epochs by which the task was taken over. They are kept longer than others:
    /// each stands at the number that the owner it fenced would write next.
    pub claims: Vec<Epoch>,
    pub conservation: ConservationByName,
}

/// An epoch as published. Clones share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochObject {
    pub header: EpochHeader,
    /// Empty where the epoch brings its own base.
    pub delta: Bytes,
    pub outbox: Outbox,
}

impl EpochObject {
    pub fn encode(&self) -> Bytes {
        let header = encode_header(&self.header);
        let capacity = 64 + header.len() + self.delta.len() + self.outbox.bytes().len();
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(MAGIC);
        out.push(FORMAT);
        put_bytes(&mut out, &header);
        put_bytes(&mut out, &self.delta);
        put_u64(&mut out, self.outbox.len());
        put_bytes(&mut out, self.outbox.bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.into()
    }

    /// Reads what [`EpochObject::encode`] wrote and nothing else. `key` is for the words of the error.
    pub fn decode(key: &str, bytes: Bytes) -> Result<EpochObject, CorruptBlob> {
        decode(bytes).map_err(|cause| CorruptBlob { key: key.to_owned(), cause })
    }
}

fn decode(bytes: Bytes) -> Result<EpochObject, Malformed> {
    if bytes.len() < MAGIC.len() + 1 + CRC_BYTES || &bytes[..MAGIC.len()] != MAGIC {
        return Err("it is no epoch".to_owned());
    }
    let body = bytes.slice(..bytes.len() - CRC_BYTES);
    if crc32fast::hash(&body).to_le_bytes() != bytes[body.len()..] {
        return Err("its checksum does not fit".to_owned());
    }
    let mut reader = Reader::new(body);
    reader.take(MAGIC.len() as u64)?;
    let format = reader.u8()?;
    if format != FORMAT {
        return Err(format!("its format is {format}, this build reads {FORMAT}"));
    }
    let header = decode_header(&mut Reader::new(reader.bytes()?))?;
    let delta = reader.bytes()?;
    let effects = reader.u64()?;
    let outbox = Outbox::decode(effects, reader.bytes()?)?;
    if !reader.is_empty() {
        return Err("bytes follow its end".to_owned());
    }
    Ok(EpochObject { header, delta, outbox })
}

fn encode_header(header: &EpochHeader) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_u64(&mut out, u64::from(header.task));
    put_u64(&mut out, u64::from(header.generation.0));
    put_u64(&mut out, header.epoch.0);
    out.extend_from_slice(&header.writer.0.to_le_bytes());
    put_u64(&mut out, u64::from(header.partitions));
    put_u64(&mut out, u64::from(header.state_version));
    put_bytes(&mut out, header.zone.as_bytes());
    out.push(u8::from(header.base.is_some()));
    if let Some(base) = &header.base {
        put_u64(&mut out, base.epoch.0);
        put_bytes(&mut out, base.key.as_bytes());
        put_u64(&mut out, base.bytes);
    }
    put_u64(&mut out, header.base_before.map_or(0, |epoch| epoch.0));
    put_u64(&mut out, header.deltas_bytes);
    put_u64(&mut out, Topic::INPUTS.len() as u64);
    for (topic, position) in header.positions.iter() {
        put_bytes(&mut out, topic.name().as_bytes());
        put_u64(&mut out, position);
    }
    put_option_i64(&mut out, header.import_watermark.map(|at| at.0));
    put_option_i64(&mut out, header.as_of.map(|at| at.0));
    out.push(u8::from(header.unfinished));
    put_bytes(&mut out, header.incarnation.as_ref().map_or(&[], |incarnation| incarnation.0.as_bytes()));
    put_u64(&mut out, header.claims.len() as u64);
    for claim in &header.claims {
        put_u64(&mut out, claim.0);
    }
    put_u64(&mut out, header.conservation.len() as u64);
    for (job, topics) in &header.conservation {
        put_bytes(&mut out, job.as_bytes());
        put_u64(&mut out, topics.len() as u64);
        for (topic, counts) in topics {
            put_bytes(&mut out, topic.as_bytes());
            for count in columns(counts) {
                put_u64(&mut out, count);
            }
        }
    }
    out
}

fn decode_header(reader: &mut Reader) -> Result<EpochHeader, Malformed> {
    let task = reader.u32()?;
    let generation = Generation(reader.u32()?);
    let epoch = Epoch(reader.u64()?);
    let nonce = reader.take(16)?;
    let writer = WriterNonce(nonce.iter().rev().fold(0, |nonce, byte| nonce << 8 | u128::from(*byte)));
    let partitions = reader.u32()?;
    let state_version = reader.u32()?;
    let zone = reader.text()?;
    let base = match reader.flag()? {
        false => None,
        true => Some(BaseRef { epoch: Epoch(reader.u64()?), key: reader.text()?, bytes: reader.u64()? }),
    };
    let base_before = Some(reader.u64()?).filter(|epoch| *epoch > 0).map(Epoch);
    let deltas_bytes = reader.u64()?;
    let positions = decode_positions(reader)?;
    let import_watermark = reader.option_i64()?.map(EventTime);
    let as_of = reader.option_i64()?.map(EventTime);
    let unfinished = reader.flag()?;
    let incarnation = Some(reader.text()?).filter(|text| !text.is_empty()).map(Incarnation);
    let mut claims = Vec::new();
    for _ in 0..reader.u64()? {
        claims.push(Epoch(reader.u64()?));
    }
    let conservation = decode_conservation(reader)?;
    if !reader.is_empty() {
        return Err("bytes follow its header's end".to_owned());
    }
    Ok(EpochHeader {
        task,
        generation,
        epoch,
        writer,
        partitions,
        state_version,
        zone,
        base,
        base_before,
        deltas_bytes,
        positions,
        import_watermark,
        as_of,
        unfinished,
        incarnation,
        claims,
        conservation,
    })
}

/// A topic that the epoch does not name is read from its start: it became an input since.
fn decode_positions(reader: &mut Reader) -> Result<Positions, Malformed> {
    let mut positions = Positions::default();
    for _ in 0..reader.u64()? {
        let name = reader.text()?;
        let place = Topic::INPUTS.iter().position(|topic| topic.name() == name);
        let place = place.ok_or_else(|| format!("\"{name}\" is no topic that the jobs read"))?;
        positions.0[place] = reader.u64()?;
    }
    Ok(positions)
}

fn decode_conservation(reader: &mut Reader) -> Result<ConservationByName, Malformed> {
    let mut conservation = ConservationByName::new();
    for _ in 0..reader.u64()? {
        let job = reader.text()?;
        let mut topics = BTreeMap::new();
        for _ in 0..reader.u64()? {
            let topic = reader.text()?;
            let mut counts = Counts::default();
            for count in columns_mut(&mut counts) {
                *count = reader.u64()?;
            }
            topics.insert(topic, counts);
        }
        conservation.insert(job, topics);
    }
    Ok(conservation)
}

fn columns(counts: &Counts) -> [u64; 6] {
    let Counts { received, applied, duplicate, late, history, dead_lettered } = *counts;
    [received, applied, duplicate, late, history, dead_lettered]
}

fn columns_mut(counts: &mut Counts) -> [&mut u64; 6] {
    let Counts { received, applied, duplicate, late, history, dead_lettered } = counts;
    [received, applied, duplicate, late, history, dead_lettered]
}

#[cfg(test)]
#[path = "object_tests.rs"]
mod tests;
