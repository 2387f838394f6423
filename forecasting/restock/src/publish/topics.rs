//! A run's records on the log, read from its rows: what the topics say is what the tables hold.

use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{NewRecord, SharedLog};
use linli_schemas::Topic;
use linli_schemas::forecast::{DemandRecord, End, RestockRecord, RunId, Withdrawn};
use linli_schemas::partition::partition_of;

use super::error::{Error, Result};
use super::store::Store;

/// Rows that are read and appended at once.
const PAGE_ROWS: usize = 5_000;

pub struct Topics {
    pub log: SharedLog,
    pub clock: SharedClock,
    pub partitions: u32,
}

impl Topics {
    /// All steps of a run, then the mark with the counts in each partition. `end` holds the count of all.
    pub async fn demand(&self, store: &mut Store, end: &End) -> Result<()> {
        let (topic, mut counts, mut after) = (Topic::ForecastDemand, self.no_counts(), None);
        loop {
            let page = store.demand_after(&end.run, after.as_ref(), PAGE_ROWS).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.warehouse_id, last.community_id, last.sku_id, last.step_on));
            let records = page.into_iter().map(|step| {
                let record = DemandRecord::Step(step);
                self.keyed(topic, &record.log_key(), record.encode(), &mut counts)
            });
            let records = records.collect();
            self.append(&end.run, records).await?;
        }
        let mark = |lines| DemandRecord::End(End { lines_in_partition: lines, ..end.clone() }).encode();
        self.marks(topic, &end.run, &counts, mark).await
    }

    /// All lines of a run, then the mark with the counts in each partition. `end` holds the count of all.
    pub async fn restock(&self, store: &mut Store, end: &End) -> Result<()> {
        let (topic, mut counts, mut after) = (Topic::ForecastRestock, self.no_counts(), None);
        loop {
            let page = store.lines_after(&end.run, after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.supplier_id, last.warehouse_id, last.community_id, last.sku_id));
            let records = page.into_iter().map(|line| {
                let record = RestockRecord::Line(line);
                self.keyed(topic, &record.log_key(), record.encode(), &mut counts)
            });
            let records = records.collect();
            self.append(&end.run, records).await?;
        }
        let mark = |lines| RestockRecord::End(End { lines_in_partition: lines, ..end.clone() }).encode();
        self.marks(topic, &end.run, &counts, mark).await
    }

    /// Says in every partition of both topics that nobody acts on a run any more.
    pub async fn withdraw(&self, run: &RunId) -> Result<()> {
        let withdrawn = Withdrawn { run: run.clone() };
        let counts = self.no_counts();
        let restock = RestockRecord::Withdrawn(withdrawn.clone()).encode();
        self.marks(Topic::ForecastRestock, run, &counts, |_| restock.clone()).await?;
        let demand = DemandRecord::Withdrawn(withdrawn).encode();
        self.marks(Topic::ForecastDemand, run, &counts, |_| demand.clone()).await
    }

    fn no_counts(&self) -> Vec<u64> {
        vec![0; self.partitions as usize]
    }

    fn keyed(&self, topic: Topic, key: &str, value: Vec<u8>, counts: &mut [u64]) -> NewRecord {
        let partition = partition_of(key.as_bytes(), self.partitions);
        counts[partition as usize] += 1;
        self.record(topic, partition, key, value)
    }

    fn record(&self, topic: Topic, partition: u32, key: &str, value: Vec<u8>) -> NewRecord {
        NewRecord {
            topic: Arc::from(topic.name()),
            partition,
            timestamp_ms: self.clock.now_ms(),
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Some(value.into()),
        }
    }

    async fn marks(&self, topic: Topic, run: &RunId, counts: &[u64], mark: impl Fn(u64) -> Vec<u8>) -> Result<()> {
        let marks = (0..self.partitions).zip(counts);
        let marks = marks.map(|(partition, count)| self.record(topic, partition, run.as_str(), mark(*count)));
        self.append(run, marks.collect()).await
    }

    async fn append(&self, run: &RunId, records: Vec<NewRecord>) -> Result<()> {
        self.log.append(records).await.map_err(|source| Error::Log { run: run.clone(), source })
    }
}
