//! What is on the topics, read by somebody who trusts nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use linli_connectors::log::{self, Batch, NewRecord, OpenOptions, SharedLog, TopicPartition};
use linli_schemas::Topic;
use linli_schemas::forecast::{DemandRecord, RestockRecord, SupplierAnswer};
use linli_schemas::partition::partition_of;

use crate::PARTITIONS;
use crate::runs::{Key, MadeRun, key_of};

pub async fn open(url: &str) -> SharedLog {
    log::open(url, OpenOptions::default()).await.expect("the log answers")
}

/// Every value of a topic with its partition, in the order of each.
async fn values(log: &SharedLog, topic: Topic) -> Vec<(u32, Vec<u8>)> {
    let of = |partition| TopicPartition { topic: topic.name().into(), partition };
    let partitions: Vec<TopicPartition> = (0..PARTITIONS).map(of).collect();
    let ends = log.ends(&partitions).await.expect("ends");
    let mut next = vec![0; partitions.len()];
    let mut reader = log.reader(partitions.iter().map(|p| (p.clone(), 0)).collect()).await.expect("a reader");
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    while next.iter().zip(&ends).any(|(next, end)| next < end) {
        reader.poll(&mut batch, 10_000, Duration::from_millis(200)).await.expect("a poll");
        for record in batch.iter() {
            next[record.source] = record.offset + 1;
            found.push((record.source as u32, record.value.expect("no tombstones").to_vec()));
        }
    }
    found
}

/// Holds the topics to the runs: before the first end of a partition stands all that it tells of, each record of a run is
/// as it was made, and the counts are those of distinct records. Returns how many records stood there twice.
pub async fn hold(log: &SharedLog, runs: &[&MadeRun]) -> usize {
    let mut repeated = 0;
    let mut lines: BTreeMap<(String, u32), BTreeSet<Key>> = BTreeMap::new();
    let mut ends: BTreeMap<(String, u32), u64> = BTreeMap::new();
    let made: BTreeMap<(String, Key), _> =
        runs.iter().flat_map(|run| run.lines.iter().map(|line| ((run.id.to_string(), key_of(line)), line))).collect();
    for (partition, value) in values(log, Topic::ForecastRestock).await {
        match RestockRecord::decode(&value).expect("decodes") {
            RestockRecord::Line(line) => {
                let run = line.run.to_string();
                assert_eq!(Some(&&line), made.get(&(run.clone(), key_of(&line))), "as it was made");
                assert_eq!(partition_of(RestockRecord::Line(line.clone()).log_key().as_bytes(), PARTITIONS), partition);
                repeated += usize::from(!lines.entry((run, partition)).or_default().insert(key_of(&line)));
            }
            RestockRecord::End(end) => {
                let place = (end.run.to_string(), partition);
                let there = lines.get(&place).map_or(0, BTreeSet::len) as u64;
                assert_eq!(end.lines_in_partition, there, "all of {place:?} stands before its end");
                let run = runs.iter().find(|run| run.id == end.run).expect("a run of ours");
                assert_eq!((end.lines, end.business_date.0), (run.lines.len() as u64, run.business_date));
                ends.insert(place, end.lines_in_partition);
            }
            RestockRecord::Withdrawn(_) => {}
        }
    }
    let mut steps: BTreeMap<String, BTreeSet<(i64, i64, i64, String)>> = BTreeMap::new();
    for (_, value) in values(log, Topic::ForecastDemand).await {
        if let DemandRecord::Step(step) = DemandRecord::decode(&value).expect("decodes") {
            let key = (step.warehouse_id, step.community_id, step.sku_id, step.step_on.to_string());
            steps.entry(step.run.to_string()).or_default().insert(key);
        }
    }
    for run in runs {
        let of_run = |(name, _): &(String, u32)| *name == run.id.to_string();
        let told: u64 = ends.iter().filter(|(place, _)| of_run(place)).map(|(_, count)| count).sum();
        assert_eq!(ends.keys().filter(|place| of_run(place)).count(), PARTITIONS as usize, "an end in each partition");
        assert_eq!(told, run.lines.len() as u64);
        assert_eq!(steps[run.id.as_str()].len(), run.steps.len());
    }
    repeated
}

pub async fn answer(log: &SharedLog, answers: &[SupplierAnswer]) {
    let record = |answer: &SupplierAnswer| NewRecord {
        topic: Topic::ForecastAnswers.name().into(),
        partition: partition_of(answer.log_key().as_bytes(), PARTITIONS),
        timestamp_ms: answer.answered_at,
        key: Bytes::from(answer.log_key()),
        value: Some(answer.encode().into()),
    };
    log.append(answers.iter().map(record).collect()).await.expect("appends");
}

/// Puts records of a run on the topic by hand: lines into their partitions, marks where they are told.
pub async fn put(log: &SharedLog, records: &[RestockRecord], marks: &[(u32, RestockRecord)]) {
    let new = |partition, record: &RestockRecord| NewRecord {
        topic: Topic::ForecastRestock.name().into(),
        partition,
        timestamp_ms: 0,
        key: Bytes::from(record.log_key()),
        value: Some(record.encode().into()),
    };
    let lines = records.iter().map(|record| new(partition_of(record.log_key().as_bytes(), PARTITIONS), record));
    let marks = marks.iter().map(|(partition, mark)| new(*partition, mark));
    log.append(lines.chain(marks).collect()).await.expect("appends");
}
