//! Appends as Kafka transactions: readers of committed records alone see all of an append or nothing.
//!
//! Nothing of ours rests on them: positions and identities do the work. They are for other readers of the topics, who ask
//! for `isolation.level=read_committed`. Markers take offsets of their own, and a second producer of the same
//! `transactional.id` fences the first.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;

use super::produce::{LogProducer, Writer};
use crate::log::NewRecord;
use crate::log::blocking::blocking;
use crate::{Error, ErrorKind, Result};

/// Longer than a broker takes to come back.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Tries of a step that the broker asks to try again.
const TRIES_MAX: usize = 10;

impl Writer {
    /// One transaction, one at a time. After an error none of it is committed, or, if the answer to the commit was lost, all.
    pub(super) async fn append_transaction(self: &Arc<Self>, namespace: String, records: Vec<NewRecord>) -> Result<()> {
        let _turn = self.turn.lock().await;
        let writer = Arc::clone(self);
        let (producer, delivery) = blocking(move || {
            let producer = writer.transactional()?;
            producer.begin_transaction().map_err(|error| writer.transaction_failed("cannot begin", error))?;
            let delivery = writer.send(&namespace, &records)?;
            Ok((producer, delivery))
        })
        .await?;
        let delivered = delivery.done().await;
        let writer = Arc::clone(self);
        blocking(move || match delivered {
            Ok(()) => writer.commit(&producer),
            Err(error) => {
                // Records behind a producer that was fenced are purged, which alone does not say why.
                match producer.client().fatal_error() {
                    Some((code, reason)) => {
                        writer.forget();
                        Err(if is_fence(code) { fenced_error(&format!("was refused: {reason}")) } else { error })
                    }
                    None => {
                        writer.abort(&producer);
                        Err(error)
                    }
                }
            }
        })
        .await
    }

    /// Blocking. The producer, with its transactions begun for good once.
    fn transactional(&self) -> Result<Arc<LogProducer>> {
        let (producer, is_new) = self.producer()?;
        if is_new {
            let begun = again(|| producer.init_transactions(TIMEOUT));
            begun.map_err(|error| {
                self.forget();
                self.transaction_failed("cannot be prepared", error)
            })?;
        }
        Ok(producer)
    }

    /// Blocking.
    fn commit(&self, producer: &LogProducer) -> Result<()> {
        again(|| producer.commit_transaction(TIMEOUT)).map_err(|error| {
            if matches!(&error, KafkaError::Transaction(error) if error.txn_requires_abort()) {
                self.abort(producer);
            }
            self.transaction_failed("cannot be committed", error)
        })
    }

    /// Blocking. A producer that cannot even abort is done with: the next one's start aborts for it.
    fn abort(&self, producer: &LogProducer) {
        if let Err(error) = again(|| producer.abort_transaction(TIMEOUT)) {
            tracing::warn!(%error, "a kafka transaction could not be aborted: making another producer");
            self.forget();
        }
    }

    fn transaction_failed(&self, doing: &str, error: KafkaError) -> Error {
        let (fatal, code) = match &error {
            KafkaError::Transaction(error) => (error.is_fatal(), Some(error.code())),
            error => (false, error.rdkafka_error_code()),
        };
        if fatal {
            self.forget();
        }
        if code.is_some_and(is_fence) {
            return fenced_error(&format!("{doing}: {error}")).caused_by(error);
        }
        self.client.failed("a transaction", doing, &error)
    }
}

fn is_fence(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch)
}

fn fenced_error(cause: &str) -> Error {
    Error::new(ErrorKind::Fenced, "a transaction", cause)
        .hint("another process writes with the same transactional id: one reader follows a server")
}

/// Tries again as long as the broker asks for it.
fn again(step: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let is_retriable =
        |error: &KafkaError| matches!(error, KafkaError::Transaction(error) if RDKafkaError::is_retriable(error));
    let mut tries = 1;
    loop {
        match step() {
            Err(error) if is_retriable(&error) && tries < TRIES_MAX => tries += 1,
            outcome => return outcome,
        }
    }
}
