//! A serving store in memory that counts what it is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use linli_connectors::Result;
use linli_connectors::serving::{Incarnation, ServingStore, Stored, Upsert};
use linli_schemas::metric::MetricRecord;

#[derive(Default)]
pub struct TestServing {
    hashes: Mutex<BTreeMap<String, BTreeMap<String, Stored>>>,
    pub fields_read: AtomicU64,
    pub flushed: AtomicU64,
}

impl TestServing {
    pub fn new() -> Arc<TestServing> {
        Arc::default()
    }

    pub async fn put(&self, records: &[MetricRecord]) {
        let values: Vec<Upsert> = records
            .iter()
            .map(|record| Upsert {
                key: record.key.serving_key(),
                field: record.key.serving_field(),
                version: record.version.as_u64(),
                value: record.encode().into(),
                expire_after: None,
            })
            .collect();
        self.upsert(&values).await.expect("in memory");
    }

    pub fn flush(&self) {
        self.hashes.lock().expect("not poisoned").clear();
        self.flushed.fetch_add(1, Ordering::Relaxed);
    }

    fn mark(&self) -> Incarnation {
        Incarnation(self.flushed.load(Ordering::Relaxed).to_string())
    }
}

#[async_trait]
impl ServingStore for TestServing {
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation> {
        let mut hashes = self.hashes.lock().expect("not poisoned");
        for value in values {
            let hash = hashes.entry(value.key.clone()).or_default();
            if hash.get(&value.field).is_none_or(|held| held.version <= value.version) {
                let stored = Stored { field: value.field.clone(), version: value.version, value: value.value.clone() };
                hash.insert(value.field.clone(), stored);
            }
        }
        Ok(self.mark())
    }

    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>> {
        let hashes = self.hashes.lock().expect("not poisoned");
        Ok(keys
            .iter()
            .map(|key| hashes.get(key).map_or_else(Vec::new, |hash| hash.values().cloned().collect()))
            .collect())
    }

    async fn read_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Stored>>> {
        self.fields_read.fetch_add(fields.len() as u64, Ordering::Relaxed);
        let hashes = self.hashes.lock().expect("not poisoned");
        Ok(fields.iter().map(|field| hashes.get(key)?.get(field).cloned()).collect())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let hashes = self.hashes.lock().expect("not poisoned");
        Ok(hashes.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn incarnation(&self) -> Result<Incarnation> {
        Ok(self.mark())
    }
}
