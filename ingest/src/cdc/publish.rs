//! One append at a time, tried until the log takes it.

use std::collections::BTreeSet;
use std::time::Duration;

use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, SharedLog, TopicSpec};
use linli_connectors::{Error, ErrorKind};

use super::catalog::Catalog;
use super::quarantine;
use super::route::Router;

const BACKOFF_MAX: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Publisher {
    log: SharedLog,
    clock: SharedClock,
    partitions: u32,
}

impl Publisher {
    pub fn new(log: SharedLog, clock: SharedClock, partitions: u32) -> Publisher {
        Publisher { log, clock, partitions }
    }

    /// Makes the topics of all tables that are followed.
    pub async fn create_topics(&self, catalog: &Catalog, router: &Router) -> Result<(), Error> {
        let mut names: BTreeSet<String> = catalog
            .tables()
            .filter(|known| router.follows(&known.table.db, &known.table.name))
            .map(|known| router.topic(&known.table.name))
            .collect();
        names.insert(quarantine::TOPIC.to_owned());
        let specs: Vec<TopicSpec> =
            names.into_iter().map(|name| TopicSpec { name, partitions: self.partitions, compacted: false }).collect();
        self.log.create_topics(&specs).await
    }

    /// Appends, and waits as long as the log may come back. Returns what could not be taken for its length.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<(), Error> {
        let mut backoff = Duration::from_millis(100);
        loop {
            match self.log.append(records.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if error.kind == ErrorKind::Retry => {
                    tracing::warn!(%error, "the log did not take a batch: trying again");
                    self.clock.sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

