//! Two processes share the tasks; when one is killed the other takes them over.

use std::time::Duration;

use linli_tests::lines::Lines;
use linli_tests::oracle::Definitions;
use linli_tests::program::{self, Running};
use linli_tests::stack::{Kafka, Redis};

use crate::{Case, DEADLINE, text};

#[test]
fn two_processes_share_the_tasks_and_one_takes_over_when_the_other_dies() {
    let (kafka, redis) = (Kafka::start(), Redis::start());
    let mut case = Case::new(&Lines { seed: 41, count: 30_000, ..Lines::default() });
    let (log_url, serving_url) = (kafka.url(), redis.url());
    let blobs = format!("file://{}", text(&case.path("blobs")));
    let shared = [
        "--log", &log_url, "--serving", &serving_url, "--blobs", &blobs, "--namespace", "shared", "--zone", "UTC",
    ];
    let jobs = || Running::start(&mut program::linli(["jobs", "run", "--json"].iter().chain(&shared)));
    let external: Vec<&str> = ["--jobs", "external"].into_iter().chain(shared).collect();

    // The topics are there before the group forms, so that both get their share of the tasks.
    let (mut first, mut second) = (jobs(), jobs());
    for process in [&mut first, &mut second] {
        process.wait_for(DEADLINE, |line| line.contains("tasks assigned") && line.contains("tasks=4"));
    }
    case.run(&external);
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());

    let status = program::run(&mut program::linli(["jobs", "status", "--json"].iter().chain(&shared))).succeeded();
    let applied = applied_by_writer(&status.json());
    let total: u64 = applied.values().sum();
    assert_eq!(applied.len(), 2, "{applied:?}");
    for (writer, count) in &applied {
        assert!(count * 5 >= total, "{writer} applied {count} of {total}");
    }

    let later = Lines { seed: 42, count: 30_000, start_ms: Lines::default().start_ms + 31 * 3_600_000, ..Lines::default() };
    let more = later.generate();
    case.file = case.path("more.ndjson");
    std::fs::write(&case.file, more.join("\n")).expect("the folder can be written");
    case.lines.extend(more);
    let throttled: Vec<&str> = ["--throttle", "6000"].into_iter().chain(external).collect();
    let mut backfill = Running::start(&mut program::linli(case.backfill(&throttled)));
    backfill.wait_for(DEADLINE, |line| line.contains("importing"));
    assert!(!backfill.run_for(Duration::from_secs(2)), "still importing");
    first.kill();
    let (ended, lines) = backfill.wait(DEADLINE);
    assert!(ended.success(), "{lines:#?}");
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());
    case.assert_conserved();
    let (ended, lines) = second.interrupt(DEADLINE);
    assert!(ended.success(), "{lines:#?}");
}

/// Records applied, by the process that wrote the newest epoch of each task.
fn applied_by_writer(status: &serde_json::Value) -> std::collections::BTreeMap<String, u64> {
    let mut applied = std::collections::BTreeMap::new();
    for task in status["tasks"].as_array().expect("tasks") {
        let writer = task["writer"].as_str().expect("a writer").to_owned();
        *applied.entry(writer).or_default() += task["applied"].as_u64().expect("a count");
    }
    applied
}
