//! The CSV files come from the stores: altering a store alters them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use linli_connectors::serving::SharedServing;
use linli_schemas::Topic;
use linli_schemas::metric::{Metric, MetricRecord};
use linli_warehouse::answers::write_all;

use super::support::records::{on_log, part};
use super::support::serving::TestServing;
use super::support::{Bench, DAY, DAY_MS};

const MINUTE: i64 = 60_000;

fn results() -> Vec<MetricRecord> {
    let day = |mut record: MetricRecord| {
        record.window_end = record.key.window_start + DAY_MS;
        record
    };
    vec![
        part(Metric::GmvMin, DAY, 0, 0, 1, &[&[2, 1], &[250, 100], &[2, 1]]),
        part(Metric::GmvMin, DAY, 0, 1, 1, &[&[10], &[7], &[1]]),
        part(Metric::GmvMin, DAY + MINUTE, 0, 1, 1, &[&[10, 11], &[5, 0], &[1, 0]]),
        day(part(Metric::GmvDay, DAY, 0, 0, 1, &[&[1, 2], &[100, 250], &[1, 2], &[1, 2]])),
        day(part(Metric::GmvDay, DAY, 0, 1, 1, &[&[10], &[12], &[2], &[1]])),
        day(part(Metric::GmvDay, DAY + DAY_MS, 0, 1, 1, &[&[10], &[40], &[2], &[1]])),
        part(Metric::UvMin, DAY, 0, 0, 1, &[&[1], &[3]]),
        part(Metric::UvMin, DAY, 0, 1, 1, &[&[1, 2], &[4, 1]]),
        part(Metric::UvHour, DAY, 0, 0, 1, &[&[1], &[3]]),
        day(part(Metric::UvDay, DAY, 0, 0, 1, &[&[1], &[3]])),
        day(part(Metric::UvDayTotal, DAY, 0, 0, 1, &[&[3]])),
        day(part(Metric::UvDayTotal, DAY, 0, 1, 1, &[&[5]])),
        day(part(Metric::BuyersDayTotal, DAY, 0, 0, 1, &[&[2]])),
        day(part(Metric::TopDayCommunity, DAY, 1, 0, 1, &[&[70, 60, 80], &[5, 9, 5]])),
        part(Metric::TopMin, DAY, 0, 0, 1, &[&[1, 1], &[60, 70], &[4, 5]]),
        part(Metric::TopMin, DAY, 0, 1, 1, &[&[1], &[60], &[1]]),
        part(Metric::TopMin, DAY + 30 * MINUTE, 0, 0, 1, &[&[1], &[60], &[4]]),
    ]
}

async fn loaded(name: &str) -> (Bench, Arc<TestServing>, tempfile::TempDir) {
    let bench = Bench::new(name).await;
    for record in results() {
        bench.append(record.key.metric.topic(), &[on_log(&record)]).await;
    }
    bench.load_results().await;
    (bench, TestServing::new(), tempfile::tempdir().expect("a folder"))
}

async fn write(bench: &Bench, serving: &Arc<TestServing>, folder: &Path) {
    let serving: SharedServing = Arc::clone(serving) as SharedServing;
    write_all(&bench.warehouse, &serving, folder, Duration::from_secs(60)).await.expect("written");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(format!("{name}.csv"))).expect(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_has_its_header_and_its_rows_in_order() {
    let (bench, serving, folder) = loaded("answers_all").await;
    write(&bench, &serving, folder.path()).await;
    let names = [
        "gmv_min",
        "gmv_min_total",
        "gmv_day",
        "gmv_day_total",
        "uv_min",
        "uv_hour",
        "uv_day",
        "uv_day_total",
        "buyers_day",
        "buyers_day_total",
        "top_day",
    ];
    let all: String = names.map(|name| format!("# {name}\n{}", read(folder.path(), name))).concat();
    expect![[r#"
        # gmv_min
        minute_ms,community_id,gmv
        1793462400000,1,100
        1793462400000,2,250
        1793462400000,10,7
        1793462460000,10,5
        # gmv_min_total
        minute_ms,gmv
        1793462400000,357
        1793462460000,5
        # gmv_day
        day_ms,community_id,gmv
        1793462400000,1,100
        1793462400000,2,250
        1793462400000,10,12
        1793548800000,10,40
        # gmv_day_total
        day_ms,gmv
        1793462400000,362
        1793548800000,40
        # uv_min
        w_ms,community_id,uv
        1793462400000,1,7
        1793462400000,2,1
        # uv_hour
        w_ms,community_id,uv
        1793462400000,1,3
        # uv_day
        w_ms,community_id,uv
        1793462400000,1,3
        # uv_day_total
        w_ms,uv
        1793462400000,8
        # buyers_day
        day_ms,community_id,buyers
        1793462400000,1,1
        1793462400000,2,2
        1793462400000,10,1
        1793548800000,10,1
        # buyers_day_total
        day_ms,buyers
        1793462400000,2
        # top_day
        d,community_id,rn,sku_id,q
        1793462400000,1,1,60,9
        1793462400000,1,2,70,5
        1793462400000,1,3,80,5
    "#]]
    .assert_eq(&all);
    let hop = read(folder.path(), "top_hop");
    let lists: Vec<&str> = hop.lines().collect();
    assert_eq!(lists[0], "window_end_ms,rn,sku_id,qty");
    assert_eq!(lists[1], format!("{},1,60,5", DAY + MINUTE));
    assert_eq!(lists[2], format!("{},2,70,5", DAY + MINUTE));
    assert!(hop.contains(&format!("\n{},1,60,9\n", DAY + 31 * MINUTE)));
    assert!(hop.ends_with(&format!("\n{},1,60,4\n", DAY + 90 * MINUTE)));
    assert_eq!(lists.len(), 1 + 2 * 60 + 30, "one list a minute, from the first sale to an hour after the last");
    let left = std::fs::read_dir(folder.path()).expect("listed").count();
    assert_eq!(left, names.len() + 1, "no partial file is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_come_from_the_serving_store_where_it_has_the_day_whole() {
    let (bench, serving, folder) = loaded("answers_serving").await;
    let altered =
        |shard: u32, epoch: u64, gmv: i64| part(Metric::GmvDay, DAY, 0, shard, epoch, &[&[1], &[gmv], &[1], &[1]]);
    // One of two shards: the day is not whole there.
    serving.put(&[altered(0, 1, 1_000)]).await;
    write(&bench, &serving, folder.path()).await;
    assert!(read(folder.path(), "gmv_day_total").contains(&format!("{DAY},362\n")));
    // Both, one older than in the warehouse.
    serving.put(&[altered(1, 0, 1_000)]).await;
    write(&bench, &serving, folder.path()).await;
    assert!(read(folder.path(), "gmv_day_total").contains(&format!("{DAY},362\n")));
    serving.put(&[altered(1, 2, 1_000)]).await;
    write(&bench, &serving, folder.path()).await;
    let total = read(folder.path(), "gmv_day_total");
    assert!(total.contains(&format!("{DAY},2000\n")), "{total}");
    assert!(total.contains(&format!("{},40\n", DAY + DAY_MS)), "the other day is the warehouse's: {total}");
    serving
        .put(&[part(Metric::UvDayTotal, DAY, 0, 0, 9, &[&[30]]), part(Metric::UvDayTotal, DAY, 0, 1, 9, &[&[4]])])
        .await;
    serving.put(&[part(Metric::BuyersDayTotal, DAY, 0, 0, 9, &[&[17]])]).await;
    write(&bench, &serving, folder.path()).await;
    assert!(read(folder.path(), "uv_day_total").contains(&format!("{DAY},34\n")));
    assert!(read(folder.path(), "buyers_day_total").contains(&format!("{DAY},17\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn altering_a_row_of_the_warehouse_alters_the_file() {
    let (bench, serving, folder) = loaded("answers_altered").await;
    write(&bench, &serving, folder.path()).await;
    let before = read(folder.path(), "gmv_min");
    let newer = part(Metric::GmvMin, DAY, 0, 0, 2, &[&[1], &[101], &[1]]);
    bench.append(Topic::MetricsGmv, &[on_log(&newer)]).await;
    bench.load_results().await;
    write(&bench, &serving, folder.path()).await;
    let after = read(folder.path(), "gmv_min");
    assert_eq!(after, before.replace(",1,100\n", ",1,101\n").replace("1793462400000,2,250\n", ""));
    assert!(read(folder.path(), "gmv_min_total").contains(&format!("{DAY},108\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_loaded_gives_headers_only() {
    let bench = Bench::new("answers_empty").await;
    let folder = tempfile::tempdir().expect("a folder");
    write(&bench, &TestServing::new(), folder.path()).await;
    assert_eq!(read(folder.path(), "top_hop"), "window_end_ms,rn,sku_id,qty\n");
    assert_eq!(read(folder.path(), "gmv_day_total"), "day_ms,gmv\n");
}
