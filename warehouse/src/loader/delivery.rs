//! Bringing one batch in: rows, dead letters, sales, and only then the positions.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use linli_connectors::log::NewRecord;
use tokio_util::sync::CancellationToken;

use super::positions::Positions;
use super::{Endpoints, LoaderHandle, sales};
use crate::Result;
use crate::sql::Block;

const BACKOFF_MS_MIN: u64 = 100;
const BACKOFF_MS_MAX: u64 = 10_000;

/// A batch with where it ends.
pub(super) struct Load {
    pub name: String,
    pub token: String,
    pub blocks: Vec<Block>,
    pub letters: Vec<NewRecord>,
    pub ignored: u64,
    pub positions: Positions,
    pub sales: Sales,
}

/// Whether `community_sales` is counted again with this batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sales {
    Untouched,
    /// Rows came in; they are counted later.
    Later,
    Now,
}

/// What a delivery came to.
#[derive(Debug)]
pub(super) struct Delivered {
    /// How long counting the sales took, if it was done.
    pub sales_took_ms: Option<i64>,
    /// From when on loaded rows are not counted yet.
    pub sales_since: i64,
}

/// Tries what may pass until it does. `None` when shut down meanwhile.
pub(super) struct Retries<'a> {
    pub endpoints: &'a Endpoints,
    pub handle: &'a LoaderHandle,
    pub shutdown: &'a CancellationToken,
    pub name: &'a str,
}

impl Retries<'_> {
    pub async fn run<T, F: Future<Output = Result<T>>>(&self, mut attempt: impl FnMut() -> F) -> Result<Option<T>> {
        let mut backoff_ms = BACKOFF_MS_MIN;
        loop {
            let error = match attempt().await {
                Ok(value) => {
                    if backoff_ms > BACKOFF_MS_MIN {
                        self.handle.update(|status| status.failing = None);
                    }
                    return Ok(Some(value));
                }
                Err(error) if error.is_retry() => error,
                Err(error) => return Err(error),
            };
            tracing::warn!(loader = self.name, %error, backoff_ms, "loading failed, trying again");
            self.handle.update(|status| {
                status.retries += 1;
                status.failing = Some(error.to_string());
            });
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(None),
                () = self.endpoints.clock.sleep(Duration::from_millis(backoff_ms)) => {}
            }
            backoff_ms = (backoff_ms * 2).min(BACKOFF_MS_MAX);
        }
    }
}

/// Delivers a batch. `None` when shut down before it was all in: the next start repeats it.
pub(super) async fn deliver(
    endpoints: Endpoints,
    mut load: Load,
    handle: LoaderHandle,
    shutdown: CancellationToken,
) -> Result<Option<Delivered>> {
    let name = load.name.clone();
    let retries = Retries { endpoints: &endpoints, handle: &handle, shutdown: &shutdown, name: &name };
    let mut rows: BTreeMap<&'static str, u64> = BTreeMap::new();
    for block in &load.blocks {
        let Some(()) = retries.run(|| endpoints.warehouse.insert(block, &load.token)).await? else {
            return Ok(None);
        };
        *rows.entry(block.table).or_default() += block.rows;
    }
    let unreadable = load.letters.len() as u64;
    if unreadable > 0 {
        let Some(()) = retries.run(|| endpoints.log.append(load.letters.clone())).await? else { return Ok(None) };
    }
    let mut sales_took_ms = None;
    if load.sales == Sales::Now {
        let began = endpoints.clock.now_ms();
        let since = load.positions.sales_since;
        let Some(counted) = retries.run(|| sales::count_again(&endpoints.warehouse, since)).await? else {
            return Ok(None);
        };
        load.positions.sales_since = counted;
        sales_took_ms = Some((endpoints.clock.now_ms() - began).max(0));
    }
    let key = Positions::key(&name);
    let encoded = load.positions.encode();
    let Some(()) = retries.run(|| endpoints.blobs.put(&key, encoded.clone())).await? else { return Ok(None) };
    let loaded_at = endpoints.clock.now_ms();
    handle.update(|status| {
        for (table, count) in rows {
            *status.rows.entry(table).or_default() += count;
        }
        status.unreadable += unreadable;
        status.ignored += load.ignored;
        status.loaded_at = Some(loaded_at);
        status.sales_pending = load.sales == Sales::Later;
        status.positions = load.positions.next;
    });
    Ok(Some(Delivered { sales_took_ms, sales_since: load.positions.sales_since }))
}
