//! The CSV files are read from the stores: a row altered there shows.

use linli_tests::lines::Lines;
use linli_tests::oracle::Definitions;
use linli_tests::stack::{Kafka, Redis};

use crate::Case;

#[test]
fn a_row_altered_in_redis_shows_in_the_answers() {
    let (kafka, redis) = (Kafka::start(), Redis::start());
    let case = Case::new(&Lines { seed: 31, count: 3_000, ..Lines::default() });
    let (log_url, serving_url) = (kafka.url(), redis.url());
    let extra = ["--log", &log_url, "--serving", &serving_url, "--namespace", "altered", "--zone", "UTC"];
    case.run(&extra);
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());

    let altered = redis.alter_first_hash("altered:buyers_day_total:");
    assert!(altered, "a stored day was altered");
    case.run(&extra);
    let differences = case.differences(Definitions::of_zone(0));
    assert!(differences.iter().any(|d| d.starts_with("buyers_day_total")), "{differences:?}");
}
