//! Scripts: commands as text in, effects as text out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, NaiveTime};
use linli_schemas::metric::{Metric, MetricRecord};
use linli_schemas::zone::Zone;
use linli_schemas::{EventTime, Topic};
use linli_stream_jobs::effect::Effect;

use crate::shop::Shop;

/// When Linli receives the records of the scripts.
const RECEIVED_AT: i64 = 1_793_577_600_000 + 5 * 86_400_000;

/// A command's words: the positional ones, and those that a letter or a sign introduces.
struct Words<'a> {
    text: &'a str,
    words: Vec<&'a str>,
    zone: Zone,
}

impl<'a> Words<'a> {
    fn tagged(&self, tag: char) -> Option<&'a str> {
        let tagged = |word: &&'a str| word.starts_with(tag) && word[1..].starts_with(|c: char| c.is_ascii_digit());
        self.words.iter().copied().find(tagged).map(|word| &word[1..])
    }
    fn id(&self, tag: char) -> i64 {
        self.tagged(tag).unwrap_or_else(|| panic!("{tag}… is missing in: {}", self.text)).parse().expect("a number")
    }
    fn at(&self) -> i64 {
        self.time(self.tagged('@').unwrap_or_else(|| panic!("@time is missing in: {}", self.text)))
    }
    /// `10:00:03` of 2026-11-02, `11-03T10:00` or `2027-01-01T10:00`, local.
    fn time(&self, text: &str) -> i64 {
        let (date, time) = text.split_once('T').unwrap_or(("2026-11-02", text));
        let date = if date.len() == 5 { format!("2026-{date}") } else { date.to_owned() };
        let date = NaiveDate::parse_from_str(&date, "%Y-%m-%d").expect("a date");
        let time = NaiveTime::parse_from_str(time, "%H:%M:%S")
            .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"))
            .expect("a time");
        self.zone.instant(date.and_time(time)).0
    }
    fn decimal(&self) -> &'a str {
        self.words.iter().copied().find(|word| word.contains('.') && !word.starts_with('@')).unwrap_or("0.00")
    }
    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }
    fn named(&self, name: &str) -> Option<&'a str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

fn utc(at: i64) -> String {
    DateTime::from_timestamp_millis(at).expect("a time").format("\"%Y-%m-%dT%H:%M:%S%.3fZ\"").to_string()
}

/// A record as bytes, with its topic and routing key.
pub struct Made {
    pub topic: Topic,
    pub key: String,
    pub value: String,
}

/// Where a record came from: the part of an envelope's source that tells it apart.
pub fn place(words: &str, line: usize) -> String {
    match words.split(' ').find_map(|word| word.strip_prefix("event=")) {
        Some(id) => format!(r#""event_id":"{id}","row":0"#),
        None => match words.split(' ').find_map(|word| word.strip_prefix("gtid=")) {
            Some(gtid) => format!(r#""gtid":"3e11fa47-71ca-11e1-9e33-c80aa9429562:{gtid}","row":{line}"#),
            None => format!(r#""file":"binlog.000007","pos":{},"row":0"#, 1000 + line * 10),
        },
    }
}

fn envelope(words: &Words<'_>, line: usize, op: &str, rows: (String, String), table: &str) -> String {
    let at = words.named("written").map_or_else(|| words.at(), |text| words.time(text));
    let moved = if words.has("moved") { r#""moved":true,"# } else { "" };
    format!(
        r#"{{"before":{},"after":{},"op":"{op}",{moved}"ts_ms":{RECEIVED_AT},"source":{{"server":"shop-1","table":"{table}",{},"ts_ms":{at}}}}}"#,
        rows.0,
        rows.1,
        place(words.text, line)
    )
}

/// The record of a command, or nothing if it is no record.
fn record(words: &Words<'_>, line: usize) -> Option<Made> {
    let command = words.words.first().copied().unwrap_or_default();
    let op = match command.split_once('-').map_or("", |(_, kind)| kind) {
        "create" | "" => "c",
        "update" | "pay" => "u",
        "delete" => "d",
        "read" => "r",
        other => panic!("no such kind of change: {other}"),
    };
    let none = || "null".to_owned();
    let (topic, key, rows, table) = match command.split('-').next().unwrap_or_default() {
        "order" => {
            let row = |paid: &str| {
                format!(
                    r#"{{"order_id":{},"user_id":{},"community_id":{},"status":1,"pay_amount":"{}","paid_at":{paid}}}"#,
                    words.words[1],
                    words.id('u'),
                    words.id('c'),
                    words.decimal()
                )
            };
            let paid = row(&utc(words.at()));
            let after = if words.has("unpaid") { row("null") } else { paid.clone() };
            let rows = match (op, command.ends_with("pay")) {
                ("u", true) => (row("null"), after),
                ("u", false) => (after.clone(), after),
                ("d", _) => (after, none()),
                _ => (none(), after),
            };
            (Topic::Orders, words.id('c'), rows, "orders")
        }
        "item" => {
            let row = format!(
                r#"{{"item_id":{},"order_id":{},"community_id":{},"sku_id":{},"category_id":{},"qty":{}}}"#,
                words.words[2],
                words.words[1],
                words.id('c'),
                words.id('s'),
                words.id('k'),
                words.id('x')
            );
            let rows = match op {
                "d" => (row, none()),
                _ => (none(), row),
            };
            (Topic::OrderItems, words.id('c'), rows, "order_items")
        }
        "refund" => {
            let row = format!(
                r#"{{"refund_id":{},"order_id":1,"community_id":{},"amount":"{}","refunded_at":{}}}"#,
                words.words[1],
                words.id('c'),
                words.decimal(),
                utc(words.at())
            );
            (Topic::Refunds, words.id('c'), (none(), row), "refunds")
        }
        "click" => return Some(click(words)),
        "garbage" => return Some(Made { topic: Topic::Clicks, key: "1".to_owned(), value: "{\"ts\":".to_owned() }),
        _ => return None,
    };
    Some(Made { topic, key: key.to_string(), value: envelope(words, line, op, rows, table) })
}

fn click(words: &Words<'_>) -> Made {
    let actor = match words.named("anonymous") {
        Some(id) => (id.to_owned(), format!(r#""anonymous_id":"{id}""#)),
        None => (words.id('u').to_string(), format!(r#""user_id":{},"anonymous_id":"a""#, words.id('u'))),
    };
    Made {
        topic: Topic::Clicks,
        key: actor.0,
        value: format!(
            r#"{{"event_id":"{}","type":"view",{},"session_id":"s","community_id":{},"ts":{},"received_at":{RECEIVED_AT},"platform":"web"}}"#,
            words.words[1],
            actor.1,
            words.id('c'),
            words.at()
        ),
    }
}

/// What a script is run through, besides as it stands.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    pub partitions: u32,
    pub twice: bool,
    /// After every command.
    pub epoch: bool,
    pub crash: bool,
}

/// Runs a script; the shop afterwards, drained, and the effects as text.
pub fn run(script: &str, zone: Zone, plan: Plan) -> (Shop, String) {
    let mut shop = Shop::new(zone, plan.partitions);
    shop.twice = plan.twice;
    let mut text = String::new();
    for (number, line) in script.lines().enumerate() {
        let Some(command) = line.trim().strip_prefix("> ") else { continue };
        writeln!(text, "> {command}").expect("memory");
        let words = Words { text: command, words: command.split_whitespace().collect(), zone };
        match (record(&words, number), words.words.first().copied()) {
            (Some(made), _) => shop.publish(made.topic, &made.key, Some(&made.value)),
            (None, Some("tombstone")) => shop.publish(Topic::Orders, "1", None),
            (None, Some("epoch")) => print(&shop.epoch(), zone, &mut text),
            (None, Some("crash")) => shop.crash(),
            (None, Some("redeliver")) => shop.redeliver(),
            (None, Some("watermark")) => shop.advance_watermark(words.at()),
            _ => panic!("no such command: {command}"),
        }
        if plan.epoch {
            shop.epoch();
        }
        if plan.crash {
            shop.crash();
        }
    }
    let rest = shop.drain();
    if !rest.is_empty() {
        writeln!(text, "(drained)").expect("memory");
        print(&rest, zone, &mut text);
    }
    for ((job, topic), counts) in shop.counts().iter().filter(|(_, counts)| counts.received > 0) {
        let fields = [
            ("applied", counts.applied),
            ("duplicate", counts.duplicate),
            ("late", counts.late),
            ("history", counts.history),
            ("dead_lettered", counts.dead_lettered),
        ];
        let parts: Vec<String> = fields.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {n}")).collect();
        writeln!(text, "= {job} {topic}: received {} = {}", counts.received, parts.join(" + ")).expect("memory");
    }
    (shop, text)
}

fn print(effects: &[Effect], zone: Zone, text: &mut String) {
    for effect in effects {
        match effect {
            Effect::Metric(record) => print_metric(record, zone, text),
            Effect::Forward { topic, partition, value, .. } => {
                let value = String::from_utf8_lossy(value);
                writeln!(text, "< forward {}/{partition} {value}", topic.name()).expect("memory");
            }
            Effect::DeadLetter { letter, .. } => {
                writeln!(text, "< dead-letter {} {}: {}", letter.topic, letter.code, letter.reason).expect("memory");
            }
        }
    }
}

fn print_metric(record: &MetricRecord, zone: Zone, text: &mut String) {
    let local = |at: i64| {
        let wall = DateTime::from_timestamp_millis(zone.to_wall_ms(EventTime(at))).expect("a time");
        wall.format("%m-%dT%H:%M").to_string()
    };
    let window = match record.key.metric {
        Metric::TopHopCommunity => format!("..{}", local(record.window_end)),
        _ => local(record.key.window_start),
    };
    let dimension = match record.key.dimension {
        0 => String::new(),
        dimension => format!(" of {dimension}"),
    };
    let head = format!("< {} {window}{dimension}", record.key.metric.name());
    if record.rows() == 0 {
        writeln!(text, "{head} (nothing)").expect("memory");
    }
    for row in 0..record.rows() {
        let names = record.key.metric.columns();
        let cells: Vec<String> =
            names.iter().zip(&record.columns).map(|(name, column)| format!("{name}={}", column[row])).collect();
        writeln!(text, "{head} {}", cells.join(" ")).expect("memory");
    }
}

/// The letters that were put aside, by code.
pub fn letters(shop: &Shop) -> BTreeMap<String, usize> {
    let mut letters = BTreeMap::new();
    for code in shop.dead_letters.values() {
        *letters.entry(code.clone()).or_insert(0) += 1;
    }
    letters
}
