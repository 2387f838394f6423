//! `linli demo`: the simulated shop, the log, the jobs, the warehouse and the page, all here.

use std::time::Duration;

use linli_connectors::blobs::SharedBlobs;
use linli_connectors::log::SharedLog;
use linli_schemas::EventTime;
use linli_simulator::ShopOptions;
use linli_simulator::feed::{self, FeedOptions};
use tokio_util::sync::CancellationToken;

use super::{join, serve, shutdown_on_signal};
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
    let pipeline = Pipeline::start(parts, log.clone(), blobs.clone(), Stages::ALL).await?;
    let source = serve::live_view(parts, pipeline.serving.clone(), pipeline.warehouse().clone());

    // The shop closes first, then what it caused is counted, then the page goes.
    let (close_shop, close_page) = (shutdown.child_token(), CancellationToken::new());
    let shop = tokio::spawn(feed_shop(parts, args, log, blobs, close_shop));
    output.note(format!("邻里 the page is at http://{}", server.address()));
    output.note(format!("data in {}; Ctrl-C drains and stops", parts.data_dir().display()));
    let page = {
        let (clock, close_page) = (parts.clock.clone(), close_page.clone());
        tokio::spawn(async move { Ok(server.run(source, clock, close_page).await?) })
    };
    let ran = pipeline
        .until_it_fails(async {
            shutdown.cancelled().await;
            Ok(())
        })
        .await;
    shutdown.cancel();
    output.note("draining");
    let shop = join("the simulated shop", shop).await;
    let stopped = pipeline.stop().await;
    close_page.cancel();
    let page = join("the page", page).await;
    stopped?;
    shop?;
    page?;
    ran
}

fn feed_shop(
    parts: &Parts,
    args: &DemoArgs,
    log: SharedLog,
    blobs: SharedBlobs,
    shutdown: CancellationToken,
) -> impl Future<Output = Outcome> + Send + use<> {
    let opened_on = parts.zone.date_of(EventTime(parts.clock.now_ms()));
    let mut shop = ShopOptions::demo(args.seed.unwrap_or(parts.config.simulator.seed), parts.zone, opened_on);
    shop.communities = parts.config.simulator.communities;
    shop.orders_per_day = parts.config.simulator.orders_per_day;
    let options = FeedOptions::new(shop, parts.config.partitions);
    let clock = parts.clock.clone();
    async move {
        feed::run(log, clock, options, blobs, shutdown).await?;
        Ok(())
    }
}
