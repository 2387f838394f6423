//! `linli dead-letter list`: records that could not be used, read from the log.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use linli_connectors::log::{Batch, EventLog, TopicPartition};
use linli_schemas::Topic;
use linli_schemas::dead_letter::DeadLetter;
use serde::Serialize;

use crate::args::DeadLetterCommand;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;

const RECORDS_A_POLL: usize = 1000;

/// A dead letter for people: the original as text where it is text.
#[derive(Debug, Serialize)]
struct Shown {
    topic: String,
    partition: Option<u32>,
    offset: Option<u64>,
    code: String,
    reason: String,
    at: i64,
    key: String,
    value: String,
}

pub async fn run(parts: &Parts, command: &DeadLetterCommand, output: &Output) -> Outcome {
    let DeadLetterCommand::List { limit, code } = command;
    let log = parts.log_with_topics().await?;
    let letters = read(&*log, parts.config.partitions, *limit, code.as_deref()).await?;
    output.result(&letters, |letters| {
        if letters.is_empty() {
            return "no dead letters".to_owned();
        }
        letters.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn line(letter: &Shown) -> String {
    let place = match (letter.partition, letter.offset) {
        (Some(partition), Some(offset)) => format!("{}/{partition}@{offset}", letter.topic),
        _ => format!("{} {}", letter.topic, letter.key),
    };
    let value: String = letter.value.chars().take(200).collect();
    format!("{place}\t{}\t{}\t{value}", letter.code, letter.reason)
}

/// The newest `limit`, each once, oldest first.
async fn read(log: &dyn EventLog, partitions: u32, limit: usize, code: Option<&str>) -> Outcome<Vec<Shown>> {
    let places: Vec<TopicPartition> =
        (0..partitions).map(|partition| TopicPartition { topic: Topic::DeadLetter.name().into(), partition }).collect();
    let ends = log.ends(&places).await?;
    let mut left: u64 = ends.iter().sum();
    let mut reader = log.reader(places.into_iter().map(|place| (place, 0)).collect()).await?;
    let mut newest: VecDeque<(i64, Shown)> = VecDeque::new();
    let mut seen = BTreeMap::new();
    let mut batch = Batch::default();
    while left > 0 {
        reader.poll(&mut batch, RECORDS_A_POLL, Duration::from_secs(1)).await?;
        for record in batch.iter().filter(|record| record.offset < ends[record.source]) {
            left -= 1;
            let Some(letter) = record.value.and_then(|value| serde_json::from_slice::<DeadLetter>(value).ok()) else {
                continue;
            };
            let identity = (letter.topic.clone(), letter.partition, letter.offset, letter.key.clone());
            let wanted = code.is_none_or(|code| letter.code == code);
            if wanted && seen.insert(identity, ()).is_none() {
                newest.push_back((letter.at, shown(letter)));
            }
        }
        // Partitions interleave: twice the limit is kept, then the oldest go.
        if newest.len() > 2 * limit.max(RECORDS_A_POLL) {
            cut(&mut newest, limit);
        }
    }
    cut(&mut newest, limit);
    Ok(newest.into_iter().map(|(_, letter)| letter).collect())
}

fn cut(letters: &mut VecDeque<(i64, Shown)>, limit: usize) {
    letters.make_contiguous().sort_by_key(|(at, _)| *at);
    letters.drain(..letters.len().saturating_sub(limit));
}

fn shown(letter: DeadLetter) -> Shown {
    let text = |encoded: &str| match DeadLetter::decode_bytes(encoded) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => encoded.to_owned(),
    };
    Shown {
        key: text(&letter.key),
        value: text(&letter.value),
        topic: letter.topic,
        partition: letter.partition,
        offset: letter.offset,
        code: letter.code,
        reason: letter.reason,
        at: letter.at,
    }
}
