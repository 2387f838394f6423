//! What the runner measures. `METRICS.md` says which question each answers.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::epoch::ConservationByName;
use linli_stream_jobs::task::Counts;

/// Clones count into the same series.
#[derive(Clone)]
pub struct Meters(Arc<Series>);

struct Series {
    records: IntCounterVec,
    epochs: IntCounterVec,
    epoch_publish: Histogram,
    epoch_delivery: Histogram,
    effects: IntCounterVec,
    retries: IntCounterVec,
    takeovers: IntCounterVec,
    lag: IntGaugeVec,
    as_of: IntGaugeVec,
    state_bytes: IntGaugeVec,
}

impl Meters {
    /// Registers every series. A registry that has them already is an error of the caller.
    pub fn register(registry: &Registry) -> prometheus::Result<Meters> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str| registered(registry, IntGaugeVec::new(Opts::new(name, help), &["task"])?);
        let seconds = |name: &str, help: &str| {
            let buckets = prometheus::exponential_buckets(0.001, 2.0, 16)?;
            registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?)
        };
        Ok(Meters(Arc::new(Series {
            records: counter("linli_jobs_records_total", "records by fate", &["job", "topic", "outcome"])?,
            epochs: counter("linli_jobs_epochs_total", "epochs by step", &["step"])?,
            epoch_publish: seconds("linli_jobs_epoch_publish_seconds", "ending and publishing an epoch")?,
            epoch_delivery: seconds("linli_jobs_epoch_delivery_seconds", "from publish to delivered")?,
            effects: counter("linli_jobs_effects_total", "effects delivered by kind", &["kind"])?,
            retries: counter("linli_jobs_retries_total", "failed attempts by what was tried", &["what"])?,
            takeovers: counter("linli_jobs_takeovers_total", "tasks started or lost", &["how"])?,
            lag: gauge("linli_jobs_lag_records", "records between a task and the logs' ends")?,
            as_of: gauge("linli_jobs_as_of_ms", "watermark of a task, epoch ms")?,
            state_bytes: gauge("linli_jobs_state_bytes", "bytes from which a task would be restored")?,
        })))
    }

    /// Series that nobody reads.
    ///
    /// # Panics
    /// Never: the names of a fresh registry are free.
    pub fn unregistered() -> Meters {
        #[allow(clippy::expect_used)]
        Meters::register(&Registry::new()).expect("the names are valid and free")
    }

    pub(crate) fn retried(&self, what: &str) {
        self.0.retries.with_label_values(&[what]).inc();
    }

    pub(crate) fn took_over(&self, how: &str) {
        self.0.takeovers.with_label_values(&[how]).inc();
    }

    pub(crate) fn published(&self, task: u32, took: Duration, state_bytes: u64, as_of: Option<i64>) {
        let task = task.to_string();
        self.0.epochs.with_label_values(&["published"]).inc();
        self.0.epoch_publish.observe(took.as_secs_f64());
        self.0.state_bytes.with_label_values(&[&task]).set(i64::try_from(state_bytes).unwrap_or(i64::MAX));
        if let Some(as_of) = as_of {
            self.0.as_of.with_label_values(&[&task]).set(as_of);
        }
    }

    pub(crate) fn delivered(&self, took: Duration) {
        self.0.epochs.with_label_values(&["delivered"]).inc();
        self.0.epoch_delivery.observe(took.as_secs_f64());
    }

    pub(crate) fn effects(&self, kind: &str, count: u64) {
        self.0.effects.with_label_values(&[kind]).inc_by(count);
    }

    pub(crate) fn lag(&self, task: u32, records: u64) {
        self.0.lag.with_label_values(&[&task.to_string()]).set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// A task that is another runner's now must not be shown as standing still.
    pub(crate) fn forget(&self, task: u32) {
        let task = task.to_string();
        for gauge in [&self.0.lag, &self.0.as_of, &self.0.state_bytes] {
            let _ = gauge.remove_label_values(&[&task]);
        }
    }

    /// Counts what came between two readings of a task's conservation.
    pub(crate) fn records(&self, before: &ConservationByName, after: &ConservationByName) {
        for (job, topics) in after {
            for (topic, now) in topics {
                let then = before.get(job).and_then(|topics| topics.get(topic)).copied().unwrap_or_default();
                for (outcome, of) in OUTCOMES {
                    let more = of(now).saturating_sub(of(&then));
                    if more > 0 {
                        self.0.records.with_label_values(&[job.as_str(), topic.as_str(), outcome]).inc_by(more);
                    }
                }
            }
        }
    }
}

type Outcome = (&'static str, fn(&Counts) -> u64);

const OUTCOMES: [Outcome; 6] = [
    ("received", |counts| counts.received),
    ("applied", |counts| counts.applied),
    ("duplicate", |counts| counts.duplicate),
    ("late", |counts| counts.late),
    ("history", |counts| counts.history),
    ("dead_lettered", |counts| counts.dead_lettered),
];

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
