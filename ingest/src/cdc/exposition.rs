//! The readers' figures in Prometheus' text format, over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use linli_connectors::clock::SharedClock;
use linli_connectors::{Error, ErrorKind};
use prometheus::{CounterVec, Encoder as _, GaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::meters::{Meters, Snapshot};

enum Kind {
    Counter,
    Gauge,
}

/// A metric: its name, what it is, and its value; without one while it is not known.
type Metric = (&'static str, Kind, &'static str, fn(&Snapshot) -> Option<f64>);

const SERVER: &str = "server";

/// All of them, each with the label `server`.
const METRICS: [Metric; 18] = [
    ("linli_cdc_rows_total", Kind::Counter, "changes of rows published", |f| Some(f.rows as f64)),
    ("linli_cdc_records_total", Kind::Counter, "records published from the binlog", |f| Some(f.records as f64)),
    ("linli_cdc_transactions_total", Kind::Counter, "transactions published", |f| Some(f.transactions as f64)),
    ("linli_cdc_received_bytes_total", Kind::Counter, "bytes received of the binlog", |f| Some(f.bytes as f64)),
    ("linli_cdc_held_events_total", Kind::Counter, "events held of tables in quarantine", |f| Some(f.held as f64)),
    ("linli_cdc_warnings_total", Kind::Counter, "values without an equivalent", |f| Some(f.warnings as f64)),
    ("linli_cdc_schema_changes_total", Kind::Counter, "changes of tables followed", |f| Some(f.ddl as f64)),
    ("linli_cdc_unlogged_statements_total", Kind::Counter, "statements logged without rows", |f| {
        Some(f.unlogged as f64)
    }),
    ("linli_cdc_snapshot_rows_total", Kind::Counter, "rows published by snapshots", |f| Some(f.snapshot_rows as f64)),
    ("linli_cdc_reconnects_total", Kind::Counter, "sessions that failed and began again", |f| {
        Some(f.reconnects as f64)
    }),
    ("linli_cdc_snapshot_expected_rows", Kind::Gauge, "rows of the first snapshot, as estimated", |f| {
        Some(f.snapshot_expected as f64)
    }),
    ("linli_cdc_snapshot_open_tables", Kind::Gauge, "tables yet to be read", |f| Some(f.snapshots_open as f64)),
    ("linli_cdc_quarantined_tables", Kind::Gauge, "tables that cannot be followed", |f| Some(f.quarantined as f64)),
    ("linli_cdc_connected", Kind::Gauge, "1 while the binlog is followed", |f| Some(f64::from(u8::from(f.connected)))),
    ("linli_cdc_latency_seconds", Kind::Gauge, "commit to acknowledgement of the newest change", |f| {
        Some(f.latency_ms as f64 / 1000.0)
    }),
    ("linli_cdc_lag_seconds", Kind::Gauge, "age of the oldest change that may not be on the log", |f| {
        f.lag_ms.map(|ms| ms as f64 / 1000.0)
    }),
    ("linli_cdc_lag_bytes", Kind::Gauge, "bytes of the binlog that are not on the log", |f| {
        f.behind_bytes.map(|bytes| bytes as f64)
    }),
    ("linli_cdc_lag_transactions", Kind::Gauge, "transactions that are not on the log", |f| {
        f.behind_transactions.map(|transactions| transactions as f64)
    }),
];

/// The figures of all readers of a process.
#[derive(Clone)]
pub struct Exposition {
    readers: Arc<Vec<(String, Meters)>>,
    clock: SharedClock,
}

impl Exposition {
    /// Readers by the names of their servers. From now on they ask their servers how far behind they are.
    pub fn new(readers: Vec<(String, Meters)>, clock: SharedClock) -> Exposition {
        for (_, meters) in &readers {
            meters.watch();
        }
        Exposition { readers: Arc::new(readers), clock }
    }

    /// Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let registry = Registry::new();
        let now_ms = self.clock.now_ms();
        let figures: Vec<(&str, Snapshot)> =
            self.readers.iter().map(|(server, meters)| (server.as_str(), meters.figures(now_ms))).collect();
        for (name, kind, help, value) in &METRICS {
            let values = figures.iter().filter_map(|(server, figures)| Some((*server, value(figures)?)));
            match kind {
                Kind::Counter => {
                    let counter = CounterVec::new(Opts::new(*name, *help), &[SERVER])?;
                    values.for_each(|(server, value)| counter.with_label_values(&[server]).inc_by(value));
                    registry.register(Box::new(counter))?;
                }
                Kind::Gauge => {
                    let gauge = GaugeVec::new(Opts::new(*name, *help), &[SERVER])?;
                    values.for_each(|(server, value)| gauge.with_label_values(&[server]).set(value));
                    registry.register(Box::new(gauge))?;
                }
            }
        }
        let mut out = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut out)?;
        Ok(out)
    }

    /// Listens on `HOST:PORT`; the address it got, and what serves it until `shutdown`.
    pub async fn serve(
        self,
        listen: &str,
        shutdown: CancellationToken,
    ) -> Result<(SocketAddr, impl Future<Output = ()> + Send + use<>), Error> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Config, format!("address {listen}"), format!("cannot be listened on: {error}"))
                .hint("give HOST:PORT of this machine with --metrics or metrics.listen; port 0 takes a free one")
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router =
            Router::new().route("/metrics", get(metrics)).route("/healthz", get(|| async { "ok\n" })).with_state(self);
        let serving = async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "metrics are served no longer");
            }
        };
        Ok((address, serving))
    }
}

async fn metrics(State(exposition): State<Exposition>) -> Response {
    match exposition.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use linli_connectors::clock::SystemClock;

    use super::*;

    /// The metrics that `METRICS.md` explains.
    fn explained() -> Vec<&'static str> {
        let text = include_str!("../../METRICS.md");
        let names = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        names.filter(|name| name.starts_with("linli_cdc_")).collect()
    }

    #[test]
    fn what_is_exposed_is_explained_and_nothing_else() {
        let mut names: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
        let mut explained = explained();
        names.sort_unstable();
        explained.sort_unstable();
        assert_eq!(names, explained);
        for (name, kind, ..) in &METRICS {
            assert_eq!(matches!(kind, Kind::Counter), name.ends_with("_total"), "{name}");
        }
    }

    #[test]
    fn figures_are_rendered_by_server_and_unknown_ones_left_out() {
        let meters = Meters::default();
        meters.snapshot_rows(7);
        let readers = vec![("a \"1\"".to_owned(), meters.clone()), ("b".to_owned(), Meters::default())];
        let exposition = Exposition::new(readers, Arc::new(SystemClock));
        let text = String::from_utf8(exposition.render().unwrap()).unwrap();
        assert!(text.contains("# TYPE linli_cdc_snapshot_rows_total counter"), "{text}");
        assert!(text.contains(r#"linli_cdc_snapshot_rows_total{server="a \"1\""} 7"#), "{text}");
        assert!(text.contains(r#"linli_cdc_snapshot_rows_total{server="b"} 0"#), "{text}");
        assert!(!text.contains("linli_cdc_lag_bytes"), "{text}");
        meters.behind(Some(0), None);
        let text = String::from_utf8(exposition.render().unwrap()).unwrap();
        assert!(text.contains(r#"linli_cdc_lag_bytes{server="a \"1\""} 0"#), "{text}");
        assert!(!text.contains("linli_cdc_lag_transactions"), "{text}");
    }
}
