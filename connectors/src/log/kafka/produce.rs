//! Appending: records go to an idempotent producer, and an append is done when each was acknowledged by all replicas.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;

use super::client::{self, Client, Context};
use crate::Result;
use crate::log::{NewRecord, topics};

/// How long a full queue is given to drain before the next try.
const FULL_WAIT: Duration = Duration::from_millis(2);

const SETTINGS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // A record that fails stops those behind it: what is appended after an error is a prefix.
    ("enable.gapless.guarantee", "true"),
    // Longer than a broker takes to come back; the append waits meanwhile.
    ("message.timeout.ms", "120000"),
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "131072"),
    ("message.max.bytes", client::MESSAGE_BYTES_MAX),
    ("batch.size", "1000000"),
];

/// The records of one append that are still under way.
pub(super) struct Delivery {
    client: Arc<Client>,
    left: AtomicUsize,
    error: Mutex<Option<KafkaError>>,
    none_left: Notify,
}

impl Delivery {
    fn finish(&self, records: usize) {
        if records > 0 && self.left.fetch_sub(records, Ordering::AcqRel) == records {
            self.none_left.notify_one();
        }
    }

    /// Keeps the first error.
    fn fail(&self, error: KafkaError) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) async fn done(&self) -> Result<()> {
        while self.left.load(Ordering::Acquire) > 0 {
            self.none_left.notified().await;
        }
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(error) => Err(self.client.failed("an append", "failed", &error)),
        }
    }
}

pub(super) struct Reports(Context);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<Delivery>) {
        if let Err((error, _)) = result {
            delivery.fail(error.clone());
        }
        delivery.finish(1);
    }
}

pub(super) type LogProducer = ThreadedProducer<Reports>;

/// Owns the producer: made at the first append, and made anew when it failed for good.
pub(super) struct Writer {
    pub(super) client: Arc<Client>,
    producer: Mutex<Option<Arc<LogProducer>>>,
    /// Held by the transaction under way.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Writer {
    pub(super) fn new(client: Arc<Client>) -> Writer {
        Writer { client, producer: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The producer, and whether it was made just now.
    pub(super) fn producer(&self) -> Result<(Arc<LogProducer>, bool)> {
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*current {
            match producer.client().fatal_error() {
                None => return Ok((Arc::clone(producer), false)),
                Some((code, reason)) => {
                    tracing::warn!(?code, reason, "the kafka producer failed for good: making another")
                }
            }
        }
        let made: Arc<LogProducer> = Arc::new(self.client.create_producer(SETTINGS, Reports(Context))?);
        *current = Some(Arc::clone(&made));
        Ok((made, true))
    }

    /// The next append makes another producer.
    pub(super) fn forget(&self) {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Blocking while the queue is full. Hands the records over in order; the delivery tells when they are durable.
    pub(super) fn send(&self, namespace: &str, records: &[NewRecord]) -> Result<Arc<Delivery>> {
        let (producer, _) = self.producer()?;
        let delivery = Arc::new(Delivery {
            client: Arc::clone(&self.client),
            left: AtomicUsize::new(records.len()),
            error: Mutex::default(),
            none_left: Notify::new(),
        });
        let mut names: Vec<(Arc<str>, String)> = Vec::new();
        for (sent, record) in records.iter().enumerate() {
            let known = names.iter().position(|(topic, _)| Arc::ptr_eq(topic, &record.topic) || *topic == record.topic);
            let index = known.unwrap_or_else(|| {
                names.push((Arc::clone(&record.topic), topics::full_name(namespace, &record.topic)));
                names.len() - 1
            });
            if let Err(error) = send_one(&producer, &names[index].1, record, &delivery) {
                delivery.fail(error);
                delivery.finish(records.len() - sent);
                break;
            }
        }
        Ok(delivery)
    }
}

fn send_one(
    producer: &LogProducer,
    topic: &str,
    record: &NewRecord,
    delivery: &Arc<Delivery>,
) -> Result<(), KafkaError> {
    let mut message = BaseRecord::with_opaque_to(topic, Arc::clone(delivery))
        .partition(i32::try_from(record.partition).unwrap_or(i32::MAX))
        .key(&record.key[..])
        .timestamp(record.timestamp_ms.max(1)); // 0 is "now" to librdkafka
    message.payload = record.value.as_deref();
    loop {
        match producer.send(message) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(FULL_WAIT);
                message = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}
