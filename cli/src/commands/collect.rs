//! `linli ingest collect`: clicks over HTTP.

use linli_ingest::collect::{CollectOptions, Collector};

use super::shutdown_on_signal;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;

pub async fn run(parts: &Parts, output: &Output) -> Outcome {
    let log = parts.log_with_topics().await?;
    let options = CollectOptions {
        listen: parts.config.collect.listen.clone(),
        origins: parts.config.collect.origins.clone(),
        partitions: parts.config.partitions,
        ahead: parts.config.jobs.ahead.0,
        ..CollectOptions::default()
    };
    let collector = Collector::bind(log, parts.clock.clone(), parts.random.clone(), options).await?;
    output.note(format!("collecting on http://{}", collector.local_addr()?));
    Ok(collector.run(shutdown_on_signal()).await?)
}
