//! Crashes, failing stores and small batches change no answer.

use std::sync::Arc;
use std::time::Duration;

use linli_connectors::blobs::{BlobFaults, FaultyBlobs};
use linli_connectors::log::LogFaults;
use linli_schemas::Topic;
use linli_schemas::metric::Metric;
use linli_warehouse::loader::{LoaderHandle, run_facts, run_results};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::support::records::{change, click, imported, item, on_log, order, part};
use super::support::{Bench, DAY, DAY_MS};

const ANSWERS: [&str; 6] = [
    "select * except (loaded_at, version) from orders final order by all",
    "select * except (loaded_at, version) from order_items final order by all",
    "select * except (loaded_at, version) from clicks final order by all",
    "select topic, partition, offset, code from dead_letters final order by all",
    "select event_date, community_id, sku_id, quantity, amount from community_sales final order by all",
    "select * from gmv_min order by all",
];

/// Orders through their lives, imported lines with repetitions, clicks twice, records nobody can read, results in versions.
async fn fill(bench: &Bench) {
    let (mut orders, mut items, mut clicks, mut results) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for i in 0..300_u64 {
        let community = 1 + (i % 7) as i64;
        let key = community.to_string();
        let at = DAY + (i as i64 % 3) * DAY_MS + i as i64 * 1_000;
        let (unpaid, paid) = (order(i, community, 100, None), order(i, community, 100 + i as i64, Some(at)));
        if i % 3 == 0 {
            let line = imported("orders", &format!("e{i}"), 0, at, paid);
            orders.extend([(key.clone(), line.clone()), (key.clone(), line)]);
            items.push((
                key.clone(),
                imported("order_items", &format!("e{i}"), 1, at, item(i, 1, community, 70 + (i % 5) as i64, 2, 50)),
            ));
        } else {
            orders.push((key.clone(), change("c", at - 9, Value::Null, unpaid.clone())));
            if i % 5 != 0 {
                orders.push((key.clone(), change("u", at, unpaid, paid)));
            }
            items.push((key.clone(), change("c", at - 9, Value::Null, item(i, 1, community, 70, 1, 30))));
        }
        if i % 50 == 0 {
            orders.push((key.clone(), format!("unreadable {i}")));
        }
        clicks.push((i.to_string(), click(&format!("c{}", i / 2), 1, community, DAY + i as i64 / 2, DAY)));
        let minute = DAY + (i as i64 % 20) * 60_000;
        let cells = [i as i64, 1_000 + i as i64];
        results.push(on_log(&part(Metric::GmvMin, minute, 0, (i % 2) as u32, i, &[&cells, &cells, &[1, 1]])));
    }
    bench.append(Topic::Orders, &orders).await;
    bench.append(Topic::OrderItems, &items).await;
    bench.append(Topic::Clicks, &clicks).await;
    bench.append(Topic::MetricsGmv, &results).await;
}

async fn answers(bench: &Bench) -> Vec<String> {
    let mut answers = Vec::new();
    for sql in ANSWERS {
        answers.push(bench.tsv(sql).await);
    }
    answers
}

/// Runs both loaders with failing ports and batches of 40 rows, and cuts them off when a few loads are in.
async fn run_and_crash(bench: &Bench, round: u64) {
    let mut endpoints = bench.endpoints();
    let faults = LogFaults {
        append_fails_before: 0.2,
        append_fails_midway: 0.2,
        append_fails_after: 0.2,
        poll_fails: 0.2,
        ..LogFaults::default()
    };
    endpoints.log = Arc::new(bench.memory.fork("faulty", round, faults));
    endpoints.blobs =
        Arc::new(FaultyBlobs::new(Arc::clone(&bench.blobs), round, BlobFaults { before: 0.2, after: 0.2 }));
    let small = |facts: bool| {
        let mut options = bench.options(facts);
        options.rows_max = 40;
        options.interval_ms = 5;
        options.sales_interval_ms = 20;
        options
    };
    let (facts, results) = (LoaderHandle::new(), LoaderHandle::new());
    let shutdown = CancellationToken::new();
    let running = [
        tokio::spawn(run_facts(endpoints.clone(), small(true), facts.clone(), shutdown.clone())),
        tokio::spawn(run_results(endpoints, small(false), results.clone(), shutdown)),
    ];
    let wanted = bench.ends(&[Topic::Clicks]).await;
    let some: std::collections::BTreeMap<_, _> = wanted
        .into_iter()
        .map(|(topic, ends)| (topic, ends.into_iter().map(|end| end * (round + 1) / 4).collect()))
        .collect();
    // Either that far, or long enough: what counts is the end.
    drop(tokio::time::timeout(Duration::from_secs(5), facts.wait_until(&some)).await);
    running.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_and_failing_stores_change_no_answer() {
    let smooth = Bench::new("faults_smooth").await;
    fill(&smooth).await;
    smooth.load_results().await;
    smooth.load_facts_with_letters().await;
    let expected = answers(&smooth).await;
    assert!(expected.iter().all(|answer| answer.lines().count() > 5), "every table holds something");

    let rough = Bench::new("faults_rough").await;
    fill(&rough).await;
    for round in 0..3 {
        run_and_crash(&rough, round).await;
    }
    rough.load_results().await;
    rough.load_facts_with_letters().await;
    assert_eq!(answers(&rough).await, expected);
    let sales = rough
        .tsv("select biz_date, community_id, sku_id, sum(quantity), sum(amount) from sales group by all order by all")
        .await;
    assert_eq!(sales, expected[4], "community_sales is the sum over the facts");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_loader_that_ends_is_an_error() {
    let bench = Bench::new("faults_ended").await;
    let handle = LoaderHandle::new();
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    run_results(bench.endpoints(), bench.options(false), handle.clone(), shutdown).await.expect("ends");
    let never = [(Topic::MetricsGmv, vec![1; 4])].into();
    handle.wait_until(&never).await.expect_err("nobody loads any more");
}
