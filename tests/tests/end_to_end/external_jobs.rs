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
    let shared =
        ["--log", &log_url, "--serving", &serving_url, "--blobs", &blobs, "--namespace", "shared", "--zone", "UTC"];
    let jobs = || Running::start(&mut program::linli(["jobs", "run", "--json"].iter().chain(&shared)));
    let external: Vec<&str> = ["--jobs", "external"].into_iter().chain(shared).collect();

    // The topics are there before the group forms, so that both get their share of the tasks.
    let (mut first, mut second) = (jobs(), jobs());
    let shares = [&mut first, &mut second].map(|process| {
        let line = process.wait_for(DEADLINE, |line| tasks(line).is_some_and(|tasks| tasks.len() == 4));
        tasks(&line).unwrap_or_default()
    });
    case.run(&external);
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());

    let status = program::run(&mut program::linli(["jobs", "status", "--json"].iter().chain(&shared))).succeeded();
    let applied = applied_by_task(&status.json());
    let total: u64 = applied.values().sum();
    for share in &shares {
        let count: u64 = share.iter().map(|task| applied[task]).sum();
        assert!(count * 5 >= total, "tasks {share:?} applied {count} of {total}");
    }

    let later =
        Lines { seed: 42, count: 30_000, start_ms: Lines::default().start_ms + 31 * 3_600_000, ..Lines::default() };
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

/// The tasks in a line like `… assignment changed group="linli-jobs" tasks={0, 1, 2}`.
fn tasks(line: &str) -> Option<Vec<u64>> {
    let list = line.split_once("assignment changed")?.1.split_once("tasks={")?.1.split_once('}')?.0;
    list.split(',').map(|task| task.trim().parse().ok()).collect()
}

fn applied_by_task(status: &serde_json::Value) -> std::collections::BTreeMap<u64, u64> {
    let number = |task: &serde_json::Value, field: &str| task[field].as_u64().expect("a number");
    let tasks = status["tasks"].as_array().expect("tasks");
    tasks.iter().map(|task| (number(task, "task"), number(task, "applied"))).collect()
}
