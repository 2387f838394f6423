//! History through the whole pipeline equals the fold, however it is cut into partitions, zones and files.

use linli_tests::lines::Lines;
use linli_tests::oracle::Definitions;
use linli_tests::stack::{Kafka, Redis};

use crate::{Case, SHANGHAI_MS};

#[test]
fn embedded_history_equals_the_fold_in_any_partition_count_and_zone() {
    for (partitions, zone, offset) in
        [("1", "UTC", 0), ("3", "Asia/Shanghai", SHANGHAI_MS), ("8", "Asia/Kolkata", 19_800_000)]
    {
        let case = Case::new(&Lines { seed: 11, ..Lines::default() });
        let result = case.run(&["--partitions", partitions, "--zone", zone]).json();
        assert_eq!(case.differences(Definitions::of_zone(offset)), Vec::<String>::new(), "{partitions} in {zone}");
        assert_eq!(result["lines"].as_u64(), Some(case.lines.len() as u64), "{result}");
        case.assert_conserved();
    }
}

/// A small shop's till: weeks in one file, few communities, goods given back.
#[test]
fn weeks_of_a_small_shop_equal_the_fold() {
    let weeks = Lines {
        seed: 17,
        count: 6_000,
        duration_ms: 45 * 24 * 3_600_000,
        communities: 5,
        users: 700,
        skus: 150,
        returns_per_mille: 250,
        ..Lines::default()
    };
    for (partitions, zone, offset) in [("8", "Asia/Tokyo", 32_400_000), ("3", "UTC", 0)] {
        let case = Case::new(&weeks);
        case.run(&["--partitions", partitions, "--zone", zone]);
        assert_eq!(case.differences(Definitions::of_zone(offset)), Vec::<String>::new(), "{partitions} in {zone}");
        case.assert_conserved();
    }
}

#[test]
fn history_over_kafka_and_redis_equals_the_fold() {
    let (kafka, redis) = (Kafka::start(), Redis::start());
    for (partitions, zone, offset) in
        [("1", "Asia/Shanghai", SHANGHAI_MS), ("3", "UTC", 0), ("8", "Asia/Shanghai", SHANGHAI_MS)]
    {
        let case = Case::new(&Lines { seed: 12, count: 10_000, ..Lines::default() });
        let namespace = format!("history_{partitions}");
        case.run(&[
            "--log",
            &kafka.url(),
            "--serving",
            &redis.url(),
            "--namespace",
            &namespace,
            "--partitions",
            partitions,
            "--zone",
            zone,
        ]);
        assert_eq!(case.differences(Definitions::of_zone(offset)), Vec::<String>::new(), "{partitions} in {zone}");
        case.assert_conserved();
    }
}

#[test]
fn lateness_cuts_off_exactly_what_a_fold_that_knows_it_cuts_off() {
    let lines = Lines { seed: 13, late_per_mille: 20, ..Lines::default() };
    let case = Case::new(&lines);
    let result = case.run(&["--partitions", "3", "--zone", "UTC", "--lateness", "60s"]).json();
    let definitions = Definitions { partitions: 3, lateness_ms: 60_000, ..Definitions::of_zone(0) };
    assert_eq!(case.differences(definitions), Vec::<String>::new());
    let lenient = case.differences(Definitions::of_zone(0));
    assert!(!lenient.is_empty(), "some lines of this file are late");
    assert!(result["late"].as_u64().is_some_and(|late| late > 0), "{result}");
    let jobs = case.assert_conserved();
    assert!(jobs["activity"]["clicks"]["late"].as_u64().is_some_and(|late| late > 0), "{jobs}");

    let punctual = Case::new(&lines);
    punctual.run(&["--partitions", "3", "--zone", "UTC"]);
    assert_eq!(punctual.differences(Definitions::of_zone(0)), Vec::<String>::new());
}

#[test]
fn a_second_file_is_appended_and_the_first_is_known_again() {
    let mut case = Case::new(&Lines { seed: 14, count: 6_000, ..Lines::default() });
    case.run(&["--zone", "UTC"]);
    let again = case.run(&["--zone", "UTC"]).json();
    assert_eq!(again["imported_lines"].as_u64(), Some(0), "{again}");
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());

    let later =
        Lines { seed: 15, count: 6_000, start_ms: Lines::default().start_ms + 31 * 3_600_000, ..Lines::default() };
    let second = later.generate();
    case.file = case.path("second.ndjson");
    std::fs::write(&case.file, second.join("\n")).expect("the folder can be written");
    case.lines.extend(second);
    case.run(&["--zone", "UTC"]);
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());
}

#[test]
fn another_partition_count_is_refused_with_the_remedy() {
    let case = Case::new(&Lines { seed: 16, count: 500, ..Lines::default() });
    case.run(&["--partitions", "3"]);
    let refused = linli_tests::program::run(&mut linli_tests::program::linli(case.backfill(&["--partitions", "4"])));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("partitions") && refused.stderr.contains("hint:"), "{}", refused.stderr);
}
