//! A bad line, damaged bytes and clocks that jump: nothing is lost, and nothing goes on that is wrong.

use linli_tests::program::Running;
use linli_tests::proxy::{Part, Proxy};

use crate::topics::{MARIADB, MYSQL, Record, Sql, catch_up, changes, follow, reader, records, wait_until};
use crate::{DEADLINE, wait};

/// A table of notes in a database of its own, read over a proxy.
struct Line {
    db: &'static str,
    proxy: Proxy,
    url: String,
    sql: Sql,
    dir: tempfile::TempDir,
    next: u32,
}

impl Line {
    async fn to(db: &'static str, url: &str, port: u16) -> Line {
        let proxy = Proxy::to(port).await;
        let mut sql = Sql::connect(url).await;
        sql.run(&format!("CREATE DATABASE {db}")).await;
        sql.run(&format!("CREATE TABLE {db}.notes (id INT PRIMARY KEY, note VARCHAR(100))")).await;
        let url = format!("{}#{db}", proxy.url());
        Line { db, proxy, url, sql, dir: tempfile::tempdir().expect("a folder"), next: 0 }
    }

    fn follow(&self) -> Running {
        follow(&mut reader(&self.url, self.dir.path(), self.db, &[]))
    }

    /// A row, and a change of the first one, so that one key has an order.
    async fn write(&mut self, note: &str) {
        let (db, id) = (self.db, self.next);
        self.next += 1;
        self.sql.run(&format!("INSERT INTO {db}.notes VALUES ({id}, '{note}')")).await;
        self.sql.run(&format!("UPDATE {db}.notes SET note = 'after {id}' WHERE id = 0")).await;
    }

    async fn is_there(&self, note: &str) -> bool {
        records(self.dir.path(), "shop.notes").await.iter().any(|record| record.after()["note"] == *note)
    }

    async fn arrives(&self, note: &str) {
        wait_until(note, || self.is_there(note)).await;
    }

    /// Every row came once, and the changes of the first in their order.
    async fn nothing_is_lost(&self) {
        catch_up(&self.url, self.dir.path(), self.db);
        let changes = changes(self.dir.path(), "shop.notes").await;
        let mut ids: Vec<i64> = of(&changes, "c").map(|record| record.after()["id"].as_i64().expect("an id")).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..i64::from(self.next)).collect::<Vec<_>>());
        let notes: Vec<_> = of(&changes, "u").map(|record| record.after()["note"].clone()).collect();
        assert_eq!(notes, (0..self.next).map(|id| format!("after {id}")).collect::<Vec<_>>());
    }
}

fn of<'a>(changes: &'a [Record], op: &'a str) -> impl Iterator<Item = &'a Record> {
    changes.iter().filter(move |record| record.op() == op)
}

/// Bytes that are damaged on the way are read again; those that stay damaged end the reader.
async fn damage(mut line: Line) {
    let mut running = line.follow();
    line.proxy.damage("flipped once", Part::Text, 1);
    line.write("before").await;
    line.write("flipped once").await;
    line.write("behind").await;
    line.arrives("flipped once").await;
    line.arrives("behind").await;
    assert_eq!(line.proxy.damaged(), 1);
    running.wait_for(DEADLINE, |line| line.contains("checksum") && line.contains("begins again"));

    line.proxy.damage("flipped always", Part::Text, u32::MAX);
    line.write("good").await;
    line.write("flipped always").await;
    line.write("behind it").await;
    let (status, lines) = running.wait(DEADLINE);
    assert_eq!(status.code(), Some(6), "{lines:#?}");
    let told = lines.join("\n");
    for word in ["event checksum", "the binlog is damaged there", "position set", "position reset"] {
        assert!(told.contains(word), "{word:?} in {told}");
    }
    assert!(!line.is_there("behind it").await, "nothing is published behind what cannot be read");

    line.proxy.damage("", Part::Text, 0);
    line.nothing_is_lost().await;
}

/// A length that is damaged makes an event seem to be longer than it is: its end never comes.
async fn damaged_length(mut line: Line) {
    let running = line.follow();
    line.proxy.damage("long", Part::Length, 1);
    line.write("before").await;
    line.write("long").await;
    line.write("behind").await;
    line.arrives("behind").await;
    assert_eq!(line.proxy.damaged(), 1);
    running.kill();
    line.nothing_is_lost().await;
}

/// A line that is cut at any time, and one on which nothing comes any more although it stays open.
async fn cut_and_swallow(mut line: Line) {
    let mut running = line.follow();
    for round in 0..60 {
        line.write(&format!("round {round}")).await;
        if round % 15 == 7 {
            line.proxy.cut();
        }
    }
    line.arrives("round 59").await;
    line.proxy.swallow();
    line.write("swallowed").await;
    line.arrives("swallowed").await;
    running.wait_for(DEADLINE, |line| line.contains("no answer within"));
    running.kill();
    line.nothing_is_lost().await;
}

/// Sessions that live in another time write transactions with its times.
async fn clock(mut line: Line) {
    let running = line.follow();
    for (round, seconds) in [1_700_000_000, 1, 2_147_480_000, 86_400, 0].into_iter().enumerate() {
        line.sql
            .run(&format!("SET timestamp = {}", if seconds == 0 { "DEFAULT".into() } else { seconds.to_string() }))
            .await;
        line.write(&format!("time {round}")).await;
    }
    line.arrives("time 4").await;
    running.kill();
    line.nothing_is_lost().await;
    for partition in 0..4 {
        let places: Vec<_> = changes(line.dir.path(), "shop.notes")
            .await
            .iter()
            .filter(|record| record.partition == partition)
            .map(|record| (record.source()["file"].to_string(), record.source()["pos"].as_u64()))
            .collect();
        assert!(places.is_sorted(), "{places:?}");
    }
}

#[test]
fn damaged_bytes_are_read_again_or_end_the_reader_on_mysql() {
    wait(async { damage(Line::to("damage", &MYSQL.url(), MYSQL.port()).await).await });
}

#[test]
fn damaged_bytes_are_read_again_or_end_the_reader_on_mariadb() {
    wait(async { damage(Line::to("damage", &MARIADB.url(), MARIADB.port()).await).await });
}

#[test]
fn a_damaged_length_does_not_wait_for_ever() {
    wait(async { damaged_length(Line::to("longer", &MYSQL.url(), MYSQL.port()).await).await });
}

#[test]
fn a_line_that_is_cut_or_swallows_loses_nothing_on_mysql() {
    wait(async { cut_and_swallow(Line::to("cutting", &MYSQL.url(), MYSQL.port()).await).await });
}

#[test]
fn a_line_that_is_cut_or_swallows_loses_nothing_on_mariadb() {
    wait(async { cut_and_swallow(Line::to("cutting", &MARIADB.url(), MARIADB.port()).await).await });
}

#[test]
fn clocks_that_jump_lose_nothing() {
    wait(async {
        clock(Line::to("clocks", &MYSQL.url(), MYSQL.port()).await).await;
        clock(Line::to("clocks", &MARIADB.url(), MARIADB.port()).await).await;
    });
}
