//! Follows servers without the rest of Linli: `cdc_follow LOG_URL BLOBS_URL NAMESPACE SHOP_URL…`.

use std::sync::Arc;

use linli_connectors::clock::{SharedClock, SystemClock};
use linli_connectors::random::SystemRandom;
use linli_connectors::{blobs, log};
use linli_ingest::cdc::{Address, CdcOptions, Meters, Parts, Reader};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), linli_connectors::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [log_url, blobs_url, namespace, shops @ ..] = arguments.as_slice() else {
        eprintln!("cdc_follow LOG_URL BLOBS_URL NAMESPACE SHOP_URL…");
        std::process::exit(2);
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let options = log::OpenOptions {
        namespace: namespace.clone(),
        data_dir: None,
        client_id: "cdc_follow".to_owned(),
        clock: Arc::clone(&clock),
    };
    let parts = Parts {
        log: log::open(log_url, options).await?,
        blobs: blobs::open(blobs_url, blobs::OpenOptions { namespace: namespace.clone(), data_dir: None }).await?,
        clock,
        random: Arc::new(SystemRandom::new()),
    };
    let options = CdcOptions { columns: Vec::new(), reader: namespace.clone(), ..CdcOptions::default() };
    let options = Arc::new(options);
    let shutdown = CancellationToken::new();
    let mut readers = tokio::task::JoinSet::new();
    for shop in shops {
        let reader = Reader::new(Address::parse(shop)?, Arc::clone(&options), parts.clone(), Meters::default())?;
        readers.spawn(reader.run(shutdown.clone()));
    }
    tokio::select! {
        _ = tokio::signal::ctrl_c() => shutdown.cancel(),
        Some(Ok(ended)) = readers.join_next() => ended?,
    }
    while let Some(ended) = readers.join_next().await {
        ended.unwrap_or(Ok(()))?;
    }
    Ok(())
}
