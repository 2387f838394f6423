//! Change data capture against real servers.

mod failover;
mod faults;
mod fold;
mod limits;
mod positions;
mod refusals;
mod shop;
mod snapshot_under_writes;
mod survival;
mod topics;

use std::future::Future;
use std::time::Duration;

/// For one run of the program.
const DEADLINE: Duration = Duration::from_secs(180);

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started").block_on(future)
}
