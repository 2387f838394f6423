//! What the jobs cost without any I/O: `apply FILE [--out DIR] [--epoch-lines N]`.
//!
//! FILE holds lines as `linli backfill` takes them. They become records in memory as an import writes them, and are
//! applied by 8 tasks. Prints CPU time by stage and what the state weighs; with `--out` the answers as CSV, to be
//! compared with those of an independent oracle.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark measures the machine")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::time::Duration;

use linli_schemas::metric::{Metric, MetricRecord, PartKey, Version};
use linli_schemas::partition::partition_of;
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic, event};
use linli_stream_jobs::effect::Effect;
use linli_stream_jobs::task::{RawRecord, Task, TaskConfig};

const PARTITIONS: u32 = 8;
/// A time of import after every event.
const NOW: i64 = 1_900_000_000_000;
const READ: [Topic; 3] = [Topic::Clicks, Topic::Orders, Topic::OrderItems];

/// CPU time of this thread, which other programs on the machine do not lengthen.
struct Cpu(u64);

impl Cpu {
    fn now() -> Cpu {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Cpu(stat.split(' ').next().unwrap().parse().unwrap())
    }
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(Cpu::now().0 - self.0)
    }
}

#[derive(serde::Deserialize)]
struct Line<'a> {
    event_id: &'a str,
    order_id: Option<u64>,
    user_id: i64,
    community_id: i64,
    items: Option<Vec<Item>>,
    paid_at: Option<i64>,
    status: Option<&'a str>,
    #[serde(rename = "type")]
    click_type: Option<&'a str>,
    sku_id: Option<i64>,
    ts: Option<i64>,
}

#[derive(serde::Deserialize)]
struct Item {
    sku_id: i64,
    qty: i64,
    price_cents: i64,
}

/// The values of one topic's partition, end to end.
#[derive(Default)]
struct Values {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Values {
    fn push(&mut self, value: &str) {
        self.bytes.extend_from_slice(value.as_bytes());
        self.ends.push(self.bytes.len());
    }
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut start, *end)..*end])
    }
}

type Chunk = Vec<[Values; 3]>;

fn utc(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn decimal(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn add(line: &Line<'_>, chunk: &mut Chunk, text: &mut String) {
    let user = partition_of(line.user_id.to_string().as_bytes(), PARTITIONS) as usize;
    let (at, id) = (line.ts.or(line.paid_at).unwrap(), line.event_id);
    let click = |text: &mut String, suffix: &str, kind: &str, sku: &str| {
        text.clear();
        write!(
            text,
            r#"{{"event_id":"{id}{suffix}","type":"{kind}","user_id":{},"anonymous_id":"a-{0}","session_id":"s-{0}","community_id":{},{sku}"ts":{at},"received_at":{NOW},"platform":"import","page":"","referrer":"","properties":{{}}}}"#,
            line.user_id, line.community_id
        )
        .unwrap();
    };
    let Some(order_id) = line.order_id else {
        let sku = format!(r#""sku_id":{},"#, line.sku_id.unwrap());
        click(text, "", line.click_type.unwrap(), &sku);
        chunk[user][0].push(text);
        return;
    };
    click(text, ":order", "order", "");
    chunk[user][0].push(text);
    let community = partition_of(line.community_id.to_string().as_bytes(), PARTITIONS) as usize;
    let items = line.items.as_deref().unwrap();
    let amount: i64 = items.iter().map(|item| item.qty * item.price_cents).sum();
    let paid_at = if line.status == Some("PAID") { format!("\"{}\"", utc(at)) } else { "null".to_owned() };
    let source = |table: &str, row: usize| {
        format!(
            r#""op":"c","ts_ms":{NOW},"source":{{"server":"import","db":"import","table":"{table}","event_id":"{id}","row":{row},"ts_ms":{at}}}"#
        )
    };
    text.clear();
    write!(
        text,
        r#"{{"before":null,"after":{{"order_id":{order_id},"user_id":{},"community_id":{},"leader_id":1,"status":2,"pay_amount":"{}","created_at":"{}","paid_at":{paid_at}}},{}}}"#,
        line.user_id, line.community_id, decimal(amount), utc(at), source("orders", 0)
    )
    .unwrap();
    chunk[community][1].push(text);
    for (i, item) in items.iter().enumerate() {
        text.clear();
        write!(
            text,
            r#"{{"before":null,"after":{{"item_id":{},"order_id":{order_id},"community_id":{},"sku_id":{},"category_id":null,"supplier_id":null,"qty":{},"price":"{}","amount":"{}"}},{}}}"#,
            i + 1, line.community_id, item.sku_id, item.qty, decimal(item.price_cents),
            decimal(item.qty * item.price_cents), source("order_items", i + 1)
        )
        .unwrap();
        chunk[community][2].push(text);
    }
}

#[derive(Default)]
struct Spent {
    decode: [Duration; 3],
    apply: [Duration; 3],
    finish: Duration,
    encode: Duration,
    records: [usize; 3],
    delta_bytes: usize,
    cells: BTreeMap<&'static str, (usize, usize)>,
}

struct Run {
    tasks: Vec<Task>,
    spent: Spent,
    epoch: u64,
    table: Option<BTreeMap<PartKey, MetricRecord>>,
    forwards: Vec<(u32, Vec<u8>)>,
}

impl Run {
    fn apply(&mut self, chunk: &Chunk) {
        for (task, values) in self.tasks.iter_mut().zip(chunk) {
            for (i, topic) in READ.into_iter().enumerate() {
                let start = Cpu::now();
                for value in values[i].iter() {
                    std::hint::black_box(event::decode(topic, value, Zone::SHANGHAI).is_ok());
                }
                self.spent.decode[i] += start.elapsed();
                self.spent.records[i] += values[i].ends.len();
                let start = Cpu::now();
                for value in values[i].iter() {
                    task.apply(RawRecord { topic, offset: 0, timestamp_ms: NOW, key: b"", value: Some(value) });
                }
                self.spent.apply[i] += start.elapsed();
            }
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.epoch += 1;
        for (partition, value) in std::mem::take(&mut self.forwards) {
            let record =
                RawRecord { topic: Topic::Buyers, offset: 0, timestamp_ms: NOW, key: b"", value: Some(&value) };
            self.tasks[partition as usize].apply(record);
        }
        for task in &mut self.tasks {
            let start = Cpu::now();
            let output = task.finish_epoch(Version { generation: 1, epoch: self.epoch, sequence: 0 });
            self.spent.finish += start.elapsed();
            self.spent.delta_bytes += output.delta.len();
            let start = Cpu::now();
            for effect in &output.effects {
                if let Effect::Metric(record) = effect {
                    std::hint::black_box(record.encode());
                }
            }
            self.spent.encode += start.elapsed();
            for effect in output.effects {
                match effect {
                    Effect::Metric(record) => {
                        let cells = self.spent.cells.entry(record.key.metric.name()).or_default();
                        *cells = (cells.0 + 1, cells.1 + record.rows());
                        if let Some(table) = &mut self.table {
                            table.insert(record.key, record);
                        }
                    }
                    Effect::Forward { partition, value, .. } => self.forwards.push((partition, value)),
                    Effect::DeadLetter { letter, .. } => {
                        if self.spent.cells.entry("dead letters").or_default().0 < 3 {
                            eprintln!("dead letter: {}", letter.reason);
                        }
                        self.spent.cells.entry("dead letters").or_default().0 += 1;
                    }
                }
            }
        }
    }
}

fn memory(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| args.iter().position(|a| a == name).map(|i| args[i + 1].clone());
    let epoch_lines: usize = option("--epoch-lines").map_or(200_000, |n| n.parse().unwrap());
    let out = option("--out");
    let task = |shard| {
        Task::new(TaskConfig {
            shard,
            partitions: PARTITIONS,
            zone: Zone::SHANGHAI,
            out_of_orderness_ms: 5_000,
            lateness_ms: 24 * 3_600_000,
            ahead_ms: 600_000,
        })
    };
    let mut run = Run {
        tasks: (0..PARTITIONS).map(task).collect(),
        spent: Spent::default(),
        epoch: 0,
        table: out.is_some().then(BTreeMap::new),
        forwards: Vec::new(),
    };
    let empty = || (0..PARTITIONS).map(|_| Default::default()).collect::<Chunk>();
    let (mut chunk, mut text, mut lines, mut newest) = (empty(), String::new(), 0usize, 0);
    let mut reader = std::io::BufReader::new(std::fs::File::open(&args[1]).unwrap());
    let mut buffer = String::new();
    while reader.read_line(&mut buffer).unwrap() > 0 {
        let line: Line<'_> = serde_json::from_str(&buffer).unwrap();
        newest = newest.max(line.ts.or(line.paid_at).unwrap());
        add(&line, &mut chunk, &mut text);
        lines += 1;
        if lines.is_multiple_of(epoch_lines) {
            run.apply(&chunk);
            chunk = empty();
        }
        buffer.clear();
    }
    run.apply(&chunk);
    drop(chunk);
    report(&run, lines);
    let last = run.tasks[0].as_of();
    run.tasks.iter_mut().for_each(|task| task.advance_watermark(EventTime(newest + 3_600_000)));
    run.finish();
    run.finish();
    assert!(run.forwards.is_empty() && run.tasks.iter().all(|task| !task.unfinished()), "drained as of {last:?}");
    println!("{}", serde_json::to_string(&total(&run.tasks)).unwrap());
    if let (Some(table), Some(out)) = (&run.table, &out) {
        std::fs::create_dir_all(out).unwrap();
        write_tables(table, out);
    }
    let start = Cpu::now();
    let bases: Vec<Vec<u8>> = run.tasks.iter().map(Task::base).collect();
    let bytes: usize = bases.iter().map(Vec::len).sum();
    println!("base {} MB in {:.2} s", bytes >> 20, start.elapsed().as_secs_f64());
}

fn report(run: &Run, lines: usize) {
    let spent = &run.spent;
    let per_million = |time: Duration| time.as_secs_f64() * 1e6 / lines as f64;
    let mut sum = spent.finish;
    for (i, topic) in READ.into_iter().enumerate() {
        sum += spent.apply[i];
        println!(
            "{:17} {:9} records  decode {:.3}  decode + admission + jobs {:.3} s a million lines",
            topic.name(),
            spent.records[i],
            per_million(spent.decode[i]),
            per_million(spent.apply[i])
        );
    }
    println!("finish_epoch {:.3}, all of it {:.3} s a million lines", per_million(spent.finish), per_million(sum));
    println!("(encode of results {:.3}; deltas {} bytes a line)", per_million(spent.encode), spent.delta_bytes / lines);
    println!("{lines} lines, rss {} MB, peak {} MB", memory("VmRSS"), memory("VmHWM"));
    for (name, (records, rows)) in &spent.cells {
        println!("  {name:18} {records:8} records {rows:10} rows");
    }
}

fn total(tasks: &[Task]) -> BTreeMap<&'static str, BTreeMap<&'static str, [u64; 6]>> {
    let mut total: BTreeMap<_, BTreeMap<_, [u64; 6]>> = BTreeMap::new();
    for (job, topics) in tasks.iter().flat_map(Task::conservation) {
        for (topic, c) in topics {
            let sum = total.entry(job).or_default().entry(topic).or_default();
            let counts = [c.received, c.applied, c.duplicate, c.late, c.history, c.dead_lettered];
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }
    total
}

/// Sums of one value by window and key over the shards.
fn sums(
    table: &BTreeMap<PartKey, MetricRecord>,
    metric: Metric,
    key: &[usize],
    value: usize,
) -> BTreeMap<Vec<i64>, i64> {
    let mut sums = BTreeMap::new();
    for record in table.values().filter(|record| record.key.metric == metric) {
        for row in 0..record.rows() {
            let mut at = vec![record.key.window_start];
            at.extend(key.iter().map(|column| record.columns[*column][row]));
            *sums.entry(at).or_insert(0) += record.columns[value][row];
        }
    }
    sums
}

fn write_tables(table: &BTreeMap<PartKey, MetricRecord>, out: &str) {
    let write = |name: &str, header: &str, rows: &BTreeMap<Vec<i64>, i64>| {
        let mut file = std::io::BufWriter::new(std::fs::File::create(format!("{out}/{name}.csv")).unwrap());
        writeln!(file, "{header}").unwrap();
        for (key, value) in rows {
            let key: Vec<String> = key.iter().map(i64::to_string).collect();
            writeln!(file, "{},{value}", key.join(",")).unwrap();
        }
    };
    write("gmv_min", "minute_ms,community_id,gmv", &sums(table, Metric::GmvMin, &[0], 1));
    write("gmv_min_total", "minute_ms,gmv", &sums(table, Metric::GmvMin, &[], 1));
    write("gmv_day", "day_ms,community_id,gmv", &sums(table, Metric::GmvDay, &[0], 1));
    write("gmv_day_total", "day_ms,gmv", &sums(table, Metric::GmvDay, &[], 1));
    write("uv_min", "w_ms,community_id,uv", &sums(table, Metric::UvMin, &[0], 1));
    write("uv_hour", "w_ms,community_id,uv", &sums(table, Metric::UvHour, &[0], 1));
    write("uv_day", "w_ms,community_id,uv", &sums(table, Metric::UvDay, &[0], 1));
    write("uv_day_total", "w_ms,uv", &sums(table, Metric::UvDayTotal, &[], 0));
    write("buyers_day", "day_ms,community_id,buyers", &sums(table, Metric::GmvDay, &[0], 3));
    write("buyers_day_total", "day_ms,buyers", &sums(table, Metric::BuyersDayTotal, &[], 0));
    write_lists(table, out);
}

fn write_lists(table: &BTreeMap<PartKey, MetricRecord>, out: &str) {
    let mut day = std::io::BufWriter::new(std::fs::File::create(format!("{out}/top_day.csv")).unwrap());
    writeln!(day, "d,community_id,rn,sku_id,q").unwrap();
    for record in table.values().filter(|record| record.key.metric == Metric::TopDayCommunity) {
        for row in 0..record.rows() {
            let (sku, quantity) = (record.columns[0][row], record.columns[1][row]);
            writeln!(day, "{},{},{},{sku},{quantity}", record.key.window_start, record.key.dimension, row + 1).unwrap();
        }
    }
    let mut by_minute: BTreeMap<i64, BTreeMap<i64, i64>> = BTreeMap::new();
    for (key, quantity) in sums(table, Metric::TopMin, &[1], 2) {
        by_minute.entry(key[0]).or_default().insert(key[1], quantity);
    }
    let mut hop = std::io::BufWriter::new(std::fs::File::create(format!("{out}/top_hop.csv")).unwrap());
    writeln!(hop, "window_end_ms,rn,sku_id,qty").unwrap();
    let (first, last) = (*by_minute.keys().next().unwrap(), *by_minute.keys().last().unwrap());
    let mut held: BTreeMap<i64, i64> = BTreeMap::new();
    for end in (first + 60_000..=last + 3_600_000).step_by(60_000) {
        for (minute, sign) in [(end - 60_000, 1), (end - 61 * 60_000, -1)] {
            for (sku, quantity) in by_minute.get(&minute).into_iter().flatten() {
                *held.entry(*sku).or_insert(0) += sign * quantity;
            }
        }
        held.retain(|_, quantity| *quantity != 0);
        let mut ranked: Vec<(i64, i64)> = held.iter().map(|(sku, quantity)| (-quantity, *sku)).collect();
        ranked.sort_unstable();
        for (i, (quantity, sku)) in ranked.iter().take(100).enumerate() {
            writeln!(hop, "{end},{},{sku},{}", i + 1, -quantity).unwrap();
        }
    }
}
