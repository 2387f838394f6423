//! The demo on real servers: the simulated shop commits each of its transactions once, whoever dies when, and the
//! page counts what the tables hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::clock::{Clock, SystemClock};
use linli_schemas::EventTime;
use linli_schemas::zone::{DAY_MS, HOUR_MS, Zone};
use linli_simulator::sql::{Applied, Server, SqlOptions, SqlShop};
use linli_simulator::{Body, ShopOptions, Value as Held};
use linli_tests::program::{self, Running};
use linli_tests::stack::{MariaDb, Mysql};
use linli_tests::{http, program::root};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::oracle::topics::{each_record, log_in};
use crate::oracle::{Row, Tables, key_of};
use crate::{DEADLINE, wait};

const SEED: u64 = 77;
const ORDERS_PER_DAY: u32 = 4_000;
const COMMUNITIES: u32 = 40;
const PARTITIONS: u32 = 8;

/// A zone in which it is evening: the day has orders behind it, and no midnight comes while the test runs.
fn evening(now_ms: i64) -> Zone {
    let ahead = (20 - now_ms.div_euclid(HOUR_MS)).rem_euclid(24);
    let ahead = if ahead > 12 { ahead - 24 } else { ahead };
    let name = match ahead {
        0 => "Etc/GMT".to_owned(),
        // their names count westwards
        ahead if ahead > 0 => format!("Etc/GMT-{ahead}"),
        ahead => format!("Etc/GMT+{}", -ahead),
    };
    Zone::parse(&name).expect("a zone")
}

/// What the demo asks for, and a shop that opened yesterday.
fn options(zone: Zone, now_ms: i64) -> ShopOptions {
    let opened_on = zone.date_of(EventTime(now_ms - DAY_MS));
    let demo = ShopOptions::demo(SEED, zone, opened_on);
    ShopOptions { communities: COMMUNITIES, orders_per_day: ORDERS_PER_DAY, ..demo }
}

/// Commits all of the shop that happens up to `until`.
async fn commit(options: &ShopOptions, servers: &[String], until_ms: i64) -> Applied {
    let servers = servers.iter().map(|url| Server::parse(url).expect("an address")).collect();
    let options = SqlOptions::new(options.clone(), servers);
    let mut sql = SqlShop::open(options, Arc::new(SystemClock), CancellationToken::new()).await.expect("a shop");
    let changes = sql.shop().changes(sql.position());
    for change in changes.take_while(|change| change.at.0 <= until_ms) {
        if let Body::Transaction(transaction) = change.body {
            sql.commit(change.position, transaction).await.expect("committed");
        }
    }
    sql.close().await.expect("committed")
}

fn demo(zone: Zone, servers: &[String], data: &Path) -> Command {
    let mut command = program::linli(["demo", "--listen", "127.0.0.1:0", "--verbosity", "info", "--zone", zone.name()]);
    command.args(["--seed", &SEED.to_string(), "--data-dir"]).arg(data);
    for server in servers {
        command.args(["--shop", server]);
    }
    command
        .env("LINLI__SIMULATOR__ORDERS_PER_DAY", ORDERS_PER_DAY.to_string())
        .env("LINLI__SIMULATOR__COMMUNITIES", COMMUNITIES.to_string());
    command
}

/// Orders paid since the local midnight, and what for, in fen.
async fn paid_today(servers: &[String], zone: Zone, now_ms: i64) -> (i64, i64) {
    let today = zone.date_of(EventTime(now_ms));
    let mut sums = (0, 0);
    for (database, url) in servers.iter().enumerate() {
        let mut conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
        for table in database * 8..database * 8 + 8 {
            let sql = format!(
                "SELECT COUNT(*), CAST(COALESCE(SUM(pay_amount), 0) * 100 AS SIGNED) FROM shop_{database}.orders_{table} WHERE paid_at >= '{today}'"
            );
            let (orders, fen): (i64, i64) = conn.query_first(sql).await.expect("sums").expect("one row");
            sums = (sums.0 + orders, sums.1 + fen);
        }
    }
    sums
}

/// The page comes to what was committed before, and never beyond what is committed after.
async fn page_counts_what_the_tables_hold(
    running: &mut Running,
    url: &str,
    servers: &[String],
    (zone, now_ms): (Zone, i64),
) {
    let least = paid_today(servers, zone, now_ms).await;
    assert!(least.0 > 100, "{least:?}");
    let until = SystemClock.now_ms() + DEADLINE.as_millis() as i64;
    let today = |live: &Value| {
        let number = |name: &str| live["today"][name].as_i64().unwrap_or(0);
        (number("orders"), number("gmv"))
    };
    let shown = loop {
        let shown = today(&http::get(url, "/api/v1/live"));
        if shown.0 >= least.0 && shown.1 >= least.1 {
            break shown;
        }
        let ended = running.run_for(Duration::from_millis(200));
        assert!(!ended && SystemClock.now_ms() < until, "the page shows {shown:?} of {least:?}: {:#?}", running.seen);
    };
    let most = paid_today(servers, zone, now_ms).await;
    assert!(shown.0 <= most.0 && shown.1 <= most.1, "the page shows {shown:?} of {most:?}");
}

/// A value of the simulated shop as a topic tells it.
fn told(value: &Held, zone: Zone) -> Value {
    let decimal = |n: i64, digits: u32| {
        let unit = 10_i64.pow(digits);
        let sign = if n < 0 { "-" } else { "" };
        json!(format!("{sign}{}.{:0width$}", n.abs() / unit, n.abs() % unit, width = digits as usize))
    };
    match value {
        Held::Null => Value::Null,
        Held::Int(n) => json!(n),
        Held::UInt(n) => json!(n),
        Held::Fen(n) => decimal(*n, 2),
        Held::Micro(n) => decimal(*n, 6),
        Held::Day(day) => json!(day),
        Held::Instant(at) => json!(zone.to_wall_ms(*at)),
        Held::Word(word) => json!(word),
        Held::Text(text) => json!(&**text),
    }
}

/// The last image of every row that the shop has up to `until`, by table and key.
fn images(options: &ShopOptions, until_ms: i64, tables: &[Tables]) -> BTreeMap<(String, u128), Row> {
    let shop = linli_simulator::Shop::new(options.clone()).expect("sound options");
    let mut rows = BTreeMap::new();
    for change in shop.changes(shop.start()).take_while(|change| change.at.0 <= until_ms) {
        let Body::Transaction(transaction) = change.body else { continue };
        for changed in transaction.rows {
            let physical =
                changed.shard.map_or(changed.table.name().to_owned(), |n| format!("{}_{n}", changed.table.name()));
            let table = format!("shop_{}.{physical}", transaction.server);
            let cells = changed.table.columns().iter().zip(&changed.after);
            let row = cells.map(|(column, value)| (column.name.to_owned(), told(value, options.zone))).collect();
            let here = &tables[usize::from(transaction.server)];
            let row = here.understood(&table, row);
            rows.insert((table.clone(), key_of(&table, &row, here.key(&table))), row);
        }
    }
    rows
}

#[test]
fn the_demo_on_two_servers_goes_on_where_it_was_killed() {
    let (mysql, mariadb) = (Mysql::start(), MariaDb::start());
    let servers = [mysql.url(), mariadb.url()];
    wait(async {
        let now_ms = SystemClock.now_ms();
        let (zone, data) = (evening(now_ms), tempfile::tempdir().expect("a folder"));
        let options = options(zone, now_ms);
        // the demo finds a shop that has been open for a day, and has four hours to catch up with
        commit(&options, &servers, now_ms - 4 * HOUR_MS).await;
        for kill in 0..5 {
            let mut running = Running::start(&mut demo(zone, &servers, data.path()));
            running.wait_for(DEADLINE, |line| line.contains("the simulated shop opens"));
            // spread over the catching up, by a fixed pattern
            let ended = running.run_for(Duration::from_millis(20 + 170 * kill));
            assert!(!ended, "{:#?}", running.seen);
            running.kill();
        }
        let mut running = Running::start(&mut demo(zone, &servers, data.path()));
        let page = running.wait_for(DEADLINE, |line| line.contains("the page is at"));
        let page = page.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
        running.wait_for(DEADLINE, |line| line.contains("caught up with the clock"));
        page_counts_what_the_tables_hold(&mut running, &page, &servers, (zone, now_ms)).await;
        let (status, lines) = running.interrupt(DEADLINE);
        assert!(status.success(), "{lines:#?}");

        // all lanes to one place, past which none of them was
        let until_ms = SystemClock.now_ms();
        let applied = commit(&options, &servers, until_ms).await;
        assert_eq!(applied.missing, 0, "{applied:?}");
        let mut tables = [Tables::read(&servers[0]).await, Tables::read(&servers[1]).await];
        let mut images = images(&options, until_ms, &tables);
        assert!(images.len() > 90_000, "{}", images.len());
        for here in &mut tables {
            for table in here.names() {
                let key = here.key(&table).to_vec();
                here.rows(&table, |row| {
                    let image = images.remove(&(table.clone(), key_of(&table, &row, &key)));
                    assert_eq!(Some(row), image, "{table}");
                })
                .await;
            }
        }
        assert!(
            images.is_empty(),
            "{} rows were never committed, such as {:?}",
            images.len(),
            images.first_key_value()
        );
        topics_are_as_the_contract_says(data.path()).await;
    });
}

/// Topics that no job reads yet: their keys, and the schema of their records; and that no person is named.
async fn topics_are_as_the_contract_says(data: &Path) {
    let log = log_in(data).await;
    let schema = std::fs::read_to_string(root().join("schemas/json/shop.other.schema.json")).expect("a schema");
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    for (topic, key_column) in [
        ("shop.stock_movements", "movement_id"),
        ("shop.deliveries", "community_id"),
        ("shop.payments", "community_id"),
        ("shop.complaints", "community_id"),
        ("shop.users", "user_id"),
    ] {
        let mut count = 0;
        each_record(&log, topic, PARTITIONS, |_, _, key, value| {
            let record: Value = serde_json::from_slice(value).expect("JSON");
            assert!(schema.is_valid(&record), "{topic}: {record}");
            let row = if record["after"].is_null() { &record["before"] } else { &record["after"] };
            assert_eq!(String::from_utf8_lossy(key), row[key_column].to_string(), "{topic}: {record}");
            if topic == "shop.users" {
                let [name, phone] = ["name", "phone"].map(|column| row[column].as_str().expect("text"));
                assert!(name.contains('*') && phone.contains("****"), "{record}");
            }
            count += 1;
        })
        .await;
        assert!(count > 20, "{topic} has {count} records");
    }
}

#[test]
fn tables_of_somebody_else_are_not_written_to() {
    let server = Mysql::start();
    wait(async {
        let dir = tempfile::tempdir().expect("a folder");
        let url = [server.url()];
        let mut conn = Conn::new(Opts::from_url(&url[0]).expect("a URL")).await.expect("the server answers");
        for sql in [
            "CREATE DATABASE shop_1",
            "CREATE TABLE shop_1.payments (payment_id BIGINT UNSIGNED PRIMARY KEY)",
            "INSERT INTO shop_1.payments VALUES (1)",
        ] {
            conn.query_drop(sql).await.expect(sql);
        }
        let finished = program::run(&mut demo(Zone::UTC, &url, dir.path()));
        assert_eq!(finished.code, Some(2), "{finished:?}");
        for word in ["shop_1.payments", "linli ingest cdc", "empty server"] {
            assert!(finished.stderr.contains(word), "{word:?} in {}", finished.stderr);
        }
        let orders: Option<u64> = conn.query_first("SELECT COUNT(*) FROM shop_0.orders_0").await.expect("a count");
        assert_eq!(orders, Some(0));
    });
}
