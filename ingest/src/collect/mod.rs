//! Collecting clicks over HTTP: what is acknowledged is on the log.
//!
//! A request is read within a budget of bytes, each event is checked, and the records of concurrent requests are
//! appended together. The answer waits for the log; where the log is slow, the sender is told to come again.

mod body;
mod click;
mod commit;
mod fields;
mod http;
mod meters;
mod problem;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_connectors::random::SharedRandom;
use linli_connectors::{Error, ErrorKind, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use body::Budget;
use click::ClickRules;
use commit::Committer;
use http::{Origins, Service};
use meters::Meters;

/// How clicks are collected. Bounds hold whatever is sent.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// `HOST:PORT`; port 0 takes a free one.
    pub listen: String,
    /// Origins whose pages may send clicks, like `https://shop.example`; `*` for any.
    pub origins: Vec<String>,
    /// Of every topic.
    pub partitions: u32,
    /// How far `ts` may be ahead of the time of receipt.
    pub ahead: Duration,
    /// How long ago `ts` may be.
    pub age_max: Duration,
    /// The longest body as sent; a longer one is answered with 413.
    pub body_bytes_max: usize,
    /// The longest body once inflated.
    pub inflated_bytes_max: usize,
    /// The memory of all requests that are not answered yet; past it the answer is 429.
    pub in_flight_bytes_max: usize,
    /// The requests that wait for the log; past it the answer is 429.
    pub waiting_requests_max: usize,
    /// How many bytes of records are appended together.
    pub append_bytes_max: usize,
    /// How long a body may take to arrive before the answer is 408.
    pub body_within: Duration,
    /// How long an append may take before the answer is 429.
    pub answer_within: Duration,
    /// How long open requests may take once the program is told to stop.
    pub drain_within: Duration,
}

impl Default for CollectOptions {
    fn default() -> CollectOptions {
        CollectOptions {
            listen: "127.0.0.1:8081".to_owned(),
            origins: vec!["*".to_owned()],
            partitions: 8,
            ahead: Duration::from_secs(600),
            age_max: Duration::from_secs(30 * 86_400),
            body_bytes_max: 10_000_000,
            inflated_bytes_max: 32_000_000,
            in_flight_bytes_max: 128 << 20,
            waiting_requests_max: 4096,
            append_bytes_max: 4 << 20,
            body_within: Duration::from_secs(30),
            answer_within: Duration::from_secs(5),
            drain_within: Duration::from_secs(20),
        }
    }
}

/// The collector, listening but not yet answering.
pub struct Collector {
    listener: TcpListener,
    service: Arc<Service>,
    committer: Committer,
    drain_within: Duration,
    clock: SharedClock,
}

impl Collector {
    /// Takes the port. Fails with kind `Config` when it cannot be had.
    pub async fn bind(
        log: SharedLog,
        clock: SharedClock,
        random: SharedRandom,
        options: CollectOptions,
    ) -> Result<Collector> {
        let listener = TcpListener::bind(&options.listen).await.map_err(|error| bind_error(&options.listen, error))?;
        let (service, committer) = parts(log, Arc::clone(&clock), random, &options)?;
        Ok(Collector { listener, service, committer, drain_within: options.drain_within, clock })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| bind_error("the collector's socket", error))
    }

    /// Answers until `shutdown`, then finishes the open requests. Fails when the log refuses its topics for good.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let Collector { listener, service, committer, drain_within, clock } = self;
        let stop = shutdown.child_token();
        let router = http::router(Arc::clone(&service));
        drop(service); // the last sender to the committer goes with the router, and ends it
        let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let mut server = tokio::spawn(server.into_future());
        let mut committer = tokio::spawn(committer.run(stop.clone()));
        tokio::select! {
            () = stop.cancelled() => {}
            // It ends by itself only when the log cannot be used as configured.
            ended = &mut committer => {
                server.abort();
                return ended.unwrap_or_else(|panic| Err(stopped(panic)));
            }
        }
        tracing::info!("collector is draining");
        tokio::select! {
            result = async { let _ = (&mut server).await; (&mut committer).await } => {
                result.unwrap_or_else(|panic| Err(stopped(panic)))
            }
            () = clock.sleep(drain_within) => {
                server.abort();
                committer.abort();
                tracing::warn!("requests were still open when the time to drain was over; none of them was acknowledged");
                Ok(())
            }
        }
    }
}

/// Collects until `shutdown`.
pub async fn run(
    log: SharedLog,
    clock: SharedClock,
    random: SharedRandom,
    options: CollectOptions,
    shutdown: CancellationToken,
) -> Result<()> {
    let collector = Collector::bind(log, clock, random, options).await?;
    tracing::info!(address = %collector.local_addr()?, "collector is listening");
    collector.run(shutdown).await
}

/// The routes without a socket, for another server or a test. The future must be polled for requests to be answered;
/// it ends when the router is dropped.
pub fn router(
    log: SharedLog,
    clock: SharedClock,
    random: SharedRandom,
    options: &CollectOptions,
) -> Result<(Router, impl Future<Output = Result<()>> + Send + use<>)> {
    let (service, committer) = parts(log, clock, random, options)?;
    Ok((http::router(service), committer.run(CancellationToken::new())))
}

fn parts(
    log: SharedLog,
    clock: SharedClock,
    random: SharedRandom,
    options: &CollectOptions,
) -> Result<(Arc<Service>, Committer)> {
    if options.partitions == 0 {
        return Err(config("partitions", "is 0").hint("topics have 1 partition or more"));
    }
    let meters = Arc::new(Meters::new().map_err(|error| config("metrics of the collector", &error.to_string()))?);
    let ready = Arc::new(AtomicBool::new(false));
    let (sender, committer) = Committer::new(log, Arc::clone(&clock), Arc::clone(&meters), Arc::clone(&ready), options);
    let service = Service {
        rules: ClickRules::new(options),
        origins: Origins::parse(&options.origins)?,
        budget: Budget::new(options.in_flight_bytes_max, meters.in_flight_bytes.clone()),
        commits: sender,
        meters,
        ready,
        body_bytes_max: options.body_bytes_max,
        inflated_bytes_max: options.inflated_bytes_max,
        body_within: options.body_within,
        answer_within: options.answer_within,
        clock,
        random,
    };
    Ok((Arc::new(service), committer))
}

fn bind_error(listen: &str, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program has this port: stop it, or listen elsewhere (collect.listen, port 0 for a free one)"
        }
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: use a higher one (collect.listen)",
        _ => "give HOST:PORT of this machine (collect.listen)",
    };
    config(&format!("address {listen}"), &format!("cannot be listened on: {error}")).hint(hint)
}

fn config(object: &str, cause: &str) -> Error {
    Error::new(ErrorKind::Config, object, cause)
}

fn stopped(panic: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Corrupt, "the collector", format!("stopped: {panic}"))
}
