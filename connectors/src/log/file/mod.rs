//! The log in a directory: durable, for one machine; several processes may read and write it at once.
//!
//! `DIR/topics/TOPIC/topic.json`, `DIR/topics/TOPIC/PARTITION/{BASE.log, BASE.index, tail}`, `DIR/groups/GROUP`.
//! Every record stays: there is no retention, and no compaction of topics that ask for it.
//! Reading is done on the caller's thread, at most a few megabytes a poll; writing and syncing on blocking threads.

mod frame;
mod membership;
mod partition;
mod reader;
mod tail;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use url::Url;

use super::blocking::blocking;
use super::{EventLog, LogReader, Membership, NewRecord, OpenOptions, TopicPartition, TopicSpec, topics};
use crate::{Error, ErrorKind, Result};
use membership::FileMembership;
use partition::{Partition, Settings, failed};
use reader::FileReader;

const SEGMENT_BYTES: u64 = 64 << 20;
/// Partitions written and synced at a time by one append.
const WRITERS_MAX: usize = 16;

/// A handle on a log in a directory.
#[derive(Clone)]
pub(super) struct FileLog {
    files: Arc<Files>,
    options: OpenOptions,
}

struct Files {
    root: PathBuf,
    settings: Settings,
    /// By full name of the topic.
    open: Mutex<BTreeMap<String, Vec<Option<Arc<Partition>>>>>,
    appended: Notify,
}

/// `topic.json`.
#[derive(Serialize, Deserialize)]
struct TopicFile {
    format: u32,
    partitions: u32,
    compacted: bool,
}

const FORMAT: u32 = 1;

impl FileLog {
    pub(super) async fn open(url: &Url, options: OpenOptions) -> Result<FileLog> {
        let bad = |cause: String| {
            Error::new(ErrorKind::Config, format!("event log {url}"), cause).hint("use file:///ABSOLUTE/DIR[?sync=off]")
        };
        let root = if url.path().trim_matches('/').is_empty() {
            options.data_dir.as_ref().map(|directory| directory.join("log"))
        } else {
            url.to_file_path().ok()
        };
        let root = root.ok_or_else(|| bad("names no directory".to_owned()))?;
        let mut settings = Settings { sync: true, segment_bytes: SEGMENT_BYTES };
        for (key, value) in url.query_pairs() {
            match (key.as_ref(), value.as_ref()) {
                ("sync", "on") => settings.sync = true,
                ("sync", "off") => settings.sync = false,
                ("segment_bytes", bytes) => {
                    settings.segment_bytes = bytes.parse().map_err(|_| bad(format!("has segment_bytes {bytes:?}")))?;
                }
                _ => return Err(bad(format!("has a setting {key}={value} that is not known"))),
            }
        }
        for directory in ["topics", "groups"] {
            let path = root.join(directory);
            std::fs::create_dir_all(&path).map_err(|error| failed(&path, "cannot be made", error))?;
        }
        let files = Files { root, settings, open: Mutex::default(), appended: Notify::new() };
        Ok(FileLog { files: Arc::new(files), options })
    }

    fn full_name(&self, name: &str) -> String {
        topics::full_name(&self.options.namespace, name)
    }

    /// The partitions, opened if need be, in the order asked for.
    async fn partitions(&self, wanted: Vec<TopicPartition>) -> Result<Vec<Arc<Partition>>> {
        let log = self.clone();
        blocking(move || wanted.iter().map(|wanted| log.partition(&wanted.topic, wanted.partition)).collect()).await
    }

    /// Blocking.
    fn partition(&self, topic: &str, partition: u32) -> Result<Arc<Partition>> {
        let full_name = self.full_name(topic);
        let mut open = self.files.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(&full_name) {
            let count = self.files.partition_count(&full_name)?.ok_or_else(|| topics::unknown_topic(topic))?;
            open.insert(full_name.clone(), vec![None; count as usize]);
        }
        let all = open.get_mut(&full_name).ok_or_else(|| topics::unknown_topic(topic))?;
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let slot = all.get_mut(partition as usize).ok_or_else(|| topics::unknown_partition(topic, partition, count))?;
        if let Some(found) = slot {
            return Ok(Arc::clone(found));
        }
        let directory = self.files.topic_directory(&full_name).join(partition.to_string());
        let opened = Arc::new(Partition::open(directory, self.files.settings)?);
        *slot = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

impl Files {
    fn topic_directory(&self, full_name: &str) -> PathBuf {
        self.root.join("topics").join(full_name)
    }

    /// `None` where there is no such topic.
    fn partition_count(&self, full_name: &str) -> Result<Option<u32>> {
        topics::check_name(full_name)?;
        let path = self.topic_directory(full_name).join("topic.json");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path, "cannot be read", error)),
        };
        let corrupt = || {
            Error::new(
                ErrorKind::Corrupt,
                format!("file {}", path.display()),
                "does not describe a topic of this format",
            )
        };
        let found: TopicFile = serde_json::from_slice(&bytes).map_err(|error| corrupt().caused_by(error))?;
        if found.format == FORMAT { Ok(Some(found.partitions)) } else { Err(corrupt()) }
    }

    fn create_topic(&self, full_name: &str, spec: &TopicSpec) -> Result<()> {
        topics::check_spec(spec)?;
        if self.partition_count(full_name)?.is_none() {
            let path = self.topic_directory(full_name);
            self.build_topic(&path, full_name, spec).map_err(|error| failed(&path, "cannot be made", error))?;
        }
        match self.partition_count(full_name)? {
            Some(found) if found == spec.partitions => Ok(()),
            Some(found) => Err(topics::other_partition_count(&spec.name, found, spec.partitions)),
            None => Err(topics::unknown_topic(&spec.name)),
        }
    }

    /// Builds the topic aside and moves it to its place, so that it is there wholly or not at all.
    fn build_topic(&self, path: &Path, full_name: &str, spec: &TopicSpec) -> io::Result<()> {
        // Others build the same topic at the same time, in this process too.
        static BUILDS: AtomicU64 = AtomicU64::new(0);
        let number = BUILDS.fetch_add(1, Ordering::Relaxed);
        let aside = self.root.join("topics").join(format!("+{full_name}.{}.{number}", std::process::id()));
        if aside.exists() {
            std::fs::remove_dir_all(&aside)?; // left by a process of the same number that died
        }
        for partition in 0..spec.partitions {
            std::fs::create_dir_all(aside.join(partition.to_string()))?;
        }
        let described = TopicFile { format: FORMAT, partitions: spec.partitions, compacted: spec.compacted };
        std::fs::write(aside.join("topic.json"), serde_json::to_vec(&described)?)?;
        File::open(aside.join("topic.json"))?.sync_all()?;
        File::open(&aside)?.sync_all()?;
        match std::fs::rename(&aside, path) {
            Ok(()) => File::open(self.root.join("topics"))?.sync_all(),
            Err(_) if path.exists() => std::fs::remove_dir_all(&aside), // another process was first
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl EventLog for FileLog {
    async fn create_topics(&self, specs: &[TopicSpec]) -> Result<()> {
        let (log, specs) = (self.clone(), specs.to_vec());
        blocking(move || specs.iter().try_for_each(|spec| log.files.create_topic(&log.full_name(&spec.name), spec)))
            .await
    }

    async fn partition_count(&self, topic: &str) -> Result<Option<u32>> {
        let (log, name) = (self.clone(), self.full_name(topic));
        blocking(move || log.files.partition_count(&name)).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<()> {
        let mut groups: BTreeMap<TopicPartition, Vec<NewRecord>> = BTreeMap::new();
        for record in records {
            topics::check_size(&record)?;
            let place = TopicPartition { topic: Arc::clone(&record.topic), partition: record.partition };
            groups.entry(place).or_default().push(record);
        }
        let partitions = self.partitions(groups.keys().cloned().collect()).await?;
        let mut work: Vec<_> = partitions.into_iter().zip(groups.into_values()).collect();
        let mut result = Ok(());
        while !work.is_empty() {
            let round = work.split_off(work.len().saturating_sub(WRITERS_MAX));
            let writes = round.into_iter().map(|(partition, records)| blocking(move || partition.append(&records)));
            for written in futures::future::join_all(writes).await {
                result = result.and(written);
            }
        }
        self.files.appended.notify_waiters();
        result
    }

    async fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>> {
        let partitions = self.partitions(partitions.to_vec()).await?;
        partitions.iter().map(|partition| partition.look().map(|tail| tail.next)).collect()
    }

    async fn reader(&self, from: Vec<(TopicPartition, u64)>) -> Result<Box<dyn LogReader>> {
        let partitions = self.partitions(from.iter().map(|(partition, _)| partition.clone()).collect()).await?;
        for ((place, offset), partition) in from.iter().zip(&partitions) {
            let end = partition.look()?.next;
            if *offset > end {
                return Err(topics::out_of_range(&place.topic, place.partition, *offset, end));
            }
        }
        let sources = partitions.into_iter().zip(from.into_iter().map(|(_, offset)| offset)).collect();
        Ok(Box::new(FileReader::new(Arc::clone(&self.files), Arc::clone(&self.options.clock), sources)))
    }

    async fn join(&self, group: &str, leading_topic: &str) -> Result<Box<dyn Membership>> {
        topics::check_name(group)?;
        let (log, topic) = (self.clone(), leading_topic.to_owned());
        let count = blocking(move || log.files.partition_count(&log.full_name(&topic))).await?;
        let count = count.ok_or_else(|| topics::unknown_topic(leading_topic))?;
        let path = self.files.root.join("groups").join(self.full_name(group));
        Ok(Box::new(FileMembership::join(&path, count, Arc::clone(&self.options.clock))?))
    }
}
