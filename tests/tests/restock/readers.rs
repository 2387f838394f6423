//! Readers of the views, who look all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::runs::MadeRun;

/// What must be seen of a run by its name: lines and their sum, steps and their sum.
pub type Whole = BTreeMap<String, ((u64, i64), (u64, f64))>;

pub fn whole(runs: &[&MadeRun]) -> Whole {
    runs.iter().map(|run| (run.id.to_string(), (run.checksum(), run.demand_checksum()))).collect()
}

pub struct Readers {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Readers {
    pub fn start(url: &str, count: usize, whole: &Whole) -> Readers {
        let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = (0..count).map(|_| {
            let (url, whole) = (url.to_owned(), whole.clone());
            let (stop, looks) = (Arc::clone(&stop), Arc::clone(&looks));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(read(&url, &whole, &stop, &looks))
            })
        });
        let threads = threads.collect();
        Readers { stop, looks, threads }
    }

    /// How often they looked, and the runs that they saw in turn.
    pub fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.threads.into_iter().flat_map(|thread| thread.join().expect("what readers see is whole"));
        (self.looks.load(Ordering::Relaxed), seen.collect())
    }
}

async fn read(url: &str, whole: &Whole, stop: &AtomicBool, looks: &AtomicU64) -> Vec<String> {
    // one statement each: what it sees is one run, or no run
    const LINES: &str = "select cast(v.run as char), count(*), \
        cast(sum(v.quantity * (v.sku_id * 1000 + v.community_id * 10 + v.warehouse_id) + v.sku_id) as signed), \
        max(r.suggestion_rows), cast(sum(v.quantity) as signed), cast(max(r.pieces) as signed), max(r.state) \
        from shop_0.restock_suggestion v join shop_0.restock_runs r on r.run = v.run group by v.run";
    const DEMAND: &str = "select cast(v.run as char), count(*), sum(v.mean), max(r.demand_rows), max(r.state) \
        from shop_0.demand_forecast v join shop_0.restock_runs r on r.run = v.run group by v.run";
    const BOTH: &str = "select (select cast(max(run) as char) from shop_0.restock_suggestion), \
        (select cast(min(run) as char) from shop_0.demand_forecast)";
    type LineRow = (String, u64, i64, Option<u64>, i64, Option<i64>, String);
    let mut conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
    let mut seen: Vec<String> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let lines: Vec<LineRow> = conn.query(LINES).await.expect("a view");
        assert!(lines.len() <= 1, "{lines:?}");
        for (run, count, sum, told, pieces, pieces_told, state) in lines {
            let expected = whole.get(&run).unwrap_or_else(|| panic!("run {run} is none of ours"));
            assert_eq!((count, sum), expected.0, "lines of run {run}");
            assert_eq!((Some(count), Some(pieces)), (told, pieces_told), "restock_runs of {run}");
            assert_eq!(state, "complete", "run {run}");
            if seen.last() != Some(&run) {
                seen.push(run);
            }
        }
        let demand: Vec<(String, u64, f64, Option<u64>, String)> = conn.query(DEMAND).await.expect("a view");
        assert!(demand.len() <= 1, "{demand:?}");
        for (run, count, sum, told, state) in demand {
            let expected = whole.get(&run).unwrap_or_else(|| panic!("run {run} is none of ours"));
            assert_eq!((count, sum), expected.1, "demand of run {run}");
            assert_eq!((told, state.as_str()), (Some(count), "complete"), "restock_runs of {run}");
        }
        let both: Option<(Option<String>, Option<String>)> = conn.query_first(BOTH).await.expect("views");
        let (lines, demand) = both.expect("a row");
        assert_eq!(lines, demand, "both views show one run");
        looks.fetch_add(1, Ordering::Relaxed);
    }
    seen
}
