//! Two servers that replicate: the first dies, the second takes over, and the reader goes on by GTID.

use std::collections::BTreeMap;

use linli_tests::program::{self, Running};
use linli_tests::stack::{MariaDb, Mysql};

use crate::topics::{Sql, catch_up, changes, follow, reader, records, wait_until};
use crate::wait;

/// What differs between the kinds of server.
trait Kind {
    fn url(&self) -> String;
    fn kill(&mut self);
    fn restart(&mut self);
    /// Statements that make this server a replica of the one at a port.
    fn replicate(port: u16) -> String;
    /// Waits until a replica has all that the first has.
    async fn catch_up(first: &mut Sql, second: &mut Sql);
    fn port(&self) -> u16;
}

impl Kind for Mysql {
    fn url(&self) -> String {
        Mysql::url(self)
    }
    fn port(&self) -> u16 {
        Mysql::port(self)
    }
    fn kill(&mut self) {
        Mysql::kill(self);
    }
    fn restart(&mut self) {
        self.run().expect("it starts again");
    }
    fn replicate(port: u16) -> String {
        format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='repl', MASTER_PASSWORD='repl', \
             MASTER_AUTO_POSITION=1, GET_MASTER_PUBLIC_KEY=1"
        )
    }
    async fn catch_up(first: &mut Sql, second: &mut Sql) {
        let all = first.one("SELECT @@global.gtid_executed").await;
        let waited = second.one(&format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{all}', 60)")).await;
        assert_eq!(waited, "0", "{:?}", second.rows("SHOW SLAVE STATUS").await);
    }
}

impl Kind for MariaDb {
    fn url(&self) -> String {
        MariaDb::url(self)
    }
    fn port(&self) -> u16 {
        MariaDb::port(self)
    }
    fn kill(&mut self) {
        MariaDb::kill(self);
    }
    fn restart(&mut self) {
        self.run().expect("it starts again");
    }
    fn replicate(port: u16) -> String {
        format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='repl', MASTER_PASSWORD='repl', \
             MASTER_USE_GTID=slave_pos"
        )
    }
    async fn catch_up(first: &mut Sql, second: &mut Sql) {
        let all = first.one("SELECT @@global.gtid_binlog_pos").await;
        let waited = second.one(&format!("SELECT MASTER_GTID_WAIT('{all}', 60)")).await;
        assert_eq!(waited, "0", "{:?}", second.rows("SHOW SLAVE STATUS").await);
    }
}

const BIG: u32 = 20_000;

/// Rows that are written, each inserted and changed once in a transaction of its own, and a big transaction.
struct Rows {
    next: u32,
}

impl Rows {
    async fn write(&mut self, sql: &mut Sql, count: u32) {
        for id in self.next..self.next + count {
            sql.run("BEGIN").await;
            sql.run(&format!("INSERT INTO ha.rows_1 VALUES ({id}, 1, REPEAT('x', 100))")).await;
            sql.run(&format!("UPDATE ha.rows_1 SET v = 2 WHERE id = {id}")).await;
            sql.run("COMMIT").await;
        }
        self.next += count;
    }

    async fn big(&mut self, sql: &mut Sql) {
        sql.run("BEGIN").await;
        for from in (self.next..self.next + BIG).step_by(2000) {
            let rows: Vec<String> = (from..from + 2000).map(|id| format!("({id},1,REPEAT('x',100))")).collect();
            sql.run(&format!("INSERT INTO ha.rows_1 VALUES {}", rows.join(","))).await;
        }
        sql.run(&format!("UPDATE ha.rows_1 SET v = 2 WHERE id >= {}", self.next)).await;
        sql.run("COMMIT").await;
        self.next += BIG;
    }

    /// Each row was inserted and changed once, and ends as it is in the table.
    async fn are_there(&self, dir: &std::path::Path) {
        let mut seen: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for change in changes(dir, "shop.rows").await {
            let id = change.after()["id"].as_i64().expect("an id");
            seen.entry(id).or_default().push(format!("{}{}", change.op(), change.after()["v"]));
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), (0..i64::from(self.next)).collect::<Vec<_>>());
        let wrong: Vec<_> = seen.iter().filter(|(_, told)| **told != ["c1", "u2"]).take(5).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

async fn has(dir: &std::path::Path, id: u32) -> bool {
    records(dir, "shop.rows").await.iter().any(|record| record.after()["id"] == id)
}

async fn survive<K: Kind>(mut first: K, second: K) {
    let (mut a, mut b, both) = replicating(&first, &second).await;

    // A list of the two; the reader is started again and again under one name.
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let both = format!("{both}#ha");
    let start = || -> Running { follow(&mut reader(&both, dir, "ha", &[])) };
    let mut rows = Rows { next: 0 };
    let running = start();
    rows.write(&mut a, 30).await;
    rows.big(&mut a).await;
    // In the middle of the big transaction, as far as it can be hit: the rest has to come from the other server.
    wait_until("some of the big transaction", async || has(dir, 30).await).await;
    running.kill();
    let read = records(dir, "shop.rows").await.len();
    rows.write(&mut a, 5).await;
    K::catch_up(&mut a, &mut b).await;
    first.kill();
    b.all(&["STOP SLAVE", "RESET SLAVE ALL"]).await;
    rows.write(&mut b, 30).await;

    let running = start();
    wait_until("what the second committed", async || has(dir, rows.next - 1).await).await;
    running.kill();
    println!("{read} of {} records were read of the first server", 60 + 2 * BIG);
    rows.are_there(dir).await;

    // The first comes back without what was committed since: it is passed over, and alone it is refused.
    first.restart();
    rows.write(&mut b, 3).await;
    catch_up(&both, dir, "ha");
    rows.are_there(dir).await;
    let alone = format!("{}#ha", first.url());
    let refused = |url: &str| {
        let finished = program::run(&mut reader(url, dir, "ha", &["--until-caught-up"]));
        assert_eq!(finished.code, Some(6), "{finished:?}");
        for word in ["transactions", "position reset"] {
            assert!(finished.stderr.contains(word), "{}", finished.stderr);
        }
        finished.stderr
    };
    assert!(refused(&alone).contains("lacks transactions"));
    // Nor when it has gone on by itself, so far that its numbers are higher.
    let mut a = Sql::connect(&first.url()).await;
    a.all(&["SET @a = 1", "CREATE TABLE ha.astray (id INT)"]).await;
    for _ in 0..40 {
        a.run("INSERT INTO ha.astray VALUES (1)").await;
    }
    let told = refused(&alone);
    println!("{told}");
    catch_up(&both, dir, "ha");
    // The other one, by its own address.
    rows.write(&mut b, 3).await;
    catch_up(&format!("{}#ha", second.url()), dir, "ha");
    rows.are_there(dir).await;
}

/// The second follows the first, which has an empty table: connections to both, and the URL that lists them.
async fn replicating<K: Kind>(first: &K, second: &K) -> (Sql, Sql, String) {
    let (mut a, mut b) = (Sql::connect(&first.url()).await, Sql::connect(&second.url()).await);
    a.run("CREATE USER repl IDENTIFIED BY 'repl'").await;
    a.run("GRANT REPLICATION SLAVE ON *.* TO repl").await;
    b.run(&K::replicate(first.port())).await;
    b.run("START SLAVE").await;
    a.all(&["CREATE DATABASE ha", "CREATE TABLE ha.rows_1 (id INT PRIMARY KEY, v INT, pad VARCHAR(200))"]).await;
    (a, b, format!("mysql://root@127.0.0.1:{},127.0.0.1:{}", first.port(), second.port()))
}

/// A reader that runs while the server it follows dies goes on with the next of its list by itself.
async fn go_over<K: Kind>(mut first: K, second: K) {
    let (mut a, mut b, both) = replicating(&first, &second).await;
    let dir = tempfile::tempdir().expect("a folder");
    let running = follow(&mut reader(&both, dir.path(), "ha", &[]));
    let mut rows = Rows { next: 0 };
    rows.write(&mut a, 20).await;
    K::catch_up(&mut a, &mut b).await;
    first.kill();
    b.all(&["STOP SLAVE", "RESET SLAVE ALL"]).await;
    rows.write(&mut b, 20).await;
    wait_until("what the second committed", async || has(dir.path(), rows.next - 1).await).await;
    running.kill();
    catch_up(&both, dir.path(), "ha");
    rows.are_there(dir.path()).await;
}

/// The first of the list comes back when the reader does not run: it has all that was read, but not what the other commits.
async fn stay<K: Kind>(mut first: K, second: K) {
    let (mut a, mut b, both) = replicating(&first, &second).await;
    let dir = tempfile::tempdir().expect("a folder");
    catch_up(&both, dir.path(), "ha");
    let mut rows = Rows { next: 0 };
    rows.write(&mut a, 5).await;
    K::catch_up(&mut a, &mut b).await;
    first.kill();
    b.all(&["STOP SLAVE", "RESET SLAVE ALL"]).await;
    catch_up(&both, dir.path(), "ha");
    first.restart();
    rows.write(&mut b, 5).await;
    catch_up(&both, dir.path(), "ha");
    rows.are_there(dir.path()).await;
}

const SECOND: [&str; 2] = ["--server-id=2", "--log-slave-updates=ON"];

#[test]
fn the_reader_goes_over_to_a_replica_by_gtid_on_mysql() {
    wait(survive(Mysql::start(), Mysql::start_with(&SECOND)));
}

#[test]
fn the_reader_goes_over_to_a_replica_by_gtid_on_mariadb() {
    wait(survive(MariaDb::start(), MariaDb::start_with(&SECOND)));
}

#[test]
fn a_running_reader_goes_over_by_itself() {
    wait(go_over(MariaDb::start(), MariaDb::start_with(&SECOND)));
}

#[test]
fn a_reader_that_starts_again_stays_with_the_server_it_followed_last() {
    wait(async {
        stay(Mysql::start(), Mysql::start_with(&SECOND)).await;
        stay(MariaDb::start(), MariaDb::start_with(&SECOND)).await;
    });
}
