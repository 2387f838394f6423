//! The server's own metrics, in Prometheus' text format.

use prometheus::{Encoder as _, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

pub struct Meters {
    registry: Registry,
    /// Is the page in use, and do its requests succeed?
    pub requests: IntCounterVec,
    /// How many tabs are open?
    pub streams: IntGauge,
    /// How many different views are being read?
    pub views: IntGauge,
    /// How much is the source asked?
    pub questions: IntCounterVec,
    /// Does it fail to answer?
    pub failures: IntCounterVec,
    /// How far do the results reach?
    pub as_of: IntGauge,
    /// How much needs attention?
    pub alerts_firing: IntGauge,
    /// Does somebody write what is no alert?
    pub alerts_unreadable: IntCounter,
}

impl Meters {
    /// # Errors
    /// Only when a name here is malformed or stands twice.
    pub fn new() -> Result<Meters, prometheus::Error> {
        let counter = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let meters = Meters {
            registry: Registry::new(),
            requests: counter("linli_dashboards_requests_total", "answers by status class", "status")?,
            streams: IntGauge::new("linli_dashboards_streams", "open live streams")?,
            views: IntGauge::new("linli_dashboards_views", "different views being read")?,
            questions: counter("linli_dashboards_source_questions_total", "questions to the source", "question")?,
            failures: counter("linli_dashboards_source_failures_total", "questions without an answer", "question")?,
            as_of: IntGauge::new("linli_dashboards_as_of_timestamp_seconds", "watermark of the numbers shown")?,
            alerts_firing: IntGauge::new("linli_dashboards_alerts_firing", "alerts that fire, as read last")?,
            alerts_unreadable: IntCounter::new(
                "linli_dashboards_alerts_unreadable_total",
                "records of topic alerts passed over",
            )?,
        };
        let Meters { registry, requests, streams, views, questions, failures, as_of, alerts_firing, alerts_unreadable } =
            &meters;
        for collector in [requests, questions, failures] {
            registry.register(Box::new(collector.clone()))?;
        }
        for collector in [streams, views, as_of, alerts_firing] {
            registry.register(Box::new(collector.clone()))?;
        }
        registry.register(Box::new(alerts_unreadable.clone()))?;
        Ok(meters)
    }

    pub fn render(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory does not fail; a metric that cannot be written is left out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }
}
