//! Facts: one row an identity, the newest version of it, whatever was repeated, reordered or late.

use expect_test::expect;
use linli_schemas::Topic;
use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::zone::Zone;
use linli_warehouse::ErrorKind;
use linli_warehouse::loader::{LoaderHandle, LoaderOptions, run_facts};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::records::{change, click, imported, item, order, utc};
use super::support::{Bench, DAY, DAY_MS, PARTITIONS};

const ORDERS: &str = "select order_id, community_id, pay_amount, toUnixTimestamp64Milli(paid_at) - 1793462400000,
    biz_date, biz_hour, is_weekend, deleted from orders final order by order_id";

fn keyed(community: i64, value: String) -> (String, String) {
    (community.to_string(), value)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_row_through_its_life_and_repeated_loads() {
    let bench = Bench::new("facts_life").await;
    let (unpaid, paid) = (order(1, 5, 1299, None), order(1, 5, 1299, Some(DAY + 3_600_000)));
    let created = keyed(5, change("c", DAY + 1_000, Value::Null, unpaid.clone()));
    let payment = keyed(5, change("u", DAY + 2_000, unpaid, paid.clone()));
    bench.append(Topic::Orders, &[created.clone(), payment.clone()]).await;
    bench.load_facts().await;
    let after = bench.tsv(ORDERS).await;
    expect![[r#"
        1	5	1299	3600000	2026-11-01	1	1	0
    "#]]
    .assert_eq(&after);
    // Published again after a crash, in their order; and everything loaded once more.
    bench.append(Topic::Orders, &[created, payment]).await;
    bench.load_facts().await;
    assert_eq!(bench.tsv(ORDERS).await, after);
    bench.forget_positions().await;
    bench.load_facts().await;
    assert_eq!(bench.tsv(ORDERS).await, after);
    bench.append(Topic::Orders, &[keyed(5, change("d", DAY + 9_000, paid, Value::Null))]).await;
    bench.load_facts().await;
    assert_eq!(bench.tsv("select order_id, deleted, paid_at is not null from orders final").await, "1\t1\t1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_within_one_millisecond_and_with_a_clock_stepping_back_keep_their_order() {
    let bench = Bench::new("facts_same_ms").await;
    let state = |fen: i64| order(1, 5, fen, Some(DAY));
    let changes: Vec<_> = [(10, DAY), (20, DAY), (30, DAY - 5_000), (40, DAY - 1)]
        .into_iter()
        .map(|(fen, ts)| keyed(5, change("u", ts, Value::Null, state(fen))))
        .collect();
    bench.append(Topic::Orders, &changes).await;
    bench.load_facts().await;
    assert_eq!(bench.tsv("select pay_amount from orders final").await, "40\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_order_is_kept_on_its_new_side() {
    let bench = Bench::new("facts_moved").await;
    let moved = |op: &str, before: Value, after: Value| {
        let mut value: Value = serde_json::from_str(&change(op, DAY + 5_000, before, after)).expect("JSON");
        value["moved"] = json!(true);
        value.to_string()
    };
    let (old, new) = (order(1, 5, 100, Some(DAY)), order(1, 6, 100, Some(DAY)));
    bench.append(Topic::Orders, &[keyed(5, change("c", DAY, Value::Null, old.clone()))]).await;
    bench
        .append(Topic::Orders, &[keyed(6, moved("c", Value::Null, new)), keyed(5, moved("d", old, Value::Null))])
        .await;
    let status = bench.load_facts().await.status();
    assert_eq!(status.ignored, 1);
    assert_eq!(bench.tsv("select order_id, community_id, deleted from orders final").await, "1\t6\t0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_line_repeated_later_does_not_win_over_a_newer_line() {
    let bench = Bench::new("facts_import").await;
    let first = keyed(5, imported("orders", "e1", 0, DAY, order(1, 5, 100, Some(DAY))));
    let second = keyed(5, imported("orders", "e2", 0, DAY + 9_000, order(1, 5, 700, Some(DAY))));
    bench.append(Topic::Orders, &[first.clone(), second]).await;
    bench.load_facts().await;
    bench.append(Topic::Orders, &[first]).await;
    bench.load_facts().await;
    assert_eq!(bench.tsv("select pay_amount from orders final").await, "700\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_and_clicks_are_one_row_an_identity() {
    let bench = Bench::new("facts_items").await;
    let lines = [
        keyed(5, imported("order_items", "e1", 1, DAY, item(1, 1, 5, 77, 2, 350))),
        keyed(5, imported("order_items", "e1", 2, DAY, item(1, 2, 5, 77, 1, 350))),
    ];
    let clicks = [
        ("7".to_owned(), click("c1", 7, 5, DAY, DAY + 10)),
        ("7".to_owned(), click("c1", 7, 5, DAY, DAY + 900_000)),
        ("7".to_owned(), click("c2", 7, 5, DAY + DAY_MS - 1, DAY + DAY_MS)),
    ];
    for _ in 0..2 {
        bench.append(Topic::OrderItems, &lines).await;
        bench.append(Topic::Clicks, &clicks).await;
        bench.load_facts().await;
    }
    assert_eq!(
        bench.tsv("select order_id, item_id, sku_id, quantity, price, amount from order_items final order by 2").await,
        "1\t1\t77\t2\t350\t700\n1\t2\t77\t1\t350\t350\n"
    );
    expect![[r#"
        view	7	5	5	web	10	2026-11-01	0	1
        view	7	5	5	web	1	2026-11-01	23	1
    "#]]
    .assert_eq(
        &bench
            .tsv(
                "select event_type, user_id, community_id, sku_id, platform, dateDiff('ms', ts, received_at),
                 biz_date, biz_hour, is_weekend from clicks final order by ts",
            )
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_goes_to_the_dead_letter_once() {
    let bench = Bench::new("facts_unreadable").await;
    let unpriced = change("c", DAY, Value::Null, json!({"order_id": 3, "community_id": 5, "paid_at": utc(DAY)}));
    let far = change("c", DAY, Value::Null, order(4, 5, 1, Some(9_000_000_000_000)));
    let good = change("c", DAY, Value::Null, order(1, 5, 100, Some(DAY)));
    let values: Vec<_> = ["{", unpriced.as_str(), far.as_str(), good.as_str()].map(|v| keyed(5, v.to_owned())).to_vec();
    bench.append(Topic::Orders, &values).await;
    let status = bench.load_facts_with_letters().await.status();
    assert_eq!(status.unreadable, 3);
    assert_eq!(bench.tsv("select order_id from orders final").await, "1\n");
    bench.forget_positions().await;
    bench.load_facts_with_letters().await;
    let letters = "select topic, offset, code from dead_letters final order by offset";
    assert_eq!(
        bench.tsv(letters).await,
        "shop.orders\t0\tmalformed\nshop.orders\t1\tmalformed\nshop.orders\t2\tmalformed\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_without_an_offset_are_told_apart_by_their_bytes() {
    let bench = Bench::new("facts_letters").await;
    let letter = |body: &str| {
        let letter = DeadLetter {
            topic: "clicks".to_owned(),
            partition: None,
            offset: None,
            code: "malformed".to_owned(),
            reason: "no event_id".to_owned(),
            at: DAY,
            key: String::new(),
            value: DeadLetter::encode_bytes(body.as_bytes()),
        };
        (String::new(), serde_json::to_string(&letter).expect("JSON"))
    };
    let unreadable = ("k".to_owned(), "{}".to_owned());
    bench.append(Topic::DeadLetter, &[letter("a"), letter("b"), letter("a"), unreadable]).await;
    bench.load_facts_with_letters().await;
    assert_eq!(
        bench.tsv("select topic, offset, value from dead_letters final order by value").await,
        "clicks\t-1\ta\nclicks\t-1\tb\ndead-letter\t0\t{}\n".replace("\t0\t", &bench.offset_of_unreadable().await)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_filled_with_another_zone_is_refused_with_the_remedy() {
    let bench = Bench::new("facts_zone").await;
    bench.load_facts().await;
    let options = LoaderOptions::facts(Zone::UTC, PARTITIONS);
    let error = run_facts(bench.endpoints(), options, LoaderHandle::new(), CancellationToken::new())
        .await
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.to_string().contains("Asia/Shanghai"), "{error}");
    assert!(error.hint.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_those_of_the_zone() {
    for (name, zone, expected) in [
        ("facts_zone_utc", "UTC", "2026-10-31\t16\n"),
        ("facts_zone_ny", "America/New_York", "2026-10-31\t12\n"),
        ("facts_zone_sh", "Asia/Shanghai", "2026-11-01\t0\n"),
    ] {
        let mut bench = Bench::new(name).await;
        bench.zone = Zone::parse(zone).expect("a zone");
        bench.append(Topic::Orders, &[keyed(5, change("c", DAY, Value::Null, order(1, 5, 1, Some(DAY))))]).await;
        bench.load_facts().await;
        assert_eq!(bench.tsv("select biz_date, biz_hour from orders final").await, expected, "{zone}");
    }
}
