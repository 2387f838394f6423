//! What all logs hold names, records and partition counts to.

use super::{NewRecord, RECORD_BYTES_MAX, TopicSpec};
use crate::{Error, ErrorKind, Result};

/// The topic's name on the server: `NAMESPACE.NAME`.
pub(super) fn full_name(namespace: &str, topic: &str) -> String {
    if namespace.is_empty() { topic.to_owned() } else { format!("{namespace}.{topic}") }
}

pub(super) fn check_spec(spec: &TopicSpec) -> Result<()> {
    check_name(&spec.name)?;
    if spec.partitions == 0 {
        return Err(
            Error::new(ErrorKind::Config, object(&spec.name), "cannot have 0 partitions").hint("ask for 1 or more")
        );
    }
    Ok(())
}

/// Kafka's rule, which also keeps a name one plain component of a path.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= 200
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, object(name), "is no name of a topic")
        .hint("use up to 200 letters, digits, dots, underscores and hyphens"))
}

pub(super) fn check_size(record: &NewRecord) -> Result<()> {
    let bytes = record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len);
    if bytes <= RECORD_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Reject,
        object(&record.topic),
        format!("a record of {bytes} bytes is over the limit of {RECORD_BYTES_MAX}"),
    ))
}

pub(super) fn object(topic: &str) -> String {
    format!("topic {topic:?}")
}

pub(super) fn other_partition_count(name: &str, found: u32, wanted: u32) -> Error {
    Error::new(ErrorKind::Config, object(name), format!("has {found} partitions, not {wanted}"))
        .hint(format!("start with --partitions {found}, or replay into a new namespace"))
}

pub(super) fn unknown_topic(name: &str) -> Error {
    Error::new(ErrorKind::Config, object(name), "does not exist").hint("create the topics before use")
}

pub(super) fn unknown_partition(name: &str, partition: u32, partitions: u32) -> Error {
    Error::new(ErrorKind::Config, object(name), format!("has {partitions} partitions, so none numbered {partition}"))
        .hint(format!("start with --partitions {partitions}"))
}

/// Asked to read where the log has no record and never will give one.
pub(super) fn out_of_range(name: &str, partition: u32, offset: u64, end: u64) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("topic {name:?} partition {partition}"),
        format!("was asked for offset {offset}, but ends at {end}"),
    )
    .hint("the log lost records or is not the one these positions were taken from: replay into a new namespace")
}
