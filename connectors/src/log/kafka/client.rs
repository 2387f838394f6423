//! One cluster: its configuration, what topics it has, where partitions begin and end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::log::OpenOptions;
use crate::{Error, ErrorKind, Result};

pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const REACH_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a batch as the broker sees it: the longest record, and what wraps it. No more, or a broker's default would refuse it.
pub(super) const MESSAGE_BYTES_MAX: &str = "104857600";
/// Tries at the offsets of partitions whose leader moves, and the time between them.
const LEADER_TRIES_MAX: usize = 50;
const LEADER_WAIT: Duration = Duration::from_millis(100);
/// Looks for a topic that was just made, half a second apart at most.
const TOPIC_LOOKS_MAX: usize = 100;

/// Passes what librdkafka has to say on to our log.
#[derive(Clone, Default)]
pub(super) struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, message, "kafka client");
            }
            _ => tracing::debug!(facility, message, "kafka client"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Context {}

pub(super) struct Client {
    /// `kafka://HOST:PORT`, for messages.
    name: String,
    config: ClientConfig,
    /// Of the producer alone: appends are transactions under this id.
    pub(super) transactional_id: Option<String>,
    consumer: BaseConsumer<Context>,
    /// Partition counts of topics met. They do not change: what stands in them rests on the count.
    partitions: Mutex<BTreeMap<String, u32>>,
}

impl Client {
    pub(super) fn new(rest: &str, options: &OpenOptions) -> Result<Client> {
        let (hosts, query) = rest.split_once('?').unwrap_or((rest, ""));
        let hosts = hosts.trim_end_matches('/');
        let name = format!("kafka://{hosts}");
        let bad = |cause: String| {
            Error::new(ErrorKind::Config, format!("event log {name:?}"), cause)
                .hint("use kafka://HOST:PORT[,HOST:PORT][?SETTING=VALUE] with settings of librdkafka")
        };
        for host in hosts.split(',') {
            let port = host.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                return Err(bad(format!("{host:?} is no HOST:PORT")));
            }
        }
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", hosts).set("client.id", &options.client_id);
        let mut transactional_id = None;
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "transactional.id" => transactional_id = Some(value.into_owned()),
                _ => {
                    config.set(key, value);
                }
            }
        }
        let mut reading = config.clone();
        with_defaults(&mut reading, &[("isolation.level", "read_uncommitted"), ("allow.auto.create.topics", "false")]);
        let consumer = create(&reading, Context).map_err(|error| bad(error.to_string()).caused_by(error))?;
        Ok(Client { name, config, transactional_id, consumer, partitions: Mutex::default() })
    }

    /// A configuration with `defaults` under what the URL sets.
    pub(super) fn config(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.config.clone();
        with_defaults(&mut config, defaults);
        config
    }

    pub(super) fn create<X, C: FromClientConfigAndContext<X>>(&self, defaults: &[(&str, &str)], context: X) -> Result<C>
    where
        X: ClientContext,
    {
        create(&self.config(defaults), context).map_err(|error| self.failed("a client", "cannot be made", &error))
    }

    pub(super) fn create_producer<X, C: FromClientConfigAndContext<X>>(
        &self,
        defaults: &[(&str, &str)],
        context: X,
    ) -> Result<C>
    where
        X: ClientContext,
    {
        let mut config = self.config(defaults);
        if let Some(id) = &self.transactional_id {
            config.set("transactional.id", id);
            // At least as long as a message may take.
            with_defaults(&mut config, &[("transaction.timeout.ms", "180000")]);
        }
        create(&config, context).map_err(|error| self.failed("a producer", "cannot be made", &error))
    }

    pub(super) fn admin(&self) -> Result<AdminClient<Context>> {
        self.create(&[], Context)
    }

    pub(super) fn failed(&self, what: &str, doing: &str, error: &KafkaError) -> Error {
        let object = format!("{what} on {}", self.name);
        let (kind, hint) = advice(error.rdkafka_error_code());
        Error::new(kind, object, format!("{doing}: {error}")).hint(hint).caused_by(error.clone())
    }

    /// Blocking. Refuses a cluster that does not answer in time.
    pub(super) fn reach(&self) -> Result<()> {
        let answered = self.consumer.fetch_metadata(None, REACH_TIMEOUT);
        let metadata = answered.map_err(|error| {
            Error::new(ErrorKind::Retry, format!("event log {}", self.name), format!("does not answer: {error}"))
                .hint("check the address, and that the broker is up and reachable from here")
                .caused_by(error)
        })?;
        for topic in metadata.topics() {
            self.learn(topic.name(), topic.partitions().len());
        }
        Ok(())
    }

    fn learn(&self, topic: &str, partitions: usize) {
        let mut known = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(topic.to_owned(), u32::try_from(partitions).unwrap_or(u32::MAX));
    }

    pub(super) fn known_partitions(&self, topic: &str) -> Option<u32> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied()
    }

    /// Blocking. `None` where there is no such topic.
    pub(super) fn partition_count(&self, topic: &str) -> Result<Option<u32>> {
        let what = format!("topic {topic:?}");
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
            .map_err(|error| self.failed(&what, "cannot be looked up", &error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {
                self.learn(topic, found.partitions().len());
                Ok(Some(u32::try_from(found.partitions().len()).unwrap_or(u32::MAX)))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(code) => Err(self.failed(&what, "cannot be looked up", &KafkaError::MetadataFetch(code))),
        }
    }

    /// Blocking. Waits until all brokers asked know topics that were just made; returns their partition counts.
    pub(super) fn wait_for_topics(&self, topics: &[String]) -> Result<Vec<u32>> {
        topics.iter().map(|topic| self.wait_for_topic(topic)).collect()
    }

    fn wait_for_topic(&self, topic: &str) -> Result<u32> {
        for look in 0..TOPIC_LOOKS_MAX {
            if let Some(found) = self.partition_count(topic)?.filter(|found| *found > 0) {
                return Ok(found);
            }
            self.consumer.poll(Duration::from_millis((look as u64 + 1) * 5)); // waits, and serves events meanwhile
        }
        let object = format!("topic {topic:?} on {}", self.name);
        Err(Error::new(ErrorKind::Retry, object, "was made but does not show").hint("check that all brokers are up"))
    }

    /// Blocking. The offset after the last record of each.
    pub(super) fn ends(&self, places: &[(String, i32)]) -> Result<Vec<u64>> {
        self.offsets(places, Offset::End)
    }

    /// Blocking. The offset of the first record of each that is still there.
    pub(super) fn starts(&self, places: &[(String, i32)]) -> Result<Vec<u64>> {
        self.offsets(places, Offset::Beginning)
    }

    /// One request a broker: the protocol takes "latest" and "earliest" for times.
    fn offsets(&self, places: &[(String, i32)], time: Offset) -> Result<Vec<u64>> {
        let mut tries = 1;
        loop {
            match self.try_offsets(places, time) {
                Ok(offsets) => return Ok(offsets),
                Err(error) if tries < LEADER_TRIES_MAX && is_leader_moving(&error) => {
                    tries += 1;
                    for (topic, _) in places {
                        self.partition_count(topic)?; // looks up the leaders too
                    }
                    self.consumer.poll(LEADER_WAIT);
                }
                Err(error) => return Err(self.failed("offsets of partitions", "cannot be read", &error)),
            }
        }
    }

    fn try_offsets(&self, places: &[(String, i32)], time: Offset) -> Result<Vec<u64>, KafkaError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = TopicPartitionList::with_capacity(places.len());
        for (topic, partition) in places {
            asked.add_partition_offset(topic, *partition, time)?;
        }
        let found = self.consumer.offsets_for_times(asked, REQUEST_TIMEOUT)?;
        let offset = |(topic, partition): &(String, i32)| {
            let place = found.find_partition(topic, *partition);
            let place = place.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
            place.error()?;
            let offset = place.offset().to_raw().and_then(|raw| u64::try_from(raw).ok());
            offset.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset))
        };
        places.iter().map(offset).collect()
    }
}

/// Whether what is known of a partition's leader has just become old, as after a broker's restart.
fn is_leader_moving(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::OffsetNotAvailable
        )
    )
}

fn create<X, C>(config: &ClientConfig, context: X) -> rdkafka::error::KafkaResult<C>
where
    X: ClientContext,
    C: FromClientConfigAndContext<X>,
{
    config.create_with_context(context)
}

fn with_defaults(config: &mut ClientConfig, defaults: &[(&str, &str)]) {
    for (key, value) in defaults {
        if config.get(key).is_none() {
            config.set(*key, *value);
        }
    }
}

/// What a code asks of the caller.
pub(super) fn advice(code: Option<RDKafkaErrorCode>) -> (ErrorKind, &'static str) {
    use RDKafkaErrorCode as Code;
    match code {
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::UnsupportedSASLMechanism,
        ) => (ErrorKind::Config, "check the credentials and what they may do"),
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => {
            (ErrorKind::Config, "raise max.message.bytes of the topic to 104857600")
        }
        Some(Code::InvalidTimestamp) => (
            ErrorKind::Config,
            "set message.timestamp.before.max.ms and .after.max.ms of the topic to 9223372036854775807",
        ),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            (ErrorKind::Retry, "check that nobody deleted the topic")
        }
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => (
            ErrorKind::Corrupt,
            "the log lost records or is not the one these positions were taken from: replay into a new namespace",
        ),
        Some(Code::InvalidReplicationFactor | Code::InvalidConfig | Code::InvalidArgument | Code::PolicyViolation) => {
            (ErrorKind::Config, "check the broker's settings and policies")
        }
        _ => (ErrorKind::Retry, "check that the brokers are up and reachable from here"),
    }
}
