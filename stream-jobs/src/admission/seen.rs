//! Identities seen within the horizon.

use linli_schemas::identity::{BinlogPlace, EventKey, Identity};

use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::IdMap;
use crate::rotation::Rotation;
use crate::table::{Slot, Table};

/// A key of 96 bits; the one that is all zeros stands for an empty slot, and is moved by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenKey([u32; 3]);

impl Slot for SeenKey {
    const EMPTY: SeenKey = SeenKey([0; 3]);
    fn is_empty(&self) -> bool {
        *self == SeenKey::EMPTY
    }
    /// The key is a hash already, or an id that is spread here.
    fn hash(&self) -> u64 {
        crate::hashing::mix(u64::from(self.0[0]) << 32 | u64::from(self.0[1]) ^ u64::from(self.0[2]) << 16)
    }
    fn same_key(&self, other: &SeenKey) -> bool {
        self == other
    }
}

impl SeenKey {
    pub(crate) fn event(key: EventKey) -> SeenKey {
        if key.0 == [0; 3] { SeenKey([0, 0, 1]) } else { SeenKey(key.0) }
    }

    /// An id of the shop: exact, for it is shorter than the key.
    pub(crate) fn id(id: u64) -> SeenKey {
        SeenKey([id as u32, (id >> 32) as u32, 1])
    }

    /// A place in a server's log.
    pub(crate) fn place(server: u64, place: BinlogPlace) -> SeenKey {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&server.to_le_bytes());
        bytes[8..16].copy_from_slice(&place.file.to_le_bytes());
        bytes[16..].copy_from_slice(&place.pos.to_le_bytes());
        SeenKey::event(EventKey::new(&bytes, place.row as u32))
    }

    pub(crate) fn save(self, out: &mut Writer) {
        out.words(&self.0);
    }

    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<SeenKey, Damaged> {
        let key = SeenKey(reader.words()?);
        if key.is_empty() { Err(Damaged::Invalid("identity")) } else { Ok(key) }
    }
}

/// Two generations of keys; [`Rotation`] proves that a repetition in time finds its original.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    current: Table<SeenKey>,
    previous: Table<SeenKey>,
    rotation: Rotation,
}

impl Seen {
    pub(crate) fn contains(&self, key: SeenKey) -> bool {
        self.current.get(&key).is_some() || self.previous.get(&key).is_some()
    }

    pub(crate) fn insert(&mut self, key: SeenKey) {
        self.current.insert(key);
    }

    pub(crate) fn forget(&mut self, mark: Option<i64>, horizon: i64) {
        if self.rotation.turns(mark, mark, horizon) {
            self.previous = std::mem::take(&mut self.current);
        }
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        self.rotation.save(out);
        for generation in [&self.previous, &self.current] {
            out.len(generation.len());
            for key in generation.iter() {
                key.save(out);
            }
        }
    }

    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Seen, Damaged> {
        let mut seen = Seen { rotation: Rotation::load(reader)?, ..Seen::default() };
        for generation in [&mut seen.previous, &mut seen.current] {
            for _ in 0..reader.len()? {
                generation.insert(SeenKey::load(reader)?);
            }
        }
        Ok(seen)
    }
}

/// The last place read of each server whose log has files and positions.
///
/// A topic's partition receives a server's changes in the order of its log, so what lies at or before the last place
/// was read already. A server is forgotten when it has been silent for two horizons: whatever it repeats from then is
/// late if it has an event time, and without one changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    last: IdMap<u64, (BinlogPlace, i64)>,
}

impl Servers {
    pub(crate) fn has_read(&self, server: u64, place: BinlogPlace) -> bool {
        self.last.get(&server).is_some_and(|(last, _)| place <= *last)
    }

    pub(crate) fn read(&mut self, server: u64, place: BinlogPlace, source_time: i64) {
        let last = self.last.entry(server).or_insert((place, source_time));
        *last = (last.0.max(place), last.1.max(source_time));
    }

    pub(crate) fn forget(&mut self, progress: Option<i64>, horizon: i64) {
        if let Some(progress) = progress {
            let before = progress.saturating_sub(horizon.saturating_mul(2));
            self.last.retain(|_, (_, at)| *at >= before);
        }
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.len(self.last.len());
        for (server, (place, at)) in &self.last {
            out.u64(*server);
            out.u64(place.file);
            out.u64(place.pos);
            out.u64(place.row);
            out.i64(*at);
        }
    }

    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Servers, Damaged> {
        let mut servers = Servers::default();
        for _ in 0..reader.len()? {
            let server = reader.u64()?;
            let place = BinlogPlace { file: reader.u64()?, pos: reader.u64()?, row: reader.u64()? };
            servers.last.insert(server, (place, reader.i64()?));
        }
        Ok(servers)
    }
}

/// Which of the two ways tells a repetition of a change of a server.
pub(crate) enum Told {
    /// By the last place of its server.
    ByPlace(u64, BinlogPlace),
    /// By the set of keys: numbers of GTIDs need not come in order after a failover.
    ByKey(SeenKey),
}

pub(crate) fn told(identity: Identity) -> Told {
    match identity {
        Identity::Event(key) | Identity::Snapshot(key) => Told::ByKey(SeenKey::event(key)),
        // A binlog file begins with four bytes of magic, so a position is never 0; a GTID has none.
        Identity::Binlog { server, place } if place.pos == 0 => Told::ByKey(SeenKey::place(server, place)),
        Identity::Binlog { server, place } => Told::ByPlace(server, place),
    }
}
