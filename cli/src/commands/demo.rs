//! `linli demo`: the simulated shop, the log, the jobs, the warehouse and the page, all here.
//!
//! With `--shop mysql://…` the shop commits on real servers, and change data capture follows their binlogs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::blobs::SharedBlobs;
use linli_connectors::log::SharedLog;
use linli_ingest::cdc::Until;
use linli_schemas::EventTime;
use linli_simulator::ShopOptions;
use linli_simulator::feed::{self, FeedOptions};
use linli_simulator::sql::{Server, SqlOptions, SqlShop};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{cdc, join, serve, shutdown_on_signal};
use crate::args::DemoArgs;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;
use crate::pipeline::{Pipeline, Stages};

pub async fn run(parts: &Parts, args: &DemoArgs, output: &Output) -> Outcome {
    let server = serve::bind(parts).await?;
    let shutdown = shutdown_on_signal();
    if let Some(seconds) = args.stop_after {
        let (clock, stop) = (parts.clock.clone(), shutdown.clone());
        tokio::spawn(async move {
            clock.sleep(Duration::from_secs(seconds)).await;
            stop.cancel();
        });
    }
    let (log, blobs) = (parts.log_with_topics().await?, parts.blobs().await?);
    let alerts: Arc<SharedLog> = Arc::new(log.clone());
    let source = Source::prepare(parts, args, &log, &blobs, &shutdown, output).await?;
    let pipeline = Pipeline::start(parts, log, blobs, Stages::ALL).await?;
    let view = serve::live_view(parts, pipeline.serving.clone(), pipeline.warehouse().clone());

    // The shop closes first, then what it caused is counted, then the page goes.
    let source = source.start(&shutdown);
    output.note(format!("邻里 the page is at http://{}", server.address()));
    output.note(format!("data in {}; Ctrl-C drains and stops", parts.data_dir().display()));
    let close_page = CancellationToken::new();
    let page = {
        let (clock, close_page) = (parts.clock.clone(), close_page.clone());
        tokio::spawn(async move { Ok(server.run(view, alerts, clock, close_page).await?) })
    };
    let ran = pipeline
        .until_it_fails(async {
            shutdown.cancelled().await;
            Ok(())
        })
        .await;
    shutdown.cancel();
    output.note("draining");
    let source = source.stop().await;
    let stopped = pipeline.stop().await;
    close_page.cancel();
    let page = join("the page", page).await;
    stopped?;
    source?;
    page?;
    ran
}

type Part = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What fills the log: the simulated shop, and the readers of the servers that it commits on, if it does.
struct Source {
    shop: Part,
    readers: Option<(Part, CancellationToken)>,
}

impl Source {
    /// Finds out whether it can run; `shutdown` closes the shop, but not the readers.
    async fn prepare(
        parts: &Parts,
        args: &DemoArgs,
        log: &SharedLog,
        blobs: &SharedBlobs,
        shutdown: &CancellationToken,
        output: &Output,
    ) -> Outcome<Source> {
        let options = FeedOptions::new(shop_options(parts, args), parts.config.partitions);
        let (log, blobs, clock, close) = (log.clone(), blobs.clone(), parts.clock.clone(), shutdown.child_token());
        let servers: Vec<&str> = parts.config.shop.url.split_whitespace().collect();
        if servers.iter().all(|url| url.starts_with("shop:")) {
            let shop = Box::pin(async move {
                feed::run(log, clock, options, blobs, close).await?;
                Ok(())
            });
            return Ok(Source { shop, readers: None });
        }
        cdc::addresses(parts)?;
        let servers = servers.into_iter().map(Server::parse).collect::<Result<_, _>>()?;
        let sql = SqlShop::open(SqlOptions::new(options.shop.clone(), servers), clock.clone(), close.clone()).await?;
        let reader = cdc::reader_parts_on(parts, parts.log_beside(&log).await?).await?;
        let stop = CancellationToken::new();
        let readers = Box::pin(cdc::follow(parts, reader, Until::Stopped, stop.clone(), output)?);
        let shop = Box::pin(async move {
            feed::run_on_servers(log, clock, options, blobs, sql, close).await?;
            Ok(())
        });
        Ok(Source { shop, readers: Some((readers, stop)) })
    }

    fn start(self, shutdown: &CancellationToken) -> RunningSource {
        RunningSource {
            shop: tokio::spawn(ending(shutdown.clone(), self.shop)),
            readers: self.readers.map(|(readers, stop)| (tokio::spawn(ending(shutdown.clone(), readers)), stop)),
        }
    }
}

struct RunningSource {
    shop: JoinHandle<Outcome>,
    readers: Option<(JoinHandle<Outcome>, CancellationToken)>,
}

impl RunningSource {
    /// Waits for the shop, which was told to close; what the readers have not published they publish at the next start.
    async fn stop(self) -> Outcome {
        let shop = join("the simulated shop", self.shop).await;
        if let Some((readers, stop)) = self.readers {
            stop.cancel();
            join("change data capture", readers).await?;
        }
        shop
    }
}

/// Runs a part of the demo, whose end is the end of all.
async fn ending(shutdown: CancellationToken, part: Part) -> Outcome {
    let _shutdown = shutdown.drop_guard();
    part.await
}

fn shop_options(parts: &Parts, args: &DemoArgs) -> ShopOptions {
    let opened_on = parts.zone.date_of(EventTime(parts.clock.now_ms()));
    let mut shop = ShopOptions::demo(args.seed.unwrap_or(parts.config.simulator.seed), parts.zone, opened_on);
    shop.communities = parts.config.simulator.communities;
    shop.orders_per_day = parts.config.simulator.orders_per_day;
    shop
}
