//! The log on Kafka.
//!
//! Groups assign partitions and nothing else: no offset is committed, since positions live in the epochs.
//! Topics are made to keep every record (`retention.ms=-1`), for a history older than the usual week must not vanish.

mod client;
mod consume;
mod membership;
mod produce;
mod reader;
mod transaction;

use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::blocking::blocking;
use super::{EventLog, LogReader, Membership, NewRecord, OpenOptions, TopicPartition, TopicSpec, topics};
use crate::{Error, ErrorKind, Result};
use client::Client;
use membership::KafkaMembership;
use produce::{Delivery, Writer};
use reader::KafkaReader;

/// A handle on a Kafka cluster.
pub(super) struct KafkaLog {
    client: Arc<Client>,
    writer: Arc<Writer>,
    options: OpenOptions,
}

impl KafkaLog {
    /// `rest` is what follows `kafka://`.
    pub(super) async fn open(rest: &str, options: OpenOptions) -> Result<KafkaLog> {
        let client = Arc::new(Client::new(rest, &options)?);
        let reached = Arc::clone(&client);
        blocking(move || reached.reach()).await?;
        let writer = Arc::new(Writer::new(Arc::clone(&client)));
        Ok(KafkaLog { client, writer, options })
    }

    fn full_name(&self, name: &str) -> String {
        topics::full_name(&self.options.namespace, name)
    }

    /// Refuses topics and partitions that are not there; returns the places by their full names.
    async fn check(&self, places: Vec<TopicPartition>) -> Result<Vec<(String, i32)>> {
        let full: Vec<(String, TopicPartition)> =
            places.into_iter().map(|place| (self.full_name(&place.topic), place)).collect();
        let known = |full: Vec<(String, TopicPartition)>, client: &Client, ask: bool| {
            full.into_iter()
                .map(|(name, place)| {
                    let found = if ask { client.partition_count(&name)? } else { client.known_partitions(&name) };
                    let count = found.ok_or_else(|| topics::unknown_topic(&place.topic))?;
                    let number = i32::try_from(place.partition).ok().filter(|_| place.partition < count);
                    let number =
                        number.ok_or_else(|| topics::unknown_partition(&place.topic, place.partition, count))?;
                    Ok((name, number))
                })
                .collect::<Result<Vec<_>>>()
        };
        if full.iter().all(|(name, _)| self.client.known_partitions(name).is_some()) {
            return known(full, &self.client, false);
        }
        let client = Arc::clone(&self.client);
        blocking(move || known(full, &client, true)).await
    }

    /// Makes the topics on the cluster, whatever their names here.
    async fn make(&self, specs: &[TopicSpec], names: &[String], newest: NewestSettings) -> Result<()> {
        let admin: AdminClient<_> = self.client.admin()?;
        let new: Vec<NewTopic<'_>> = specs.iter().zip(names).map(|(spec, name)| describe(spec, name, newest)).collect();
        let options = AdminOptions::new().request_timeout(Some(client::REQUEST_TIMEOUT));
        let results = admin
            .create_topics(&new, &options)
            .await
            .map_err(|error| self.client.failed("topics", "cannot be made", &error))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, RDKafkaErrorCode::InvalidConfig)) if newest == NewestSettings::With => {
                    // An older broker does not know the newest setting, and needs it not.
                    return Box::pin(self.make(specs, names, NewestSettings::Without)).await;
                }
                Err((name, code)) => {
                    let error = rdkafka::error::KafkaError::AdminOp(code);
                    return Err(self.client.failed(&topics::object(&name), "cannot be made", &error));
                }
            }
        }
        Ok(())
    }
}

/// Whether to name settings that brokers before 3.6 do not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NewestSettings {
    With,
    Without,
}

fn describe<'a>(spec: &TopicSpec, name: &'a str, newest: NewestSettings) -> NewTopic<'a> {
    let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1))
        .set("max.message.bytes", client::MESSAGE_BYTES_MAX)
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("cleanup.policy", if spec.compacted { "compact" } else { "delete" });
    match newest {
        // Brokers since 4.0 refuse records that are dated an hour ahead; a wrong clock is for the jobs to judge.
        NewestSettings::With => topic.set("message.timestamp.after.max.ms", "9223372036854775807"),
        NewestSettings::Without => topic,
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    async fn create_topics(&self, specs: &[TopicSpec]) -> Result<()> {
        specs.iter().try_for_each(topics::check_spec)?;
        let names: Vec<String> = specs.iter().map(|spec| self.full_name(&spec.name)).collect();
        let (client, asked) = (Arc::clone(&self.client), names.clone());
        let found =
            blocking(move || asked.iter().map(|name| client.partition_count(name)).collect::<Result<Vec<_>>>()).await?;
        for (spec, found) in specs.iter().zip(&found) {
            match found {
                Some(found) if *found != spec.partitions => {
                    return Err(topics::other_partition_count(&spec.name, *found, spec.partitions));
                }
                _ => {}
            }
        }
        let missing = |index: &usize| found[*index].is_none();
        let new: Vec<usize> = (0..specs.len()).filter(missing).collect();
        if new.is_empty() {
            return Ok(());
        }
        let new_specs: Vec<TopicSpec> = new.iter().map(|index| specs[*index].clone()).collect();
        let new_names: Vec<String> = new.iter().map(|index| names[*index].clone()).collect();
        self.make(&new_specs, &new_names, NewestSettings::With).await?;
        let client = Arc::clone(&self.client);
        let counts = blocking(move || client.wait_for_topics(&new_names)).await?;
        for (spec, found) in new_specs.iter().zip(counts) {
            if found != spec.partitions {
                return Err(topics::other_partition_count(&spec.name, found, spec.partitions)); // another made it meanwhile
            }
        }
        Ok(())
    }

    async fn partition_count(&self, topic: &str) -> Result<Option<u32>> {
        let (client, name) = (Arc::clone(&self.client), self.full_name(topic));
        blocking(move || client.partition_count(&name)).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut places: Vec<TopicPartition> = Vec::new();
        for record in &records {
            topics::check_size(record)?;
            // Few places for many records: the last ones met are looked at first.
            if !places.iter().rev().any(|place| place.partition == record.partition && place.topic == record.topic) {
                places.push(TopicPartition { topic: Arc::clone(&record.topic), partition: record.partition });
            }
        }
        self.check(places).await?;
        let (writer, namespace) = (Arc::clone(&self.writer), self.options.namespace.clone());
        if self.client.transactional_id.is_some() {
            return writer.append_transaction(namespace, records).await;
        }
        let delivery: Arc<Delivery> = blocking(move || writer.send(&namespace, &records)).await?;
        delivery.done().await
    }

    async fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<u64>> {
        let places = self.check(partitions.to_vec()).await?;
        let client = Arc::clone(&self.client);
        blocking(move || client.ends(&places)).await
    }

    async fn reader(&self, from: Vec<(TopicPartition, u64)>) -> Result<Box<dyn LogReader>> {
        let places = self.check(from.iter().map(|(place, _)| place.clone()).collect()).await?;
        let (client, asked) = (Arc::clone(&self.client), places.clone());
        let (starts, ends) = blocking(move || Ok((client.starts(&asked)?, client.ends(&asked)?))).await?;
        for (((place, offset), start), end) in from.iter().zip(starts).zip(ends) {
            if *offset < start {
                return Err(deleted(place, *offset, start));
            }
            if *offset > end {
                return Err(topics::out_of_range(&place.topic, place.partition, *offset, end));
            }
        }
        let sources =
            places.into_iter().zip(from).map(|((name, partition), (_, offset))| (name, partition, offset)).collect();
        Ok(Box::new(KafkaReader::open(&self.client, Arc::clone(&self.options.clock), sources)?))
    }

    async fn join(&self, group: &str, leading_topic: &str) -> Result<Box<dyn Membership>> {
        let name = self.full_name(leading_topic);
        let (client, asked) = (Arc::clone(&self.client), name.clone());
        let found = blocking(move || client.partition_count(&asked)).await?;
        found.ok_or_else(|| topics::unknown_topic(leading_topic))?;
        let (client, group) = (Arc::clone(&self.client), self.full_name(group));
        Ok(Box::new(blocking(move || KafkaMembership::join(&client, &group, &name)).await?))
    }
}

fn deleted(place: &TopicPartition, offset: u64, start: u64) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("topic {:?} partition {}", place.topic, place.partition),
        format!("was asked for offset {offset}, but begins at {start}"),
    )
    .hint("records not yet read were deleted: set retention.ms=-1 on the topic, and replay into a new namespace")
}
