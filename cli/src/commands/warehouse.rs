//! `linli warehouse migrate`, `load`, and the engine behind `chdb://`.

use std::path::Path;

use linli_connectors::tables::engine::{self, EngineOptions};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::shutdown_on_signal;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;
use crate::pipeline::{Pipeline, Stages};

#[derive(Debug, Serialize)]
struct Migrated {
    /// The names of the migrations that were applied now.
    applied: Vec<&'static str>,
    before: usize,
}

pub async fn migrate(parts: &Parts, output: &Output) -> Outcome {
    let open = parts.warehouse().await?;
    let applied = linli_warehouse::migrate(&open.warehouse).await?;
    open.tables.close().await?;
    let migrated = Migrated { applied: applied.now, before: applied.before };
    output.result(&migrated, |migrated| match migrated.applied.len() {
        0 => format!("nothing to do: {} migrations were applied before", migrated.before),
        _ => format!("applied {}", migrated.applied.join(", ")),
    });
    Ok(())
}

pub async fn load(parts: &Parts, output: &Output) -> Outcome {
    let (log, blobs) = (parts.log_with_topics().await?, parts.blobs().await?);
    let stages = Stages { jobs: false, results: true, facts: true };
    let pipeline = Pipeline::start(parts, log, blobs, stages).await?;
    output.note("loading results and facts; Ctrl-C stops after the batch");
    let shutdown = shutdown_on_signal();
    let ended = pipeline.until_it_fails(async {
        shutdown.cancelled().await;
        Ok(())
    });
    let ended = ended.await;
    pipeline.stop().await?;
    ended
}

/// Owns a chdb directory until standard input closes, which it does when the parent ends by whatever cause.
pub async fn engine(dir: &Path) -> Outcome {
    let shutdown = CancellationToken::new();
    engine::cancel_when_stdin_ends(shutdown.clone())?;
    let options = EngineOptions { directory: dir.to_owned(), library: None };
    let ready = |address: &str| tracing::info!(address, directory = %dir.display(), "warehouse engine is ready");
    Ok(engine::serve(options, ready, shutdown).await?)
}
