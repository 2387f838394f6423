//! The server as a component: options, a bound socket, a run that ends with its shutdown.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::middleware;
use linli_connectors::clock::SharedClock;
use linli_schemas::zone::Zone;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::alert_log::{AlertFollower, AlertLog};
use crate::hub::Hub;
use crate::meters::Meters;
use crate::routes::{AppState, router};
use crate::security::{Hosts, guard};
use crate::source::LiveSource;

#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen. Loopback unless told otherwise; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host names to answer besides loopback's own. Empty: on loopback its own alone, elsewhere all.
    pub allowed_hosts: Vec<String>,
    /// The business zone: what a day is.
    pub zone: Zone,
    /// How many tabs may be open at once.
    pub streams_max: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            allowed_hosts: Vec::new(),
            zone: Zone::SHANGHAI,
            streams_max: 1000,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("address {listen} is in use")]
    InUse { listen: SocketAddr },
    #[error("cannot listen on {listen}")]
    Listen {
        listen: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the server stopped")]
    Stopped(#[source] std::io::Error),
    #[error("metrics cannot be registered")]
    Meters(#[source] prometheus::Error),
}

impl ServeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ServeError::InUse { listen } => Some(format!(
                "another program listens there (maybe another linli): stop it, or choose a port with --listen {}:0",
                listen.ip()
            )),
            ServeError::Listen { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Some("ports below 1024 need a privilege: choose a higher one with --listen".to_owned())
            }
            ServeError::Listen { .. } => Some("is it an address of this machine? see --listen".to_owned()),
            ServeError::Stopped(_) | ServeError::Meters(_) => None,
        }
    }
}

/// A server that listens, and answers once it runs.
#[derive(Debug)]
pub struct BoundServer {
    listener: TcpListener,
    address: SocketAddr,
    options: ServeOptions,
}

/// Takes the port, so that its number is known and a port in use is told before anything else starts.
pub async fn bind(options: ServeOptions) -> Result<BoundServer, ServeError> {
    let listen = options.listen;
    let told = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::InUse { listen },
        _ => ServeError::Listen { listen, source },
    };
    let listener = TcpListener::bind(listen).await.map_err(told)?;
    let address = listener.local_addr().map_err(told)?;
    Ok(BoundServer { listener, address, options })
}

/// [`bind`] and [`BoundServer::run`] in one.
pub async fn run(
    source: Arc<dyn LiveSource>,
    alerts: Arc<dyn AlertLog>,
    clock: SharedClock,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    bind(options).await?.run(source, alerts, clock, shutdown).await
}

impl BoundServer {
    /// The address listened on, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`; open streams are ended by it.
    pub async fn run(
        self,
        source: Arc<dyn LiveSource>,
        alerts: Arc<dyn AlertLog>,
        clock: SharedClock,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let meters = Arc::new(Meters::new().map_err(ServeError::Meters)?);
        let hub = Arc::new(Hub::new(source, clock.clone(), self.options.zone, meters.clone()));
        let alerts = AlertFollower::new(alerts, clock.clone(), meters.clone());
        let hosts = Hosts::of(&self.options.allowed_hosts, self.options.listen.ip().is_loopback());
        let state = AppState {
            hub: hub.clone(),
            alerts: alerts.follow(),
            meters: meters.clone(),
            streams: Arc::new(Semaphore::new(self.options.streams_max)),
            clock,
            shutdown: shutdown.clone(),
        };
        let app = router(state)
            .layer(middleware::from_fn(move |request, next| guard(hosts.clone(), request, next)))
            .layer(middleware::from_fn(move |request, next: middleware::Next| {
                let meters = meters.clone();
                async move {
                    let response = next.run(request).await;
                    let class = format!("{}xx", response.status().as_u16() / 100);
                    meters.requests.with_label_values(&[class.as_str()]).inc();
                    response
                }
            }));
        let stop = shutdown.clone();
        let serving = async move {
            let served = axum::serve(self.listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
            shutdown.cancel();
            served.map_err(ServeError::Stopped)
        };
        let polling = CancellationToken::new();
        let reading = polling.clone();
        let (served, (), ()) = tokio::join!(
            async {
                let served = serving.await;
                polling.cancel();
                served
            },
            hub.run(reading.clone()),
            alerts.run(reading)
        );
        served
    }
}
