//! Change data capture against real servers.

mod anew;
mod cut_snapshot;
mod failover;
mod faults;
mod fold;
mod formats;
mod images;
mod limits;
mod long;
mod many_orders;
mod mariadb_forms;
mod oracle;
mod page;
mod positions;
mod quarantine;
mod refusals;
mod runs;
mod shapes;
mod shop;
mod simulated;
mod snapshot_under_writes;
mod statements;
mod survival;
mod topics;
mod watching;
mod xa;

use std::future::Future;
use std::time::Duration;

use linli_connectors::clock::{Clock, SystemClock};

/// For one run of the program.
const DEADLINE: Duration = Duration::from_secs(180);

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started").block_on(future)
}

/// Waits until something is so.
async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = SystemClock.now_ms() + DEADLINE.as_millis() as i64;
    while !is_so().await {
        assert!(SystemClock.now_ms() < until, "{what}: not within {DEADLINE:?}");
        SystemClock.sleep(Duration::from_millis(100)).await;
    }
}
