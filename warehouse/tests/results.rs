//! Packed results: newest version wins whole, shards are summed, repetitions change nothing.

use expect_test::expect;
use linli_schemas::Topic;
use linli_schemas::metric::Metric;

use super::support::records::{on_log, part};
use super::support::{Bench, DAY, DAY_MS};

const GMV_MIN: &str =
    "select toUnixTimestamp64Milli(window_start) - 1793462400000, biz_date, biz_hour, community_id, gmv, orders
     from gmv_min order by all";

#[tokio::test(flavor = "multi_thread")]
async fn views_sum_the_disjoint_parts_of_the_shards() {
    let bench = Bench::new("results_sum").await;
    let parts = [
        part(Metric::GmvMin, DAY, 0, 0, 1, &[&[1, 2], &[100, 250], &[1, 2]]),
        part(Metric::GmvMin, DAY, 0, 1, 1, &[&[3], &[999], &[1]]),
        part(Metric::GmvMin, DAY + 60_000, 0, 1, 1, &[&[3], &[5], &[1]]),
    ];
    let uv = [
        part(Metric::UvDayTotal, DAY, 0, 0, 1, &[&[10]]),
        part(Metric::UvDayTotal, DAY, 0, 1, 1, &[&[5]]),
        part(Metric::UvDay, DAY, 0, 0, 1, &[&[1, 2], &[4, 6]]),
        part(Metric::UvDay, DAY, 0, 1, 1, &[&[2], &[5]]),
    ];
    bench.append(Topic::MetricsGmv, &parts.iter().map(on_log).collect::<Vec<_>>()).await;
    bench.append(Topic::MetricsActivity, &uv.iter().map(on_log).collect::<Vec<_>>()).await;
    bench.load_results().await;
    expect![[r#"
        0	2026-11-01	0	1	100	1
        0	2026-11-01	0	2	250	2
        0	2026-11-01	0	3	999	1
        60000	2026-11-01	0	3	5	1
    "#]]
    .assert_eq(&bench.tsv(GMV_MIN).await);
    assert_eq!(bench.tsv("select uv from uv_day_total").await, "15\n");
    assert_eq!(bench.tsv("select community_id, uv from uv_day order by 1").await, "1\t4\n2\t11\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_record_replaces_the_older_whole_whatever_the_order_and_the_repetitions() {
    let bench = Bench::new("results_versions").await;
    let old = part(Metric::GmvMin, DAY, 0, 0, 5, &[&[1, 2], &[100, 250], &[1, 2]]);
    let new = part(Metric::GmvMin, DAY, 0, 0, 6, &[&[2, 9], &[300, 7], &[3, 1]]);
    bench.append(Topic::MetricsGmv, &[on_log(&old)]).await;
    bench.load_results().await;
    bench.append(Topic::MetricsGmv, &[on_log(&new), on_log(&old)]).await;
    bench.load_results().await;
    // The older once more, in a batch of its own; then everything again from the start.
    bench.append(Topic::MetricsGmv, &[on_log(&old)]).await;
    bench.load_results().await;
    bench.forget_positions().await;
    bench.load_results().await;
    expect![[r#"
        0	2026-11-01	0	2	300	3
        0	2026-11-01	0	9	7	1
    "#]]
    .assert_eq(&bench.tsv(GMV_MIN).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_the_last_load_ended() {
    let bench = Bench::new("results_restart").await;
    let one = part(Metric::UvMin, DAY, 0, 0, 1, &[&[1], &[1]]);
    bench.append(Topic::MetricsActivity, &[on_log(&one)]).await;
    let first = bench.load_results().await.status();
    assert_eq!(first.rows["metric_parts"], 1);
    let two = part(Metric::UvMin, DAY + 60_000, 0, 0, 1, &[&[1], &[1]]);
    bench.append(Topic::MetricsActivity, &[on_log(&two)]).await;
    let second = bench.load_results().await.status();
    assert_eq!(second.rows["metric_parts"], 1, "the first record is not loaded again");
    assert_eq!(bench.tsv("select count() from uv_min").await, "2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_result_goes_to_the_dead_letter_and_the_rest_is_loaded() {
    let bench = Bench::new("results_unreadable").await;
    let good = part(Metric::UvMin, DAY, 0, 0, 1, &[&[1], &[1]]);
    let ragged = r#"{"metric":"uv_min","window_start":1793462400000,"window_end":1793462460000,"dimension":0,"shard":0,"version":[1,9,0],"as_of":0,"columns":[[1],[1,2]]}"#;
    let far = part(Metric::UvMin, i64::MAX / 2, 0, 0, 1, &[&[1], &[1]]);
    let values =
        [("a".to_owned(), "not json".to_owned()), ("b".to_owned(), ragged.to_owned()), on_log(&far), on_log(&good)];
    bench.append(Topic::MetricsActivity, &values).await;
    let status = bench.load_results().await.status();
    assert_eq!(status.unreadable, 3);
    assert_eq!(bench.tsv("select uv from uv_min").await, "1\n");
    bench.load_facts_with_letters().await;
    expect![[r#"
        metrics.activity	malformed
        metrics.activity	malformed
        metrics.activity	malformed
    "#]]
    .assert_eq(&bench.tsv("select topic, code from dead_letters final order by all").await);
    assert_eq!(bench.tsv("select count() from dead_letters final where value = 'not json' and key = 'a'").await, "1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_list_of_a_community_has_no_window_and_is_kept() {
    let bench = Bench::new("results_newest_only").await;
    let list = part(Metric::TopHopCommunity, 0, 12, 0, 1, &[&[7], &[3]]);
    bench.append(Topic::MetricsTopN, &[on_log(&list)]).await;
    bench.load_results().await;
    assert_eq!(bench.tsv("select dimension, c0, c1 from metric_parts final").await, "12\t[7]\t[3]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_days_do_not_meet() {
    let bench = Bench::new("results_days").await;
    let days = [
        part(Metric::GmvDay, DAY, 0, 0, 1, &[&[1], &[100], &[1], &[1]]),
        part(Metric::GmvDay, DAY + DAY_MS, 0, 0, 1, &[&[1], &[30], &[1], &[1]]),
    ];
    bench.append(Topic::MetricsGmv, &days.iter().map(on_log).collect::<Vec<_>>()).await;
    bench.load_results().await;
    assert_eq!(
        bench.tsv("select biz_date, gmv, buyers from gmv_day order by 1").await,
        "2026-11-01\t100\t1\n2026-11-02\t30\t1\n"
    );
}
