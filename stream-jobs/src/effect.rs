//! What a task wants done outside of itself. The runtime does it, after it has published the epoch.

use linli_schemas::Topic;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::metric::MetricRecord;

/// Each may be delivered twice, which equals once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To topic `metrics.<job>` and to the serving store, under its key and version.
    Metric(MetricRecord),
    /// To another partition of a topic of the jobs themselves; applying it twice equals once.
    Forward { topic: Topic, partition: u32, key: Vec<u8>, value: Vec<u8> },
    /// To topic `dead-letter`, keyed by the original key.
    DeadLetter { key: Vec<u8>, letter: DeadLetter },
}
