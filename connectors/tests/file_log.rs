//! The log of files against a simple model: appended, reopened, torn, damaged.

use std::fs::{self, OpenOptions as FileOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linli_connectors::ErrorKind;
use linli_connectors::log::{self, Batch, NewRecord, OpenOptions, SharedLog, TopicPartition, TopicSpec};
use proptest::prelude::*;

type Record = (Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, Debug)]
enum Op {
    Append(Vec<Record>),
    Reopen,
    /// A writer died while writing: these bytes stand after the end.
    Tear(Vec<u8>),
    /// A writer died after syncing, before publishing: its records stay.
    LoseTail(Vec<Record>),
    /// A writer died amid its write: all but this many of its bytes are there.
    CutUnpublished(Vec<Record>, u64),
    ReadFrom(usize),
}

fn record() -> impl Strategy<Value = Record> {
    (prop::collection::vec(any::<u8>(), 0..20), prop::option::of(prop::collection::vec(any::<u8>(), 0..300)))
}

fn op() -> impl Strategy<Value = Op> {
    let records = || prop::collection::vec(record(), 1..20);
    prop_oneof![
        4 => records().prop_map(Op::Append),
        1 => Just(Op::Reopen),
        1 => prop::collection::vec(any::<u8>(), 1..100).prop_map(Op::Tear),
        1 => records().prop_map(Op::LoseTail),
        1 => (records(), 1_u64..200).prop_map(|(records, cut)| Op::CutUnpublished(records, cut)),
        2 => any::<prop::sample::Index>().prop_map(|index| Op::ReadFrom(index.index(1000))),
    ]
}

struct Subject {
    directory: tempfile::TempDir,
    log: SharedLog,
    model: Vec<Record>,
}

fn place() -> TopicPartition {
    TopicPartition { topic: "t".into(), partition: 0 }
}

async fn open(directory: &Path) -> linli_connectors::Result<SharedLog> {
    let log = log::open(&format!("file://{}?sync=off&segment_bytes=4096", directory.display()), OpenOptions::default())
        .await?;
    log.create_topics(&[TopicSpec { name: "t".to_owned(), partitions: 1, compacted: false }]).await?;
    Ok(log)
}

async fn read(log: &SharedLog, from: u64, until: u64) -> linli_connectors::Result<Vec<Record>> {
    let mut reader = log.reader(vec![(place(), from)]).await?;
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    while from + (found.len() as u64) < until {
        reader.poll(&mut batch, 64, Duration::ZERO).await?;
        for record in batch.iter() {
            assert_eq!(record.offset, from + found.len() as u64);
            found.push((record.key.to_vec(), record.value.map(<[u8]>::to_vec)));
        }
        assert!(!batch.is_empty(), "the log ends at {} instead of {until}", from + found.len() as u64);
    }
    Ok(found)
}

impl Subject {
    async fn new() -> Subject {
        let directory = tempfile::tempdir().expect("a directory");
        let log = open(directory.path()).await.expect("opens");
        Subject { directory, log, model: Vec::new() }
    }

    fn partition(&self) -> PathBuf {
        self.directory.path().join("topics/t/0")
    }

    fn last_segment(&self) -> Option<PathBuf> {
        let names = fs::read_dir(self.partition()).expect("a partition").map(|entry| entry.expect("an entry").path());
        names.filter(|path| path.extension().is_some_and(|ext| ext == "log")).max()
    }

    async fn append(&mut self, records: &[Record]) {
        let new = |(key, value): &Record| NewRecord {
            topic: "t".into(),
            partition: 0,
            timestamp_ms: 1,
            key: key.clone().into(),
            value: value.clone().map(Into::into),
        };
        self.log.append(records.iter().map(new).collect()).await.expect("appends");
    }

    async fn reopen(&mut self) {
        self.log = open(self.directory.path()).await.expect("reopens");
    }

    async fn end(&self) -> usize {
        self.log.ends(&[place()]).await.expect("ends")[0] as usize
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Append(records) => {
                self.append(&records).await;
                self.model.extend(records);
            }
            Op::Reopen => self.reopen().await,
            Op::Tear(garbage) => {
                if let Some(segment) = self.last_segment() {
                    FileOptions::new().append(true).open(segment).expect("opens").write_all(&garbage).expect("writes");
                }
                if self.model.len().is_multiple_of(2) {
                    self.reopen().await; // else the next append meets it in a log that is open
                }
            }
            Op::LoseTail(records) => {
                let tail = fs::read(self.partition().join("tail")).unwrap_or_default();
                self.append(&records).await;
                fs::write(self.partition().join("tail"), tail).expect("writes");
                self.model.extend(records);
                self.reopen().await;
            }
            Op::CutUnpublished(records, cut) => {
                let tail = fs::read(self.partition().join("tail")).unwrap_or_default();
                let before = self.last_segment();
                self.append(&records).await;
                let segment = self.last_segment().expect("a segment");
                fs::write(self.partition().join("tail"), &tail).expect("writes");
                let length = fs::metadata(&segment).expect("metadata").len();
                let published = if before.as_ref() == Some(&segment) { u64_at(&tail, 8) } else { 0 };
                let file = FileOptions::new().write(true).open(&segment).expect("opens");
                file.set_len(length.saturating_sub(cut).max(published)).expect("cuts");
                self.reopen().await;
                let end = self.end().await;
                assert!(end >= self.model.len(), "published records are gone");
                let kept = end - self.model.len();
                self.model.extend(records.into_iter().take(kept));
            }
            Op::ReadFrom(from) => {
                let from = from.min(self.model.len());
                let found = read(&self.log, from as u64, self.model.len() as u64).await.expect("reads");
                assert!(found == self.model[from..], "read other records from {from}");
            }
        }
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_a_list_of_records(ops in prop::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut subject = Subject::new().await;
            for op in ops {
                subject.apply(op).await;
                assert_eq!(subject.end().await, subject.model.len());
            }
            let found = read(&subject.log, 0, subject.model.len() as u64).await.expect("reads");
            assert!(found == subject.model, "read other records at last");
        });
    }
}

async fn filled() -> Subject {
    let mut subject = Subject::new().await;
    for _ in 0..30 {
        let records: Vec<Record> = (0..10).map(|_| (b"key".to_vec(), Some(vec![7; 40]))).collect();
        subject.append(&records).await;
        subject.model.extend(records);
    }
    subject
}

#[tokio::test]
async fn a_flipped_bit_is_corrupt_and_no_other_record() {
    let subject = filled().await;
    let segment = subject.last_segment().expect("a segment");
    let mut bytes = fs::read(&segment).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&segment, bytes).expect("writes");
    for log in [SharedLog::clone(&subject.log), open(subject.directory.path()).await.expect("reopens")] {
        let error = read(&log, 0, subject.model.len() as u64).await.expect_err("it is damaged");
        assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn lost_acknowledged_records_are_corrupt() {
    let subject = filled().await;
    let segment = subject.last_segment().expect("a segment");
    let length = fs::metadata(&segment).expect("metadata").len();
    FileOptions::new().write(true).open(&segment).expect("opens").set_len(length - 1).expect("cuts");
    let log = open(subject.directory.path()).await.expect("the topics open");
    let error = log.ends(&[place()]).await.expect_err("a record is lost");
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    assert!(error.hint.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_several_make_at_once_are_whole() {
    let directory = tempfile::tempdir().expect("a folder");
    let log = open(directory.path()).await.expect("a log");
    let spec = |n: usize| TopicSpec { name: format!("made-{n}"), partitions: 8, compacted: false };
    let specs: Vec<TopicSpec> = (0..40).map(spec).collect();
    let makers = (0..4).map(|_| {
        let (log, specs) = (log.clone(), specs.clone());
        tokio::spawn(async move { log.create_topics(&specs).await })
    });
    for maker in makers.collect::<Vec<_>>() {
        maker.await.expect("no panic").expect("whoever is first, the topics are there");
    }
    let places = specs.iter().flat_map(|spec| {
        (0..spec.partitions).map(|partition| TopicPartition { topic: spec.name.as_str().into(), partition })
    });
    let places: Vec<TopicPartition> = places.collect();
    assert_eq!(log.ends(&places).await.expect("every partition is there"), vec![0; places.len()]);
}

#[tokio::test]
async fn bad_urls_are_refused() {
    for url in [
        "",
        "/tmp/x",
        "ftp://x",
        "file:///tmp/x?color=red",
        "file://",
        "kafka://",
        "kafka://no-port",
        "file:///tmp/x?sync=perhaps",
    ] {
        let error = log::open(url, OpenOptions::default()).await.err().unwrap_or_else(|| panic!("{url:?} opens"));
        assert_eq!(error.kind, ErrorKind::Config, "{url:?}: {error}");
        assert!(error.hint.is_some(), "{url:?} without a hint");
    }
}
