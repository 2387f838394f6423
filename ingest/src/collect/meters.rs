//! The collector's own metrics, in Prometheus' text format.

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

pub(super) struct Meters {
    registry: Registry,
    /// How do requests end?
    pub requests: IntCounterVec,
    /// How many events come in, and why are some refused?
    pub events: IntCounterVec,
    /// Does the log take what it is given?
    pub appends: IntCounterVec,
    /// How long do senders wait for it?
    pub append_seconds: Histogram,
    /// How near is the collector to refusing more?
    pub in_flight_bytes: IntGauge,
    /// How often did it have to make an `event_id`, so that a repeated request would count twice?
    pub ids_made: IntCounter,
}

impl Meters {
    pub fn new() -> Result<Meters, prometheus::Error> {
        let counter = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let seconds = HistogramOpts::new("linli_collect_append_seconds", "time of an append to the log")
            .buckets(vec![0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0]);
        let meters = Meters {
            registry: Registry::new(),
            requests: counter("linli_collect_requests_total", "answers by status", "status")?,
            events: counter("linli_collect_events_total", "events by what became of them", "result")?,
            appends: counter("linli_collect_appends_total", "appends to the log by result", "result")?,
            append_seconds: Histogram::with_opts(seconds)?,
            in_flight_bytes: IntGauge::new("linli_collect_in_flight_bytes", "memory of requests without an answer")?,
            ids_made: IntCounter::new("linli_collect_event_ids_made_total", "events that came without an event_id")?,
        };
        let Meters { registry, requests, events, appends, append_seconds, in_flight_bytes, ids_made } = &meters;
        for collector in [requests, events, appends] {
            registry.register(Box::new(collector.clone()))?;
        }
        registry.register(Box::new(append_seconds.clone()))?;
        registry.register(Box::new(in_flight_bytes.clone()))?;
        registry.register(Box::new(ids_made.clone()))?;
        Ok(meters)
    }

    #[cfg(test)]
    fn names(&self) -> Vec<String> {
        use prometheus::core::Collector as _;
        let vecs = [&self.requests, &self.events, &self.appends].into_iter().flat_map(|vec| vec.desc());
        let others = [self.append_seconds.desc(), self.in_flight_bytes.desc(), self.ids_made.desc()].concat();
        vecs.chain(others).map(|desc| desc.fq_name.clone()).collect()
    }

    pub fn render(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory does not fail; a metric that cannot be written is left out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Meters;

    #[test]
    fn what_is_exposed_is_explained_and_nothing_else() {
        let mut names = Meters::new().unwrap().names();
        let text = include_str!("../../METRICS.md");
        let explained = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let mut explained: Vec<&str> = explained.filter(|name| name.starts_with("linli_collect_")).collect();
        names.sort_unstable();
        explained.sort_unstable();
        assert_eq!(names, explained);
    }
}
