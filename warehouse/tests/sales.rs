//! `community_sales` equals the sum over the facts, whatever came twice, late, or went away.

use expect_test::expect;
use linli_schemas::Topic;
use serde_json::Value;

use super::support::records::{change, imported, item, order};
use super::support::{Bench, DAY, DAY_MS};

const SALES: &str = "select event_date, community_id, sku_id, quantity, amount from community_sales final order by all";
/// The definition, over the facts alone.
const DEFINITION: &str = "select biz_date, community_id, sku_id, sum(quantity), sum(amount) from sales
    group by all order by all";

fn keyed(community: i64, value: String) -> (String, String) {
    (community.to_string(), value)
}

async fn check(bench: &Bench) -> String {
    let sales = bench.tsv(SALES).await;
    assert_eq!(sales, bench.tsv(DEFINITION).await, "counted and defined");
    sales
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_a_month_stay_apart_and_duplicates_do_not_count() {
    let bench = Bench::new("sales_days").await;
    let mut orders = Vec::new();
    let mut items = Vec::new();
    for (id, day) in [(1, 0), (2, 0), (3, 1), (4, 30)] {
        let at = DAY + day * DAY_MS + 3_600_000;
        orders.push(keyed(5, imported("orders", &format!("e{id}"), 0, at, order(id, 5, 700, Some(at)))));
        items.push(keyed(5, imported("order_items", &format!("e{id}"), 1, at, item(id, 1, 5, 77, 2, 333))));
        items.push(keyed(5, imported("order_items", &format!("e{id}"), 2, at, item(id, 2, 5, 77, 1, 34))));
    }
    let unpaid = keyed(5, imported("orders", "e9", 0, DAY, order(9, 5, 700, None)));
    let its_item = keyed(5, imported("order_items", "e9", 1, DAY, item(9, 1, 5, 77, 9, 100)));
    bench.append(Topic::Orders, &orders).await;
    bench.append(Topic::Orders, &[unpaid]).await;
    bench.append(Topic::OrderItems, &items).await;
    bench.append(Topic::OrderItems, &[its_item]).await;
    bench.load_facts().await;
    let once = check(&bench).await;
    expect![[r#"
        2026-11-01	5	77	6	1400
        2026-11-02	5	77	3	700
        2026-12-01	5	77	3	700
    "#]]
    .assert_eq(&once);
    bench.append(Topic::OrderItems, &items).await;
    bench.append(Topic::Orders, &orders).await;
    bench.load_facts().await;
    bench.forget_positions().await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await, once);
    assert_eq!(
        bench.tsv("select sorting_key, partition_key from system.tables where database = currentDatabase() and name = 'community_sales'").await,
        "community_id, sku_id, event_date\ttoYYYYMM(event_date)\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn late_items_and_late_payments_count_on_the_day_of_payment() {
    let bench = Bench::new("sales_late").await;
    let at = DAY + 3_600_000;
    bench.append(Topic::Orders, &[keyed(5, change("c", at, Value::Null, order(1, 5, 700, Some(at))))]).await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await, "");
    // The item comes a run later.
    bench.append(Topic::OrderItems, &[keyed(5, change("c", at, Value::Null, item(1, 1, 5, 77, 2, 350)))]).await;
    bench.append(Topic::OrderItems, &[keyed(5, change("c", at, Value::Null, item(2, 1, 5, 78, 1, 10)))]).await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await, "2026-11-01\t5\t77\t2\t700\n");
    // The other order is paid two days later.
    let paid = order(2, 5, 10, Some(at + 2 * DAY_MS));
    bench.append(Topic::Orders, &[keyed(5, change("u", at + 2 * DAY_MS, order(2, 5, 10, None), paid))]).await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await, "2026-11-01\t5\t77\t2\t700\n2026-11-03\t5\t78\t1\t10\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_that_went_away_are_dropped() {
    let bench = Bench::new("sales_gone").await;
    let at = DAY + 3_600_000;
    let first = |fen| keyed(5, imported("orders", "e1", 0, at, order(1, 5, fen, Some(at))));
    bench
        .append(Topic::Orders, &[first(700), keyed(5, imported("orders", "e2", 0, at, order(2, 5, 9, Some(at))))])
        .await;
    let items = [
        keyed(5, imported("order_items", "e1", 1, at, item(1, 1, 5, 77, 2, 350))),
        keyed(5, imported("order_items", "e2", 1, at, item(2, 1, 5, 78, 1, 9))),
    ];
    bench.append(Topic::OrderItems, &items).await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await.lines().count(), 2);
    // Merged away, so that only the remembered dates know where the order stood.
    bench.warehouse.execute("optimize table orders final").await.expect("merged");
    // A newer line says that the order was never paid; another moves the second to the next day.
    let unpaid = keyed(5, imported("orders", "e3", 0, at + 1_000, order(1, 5, 700, None)));
    let moved = keyed(5, imported("orders", "e4", 0, at + 1_000, order(2, 5, 9, Some(at + DAY_MS))));
    bench.append(Topic::Orders, &[unpaid, moved]).await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await, "2026-11-02\t5\t78\t1\t9\n");
    bench.warehouse.execute("optimize table orders final").await.expect("merged");
    bench.warehouse.execute("optimize table community_sales final").await.expect("merged");
    assert_eq!(check(&bench).await, "2026-11-02\t5\t78\t1\t9\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_purges_old_rows_unsells_nothing_but_a_line_taken_out_before_payment_was_not_sold() {
    let bench = Bench::new("sales_purged").await;
    let at = DAY + 3_600_000;
    let (paid, line, dropped) = (order(1, 5, 700, Some(at)), item(1, 1, 5, 77, 2, 350), item(1, 2, 5, 78, 1, 50));
    bench.append(Topic::Orders, &[keyed(5, change("c", at, Value::Null, paid.clone()))]).await;
    let items = [
        keyed(5, change("c", at - 5_000, Value::Null, line.clone())),
        keyed(5, change("c", at - 5_000, Value::Null, dropped.clone())),
        keyed(5, change("d", at - 4_000, dropped, Value::Null)),
    ];
    bench.append(Topic::OrderItems, &items).await;
    bench.load_facts().await;
    let sold = check(&bench).await;
    assert_eq!(sold, "2026-11-01\t5\t77\t2\t700\n");
    bench.append(Topic::OrderItems, &[keyed(5, change("d", at + 90 * DAY_MS, line, Value::Null))]).await;
    bench.append(Topic::Orders, &[keyed(5, change("d", at + 90 * DAY_MS, paid, Value::Null))]).await;
    bench.load_facts().await;
    assert_eq!(check(&bench).await, sold);
}
