//! A table that cannot be followed is held while the others go on, and cured by what is held or by a new snapshot.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use linli_tests::program::{self, Finished, Running};
use linli_tests::stack::{MariaDb, Mysql};
use serde_json::Value;

use crate::fold::Folded;
use crate::runs::{catch_up, folded, reader};
use crate::shop::{Server, Shop, table_of};
use crate::topics::{records, wait_until};
use crate::{DEADLINE, wait};

pub fn start(url: &str, dir: &Path) -> Running {
    let mut running = Running::start(&mut reader(url, dir, &["--metrics", "127.0.0.1:0"]));
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    running
}

/// As /metrics shows it to whoever watches for tables in quarantine.
fn gauge(running: &Running) -> f64 {
    let line = running.seen.iter().find(|line| line.contains("metrics on http://")).expect("it was said");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let mut stream = std::net::TcpStream::connect(address).expect("metrics are served");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let line = text.lines().find(|line| line.starts_with("linli_cdc_quarantined_tables{")).expect("the gauge");
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

pub fn ask(url: &str, dir: &Path, words: &[&str]) -> Finished {
    program::run(reader(url, dir, words).arg("--json"))
}

fn listed(url: &str, dir: &Path) -> Vec<Value> {
    ask(url, dir, &["quarantine", "list"]).succeeded().json().as_array().expect("a list").clone()
}

/// The alerts about a table: state, since when, and how often it was told.
async fn alerts(dir: &Path, table: &str) -> Vec<(String, i64, usize)> {
    let mut found: BTreeMap<(String, i64), usize> = BTreeMap::new();
    for record in records(dir, "alerts").await {
        let alert = record.value();
        assert_eq!(record.key, format!("cdc.quarantine/{}", alert["subject"].as_str().expect("a subject")));
        if record.key.ends_with(&format!("/{table}")) {
            let since = alert["since"].as_i64().expect("since");
            *found.entry((alert["state"].as_str().expect("a state").to_owned(), since)).or_default() += 1;
        }
    }
    found.into_iter().map(|((state, since), times)| (state, since, times)).collect()
}

/// A quarantine that began and is over: each is told once, and what a kill repeats is the same.
async fn told_once(dir: &Path, table: &str, kills: usize) {
    let alerts = alerts(dir, table).await;
    let [(firing, began, first), (resolved, ended, last)] = alerts.as_slice() else { panic!("{table}: {alerts:?}") };
    assert_eq!((firing.as_str(), resolved.as_str(), began), ("firing", "resolved", ended));
    assert!(first + last <= 2 + kills, "{table}: {alerts:?}");
}

/// Objects that hold what does not fit in the reader's record.
fn held_objects(dir: &Path) -> usize {
    fn count(folder: &Path, within: bool) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
        let each = |path: std::path::PathBuf| match path.is_dir() {
            true => count(&path, within || path.file_name().is_some_and(|name| name == "held")),
            false => usize::from(within),
        };
        entries.map(each).sum()
    }
    count(dir, false)
}

/// Problems of the topics. What was held comes behind what others wrote later.
fn problems(folded: &Folded) -> Vec<&String> {
    folded.problems.iter().filter(|problem| !problem.contains("stands behind")).collect()
}

/// Changes a table's definition without a word of it in the log.
pub async fn alter_silently(url: &str, table: &str, clause: &str) {
    let mut shop = Shop::connect(url).await;
    shop.sql("SET sql_log_bin = 0").await;
    shop.sql(&format!("ALTER TABLE {table} {clause}")).await;
}

/// Inserts, updates, moves to another key and deletes of one table, some in transactions with another table.
pub async fn change(shop: &mut Shop, table: u64, rounds: u64) {
    let (held, other) = (table_of(table), table_of(table + 1));
    for _ in 0..rounds {
        let id = shop.take_id() * 4 + table;
        let insert = |table: &str, values: &str| {
            format!("INSERT INTO {table} (order_id, community_id, amount, note, at) VALUES {values}")
        };
        shop.sql("BEGIN").await;
        shop.change(&insert(&other, &format!("({}, 5, 1.00, NULL, NOW(3))", id + 1))).await;
        let (first, second) = (format!("({id}, 1, 1.50, 'a', NOW(3))"), id + 4_000_000);
        shop.change(&insert(&held, &format!("{first}, ({second}, 2, 2.50, 'b', NOW(3))"))).await;
        shop.change(&format!("UPDATE {held} SET community_id = 3 WHERE order_id = {id}")).await;
        shop.change(&format!("UPDATE {other} SET note = 'beside' WHERE order_id = {}", id + 1)).await;
        shop.sql("COMMIT").await;
        shop.change(&format!("UPDATE {held} SET note = CONCAT(note, '!') WHERE order_id BETWEEN {id} AND {second}"))
            .await;
        shop.change(&format!("UPDATE {held} SET community_id = community_id + 7 WHERE order_id = {id}")).await;
        shop.change(&format!("DELETE FROM {held} WHERE order_id = {second}")).await;
    }
}

/// One transaction that writes and moves many rows.
async fn bulk(shop: &mut Shop, table: u64, rows: u64) {
    let name = table_of(table);
    shop.sql("BEGIN").await;
    for from in (0..rows).step_by(1000) {
        let row = |at: u64| format!("({}, {}, 1.25, REPEAT('n', 150), NOW(3))", 80_000_000 + at * 4 + table, at % 50);
        let values: Vec<String> = (from..rows.min(from + 1000)).map(row).collect();
        let sql = format!("INSERT INTO {name} (order_id, community_id, amount, note, at) VALUES {}", values.join(","));
        shop.change(&sql).await;
    }
    shop.change(&format!("UPDATE {name} SET community_id = community_id + 1 WHERE order_id >= 80000000")).await;
    shop.sql("COMMIT").await;
}

async fn orders_of(dir: &Path, table: &str) -> usize {
    records(dir, "shop.orders")
        .await
        .iter()
        .filter(|record| table.ends_with(record.source()["table"].as_str().unwrap_or("?")))
        .count()
}

/// A shop whose reader has caught up.
pub async fn shop(url: &str, dir: &Path) -> Shop {
    let mut shop = Shop::connect(url).await;
    shop.create().await;
    shop.add_column().await;
    shop.work(12).await;
    catch_up(url, dir);
    shop.changes = 0;
    shop
}

async fn cured_by_what_is_held(server: &mut dyn Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    let mut shop = shop(&url, dir).await;
    let table = table_of(0);
    let before = orders_of(dir, &table).await;
    alter_silently(&url, &table, "MODIFY note VARCHAR(200) FIRST").await;
    let running = start(&url, dir);
    assert_eq!(gauge(&running), 0.0);
    change(&mut shop, 0, 5).await;
    change(&mut shop, 1, 2).await;
    bulk(&mut shop, 0, 20_000).await;
    let last = {
        change(&mut shop, 0, 2).await;
        shop.last_order() * 4 + 1
    };
    wait_until("the others go on", async || folded(dir).await.any_order(|id| id == last)).await;
    assert_eq!(orders_of(dir, &table).await, before, "its own changes are held");
    wait_until("the gauge tells", async || gauge(&running) == 1.0).await;
    let told = alerts(dir, &table).await;
    assert!(matches!(told.as_slice(), [(state, _, 1)] if state == "firing"), "{told:?}");
    running.kill();

    // Still so after restarts. What does not fit goes on not fitting: it is refused, and says where.
    catch_up(&url, dir);
    let mut running = start(&url, dir);
    let list = listed(&url, dir);
    assert_eq!((list.len(), list[0]["table"].as_str(), &list[0]["gap"]), (1, Some(&*table), &Value::Null), "{list:?}");
    assert!(list[0]["events"].as_u64() > Some(100) && held_objects(dir) > 0, "{list:?}");
    let refused = ask(&url, dir, &["quarantine", "apply", &table]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("(event 1 of ") && refused.stderr.contains("--definition"), "{refused:?}");
    let refused = ask(&url, dir, &["quarantine", "apply", "shop_0.stock"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("is not in quarantine"), "{refused:?}");

    // With the definition as it is, while changes go on; killed on the way.
    let would =
        ask(&url, dir, &["quarantine", "apply", &table, "--current-definition", "--dry-run"]).succeeded().json();
    assert_eq!((&would[0]["asked"], &would[0]["reread"]), (&Value::Bool(false), &Value::Bool(false)), "{would}");
    assert_eq!(would[0]["rows"], 2 * 20_000 + 7 * 7, "{would}");
    assert!(would[0]["records"].as_u64() > Some(60_000), "a moved row is two: {would}");
    assert_eq!(orders_of(dir, &table).await, before, "nothing is published by that");
    ask(&url, dir, &["quarantine", "apply", &table, "--current-definition"]).succeeded();
    change(&mut shop, 0, 5).await;
    wait_until("it is on its way", async || orders_of(dir, &table).await > before).await;
    running.kill();
    running = start(&url, dir);
    change(&mut shop, 0, 5).await;
    running.run_for(Duration::from_millis(300));
    running.kill();
    catch_up(&url, dir);
    assert_eq!(listed(&url, dir), Vec::<Value>::new());
    change(&mut shop, 0, 3).await;
    catch_up(&url, dir);

    let folded = folded(dir).await;
    assert_eq!(problems(&folded), Vec::<&String>::new());
    assert_eq!(folded.rows, shop.rows().await);
    assert_eq!(folded.changes as u64, shop.changes, "distinct changes; {} repeats", folded.repeats);
    println!("{} changes, {} of them repeated after kills", folded.changes, folded.repeats);
    told_once(dir, &table, 2).await;
    assert_eq!(held_objects(dir), 0, "what was held is not kept on");
    assert_eq!(listed(&url, dir), Vec::<Value>::new());
}

/// A statement that is not understood, and what comes behind it: cured with the definition that it made.
async fn cured_with_a_definition(server: &mut dyn Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    let mut shop = shop(&url, dir).await;
    let table = table_of(0);
    shop.sql(&format!("ALTER TABLE {table} CONVERT TO CHARACTER SET DEFAULT, MODIFY amount DECIMAL(14,3)")).await;
    let definition = dir.join("definition.sql");
    std::fs::write(&definition, shop.text(&format!("SHOW CREATE TABLE {table}"), 1).await).expect("a file");
    change(&mut shop, 0, 3).await;
    shop.sql(&format!("ALTER TABLE {table} ADD COLUMN more INT DEFAULT 5 AFTER order_id")).await;
    shop.sql(&format!("ALTER TABLE {table} DROP COLUMN more")).await;
    change(&mut shop, 0, 3).await;
    catch_up(&url, dir);
    let refused = ask(&url, dir, &["quarantine", "apply", &table]);
    assert!(refused.code == Some(2) && refused.stderr.contains("CONVERT TO CHARACTER SET DEFAULT"), "{refused:?}");
    ask(&url, dir, &["quarantine", "apply", &table, "--definition", &definition.display().to_string()]).succeeded();
    catch_up(&url, dir);
    assert_eq!(listed(&url, dir), Vec::<Value>::new());
    change(&mut shop, 0, 2).await;
    catch_up(&url, dir);
    let folded = folded(dir).await;
    assert_eq!(problems(&folded), Vec::<&String>::new());
    assert_eq!(folded.rows, shop.rows().await);
    assert_eq!(folded.changes as u64, shop.changes, "distinct changes");
    told_once(dir, &table, 0).await;
}

/// A new snapshot ends a quarantine too, and rows that went meanwhile are gone.
async fn cured_by_a_snapshot(server: &mut dyn Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    let mut shop = shop(&url, dir).await;
    let table = table_of(1);
    alter_silently(&url, &table, "MODIFY community_id BIGINT NOT NULL, MODIFY note VARCHAR(200) FIRST").await;
    change(&mut shop, 1, 3).await;
    bulk(&mut shop, 1, 6_000).await;
    shop.sql(&format!("DELETE FROM {table} WHERE order_id < 9 OR order_id > 80012000")).await;
    catch_up(&url, dir);
    assert_eq!(listed(&url, dir).len(), 1);
    assert!(held_objects(dir) > 0);
    ask(&url, dir, &["snapshot", &table]).succeeded();
    for _ in 0..2 {
        let running = start(&url, dir);
        change(&mut shop, 1, 3).await;
        running.kill();
    }
    catch_up(&url, dir);
    assert_eq!(listed(&url, dir), Vec::<Value>::new());
    change(&mut shop, 1, 3).await;
    catch_up(&url, dir);
    assert_eq!(folded(dir).await.rows, shop.rows().await);
    told_once(dir, &table, 2).await;
    assert_eq!(held_objects(dir), 0, "what was held is dropped");
}

/// Statements that cannot be understood: where the log tells definitions itself, its tables are followed all the same.
async fn statements(server: &mut dyn Server, metadata: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    let mut shop = Shop::connect(&url).await;
    shop.sql(&format!("SET GLOBAL binlog_row_metadata = {metadata}")).await;
    let mut shop = Shop::connect(&url).await;
    shop.create().await;
    shop.add_column().await;
    shop.sql("CREATE DATABASE elsewhere").await;
    shop.sql(&format!("CREATE TABLE elsewhere.model LIKE {}", table_of(0))).await;
    shop.work(3).await;
    catch_up(&url, dir);
    shop.sql("CREATE TABLE shop_0.orders_7 LIKE elsewhere.model").await;
    shop.sql("INSERT INTO shop_0.orders_7 (order_id, community_id, amount, at) VALUES (7, 1, 1.00, NOW(3))").await;
    shop.sql("TRUNCATE TABLE shop_0.orders_7").await;
    shop.sql("INSERT INTO shop_0.orders_7 (order_id, community_id, amount, at) VALUES (11, 1, 1.00, NOW(3))").await;
    catch_up(&url, dir);
    if metadata != "FULL" {
        let listed = listed(&url, dir);
        assert_eq!((listed.len(), listed[0]["table"].as_str()), (1, Some("shop_0.orders_7")), "{listed:?}");
        ask(&url, dir, &["quarantine", "apply", "shop_0.orders_7", "--current-definition"]).succeeded();
        catch_up(&url, dir);
        told_once(dir, "shop_0.orders_7", 0).await;
    } else {
        assert!(records(dir, "alerts").await.is_empty(), "{metadata}");
    }
    assert_eq!(listed(&url, dir), Vec::<Value>::new(), "{metadata}");
    let rows = folded(dir).await.rows;
    let ids: Vec<&str> =
        rows.keys().filter(|(table, _)| table == "shop_0.orders_7").map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["11"], "{metadata}");
}

pub fn without_metadata(server: &mut dyn Server, value: &str) {
    wait(async { Shop::connect(&server.url()).await.sql(&format!("SET GLOBAL binlog_row_metadata = {value}")).await });
}

#[test]
fn a_table_is_cured_by_what_is_held_of_it_on_mysql() {
    let mut server = Mysql::start();
    without_metadata(&mut server, "MINIMAL");
    wait(cured_by_what_is_held(&mut server));
}

#[test]
fn a_table_is_cured_by_what_is_held_of_it_on_mariadb() {
    let mut server = MariaDb::start();
    without_metadata(&mut server, "NO_LOG");
    wait(cured_by_what_is_held(&mut server));
}

#[test]
fn a_statement_that_is_not_understood_is_made_up_for_by_a_definition_on_mysql() {
    let mut server = Mysql::start();
    without_metadata(&mut server, "MINIMAL");
    wait(cured_with_a_definition(&mut server));
}

#[test]
fn a_statement_that_is_not_understood_is_made_up_for_by_a_definition_on_mariadb() {
    let mut server = MariaDb::start();
    without_metadata(&mut server, "NO_LOG");
    wait(cured_with_a_definition(&mut server));
}

#[test]
fn a_table_is_cured_by_a_new_snapshot_on_mysql() {
    let mut server = Mysql::start();
    without_metadata(&mut server, "MINIMAL");
    wait(cured_by_a_snapshot(&mut server));
}

#[test]
fn a_table_is_cured_by_a_new_snapshot_on_mariadb() {
    let mut server = MariaDb::start();
    without_metadata(&mut server, "NO_LOG");
    wait(cured_by_a_snapshot(&mut server));
}

#[test]
fn statements_that_are_not_understood_hold_a_table_only_where_the_log_does_not_tell_more() {
    wait(statements(&mut Mysql::start(), "FULL"));
    wait(statements(&mut Mysql::start(), "MINIMAL"));
    wait(statements(&mut MariaDb::start(), "FULL"));
}
