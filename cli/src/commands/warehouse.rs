//! `linli warehouse migrate`, `load`, `query`, and the engine behind `chdb://`.

use std::path::Path;

use linli_connectors::tables::engine::{self, EngineOptions};
use linli_warehouse::query as named;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::shutdown_on_signal;
use crate::args::WarehouseQueryArgs;
use crate::failure::{Failure, Kind, Outcome};
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

/// Longest answer of a named query.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Prints the rows of a named query as CSV, as they are; or the names there are.
pub async fn query(parts: &Parts, args: &WarehouseQueryArgs, output: &Output) -> Outcome {
    let Some(name) = &args.name else {
        let list: Vec<_> = named::ALL
            .iter()
            .map(|query| serde_json::json!({"name": query.name, "question": query.question()}))
            .collect();
        output.result(&list, |_| {
            let lines: Vec<String> = named::ALL.iter().map(|of| format!("{:24} {}", of.name, of.question())).collect();
            lines.join("\n")
        });
        return Ok(());
    };
    let Some(found) = named::by_name(name) else {
        return Err(Failure::new(Kind::Config, format!("there is no query \"{name}\""))
            .hint("`linli warehouse query` lists them"));
    };
    let open = parts.migrated_warehouse().await?;
    // It asks and changes nothing, whatever its text says.
    let mut asked = open.warehouse.query(found.sql).with_setting("readonly", "2");
    for param in &args.params {
        let (key, value) = param.split_once('=').ok_or_else(|| {
            Failure::new(Kind::Config, format!("--param \"{param}\" has no value"))
                .hint("write it as in from=2026-11-01")
        })?;
        asked = asked.param(key, value);
    }
    let rows = named::csv(&open.warehouse, found, asked, ANSWER_BYTES_MAX).await;
    open.tables.close().await?;
    let text = String::from_utf8_lossy(&rows?).trim_end().to_owned();
    output.result(&serde_json::json!({ "query": found.name, "csv": text }), |_| text.clone());
    Ok(())
}

/// Owns a chdb directory until standard input closes, which it does when the parent ends by whatever cause.
pub async fn engine(dir: &Path) -> Outcome {
    let shutdown = CancellationToken::new();
    engine::cancel_when_stdin_ends(shutdown.clone())?;
    let options = EngineOptions { directory: dir.to_owned(), library: None };
    let ready = |address: &str| tracing::info!(address, directory = %dir.display(), "warehouse engine is ready");
    Ok(engine::serve(options, ready, shutdown).await?)
}
