//! The durable record of a reader: position, schema and snapshots as one object, written under a conditional put.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use linli_binlog::Xid;
use linli_connectors::blobs::{PutOutcome, SharedBlobs};
use linli_connectors::clock::SharedClock;
use linli_connectors::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::catalog::Catalog;
use super::changed::{self, Changed};
use super::kept;
use super::position::Position;
use super::prepared::{self, Prepared, PreparedSet, Stored};
use super::progress::Snapshots;
use super::quarantine::Quarantines;
use super::reader::State;

/// Records that stay behind the newest, to look at.
const KEPT: u64 = 8;
/// Definitions that stay, so that an older binlog can be read with its own.
const HISTORY_MAX: usize = 200;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Whose it is: drawn at the start of a reader.
    pub nonce: String,
    pub at_ms: i64,
    pub server: ServerIdentity,
    pub position: Position,
    /// The object with the tables as they are at the position.
    pub schema: String,
    /// From which position on which definitions held, oldest first.
    #[serde(default)]
    pub history: Vec<SchemaFrom>,
    #[serde(default)]
    pub snapshots: Snapshots,
    /// XA transactions before the position that are not decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepared: Vec<Stored>,
    /// Tables that cannot be followed, and what is held of them.
    #[serde(default, skip_serializing_if = "Quarantines::is_empty")]
    pub quarantines: Quarantines,
    /// To be begun anew: the rest tells what was before.
    #[serde(default)]
    pub reset: bool,
}

/// What tells a server from another with the same address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerIdentity {
    pub mariadb: bool,
    /// MySQL's; of MariaDB its id and where it runs.
    pub uuid: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaFrom {
    pub position: Position,
    pub schema: String,
}

/// Where the records of one server's reader are.
pub struct Store {
    blobs: SharedBlobs,
    clock: SharedClock,
    prefix: String,
    nonce: String,
    /// The number of the next record.
    next: u64,
    /// The schema that was stored last.
    stored: Option<(Arc<Catalog>, String)>,
    history: Vec<SchemaFrom>,
}

/// What a store holds at the start.
pub struct Loaded {
    pub record: Record,
    pub state: State,
}

impl Store {
    /// `server` as the records name it.
    pub fn new(blobs: SharedBlobs, clock: SharedClock, server: &str, nonce: String) -> Store {
        Store { blobs, clock, prefix: Store::prefix_of(server), nonce, next: 0, stored: None, history: Vec::new() }
    }

    /// Where the objects of a server's reader are.
    pub fn prefix_of(server: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }
        };
        format!("cdc/{}", server.chars().map(plain).collect::<String>())
    }

    fn key(&self, number: u64) -> String {
        format!("{}/records/{number:020}", self.prefix)
    }

    /// The newest record, with all that a reader needs to go on.
    pub async fn resume(&mut self) -> Result<Option<Loaded>, Error> {
        const TRIES: usize = 5;
        let mut tries = 1;
        loop {
            let Some(mut loaded) = self.load().await? else {
                return Ok(None);
            };
            match self.changed(&loaded.state.snapshots).await {
                Ok(changed) => {
                    loaded.state.changed = changed;
                    return Ok(Some(loaded));
                }
                // where another reader is at work its next record names other parts
                Err(_) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The newest record.
    pub async fn load(&mut self) -> Result<Option<Loaded>, Error> {
        let keys = self.blobs.list(&format!("{}/records", self.prefix)).await?;
        let Some(key) = keys.last() else {
            return Ok(None);
        };
        let number = key.rsplit('/').next().and_then(|number| number.parse::<u64>().ok());
        let number = number.ok_or_else(|| self.corrupt(key, "its name is no number"))?;
        let bytes = self.blobs.get(key).await?.ok_or_else(|| {
            Error::new(ErrorKind::Retry, format!("object {key}"), "went away while it was read").hint("start again")
        })?;
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| self.corrupt(key, &error.to_string()))?;
        self.next = number + 1;
        self.history.clone_from(&record.history);
        let catalog = Arc::new(self.catalog(&record.schema).await?);
        self.stored = Some((Arc::clone(&catalog), record.schema.clone()));
        let prepared = self.prepared(&record, &catalog).await?;
        let state = State {
            position: record.position.clone(),
            catalog,
            snapshots: record.snapshots.clone(),
            prepared: Arc::new(prepared),
            quarantines: Arc::new(record.quarantines.clone()),
            ..State::default()
        };
        Ok(Some(Loaded { record, state }))
    }

    async fn prepared(&self, record: &Record, catalog: &Arc<Catalog>) -> Result<PreparedSet, Error> {
        let mut set = PreparedSet::new();
        for stored in &record.prepared {
            let xid = Xid::parse(&stored.xid).ok_or_else(|| self.corrupt("record", "an XA transaction has no name"))?;
            let catalog = match stored.schema == record.schema {
                true => Arc::clone(catalog),
                false => Arc::new(self.catalog(&stored.schema).await?),
            };
            set.insert(xid, Prepared { stored: stored.clone(), catalog });
        }
        Ok(set)
    }

    async fn changed(&self, snapshots: &Snapshots) -> Result<Changed, Error> {
        let mut parts = Vec::with_capacity(snapshots.changed.len());
        for key in &snapshots.changed {
            let key = format!("{}/{key}", self.prefix);
            parts.push(self.blobs.get(&key).await?.ok_or_else(|| self.corrupt(&key, "is missing"))?);
        }
        Changed::from_parts(&parts).ok_or_else(|| self.corrupt(changed::FOLDER, "is not as it was written"))
    }

    /// Stores an object before a record names it.
    pub async fn put_object(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        self.put(&format!("{}/{key}", self.prefix), bytes).await.map(drop)
    }

    pub async fn catalog(&self, schema: &str) -> Result<Catalog, Error> {
        let key = format!("{}/schemas/{schema}", self.prefix);
        let bytes = self.blobs.get(&key).await?.ok_or_else(|| self.corrupt(&key, "is missing"))?;
        serde_json::from_slice(&bytes).map_err(|error| self.corrupt(&key, &error.to_string()))
    }

    fn corrupt(&self, key: &str, cause: &str) -> Error {
        Error::new(ErrorKind::Corrupt, format!("object {key}"), cause)
            .hint("restore the blob store, or begin anew with `linli ingest cdc position reset`")
    }

    /// Writes the next record. Everything before its position must have been acknowledged by the log.
    pub async fn save(&mut self, server: &ServerIdentity, state: &State) -> Result<(), Error> {
        let schema = self.store_schema(&state.position, &state.catalog).await?;
        let mut prepared = Vec::with_capacity(state.prepared.len());
        for one in state.prepared.values() {
            let schema = match Arc::ptr_eq(&one.catalog, &state.catalog) || *one.catalog == *state.catalog {
                true => schema.clone(),
                false => self.put_schema(&one.catalog).await?,
            };
            prepared.push(Stored { schema, ..one.stored.clone() });
        }
        let record = Record {
            nonce: self.nonce.clone(),
            at_ms: self.clock.now_ms(),
            server: server.clone(),
            position: state.position.clone(),
            schema,
            history: self.history.clone(),
            snapshots: state.snapshots.clone(),
            prepared,
            quarantines: (*state.quarantines).clone(),
            reset: false,
        };
        self.write(&record).await
    }

    /// Deletes what an earlier reader put aside and no record names.
    pub async fn sweep(&self, state: &State) -> Result<(), Error> {
        let prepared = state.prepared.values().flat_map(|prepared| prepared.stored.part_keys());
        let held = state.quarantines.values().flat_map(|quarantine| quarantine.kept.keys());
        let named: BTreeSet<String> = prepared
            .chain(held)
            .chain(state.snapshots.changed.iter().cloned())
            .map(|key| format!("{}/{key}", self.prefix))
            .collect();
        for folder in [prepared::FOLDER, changed::FOLDER, kept::FOLDER] {
            for key in self.blobs.list(&format!("{}/{folder}", self.prefix)).await? {
                if !named.contains(&key) {
                    self.blobs.delete(&key).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes objects that no record needs. What stays behind costs space only.
    pub async fn discard(&self, keys: &[String]) {
        for key in keys {
            let _ = self.blobs.delete(&format!("{}/{key}", self.prefix)).await;
        }
    }

    /// The next start begins anew, with a snapshot.
    pub async fn reset(&mut self, record: Record) -> Result<(), Error> {
        let record = Record { nonce: self.nonce.clone(), at_ms: self.clock.now_ms(), reset: true, ..record };
        self.write(&record).await
    }

    async fn write(&mut self, record: &Record) -> Result<(), Error> {
        let bytes =
            Bytes::from(serde_json::to_vec(record).map_err(|error| self.corrupt("record", &error.to_string()))?);
        let key = self.key(self.next);
        if self.put(&key, bytes).await? == PutOutcome::Exists {
            let there = self.blobs.get(&key).await?.unwrap_or_default();
            let ours = serde_json::from_slice::<Record>(&there).is_ok_and(|record| record.nonce == self.nonce);
            if !ours {
                return Err(Error::new(
                    ErrorKind::Fenced,
                    format!("object {key}"),
                    "another reader of this server took over",
                )
                .hint("one reader follows a server: stop the other one, or give the server another name (#NAME)"));
            }
        }
        if let Some(old) = self.next.checked_sub(KEPT) {
            // What stays behind costs space only.
            let _ = self.blobs.delete(&self.key(old)).await;
        }
        self.next += 1;
        Ok(())
    }

    async fn store_schema(&mut self, position: &Position, catalog: &Arc<Catalog>) -> Result<String, Error> {
        if let Some((stored, schema)) = &self.stored
            && (Arc::ptr_eq(stored, catalog) || stored == catalog)
        {
            let schema = schema.clone();
            if let Some((stored, _)) = &mut self.stored {
                *stored = Arc::clone(catalog);
            }
            if self.history.is_empty() {
                self.history.push(SchemaFrom { position: position.clone(), schema: schema.clone() });
            }
            return Ok(schema);
        }
        let schema = self.put_schema(catalog).await?;
        self.history.push(SchemaFrom { position: position.clone(), schema: schema.clone() });
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        self.stored = Some((Arc::clone(catalog), schema.clone()));
        Ok(schema)
    }

    /// Stores definitions under the hash of their content.
    async fn put_schema(&self, catalog: &Catalog) -> Result<String, Error> {
        let bytes = serde_json::to_vec(catalog).map_err(|error| self.corrupt("schema", &error.to_string()))?;
        let hash = Sha256::digest(&bytes);
        let schema: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.put(&format!("{}/schemas/{schema}", self.prefix), Bytes::from(bytes)).await?;
        Ok(schema)
    }

    /// Tries for as long as the store may come back.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<PutOutcome, Error> {
        const TRIES: u32 = 10;
        let mut tries = 1;
        loop {
            match self.blobs.put_if_absent(key, bytes.clone()).await {
                Err(error) if error.is_retry() && tries < TRIES => {
                    tracing::warn!(key, %error, "a record of the reader could not be written: trying again");
                    self.clock.sleep(std::time::Duration::from_millis(100 << tries.min(6))).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use linli_binlog::Table;
    use linli_connectors::blobs::{OpenOptions, open};
    use linli_connectors::clock::SystemClock;

    use super::super::catalog::Known;
    use super::super::position::Place;
    use super::*;

    fn position(pos: u64) -> Position {
        Position { place: Place::new("binlog.000001", pos), ..Position::default() }
    }

    fn with(name: &str) -> Arc<Catalog> {
        let mut catalog = Catalog::default();
        let table = Table { db: "shop_0".into(), name: name.into(), columns: Vec::new(), primary_key: Vec::new() };
        catalog.put(Known { table, charset: None, lost: None, history: None });
        Arc::new(catalog)
    }

    #[tokio::test]
    async fn position_and_schema_are_one_and_the_second_reader_fences_the_first() {
        let blobs = open("memory://", OpenOptions::default()).await.unwrap();
        let store = |nonce: &str| Store::new(blobs.clone(), Arc::new(SystemClock), "a:1", nonce.to_owned());
        let identity = ServerIdentity::default();
        let state = |pos, name: &str| State { position: position(pos), catalog: with(name), ..State::default() };
        let mut first = store("first");
        assert!(first.load().await.unwrap().is_none());
        for pos in 0..30 {
            first.save(&identity, &state(pos, if pos < 20 { "old" } else { "new" })).await.unwrap();
        }
        let mut second = store("second");
        let loaded = second.load().await.unwrap().unwrap();
        assert_eq!(loaded.record.position, position(29));
        assert!(loaded.state.catalog.get("shop_0", "new").is_some());
        assert_eq!(loaded.record.history.len(), 2);
        assert_eq!(loaded.record.history[1].position, position(20));
        let old = second.catalog(&loaded.record.history[0].schema).await.unwrap();
        assert!(old.get("shop_0", "old").is_some());
        second.save(&identity, &state(30, "new")).await.unwrap();
        let error = first.save(&identity, &state(31, "new")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Fenced);
        assert!(blobs.list("cdc/a_1/records").await.unwrap().len() <= KEPT as usize + 2);
    }

    /// A running reader replaces its parts while somebody asks where it is.
    #[tokio::test]
    async fn where_a_reader_is_can_be_told_without_the_parts_that_it_replaces() {
        let blobs = open("memory://", OpenOptions::default()).await.unwrap();
        let store = |nonce: &str| Store::new(blobs.clone(), Arc::new(SystemClock), "a:1", nonce.to_owned());
        let identity = ServerIdentity::default();
        let mut state = State { position: position(4), catalog: with("t"), ..State::default() };
        state.snapshots.changed = vec!["changed/1".into()];
        let mut reader = store("reader");
        reader.save(&identity, &state).await.unwrap();
        assert_eq!(store("asks").load().await.unwrap().unwrap().state.position, position(4));
        let error = store("second").resume().await.map(drop).unwrap_err();
        assert!(error.kind == ErrorKind::Corrupt && error.object.contains("changed/1"), "{error}");
        state.snapshots.changed = vec!["changed/2".into()];
        reader.put_object("changed/2", Bytes::new()).await.unwrap();
        reader.save(&identity, &state).await.unwrap();
        assert!(store("second").resume().await.unwrap().is_some());
    }
}
