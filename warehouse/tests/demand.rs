//! Daily demand for forecasts: from the warehouse's sales, and from files that its engine reads.

use expect_test::expect;
use linli_schemas::Topic;
use linli_warehouse::ErrorKind;
use linli_warehouse::query::{self, Named};
use linli_warehouse::restock::{self, ForecastRow, RunRow};

use super::support::records::{imported, item, order};
use super::support::{Bench, DAY, DAY_MS};

async fn csv(bench: &Bench, named: Named, path: Option<&str>) -> String {
    let mut asked = bench.warehouse.query(named.sql);
    if let Some(path) = path {
        asked = asked.param("path", path);
    }
    String::from_utf8(query::csv(&bench.warehouse, named, asked, 1 << 20).await.expect("rows")).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_communities_and_skus_and_days_count_from_the_first() {
    let bench = Bench::new("demand_sales").await;
    for (id, community, sku, day, quantity) in [(1, 5, 77, 0, 6), (2, 5, 78, 2, 1), (3, 6, 77, 30, 4)] {
        let at = DAY + day * DAY_MS + 3_600_000;
        let key = || community.to_string();
        let paid = imported("orders", &format!("e{id}"), 0, at, order(id, community, 700, Some(at)));
        let line = imported("order_items", &format!("e{id}"), 1, at, item(id, 1, community, sku, quantity, 333));
        bench.append(Topic::Orders, &[(key(), paid)]).await;
        bench.append(Topic::OrderItems, &[(key(), line)]).await;
    }
    bench.load_facts().await;
    // More was given back than bought: that is no demand.
    let given_back = "insert into community_sales values ('2026-12-02', 6, 77, -2, -666, 0, 1)";
    bench.warehouse.execute(given_back).await.expect("a day");
    expect![[r#"
        "series_id","level","community","sku"
        "5/77","community_sku","5","77"
        "5/78","community_sku","5","78"
        "6/77","community_sku","6","77"
    "#]]
    .assert_eq(&csv(&bench, query::DEMAND_SERIES, None).await);
    expect![[r#"
        "series_id","day","units"
        "5/77",0,6
        "5/78",2,1
        "6/77",30,4
        "6/77",31,0
    "#]]
    .assert_eq(&csv(&bench, query::DEMAND_DAYS, None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_file_is_read_whatever_its_columns_and_not_beyond_a_bound() {
    let bench = Bench::new("demand_files").await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("it's.parquet");
    let path = path.to_str().expect("UTF-8");
    let literal = path.replace('\'', "\\'");
    let rows = "select * from values('series_id String, d0 Nullable(Float64), d1 Int32', ('a', 1.5, 2), ('b, \"c\"', NULL, 0))";
    bench
        .warehouse
        .execute(&format!("insert into function file('{literal}', 'Parquet') {rows}"))
        .await
        .expect("written");
    expect![[r#"
        "series_id","d0","d1"
        "a",1.5,2
        "b, ""c""",,0
    "#]]
    .assert_eq(&csv(&bench, query::FILE_ROWS, Some(path)).await);
    let asked = bench.warehouse.query(query::FILE_ROWS.sql).param("path", path);
    let error = query::csv(&bench.warehouse, query::FILE_ROWS, asked, 20).await.expect_err("too long");
    assert_eq!(error.kind, ErrorKind::Reject, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasts_in_csv_become_a_parquet_file() {
    let bench = Bench::new("demand_forecasts").await;
    let dir = tempfile::tempdir().expect("a directory");
    let (source, target) = (dir.path().join("f.csv"), dir.path().join("f.parquet"));
    let header = "series_id,origin,step,mean,q10,q25,q50,q75,q90,q95,q99,model\n";
    let rows = "7,284,1,0.5,0,0,0,1,2,2,3,linli\n\"a, b\",284,-3,1.25,0,0,1,2,3,4,6,linli\n";
    std::fs::write(&source, format!("{header}{rows}")).expect("written");
    let (source, target) = (source.to_str().expect("UTF-8"), target.to_str().expect("UTF-8"));
    query::write_forecasts(&bench.warehouse, source, target).await.expect("written");
    // The name of a series is a text, also where it is a number.
    expect![[r#"
        "series_id","origin","step","mean","q10","q25","q50","q75","q90","q95","q99","model"
        "7",284,1,0.5,0,0,0,1,2,2,3,"linli"
        "a, b",284,-3,1.25,0,0,1,2,3,4,6,"linli"
    "#]]
    .assert_eq(&csv(&bench, query::FILE_ROWS, Some(target)).await);
}

/// A change of the stock of SKU 77 in warehouse 1, `hours` after the first midnight.
fn stock(hours: i64, on_hand: i64, reserved: i64) -> (String, String) {
    let at = DAY + hours * 3_600_000;
    let row = format!(r#"{{"warehouse_id":1,"sku_id":77,"on_hand":{on_hand},"reserved":{reserved}}}"#);
    let source = format!(r#"{{"server":"s","ts_ms":{at}}}"#);
    ("1".to_owned(), format!(r#"{{"before":null,"after":{row},"op":"u","ts_ms":{at},"source":{source}}}"#))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_a_shelf_was_empty_for_hours_is_found() {
    let bench = Bench::new("demand_sold_out").await;
    let changes = [
        stock(1, 30, 0),
        // for an hour, and from two o'clock to midnight
        stock(12, 30, 30),
        stock(13, 40, 30),
        stock(14, 40, 40),
        // from the evening of the second day into the third
        stock(24, 50, 0),
        stock(24 + 22, 50, 50),
        stock(48 + 9, 60, 50),
        // in the night alone: nobody buys then
        stock(72, 60, 60),
        stock(72 + 6, 90, 60),
        // reserved beyond what is there, over two days
        stock(96 + 20, 90, 95),
        stock(120 + 22, 120, 95),
    ];
    bench.append(Topic::Stock, &changes).await;
    bench.load_facts().await;
    // told again, by a loader that begins anew
    bench.forget_positions().await;
    bench.load_facts().await;
    let days = async |from: u16, to: u16| {
        let first = 20_758; // DAY
        let found = query::sold_out_days(&bench.warehouse, "Asia/Shanghai", first + from, first + to).await;
        let days = found.expect("days").into_iter().map(|day| (day.warehouse_id, day.sku_id, day.event_date - first));
        days.collect::<Vec<_>>()
    };
    assert_eq!(days(0, 30).await, [(1, 77, 0), (1, 77, 2), (1, 77, 4), (1, 77, 5)]);
    assert_eq!(days(1, 2).await, [(1, 77, 2)], "22 to 23 o'clock of the day before is too short");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_held_against_the_run_of_the_evening_before_that_readers_were_shown_last() {
    let bench = Bench::new("demand_eve").await;
    let (eve, day) = (20_757, 20_758);
    let forecast = |run: &str, community_id: i64, sku_id: i64, mean: f64| ForecastRow {
        run: run.to_owned(),
        business_date: eve,
        warehouse_id: 1,
        community_id,
        sku_id,
        step_on: day,
        model: "linli".to_owned(),
        mean,
        q10: 1.0,
        q25: 2.0,
        q50: 3.0,
        q75: 4.0,
        q80: 4.5,
        q90: 5.0,
        q95: 6.0,
        q99: 7.0,
        version: 1,
    };
    let rows = [("first", 1.5), ("shown", 2.5), ("unfinished", 9.0)].into_iter().flat_map(|(run, mean)| {
        [(0, 77), (5, 77), (0, 78)].map(|(community, sku)| forecast(run, community, sku, mean + sku as f64))
    });
    assert_eq!(restock::put(&bench.warehouse, rows.collect::<Vec<_>>()).await.expect("written"), 9);
    let run = |run: &str, named_at: i64| RunRow {
        run: run.to_owned(),
        business_date: eve,
        policy: "newsvendor 1".to_owned(),
        series: 3,
        lines: 2,
        named_at,
        version: 1,
    };
    restock::put(&bench.warehouse, [run("first", DAY), run("shown", DAY + 1)]).await.expect("named");
    let found = restock::eve(&bench.warehouse, day, &[(1, 77), (2, 77)]).await.expect("forecasts");
    let mut told: Vec<_> = found.iter().map(|of| (of.community_id, of.sku_id, of.mean, of.q10, of.q99)).collect();
    told.sort_by_key(|of| of.0);
    assert_eq!(told, [(0, 77, 79.5, 1.0, 7.0), (5, 77, 79.5, 1.0, 7.0)]);
    assert_eq!(restock::eve(&bench.warehouse, day + 1, &[(1, 77)]).await.expect("none"), []);
    assert_eq!(restock::expected(&bench.warehouse, day).await.expect("forecasts").len(), 3);
    assert_eq!(restock::expected(&bench.warehouse, eve).await.expect("none"), []);
}
