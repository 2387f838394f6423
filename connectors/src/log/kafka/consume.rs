//! Fetching in batches by librdkafka's own calls, which costs 0.6 of fetching one by one.
//!
//! The simple consumer: partitions are read from given offsets into one queue, with no group behind it. The only
//! file of this crate's log that holds `unsafe`: raw handles live in [`Fetcher`], and do not leave it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;
use tokio::sync::Notify;

use super::client::Context;
use crate::log::{Batch, Fetched};

/// Messages taken from the queue by one call.
const CALL_MESSAGES: usize = 1024;

/// A partition being read.
struct Source {
    topic: *mut sys::rd_kafka_topic_t,
    name: Arc<str>,
    partition: i32,
}

/// Reads partitions into one queue.
pub(super) struct Fetcher {
    consumer: BaseConsumer<Context>,
    queue: *mut sys::rd_kafka_queue_t,
    topics: Vec<(Arc<str>, *mut sys::rd_kafka_topic_t)>,
    sources: Vec<Source>,
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// The source of the last message: its neighbours are likely of the same.
    last: usize,
    filled: Arc<Notify>,
}

// SAFETY: librdkafka's handles may be used from any thread; the raw pointers are owned by this value alone.
unsafe impl Send for Fetcher {}
// SAFETY: `&Fetcher` gives access to nothing but `filled`, which is `Sync`.
unsafe impl Sync for Fetcher {}

/// What librdkafka says in place of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) code: RDKafkaErrorCode,
    /// `None` when it is about no partition in particular.
    pub(super) source: Option<usize>,
}

impl Fetcher {
    /// Starts fetching `(topic, partition, offset)`.
    pub(super) fn start(
        consumer: BaseConsumer<Context>,
        places: &[(String, i32, u64)],
    ) -> Result<Fetcher, RDKafkaErrorCode> {
        // SAFETY: the client outlives the queue: `drop` destroys it first.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let mut fetcher = Fetcher {
            consumer,
            queue,
            topics: Vec::new(),
            sources: Vec::new(),
            messages: vec![ptr::null_mut(); CALL_MESSAGES],
            last: 0,
            filled: Arc::new(Notify::new()),
        };
        // SAFETY: the opaque points into the `Arc` that the fetcher holds until `drop` has switched the callback off.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(queue, Some(on_filled), Arc::as_ptr(&fetcher.filled) as *mut c_void);
        }
        for (name, partition, offset) in places {
            let topic = fetcher.topic(name)?;
            let offset = i64::try_from(*offset).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
            // SAFETY: topic and queue are live handles of this client.
            let failed = unsafe { sys::rd_kafka_consume_start_queue(topic, *partition, offset, fetcher.queue) } != 0;
            if failed {
                // SAFETY: reads the calling thread's last error.
                return Err(unsafe { sys::rd_kafka_last_error() }.into());
            }
            fetcher.sources.push(Source { topic, name: name.as_str().into(), partition: *partition });
        }
        Ok(fetcher)
    }

    fn topic(&mut self, name: &str) -> Result<*mut sys::rd_kafka_topic_t, RDKafkaErrorCode> {
        if let Some((_, topic)) = self.topics.iter().find(|(known, _)| &**known == name) {
            return Ok(*topic);
        }
        let c_name = CString::new(name).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
        // SAFETY: a live client, a C string, and no configuration of the topic's own.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.consumer.client().native_ptr(), c_name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            // SAFETY: reads the calling thread's last error.
            return Err(unsafe { sys::rd_kafka_last_error() }.into());
        }
        self.topics.push((name.into(), topic));
        Ok(topic)
    }

    /// Wakes when the queue had been empty and is not any more.
    pub(super) fn filled(&self) -> Arc<Notify> {
        Arc::clone(&self.filled)
    }

    /// Serves what the client has to say besides records. Does not wait.
    pub(super) fn serve(&self) {
        self.consumer.poll(Duration::ZERO);
    }

    /// Takes what is in the queue, up to `records_max`, without waiting. A failure ends it.
    pub(super) fn take(&mut self, batch: &mut Batch, records_max: usize) -> Option<Failure> {
        let mut failure = None;
        while batch.len() < records_max && failure.is_none() {
            let wanted = CALL_MESSAGES.min(records_max - batch.len());
            // SAFETY: the queue is live and the array holds at least `wanted` pointers.
            let taken = unsafe { sys::rd_kafka_consume_batch_queue(self.queue, 0, self.messages.as_mut_ptr(), wanted) };
            let taken = usize::try_from(taken).unwrap_or(0);
            for index in 0..taken {
                let message = self.messages[index];
                // SAFETY: librdkafka filled the first `taken` places with messages that are ours until destroyed below.
                let failed = unsafe { self.copy(message, batch) };
                failure = failure.or(failed);
                // SAFETY: destroyed once, and not used after.
                unsafe { sys::rd_kafka_message_destroy(message) };
            }
            if taken < wanted {
                break;
            }
        }
        failure
    }

    /// # Safety
    /// `message` is a live message of this client.
    unsafe fn copy(&mut self, message: *mut sys::rd_kafka_message_t, batch: &mut Batch) -> Option<Failure> {
        // SAFETY: live by the contract; nobody else has it.
        let message = unsafe { &*message };
        let source = self.source(message.rkt, message.partition);
        if message.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Some(Failure { code: message.err.into(), source });
        }
        let Some(source) = source else {
            return Some(Failure { code: RDKafkaErrorCode::UnknownPartition, source: None });
        };
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a live message, and a place for the kind.
        let timestamp_ms = unsafe { sys::rd_kafka_message_timestamp(message, &raw mut kind) };
        // SAFETY: librdkafka gives pointer and length of bytes that live as long as the message.
        let (key, value) = unsafe { (bytes(message.key, message.key_len), bytes(message.payload, message.len)) };
        batch.push(Fetched {
            source,
            offset: u64::try_from(message.offset).unwrap_or(0),
            timestamp_ms,
            key: key.unwrap_or_default(),
            value,
        });
        None
    }

    fn source(&mut self, topic: *mut sys::rd_kafka_topic_t, partition: i32) -> Option<usize> {
        let is = |source: &Source| source.topic == topic && source.partition == partition;
        if self.sources.get(self.last).is_some_and(is) {
            return Some(self.last);
        }
        if topic.is_null() {
            return None;
        }
        let found = self.sources.iter().position(is).or_else(|| {
            // Another handle on the same topic: remember it by name.
            // SAFETY: a topic's name is a C string that lives as long as the topic, which the message holds.
            let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) }.to_string_lossy();
            self.sources.iter().position(|source| *source.name == *name && source.partition == partition)
        })?;
        self.last = found;
        Some(found)
    }
}

/// # Safety
/// `start` is null or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *mut c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the contract.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}

/// # Safety
/// Called by librdkafka with the opaque that was given when it was enabled: a live `Notify`.
unsafe extern "C" fn on_filled(_client: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: by the contract.
    unsafe { &*opaque.cast::<Notify>() }.notify_one();
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        // SAFETY: all handles are live, each is given back once, and the client is dropped after this.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue, None, ptr::null_mut());
            for source in &self.sources {
                sys::rd_kafka_consume_stop(source.topic, source.partition);
            }
            sys::rd_kafka_queue_destroy(self.queue);
            for (_, topic) in &self.topics {
                sys::rd_kafka_topic_destroy(*topic);
            }
        }
    }
}
