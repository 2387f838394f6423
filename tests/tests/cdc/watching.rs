//! What operations see of a reader, and what an idle server and a large transaction cost.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use linli_tests::program::Running;
use linli_tests::proxy::Proxy;
use linli_tests::stack::{MariaDb, Mysql};

use crate::topics::{Sql, ask, follow, reader, records, wait_until};
use crate::{DEADLINE, wait};

/// Figures of a reader by name.
fn metrics(address: &str) -> BTreeMap<String, f64> {
    let mut stream = std::net::TcpStream::connect(address).expect("metrics are served");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("text/plain"), "{text}");
    let line = |line: &str| {
        let (name, value) = line.strip_prefix("linli_cdc_")?.rsplit_once(' ')?;
        let name = name.strip_suffix("{server=\"watched\"}").unwrap_or_else(|| panic!("{line}"));
        Some((name.to_owned(), value.parse().expect("a number")))
    };
    text.lines().filter_map(line).collect()
}

fn watched(url: &str, dir: &std::path::Path, db: &str) -> (Running, String) {
    let url = format!("{url}#watched");
    let mut running = Running::start(&mut reader(&url, dir, db, &["--metrics", "127.0.0.1:0"]));
    let line = running.wait_for(DEADLINE, |line| line.contains("metrics on http://"));
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned();
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    (running, address)
}

async fn figures(url: &str, port: u16) {
    let mut sql = Sql::connect(url).await;
    sql.all(&[
        "CREATE DATABASE watch",
        "CREATE TABLE watch.items (id INT PRIMARY KEY, at DATETIME)",
        "CREATE TABLE watch.sick (id INT PRIMARY KEY)",
        "INSERT INTO watch.items VALUES (1, NULL), (2, NULL), (3, NULL)",
    ])
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::to(port).await;
    let (running, address) = watched(&proxy.url(), dir.path(), "watch");
    let get = |name: &str| metrics(&address).get(name).copied();
    let is = async |name: &str, value: f64| {
        wait_until(&format!("{name} {value}"), async || get(name) == Some(value)).await;
    };
    assert_eq!(get("snapshot_rows_total"), Some(3.0));
    assert_eq!(get("rows_total"), Some(0.0));
    sql.run("SET sql_mode = ''").await;
    for id in 10..20 {
        sql.run(&format!("INSERT INTO watch.items VALUES ({id}, '0000-00-00')")).await;
    }
    sql.run("UPDATE watch.items SET id = 100 WHERE id = 1").await;
    is("rows_total", 11.0).await;
    is("records_total", 12.0).await;
    is("warnings_total", 10.0).await;
    is("lag_bytes", 0.0).await;
    is("lag_transactions", 0.0).await;
    is("lag_seconds", 0.0).await;
    is("connected", 1.0).await;
    assert!(
        get("transactions_total") >= Some(11.0) && get("received_bytes_total") > Some(500.0),
        "{:?}",
        metrics(&address)
    );
    assert!(get("latency_seconds").is_some_and(|seconds| (0.0..30.0).contains(&seconds)), "{:?}", metrics(&address));
    sql.run("ALTER TABLE watch.items ADD COLUMN more INT").await;
    is("schema_changes_total", 1.0).await;
    is("snapshot_rows_total", 16.0).await; // read anew: 13 rows
    is("snapshot_open_tables", 0.0).await;

    // The line goes dead: the reader does not know it yet, its watch does.
    proxy.swallow();
    for id in 20..25 {
        sql.run(&format!("INSERT INTO watch.items (id) VALUES ({id})")).await;
    }
    is("lag_transactions", 5.0).await;
    assert!(get("lag_bytes") > Some(500.0), "{:?}", metrics(&address));
    wait_until("the lag grows", async || get("lag_seconds") > Some(2.0)).await;
    is("rows_total", 16.0).await;
    is("lag_transactions", 0.0).await;
    is("lag_seconds", 0.0).await;
    assert_eq!(get("reconnects_total"), Some(1.0));
    let (status, _) = running.interrupt(DEADLINE);
    assert!(status.success());
}

#[test]
fn a_reader_shows_what_it_does_and_how_far_behind_it_is_on_mysql() {
    let server = Mysql::start();
    wait(figures(&server.url(), server.port()));
}

#[test]
fn a_reader_shows_what_it_does_and_how_far_behind_it_is_on_mariadb() {
    let server = MariaDb::start();
    wait(figures(&server.url(), server.port()));
}

/// Transactions of tables that are not followed move the position on, so that their binlog may be purged.
async fn idle(url: &str) {
    let mut sql = Sql::connect(url).await;
    sql.all(&["CREATE DATABASE quiet", "CREATE TABLE quiet.items (id INT PRIMARY KEY)"]).await;
    sql.all(&["CREATE DATABASE loud", "CREATE TABLE loud.noise (id INT PRIMARY KEY AUTO_INCREMENT, at DATETIME)"])
        .await;
    let dir = tempfile::tempdir().expect("a folder");
    let (running, address) = watched(url, dir.path(), "quiet");
    for round in 0..3 {
        for _ in 0..50 {
            sql.run("INSERT INTO loud.noise (at) VALUES (NOW())").await;
        }
        sql.run("FLUSH BINARY LOGS").await;
        let position = || {
            let shown = ask(&format!("{url}#watched"), dir.path(), "quiet", &["position", "show"]).succeeded();
            let shown: serde_json::Value = serde_json::from_str(shown.stdout.trim()).expect("JSON");
            shown[0].clone()
        };
        wait_until("the position is at the end", async || {
            let shown = position();
            shown["behind_bytes"] == 0 && shown["position"]["file"] == shown["end"]["file"]
        })
        .await;
        wait_until("no lag", async || metrics(&address).get("lag_seconds") == Some(&0.0)).await;
        let figures = metrics(&address);
        assert_eq!(figures["records_total"], 0.0);
        assert!(figures["transactions_total"] >= f64::from(50 * (round + 1)), "{figures:?}");
    }
    for _ in 0..15 {
        assert_eq!(metrics(&address)["lag_seconds"], 0.0, "nothing is committed");
        sql.run("SELECT SLEEP(0.1)").await;
    }
    assert!(records(dir.path(), "shop.items").await.is_empty());
    running.kill();
}

#[test]
fn an_idle_reader_moves_on() {
    wait(async {
        let (mysql, mariadb) = (Mysql::start(), MariaDb::start());
        idle(&mysql.url()).await;
        idle(&mariadb.url()).await;
    });
}

/// Of binlog in one transaction. `LINLI_TEST_TRANSACTION_MB=1024` for a gigabyte, which takes minutes.
fn transaction_mb() -> u64 {
    std::env::var("LINLI_TEST_TRANSACTION_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

const PEAK_MB_MAX: u64 = 200;

fn peak_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("kilobytes") / 1024
}

#[test]
fn a_transaction_of_hundreds_of_megabytes_passes_in_bounded_memory() {
    wait(async {
        const ROW_BYTES: u64 = 4000;
        let server = Mysql::start_with(&[
            "--innodb-flush-log-at-trx-commit=0",
            "--sync-binlog=0",
            "--innodb-log-file-size=256M",
        ]);
        let mut sql = Sql::connect(&server.url()).await;
        sql.all(&[
            "CREATE DATABASE large",
            "CREATE TABLE large.items (id INT PRIMARY KEY, pad VARCHAR(4000)) CHARACTER SET latin1",
        ])
        .await;
        let dir = tempfile::tempdir().expect("a folder");
        let running = follow(&mut reader(&server.url(), dir.path(), "large", &[]));
        let rows = transaction_mb() * (1 << 20) / ROW_BYTES;
        sql.run("BEGIN").await;
        for from in (0..rows).step_by(2000) {
            let values: Vec<String> =
                (from..rows.min(from + 2000)).map(|id| format!("({id},REPEAT(CHAR(65+{id}%26),4000))")).collect();
            sql.run(&format!("INSERT INTO large.items VALUES {}", values.join(","))).await;
        }
        sql.run("COMMIT").await;
        sql.run("INSERT INTO large.items VALUES (-1, 'behind')").await;
        let all = async || {
            let shown = ask(&server.url(), dir.path(), "large", &["position", "show"]);
            shown.stdout.contains("\"behind_transactions\":0")
        };
        wait_until("the whole transaction", all).await;
        let peak = peak_mb(running.pid());
        running.kill();
        let binlog: u64 =
            sql.rows("SHOW BINARY LOGS").await.iter().filter_map(|row| row[1].as_ref()?.parse::<u64>().ok()).sum();
        assert!(binlog > transaction_mb() << 20, "{binlog}");
        // All are there, and in their order.
        let mut count = 0;
        crate::topics::each(dir.path(), "shop.items", |_, key, value| {
            assert!(value.is_some());
            count += u64::from(key != b"-1");
        })
        .await;
        assert_eq!(count, rows);
        println!("{} MB of binlog in one transaction, {rows} rows, peak {peak} MB", binlog >> 20);
        assert!(peak < PEAK_MB_MAX, "{peak} MB");
    });
}
