//! Positions: servers without GTIDs, and moving a reader by place, by GTID and by time.

use std::path::Path;

use linli_tests::program;
use linli_tests::stack::{MariaDb, Mysql};
use serde_json::Value;

use crate::topics::{Record, Sql, ask, catch_up, changes, follow, reader, records, wait_until};
use crate::wait;

/// A table whose rows are each a transaction, and where the log stood behind each.
struct Steps {
    db: &'static str,
    url: String,
    sql: Sql,
    dir: tempfile::TempDir,
    /// Place and GTIDs behind a row.
    behind: Vec<(String, String)>,
}

impl Steps {
    async fn start(db: &'static str, url: &str) -> Steps {
        let mut sql = Sql::connect(url).await;
        sql.run(&format!("CREATE DATABASE {db}")).await;
        sql.run(&format!("CREATE TABLE {db}.steps (id INT PRIMARY KEY)")).await;
        let dir = tempfile::tempdir().expect("a folder");
        Steps { db, url: url.to_owned(), sql, dir, behind: Vec::new() }
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    async fn write(&mut self, count: usize) {
        for _ in 0..count {
            self.sql.run(&format!("INSERT INTO {}.steps VALUES ({})", self.db, self.behind.len())).await;
            let status = self.sql.rows("SHOW MASTER STATUS").await;
            let cell = |index: usize| status[0].get(index).cloned().flatten().unwrap_or_default();
            let gtids = match self.sql.one("SELECT VERSION() LIKE '%MariaDB%'").await.as_str() {
                "1" => self.sql.one("SELECT @@global.gtid_binlog_pos").await,
                _ => cell(4).replace('\n', ""),
            };
            self.behind.push((format!("{}:{}", cell(0), cell(1)), gtids));
        }
    }

    /// Moves, after a dry run that says the same, and goes on.
    async fn set(&self, target: &[&str], repeats: u64, skips: u64) {
        let before = self.told().await;
        let words: Vec<&str> = ["position", "set"].into_iter().chain(target.iter().copied()).collect();
        let would = self.ask(&[&words[..], &["--dry-run"]].concat());
        assert_eq!(
            (&would["repeats_transactions"], &would["skips_transactions"], &would["done"]),
            (&repeats.into(), &skips.into(), &false.into()),
            "{would}"
        );
        assert_eq!(self.told().await, before, "a dry run publishes nothing");
        let mut moved = self.ask(&words);
        assert_eq!(moved["done"], true);
        moved["done"] = false.into();
        assert_eq!(moved, would);
    }

    fn ask(&self, words: &[&str]) -> Value {
        let finished = ask(&self.url, self.dir(), self.db, words).succeeded();
        let all: Value =
            serde_json::from_str(finished.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
        all[0].clone()
    }

    /// How often each row was told.
    async fn told(&self) -> Vec<usize> {
        let records = records(self.dir(), "shop.steps").await;
        let of = |id: usize| records.iter().filter(|record| record.after()["id"] == id).count();
        (0..self.behind.len()).map(of).collect()
    }
}

async fn moved_to_and_fro(mut steps: Steps, has_gtids: bool) {
    catch_up(&steps.url, steps.dir(), steps.db);
    steps.write(5).await;
    // Times are told by the second.
    let second = steps.sql.one("SELECT UNIX_TIMESTAMP()").await;
    wait_second(&mut steps.sql, &second).await;
    let time = steps.sql.one("SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ')").await;
    steps.write(5).await;
    catch_up(&steps.url, steps.dir(), steps.db);
    assert_eq!(steps.told().await, [1; 10]);

    let (place, gtids) = steps.behind[4].clone();
    steps.set(&["--place", &place], 5, 0).await;
    catch_up(&steps.url, steps.dir(), steps.db);
    assert_eq!(steps.told().await, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);

    steps.set(&["--time", &time], 5, 0).await;
    catch_up(&steps.url, steps.dir(), steps.db);
    assert_eq!(steps.told().await, [1, 1, 1, 1, 1, 3, 3, 3, 3, 3]);

    if has_gtids {
        steps.set(&["--gtid", &gtids], 5, 0).await;
    } else {
        let finished = ask(&steps.url, steps.dir(), steps.db, &["position", "set", "--gtid", "0-1-5"]);
        assert_eq!(finished.code, Some(2), "{finished:?}");
        let words = ["position", "set", "--gtid", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"];
        let finished = ask(&steps.url, steps.dir(), steps.db, &words);
        assert!(finished.stderr.contains("numbers no transactions"), "{finished:?}");
        steps.set(&["--place", &place], 5, 0).await;
    }
    catch_up(&steps.url, steps.dir(), steps.db);
    assert_eq!(steps.told().await, [1, 1, 1, 1, 1, 4, 4, 4, 4, 4]);

    // Forwards, over a rotation: what is skipped is never told.
    steps.write(2).await;
    steps.sql.run("FLUSH BINARY LOGS").await;
    steps.write(2).await;
    let (place, gtids) = steps.behind[12].clone();
    match has_gtids {
        true => steps.set(&["--gtid", &gtids], 0, 3).await,
        false => steps.set(&["--place", &place], 0, 3).await,
    }
    catch_up(&steps.url, steps.dir(), steps.db);
    assert_eq!(steps.told().await, [1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 0, 0, 0, 1]);
    let shown = steps.ask(&["position", "show"]);
    assert_eq!(shown["behind_bytes"], 0, "{shown}");
    let nowhere = ask(&steps.url, steps.dir(), steps.db, &["position", "set", "--place", "binlog.000999:4"]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    assert!(nowhere.stderr.contains("has no binlog for binlog.000999:4"), "{nowhere:?}");
}

async fn wait_second(sql: &mut Sql, second: &str) {
    while sql.one(&format!("SELECT SLEEP(0.1) + (UNIX_TIMESTAMP() > {second} + 1)")).await != "1" {}
}

/// A server without GTIDs: a change is known by its file and byte.
async fn without_gtids(mut server: Mysql) -> Mysql {
    let mut sql = Sql::connect(&server.url()).await;
    sql.all(&["CREATE DATABASE plain", "CREATE TABLE plain.items (id INT PRIMARY KEY, v INT)"]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let url = server.url();
    let mut next = 0;
    let mut running = follow(&mut reader(&url, dir.path(), "plain", &[]));
    for round in 0..6 {
        for _ in 0..20 {
            sql.all(&["BEGIN"]).await;
            sql.run(&format!("INSERT INTO plain.items VALUES ({next}, 0)")).await;
            sql.run(&format!("UPDATE plain.items SET v = 1 WHERE id = {next}")).await;
            sql.run("COMMIT").await;
            next += 1;
        }
        if round != 5 {
            running.kill();
            match round {
                1 => sql.run("FLUSH BINARY LOGS").await,
                3 => {
                    server.run().expect("MySQL starts again");
                    sql = Sql::connect(&url).await;
                }
                _ => {}
            }
            running = follow(&mut reader(&url, dir.path(), "plain", &[]));
        }
    }
    let all = async || records(dir.path(), "shop.items").await.iter().any(|record| record.after()["id"] == next - 1);
    wait_until("the last row", all).await;
    running.kill();
    catch_up(&url, dir.path(), "plain");
    let changes = changes(dir.path(), "shop.items").await;
    let of = |op: &str| changes.iter().filter(|record| record.op() == op).count();
    assert_eq!((of("c"), of("u"), changes.len()), (next, next, 2 * next));
    for record in &changes {
        let (source, id) = (record.source(), record.value()["transaction"]["id"].as_str().expect("an id"));
        assert!(source.get("gtid").is_none(), "{source}");
        let file = source["file"].as_str().expect("a file");
        assert!(id.starts_with(&format!("plain/{file}:")), "{id}");
    }
    let files: std::collections::BTreeSet<String> =
        changes.iter().map(|record: &Record| record.source()["file"].to_string()).collect();
    assert!(files.len() >= 3, "{files:?}");
    server
}

#[test]
fn a_server_without_gtids_is_followed_and_moved_by_place() {
    wait(async {
        let server = without_gtids(Mysql::start_with(&["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"])).await;
        moved_to_and_fro(Steps::start("steps", &server.url()).await, false).await;
        // Not started yet: there is nothing to move.
        let dir = tempfile::tempdir().expect("a folder");
        let finished = ask(&server.url(), dir.path(), "steps", &["position", "set", "--place", "binlog.000002:4"]);
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains("has not been started yet"), "{finished:?}");
        let running = program::run(&mut reader(&server.url(), dir.path(), "steps", &["--until-caught-up"]));
        running.succeeded();
    });
}

#[test]
fn a_reader_is_moved_by_place_time_and_gtid_on_mysql() {
    let server = Mysql::start();
    wait(async { moved_to_and_fro(Steps::start("moving", &server.url()).await, true).await });
}

#[test]
fn a_reader_is_moved_by_place_time_and_gtid_on_mariadb() {
    let server = MariaDb::start();
    wait(async { moved_to_and_fro(Steps::start("moving", &server.url()).await, true).await });
}
