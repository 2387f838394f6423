//! A topic, folded: what was last said of each row, each change once, and whether all was said in order.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use linli_connectors::log::{Batch, OpenOptions, SharedLog, TopicPartition, open};
use linli_schemas::partition::partition_of;
use serde::Deserialize;

use super::{ChangesByTable, Row, Tables, content, key_of};

/// A byte of a file, a row of the transaction, and the order of the two records of a row that moved.
type Place = (u64, u64, u64, bool);

/// What a topic has to be held to.
pub struct Expected<'a> {
    pub tables: &'a Tables,
    /// Columns that were added on the way: a row has them though no change of it says so.
    pub added: &'a [&'a str],
    /// When the reader was killed, epoch ms.
    pub kills: &'a [i64],
}

#[derive(Debug, Default)]
pub struct Folded {
    pub changes: ChangesByTable,
    pub snapshot_rows: u64,
    /// Changes published again after each kill.
    pub repeats: Vec<u64>,
    /// The first of many.
    pub problems: Vec<String>,
    /// By transaction: how many records, and the highest number among them.
    transactions: HashMap<u64, (u64, u64)>,
}

/// What was last said of a row.
struct Said {
    table: u32,
    partition: u32,
    offset: u64,
    place: Place,
    /// The content with and without the added columns; `None` where the row went.
    content: Option<(u64, u64)>,
}

#[derive(Deserialize)]
struct Envelope {
    before: Option<Row>,
    after: Option<Row>,
    op: String,
    ts_ms: i64,
    source: Source,
    transaction: Option<Transaction>,
    #[serde(default)]
    moved: bool,
}

#[derive(Deserialize)]
struct Source {
    db: String,
    table: String,
    file: String,
    pos: u64,
    row: u64,
}

#[derive(Deserialize)]
struct Transaction {
    id: String,
    total_order: u64,
}

/// The log of the embedded endpoints under a data directory.
pub async fn log_in(data_dir: &Path) -> SharedLog {
    let url = format!("file://{}", data_dir.join("log").display());
    open(&url, OpenOptions::default()).await.expect("the log opens")
}

/// Shows every record of a topic: its partition, offset, key and value.
pub async fn each_record(log: &SharedLog, topic: &str, partitions: u32, mut show: impl FnMut(u32, u64, &[u8], &[u8])) {
    let place = |partition| TopicPartition { topic: topic.into(), partition };
    let places: Vec<TopicPartition> = (0..partitions).map(place).collect();
    let mut left: u64 = log.ends(&places).await.expect("ends").iter().sum();
    let mut reader = log.reader(places.into_iter().map(|place| (place, 0)).collect()).await.expect("a reader");
    let mut batch = Batch::default();
    while left > 0 {
        reader.poll(&mut batch, 10_000, Duration::from_secs(5)).await.expect("records");
        assert!(!batch.is_empty(), "{left} records of {topic} do not come");
        left -= batch.len() as u64;
        for record in batch.iter() {
            show(record.source as u32, record.offset, record.key, record.value.expect("no tombstones"));
        }
    }
}

/// One topic while it is folded.
struct Fold<'a> {
    expected: &'a Expected<'a>,
    folded: &'a mut Folded,
    topic: &'a str,
    rows: HashMap<u128, Said>,
    /// The content of the change of that place.
    seen: HashMap<Place, u64>,
    /// What was read of a row at that place.
    read: HashMap<(u128, Place), (u64, u64)>,
    tables: Vec<String>,
    last: Vec<Place>,
}

impl Folded {
    /// Adds a topic, and holds what it says in the end to what its tables hold.
    pub async fn topic(
        &mut self,
        log: &SharedLog,
        topic: &str,
        partitions: u32,
        expected: &Expected<'_>,
        held: &mut Tables,
    ) {
        self.repeats.resize(expected.kills.len(), 0);
        let mut fold = Fold {
            expected,
            topic,
            rows: HashMap::new(),
            seen: HashMap::new(),
            read: HashMap::new(),
            tables: expected.tables.of_topic(topic),
            last: vec![Place::default(); partitions as usize],
            folded: self,
        };
        each_record(log, topic, partitions, |partition, offset, key, value| {
            if partition_of(key, partitions) != partition {
                fold.problem(format!("{topic}/{partition}@{offset} lies in another partition than its key"));
            }
            fold.record(partition, offset, value);
        })
        .await;
        fold.seen.clear();
        fold.read.clear();
        fold.hold_to(held).await;
    }

    /// Each transaction's records are numbered without a gap.
    pub fn hold_orders(&mut self) {
        let gaps = self.transactions.values().filter(|(count, highest)| count != highest).count();
        if gaps > 0 {
            self.problems.push(format!("total_order has gaps in {gaps} transactions"));
        }
    }
}

impl Fold<'_> {
    fn problem(&mut self, problem: String) {
        if self.folded.problems.len() < 20 {
            self.folded.problems.push(problem);
        }
    }

    fn table(&mut self, name: &str) -> u32 {
        let known = self.tables.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.tables.push(name.to_owned());
            self.tables.len() - 1
        });
        index as u32
    }

    fn record(&mut self, partition: u32, offset: u64, value: &[u8]) {
        let record: Envelope = serde_json::from_slice(value)
            .unwrap_or_else(|error| panic!("{}/{partition}@{offset}: {error}", self.topic));
        let name = format!("{}.{}", record.source.db, record.source.table);
        let table = self.table(&name);
        let file = record.source.file.rsplit('.').next().and_then(|number| number.parse().ok()).expect("a file");
        let tables = self.expected.tables;
        let understood = |row: Row| {
            let row = tables.understood(&name, row);
            let key = key_of(&name, &row, tables.key(&name));
            (key, (content(&row, &[]), content(&row, self.expected.added)))
        };
        let (before, after) = (record.before.map(understood), record.after.map(understood));
        let place = (file, record.source.pos, record.source.row, record.moved && record.op == "c");
        let at = At { table, partition, offset, place };
        match record.op.as_str() {
            "r" => {
                let (key, content) = after.expect("a row");
                if let Some(first) = self.read.insert((key, at.place), content) {
                    return self.repeat(at, first == content, record.ts_ms);
                }
                self.folded.snapshot_rows += 1;
                self.expect(at, key, Some(content), "what a snapshot says of it");
                self.say(at, key, Some(content));
            }
            "t" => {
                for said in self.rows.values_mut().filter(|said| said.table == table && said.partition == partition) {
                    said.content = None;
                }
            }
            op => {
                let images =
                    before.map_or(0, |(_, (image, _))| image).rotate_left(1) ^ after.map_or(0, |(_, (image, _))| image);
                if self.repeated(at, images, record.ts_ms) {
                    return;
                }
                let transaction = record.transaction.expect("a transaction");
                self.change(at, op, record.moved, &name, &transaction);
                if let Some((key, content)) = before {
                    self.expect(at, key, Some(content), "the image before");
                    self.say(at, key, None);
                }
                if let Some((key, content)) = after {
                    self.expect(at, key, None, "its absence before");
                    self.say(at, key, Some(content));
                }
            }
        }
    }

    /// A change that was said before counts once, and says the same.
    fn repeated(&mut self, at: At, images: u64, published_ms: i64) -> bool {
        let Some(first) = self.seen.insert(at.place, images) else {
            let last = self.last[at.partition as usize];
            if at.place < last {
                self.problem(format!("{} comes after {last:?}", self.shown(at)));
            }
            self.last[at.partition as usize] = at.place;
            return false;
        };
        self.repeat(at, first == images, published_ms);
        true
    }

    /// What is said again is the same, and something was killed before.
    fn repeat(&mut self, at: At, same: bool, published_ms: i64) {
        if !same {
            self.problem(format!("{} is repeated with another content", self.shown(at)));
        }
        match self.expected.kills.iter().rposition(|kill| *kill <= published_ms) {
            Some(kill) => self.folded.repeats[kill] += 1,
            None => self.problem(format!("{} is repeated though nothing was killed before", self.shown(at))),
        }
    }

    fn change(&mut self, at: At, op: &str, moved: bool, table: &str, transaction: &Transaction) {
        let count = self.folded.changes.entry(table.to_owned()).or_default();
        match (op, moved) {
            ("c", false) => count.inserted += 1,
            ("d", false) => count.deleted += 1,
            // a row that moved is deleted and created: one update
            ("u", false) | ("c", true) => count.updated += 1,
            ("d", true) => {}
            _ => self.problem(format!("{} has op {op}", self.shown(at))),
        }
        let id = super::key_of(&transaction.id, &Row::new(), &[]) as u64;
        let (count, highest) = self.folded.transactions.entry(id).or_default();
        *count += 1;
        *highest = transaction.total_order.max(*highest);
    }

    /// Of a row that is known, a record says again what was said last.
    fn expect(&mut self, at: At, key: u128, content: Option<(u64, u64)>, what: &str) {
        let Some(said) = self.rows.get(&key) else { return };
        // what was said in another partition may come later
        if said.partition != at.partition {
            return;
        }
        if said.content.map(|(_, stable)| stable) != content.map(|(_, stable)| stable) {
            let last = format!("{}/{}@{}", self.topic, said.partition, said.offset);
            self.problem(format!("{}: {what} is not what {last} said last", self.shown(at)));
        }
    }

    /// Within a partition the later record holds; between partitions the one of the later place.
    fn say(&mut self, at: At, key: u128, content: Option<(u64, u64)>) {
        let holds = self.rows.get(&key).is_none_or(|said| said.partition == at.partition || said.place < at.place);
        if holds {
            let At { table, partition, offset, place } = at;
            self.rows.insert(key, Said { table, partition, offset, place, content });
        }
    }

    fn shown(&self, at: At) -> String {
        format!("{}/{}@{} ({} at {:?})", self.topic, at.partition, at.offset, self.tables[at.table as usize], at.place)
    }

    /// The rows that are there are those of the tables, column for column.
    async fn hold_to(mut self, held: &mut Tables) {
        for table in self.tables.clone() {
            let key_columns = held.key(&table).to_vec();
            let mut problems = Vec::new();
            let rows = &mut self.rows;
            held.rows(&table, |row| {
                let said = rows.remove(&key_of(&table, &row, &key_columns));
                let problem = match said {
                    None => format!("{table} holds what {} never said: {row:?}", self.topic),
                    Some(said) if said.content.is_none_or(|(whole, _)| whole != content(&row, &[])) => {
                        format!(
                            "{table} holds another row than {}/{}@{} said last: {row:?}",
                            self.topic, said.partition, said.offset
                        )
                    }
                    Some(_) => return,
                };
                if problems.len() < 5 {
                    problems.push(problem);
                }
            })
            .await;
            for problem in problems {
                self.problem(problem);
            }
        }
        let invented: Vec<String> = self
            .rows
            .values()
            .filter(|said| said.content.is_some())
            .map(|said| {
                format!(
                    "{}: {}/{}@{} says a row that is not there",
                    self.tables[said.table as usize], self.topic, said.partition, said.offset
                )
            })
            .take(5)
            .collect();
        for problem in invented {
            self.problem(problem);
        }
    }
}

/// Where a record lies, and where its change stands.
#[derive(Clone, Copy)]
struct At {
    table: u32,
    partition: u32,
    offset: u64,
    place: Place,
}
