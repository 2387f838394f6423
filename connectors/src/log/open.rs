//! Which log a URL means.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::file::FileLog;
use super::kafka::KafkaLog;
use super::{MemoryLog, SharedLog};
use crate::clock::{SharedClock, SystemClock};
use crate::{Error, ErrorKind, Result, namespace};

/// How to open an event log.
#[derive(Clone)]
pub struct OpenOptions {
    /// Topics stand as `NAMESPACE.TOPIC` in the log; empty for none. Callers use bare names.
    pub namespace: String,
    /// Where `file://` without a path keeps its records: `DATA_DIR/log`.
    pub data_dir: Option<PathBuf>,
    /// Who asks: shown by Kafka's tools, names a member of a group on `memory://`.
    pub client_id: String,
    pub clock: SharedClock,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            namespace: String::new(),
            data_dir: None,
            client_id: "linli".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("namespace", &self.namespace)
            .field("data_dir", &self.data_dir)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Opens `kafka://HOST:PORT[,HOST:PORT…][?KEY=VALUE…]` (settings of librdkafka that override ours),
/// `file:///ABSOLUTE/DIR[?sync=off]` (`file://` alone means `data_dir`) or `memory://` (new and empty).
///
/// A log that cannot be reached within 5 seconds is an error of kind `Retry`, a URL without meaning one of kind `Config`.
pub async fn open(url: &str, options: OpenOptions) -> Result<SharedLog> {
    namespace::check(&options.namespace)?;
    let bad = |cause: &str| {
        Error::new(ErrorKind::Config, format!("event log {url:?}"), cause)
            .hint("use kafka://HOST:PORT, file:///ABSOLUTE/DIR or memory://")
    };
    // Kafka's list of hosts is no URL by the standard.
    if let Some(rest) = url.strip_prefix("kafka://") {
        return Ok(Arc::new(KafkaLog::open(rest, options).await?));
    }
    let parsed = Url::parse(url).map_err(|error| bad("is no URL").caused_by(error))?;
    match parsed.scheme() {
        "memory" => Ok(Arc::new(MemoryLog::new(options))),
        "file" => Ok(Arc::new(FileLog::open(&parsed, options).await?)),
        _ => Err(bad("has a scheme that is not known")),
    }
}
