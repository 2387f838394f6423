//! The same history, its orders written into the shop's tables and read from the binlog: the answers are those of the
//! fold over the lines.

use std::time::Duration;

use linli_schemas::shop::{Shards, statements};
use linli_tests::lines::Lines;
use linli_tests::oracle::Definitions;
use linli_tests::program::{self, Running};
use linli_tests::stack::{MariaDb, Mysql};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::{Case, SHANGHAI_MS};

/// Status of an order, as the shop numbers it.
const CREATED: u8 = 0;
const PAID: u8 = 1;
const CANCELED: u8 = 6;

/// The shop's tables, in which orders are placed.
struct Shop {
    conn: Conn,
    zone_ms: i64,
    items: u64,
}

impl Shop {
    async fn open(url: &str, zone_ms: i64) -> Shop {
        let conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
        let mut shop = Shop { conn, zone_ms, items: 0 };
        for statement in statements(&Shards::default()) {
            shop.sql(&statement.sql).await;
        }
        shop
    }

    async fn sql(&mut self, sql: &str) {
        self.conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Wall time of the shop.
    fn wall(&self, at_ms: i64) -> String {
        let wall = chrono::DateTime::from_timestamp_millis(at_ms + self.zone_ms).expect("a time");
        format!("'{}'", wall.format("%Y-%m-%d %H:%M:%S%.3f"))
    }

    /// A line that was written before changes nothing: its order is there. One in three is paid after it was placed.
    async fn place(&mut self, line: &Value) {
        let number = |value: &Value| value.as_i64().expect("a number");
        let order = line["order_id"].as_u64().expect("an id");
        let (database, table) = (order % 16 / 8, order % 16);
        let (at, community) = (self.wall(number(&line["paid_at"])), &line["community_id"]);
        let items = line["items"].as_array().expect("items");
        let fen: i64 = items.iter().map(|item| number(&item["qty"]) * number(&item["price_cents"])).sum();
        let (status, paid_at) = match line["status"].as_str() {
            Some("PAID") if order.is_multiple_of(3) => (CREATED, "NULL"),
            Some("PAID") => (PAID, at.as_str()),
            _ => (CANCELED, "NULL"),
        };
        self.sql("BEGIN").await;
        self.sql(&format!(
            "INSERT IGNORE INTO shop_{database}.orders_{table} \
             (order_id, user_id, community_id, leader_id, status, pay_amount, phone, created_at, paid_at, updated_at) \
             VALUES ({order}, {}, {community}, {}, {status}, {fen} / 100, '13812345678', {at}, {paid_at}, {at})",
            line["user_id"], line["leader_id"]
        ))
        .await;
        if self.conn.affected_rows() == 0 {
            return self.sql("ROLLBACK").await;
        }
        let mut rows = Vec::new();
        for item in items {
            self.items += 1;
            let (id, qty, price) = (self.items, &item["qty"], &item["price_cents"]);
            rows.push(format!(
                "({id}, {order}, {community}, {}, {qty}, {price} / 100, {qty} * {price} / 100, '')",
                item["sku_id"]
            ));
        }
        self.sql(&format!(
            "INSERT INTO shop_{database}.order_items_{table} \
             (item_id, order_id, community_id, sku_id, qty, price, amount, title) VALUES {}",
            rows.join(",")
        ))
        .await;
        self.sql("COMMIT").await;
        if status == CREATED {
            self.sql(&format!(
                "UPDATE shop_{database}.orders_{table} SET status = {PAID}, paid_at = {at} WHERE order_id = {order}"
            ))
            .await;
        }
    }
}

/// The click that a tracked page sends for an order.
fn click_of(order: &Value) -> Value {
    let id = order["event_id"].as_str().expect("an event_id");
    json!({
        "event_id": format!("{id}:order"), "kind": "click", "type": "order", "user_id": order["user_id"],
        "community_id": order["community_id"], "ts": order["paid_at"],
    })
}

/// Orders by way of the tables, clicks by way of the import; the reader is killed while the orders are placed.
fn history(url: &str, lines: &Lines, zone_ms: i64, settings: &[&str]) -> (Case, Value) {
    const KILLS: usize = 4;
    let mut case = Case::new(lines);
    let data = case.path("data").display().to_string();
    let reader = |more: &[&str]| {
        let mut command = program::linli(["ingest", "cdc", "--shop", url, "--data-dir", &data]);
        command.args(settings).args(more);
        command
    };
    let parsed: Vec<Value> = case.lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let mut shop = runtime.block_on(Shop::open(url, zone_ms));
    // the tables are empty yet: what is placed later is no history
    program::run(&mut reader(&["--until-caught-up"])).succeeded();
    for (part, lines) in parsed.chunks(parsed.len().div_ceil(KILLS)).enumerate() {
        let mut running = Running::start(&mut reader(&[]));
        runtime.block_on(async {
            for order in lines.iter().filter(|line| line["kind"] == "order") {
                shop.place(order).await;
            }
        });
        assert!(!running.run_for(Duration::from_millis(part as u64 * 61)), "{:#?}", running.seen);
        running.kill();
    }
    program::run(&mut reader(&["--until-caught-up"])).succeeded();

    let clicks = parsed.iter().map(|line| if line["kind"] == "order" { click_of(line) } else { line.clone() });
    case.file = case.path("clicks.ndjson");
    let clicks: String = clicks.map(|click| click.to_string() + "\n").collect();
    std::fs::write(&case.file, clicks).expect("the folder can be written");
    let result = case.run(settings).json();
    (case, result)
}

#[test]
fn orders_from_a_mysql_equal_the_fold() {
    let server = Mysql::start();
    let lines = Lines { seed: 51, count: 12_000, returns_per_mille: 100, ..Lines::default() };
    let (case, _) = history(&server.url(), &lines, SHANGHAI_MS, &["--zone", "Asia/Shanghai", "--partitions", "3"]);
    assert_eq!(case.differences(Definitions::of_zone(SHANGHAI_MS)), Vec::<String>::new());
    case.assert_conserved();
}

#[test]
fn late_orders_from_a_mariadb_equal_the_fold() {
    let server = MariaDb::start();
    let lines = Lines { seed: 52, count: 12_000, late_per_mille: 20, ..Lines::default() };
    let settings = ["--zone", "UTC", "--partitions", "3", "--lateness", "60s"];
    let (case, result) = history(&server.url(), &lines, 0, &settings);
    let definitions = Definitions { partitions: 3, lateness_ms: 60_000, ..Definitions::of_zone(0) };
    assert_eq!(case.differences(definitions), Vec::<String>::new());
    assert!(result["late"].as_u64().is_some_and(|late| late > 0), "{result}");
    let jobs = case.assert_conserved();
    assert!(jobs["gmv"]["shop.orders"]["late"].as_u64().is_some_and(|late| late > 0), "{jobs}");
}
