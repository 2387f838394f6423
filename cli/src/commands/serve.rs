//! `linli serve`: the dashboards.

use std::sync::Arc;

use async_trait::async_trait;
use linli_connectors::log::{self, SharedLog};
use linli_connectors::serving::SharedServing;
use linli_dashboards::{AlertLog, BoundServer, ServeOptions};
use linli_warehouse::Warehouse;
use linli_warehouse::live::{LiveOptions, LiveView};

use super::{listen_address, shutdown_on_signal};
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;

/// Takes the port, so that one in use is told before anything else starts.
pub async fn bind(parts: &Parts) -> Outcome<BoundServer> {
    let options = ServeOptions {
        listen: listen_address(&parts.config.serve.listen)?,
        zone: parts.zone,
        ..ServeOptions::default()
    };
    Ok(linli_dashboards::bind(options).await?)
}

/// What the page shows: the serving store's, else the warehouse's.
pub fn live_view(parts: &Parts, serving: SharedServing, warehouse: Warehouse) -> Arc<LiveView> {
    let options = LiveOptions::new(parts.zone, parts.config.partitions);
    Arc::new(LiveView::new(serving, warehouse, parts.clock.clone(), options))
}

/// The log that the alerts are read from: opened by the page, which does without while it cannot be reached.
struct LogAt {
    url: String,
    options: log::OpenOptions,
}

#[async_trait]
impl AlertLog for LogAt {
    async fn open(&self) -> linli_connectors::Result<SharedLog> {
        log::open(&self.url, self.options.clone()).await
    }
}

pub async fn run(parts: &Parts, output: &Output) -> Outcome {
    let server = bind(parts).await?;
    let serving = parts.serving().await?;
    let open = parts.migrated_warehouse().await?;
    let source = live_view(parts, serving, open.warehouse.clone());
    let alerts = Arc::new(LogAt { url: parts.log_url(), options: parts.log_options() });
    output.note(format!("the page is at http://{}", server.address()));
    let served = server.run(source, alerts, parts.clock.clone(), shutdown_on_signal()).await;
    open.tables.close().await?;
    Ok(served?)
}
