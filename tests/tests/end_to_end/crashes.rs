//! SIGKILL at any moment changes no answer.

use std::time::Duration;

use linli_tests::lines::Lines;
use linli_tests::oracle::Definitions;
use linli_tests::program::{self, Running};
use linli_tests::stack::{Kafka, Redis};

use crate::{Case, DEADLINE};

/// Kills a throttled backfill again and again, lets the last run finish, and returns every line that the runs logged.
fn backfill_with_kills(case: &Case, kills: u32, extra: &[&str], mut between: impl FnMut(u32)) -> Vec<String> {
    let mut log = Vec::new();
    for kill in 0..kills {
        let mut running = Running::start(&mut program::linli(case.backfill(extra)));
        // Spread over one and a half seconds after the start of the jobs, by a fixed pattern.
        running.wait_for(DEADLINE, |line| line.contains("importing"));
        let ended = running.run_for(Duration::from_millis(u64::from((kill * 397) % 1500)));
        assert!(!ended, "the file is long enough for every kill: {:#?}", running.seen);
        log.extend(running.kill());
        between(kill);
    }
    let (status, lines) = Running::start(&mut program::linli(case.backfill(extra))).wait(DEADLINE);
    assert!(status.success(), "{lines:#?}");
    log.extend(lines);
    log
}

#[test]
fn twenty_kills_during_one_embedded_backfill_change_nothing() {
    let case = Case::new(&Lines { seed: 21, count: 120_000, ..Lines::default() });
    let log = backfill_with_kills(&case, 20, &["--zone", "UTC", "--partitions", "3", "--throttle", "4000"], |_| {});
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());
    case.assert_conserved();
    let recovered = log.iter().filter(|line| line.contains("recovered") && line.contains("outbox")).count();
    assert!(recovered >= 20, "each start says which epoch and outbox it met: {recovered}");
}

#[test]
fn kills_and_a_flushed_redis_over_kafka_change_nothing() {
    let (kafka, redis) = (Kafka::start(), Redis::start());
    let case = Case::new(&Lines { seed: 22, count: 40_000, ..Lines::default() });
    let (log_url, serving_url) = (kafka.url(), redis.url());
    let extra = [
        "--log",
        &log_url,
        "--serving",
        &serving_url,
        "--namespace",
        "crashes",
        "--zone",
        "UTC",
        "--partitions",
        "3",
        "--throttle",
        "6000",
    ];
    backfill_with_kills(&case, 4, &extra, |kill| {
        if kill == 1 {
            redis.flush();
        }
    });
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());
    case.assert_conserved();
}
