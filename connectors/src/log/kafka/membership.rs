//! A consumer group that assigns partitions and does nothing else: what it assigns is paused, and nothing is committed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::Notify;

use super::client::{Client, Context, advice};
use crate::log::Membership;
use crate::log::blocking::blocking;
use crate::{Error, ErrorKind, Result};

const SETTINGS: &[(&str, &str)] = &[
    ("partition.assignment.strategy", "range"),
    // A member that died is replaced after this.
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1500"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("allow.auto.create.topics", "false"),
    ("queued.min.messages", "1"),
    ("queued.max.messages.kbytes", "64"),
    ("max.partition.fetch.bytes", "1024"),
];
const POLL_EVERY: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    leaving: AtomicBool,
}

#[derive(Default)]
struct State {
    /// `None` until the group has assigned for the first time.
    owned: Option<BTreeSet<u32>>,
    error: Option<KafkaError>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self, partitions: BTreeSet<u32>) {
        self.state().owned = Some(partitions);
        self.changed.notify_one();
    }
}

struct Assigned {
    shared: Arc<Shared>,
    context: Context,
}

impl ClientContext for Assigned {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for Assigned {
    /// A revocation is followed by the new assignment, and that alone is told: what stays with this member need not
    /// stop in between. Should two members own a partition for a moment, the epochs fence the older.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let done = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let owned =
                partitions.elements().iter().filter_map(|place| u32::try_from(place.partition()).ok()).collect();
            self.shared.own(owned);
            partitions
                .set_all_offsets(Offset::End)
                .and_then(|()| consumer.assign(partitions))
                .and_then(|()| consumer.pause(partitions))
        } else {
            if consumer.assignment_lost() {
                self.shared.own(BTreeSet::new()); // others may have had it for a while
            }
            consumer.unassign()
        };
        if let Err(error) = done {
            tracing::warn!(%error, "cannot follow a rebalance of the consumer group");
        }
    }
}

pub(super) struct KafkaMembership {
    shared: Arc<Shared>,
    name: String,
    told: Option<BTreeSet<u32>>,
    poller: Option<thread::JoinHandle<()>>,
}

impl KafkaMembership {
    /// Blocking, shortly.
    pub(super) fn join(client: &Client, group: &str, topic: &str) -> Result<KafkaMembership> {
        let shared = Arc::new(Shared::default());
        let mut settings = vec![("group.id", group)];
        settings.extend_from_slice(SETTINGS);
        let context = Assigned { shared: Arc::clone(&shared), context: Context };
        let consumer: BaseConsumer<Assigned> = client.create(&settings, context)?;
        let name = format!("consumer group {group:?}");
        consumer.subscribe(&[topic]).map_err(|error| client.failed(&name, "cannot be joined", &error))?;
        let polled = Arc::clone(&shared);
        let poller = thread::Builder::new().name("kafka-membership".to_owned()).spawn(move || poll(&consumer, &polled));
        let poller = poller.map_err(|error| {
            Error::new(ErrorKind::Retry, &name, "cannot start a thread")
                .hint("raise the limit of threads")
                .caused_by(error)
        })?;
        Ok(KafkaMembership { shared, name, told: None, poller: Some(poller) })
    }
}

/// Serves the group until the member leaves; dropping the consumer tells the group.
fn poll(consumer: &BaseConsumer<Assigned>, shared: &Shared) {
    while !shared.leaving.load(Ordering::Acquire) {
        if let Some(Err(error)) = consumer.poll(POLL_EVERY)
            && advice(error.rdkafka_error_code()).0 == ErrorKind::Config
        {
            shared.state().error = Some(error);
            shared.changed.notify_one();
        }
    }
}

impl Drop for KafkaMembership {
    fn drop(&mut self) {
        self.shared.leaving.store(true, Ordering::Release);
    }
}

#[async_trait]
impl Membership for KafkaMembership {
    async fn changed(&mut self) -> Result<BTreeSet<u32>> {
        loop {
            {
                let mut state = self.shared.state();
                if let Some(error) = state.error.take() {
                    let (kind, hint) = advice(error.rdkafka_error_code());
                    return Err(Error::new(kind, &self.name, error.to_string()).hint(hint).caused_by(error));
                }
                if state.owned.is_some() && state.owned != self.told {
                    self.told = state.owned.clone();
                    return Ok(self.told.clone().unwrap_or_default());
                }
            }
            self.shared.changed.notified().await;
        }
    }

    async fn leave(mut self: Box<Self>) -> Result<()> {
        self.shared.leaving.store(true, Ordering::Release);
        let poller = self.poller.take();
        blocking(move || {
            if let Some(poller) = poller
                && poller.join().is_err()
            {
                tracing::warn!("the thread of a consumer group panicked");
            }
            Ok(())
        })
        .await
    }
}
