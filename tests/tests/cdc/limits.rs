//! Servers that are not set up as a reader would wish: what it says, and that it goes on where it can.

use linli_tests::program;
use linli_tests::stack::{MariaDb, Mysql};

use crate::topics::{MARIADB, MYSQL, Sql, ask, catch_up, changes, follow, reader, records, wait_until};
use crate::{DEADLINE, wait};

fn refused(command: &mut std::process::Command, exit: i32, words: &[&str]) -> String {
    let finished = program::run(command);
    assert_eq!(finished.code, Some(exit), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word:?} in {}", finished.stderr);
    }
    finished.stderr
}

async fn notes(url: &str, db: &str) -> Sql {
    let mut sql = Sql::connect(url).await;
    sql.run(&format!("CREATE DATABASE {db}")).await;
    sql.run(&format!("CREATE TABLE {db}.notes (id INT PRIMARY KEY, note VARCHAR(100), more VARCHAR(100))")).await;
    sql
}

/// Two readers with one id: the second is refused, or where it is the same reader, the first one ends.
async fn same_id(url: &str, own_id: &str) {
    let mut sql = notes(url, "same_id").await;
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let named = |name: &str| format!("{url}#{name}");
    let with = |name: &str, dir: usize, id: &str| {
        let mut command = reader(&named(name), dirs[dir].path(), "same_id", &[]);
        command.env("LINLI__CDC__SERVER_ID", id);
        command
    };
    refused(&mut with("a", 0, own_id), 2, &[&format!("cdc.server_id is {own_id}"), "the server's own id"]);
    let mut first = follow(&mut with("a", 0, "77"));
    refused(&mut with("b", 1, "77"), 2, &["server id 77", "replica linli/a", "set cdc.server_id"]);
    sql.run("INSERT INTO same_id.notes VALUES (1, 'goes on', NULL)").await;
    wait_until("the first is not disturbed", async || !records(dirs[0].path(), "shop.notes").await.is_empty()).await;

    // The same reader once more, without the state that would fence the first.
    let second = follow(&mut with("a", 2, "77"));
    let told = first.wait_for(DEADLINE, |line| line.contains("server id 77"));
    assert!(told.contains("another reader came with the same server id 77"), "{told}");
    let (status, lines) = first.wait(DEADLINE);
    assert_eq!(status.code(), Some(2), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("set cdc.server_id")), "{lines:#?}");
    sql.run("INSERT INTO same_id.notes VALUES (2, 'the second goes on', NULL)").await;
    let second_has = async || records(dirs[2].path(), "shop.notes").await.len() == 2;
    wait_until("the second follows", second_has).await;
    second.kill();
    catch_up(&named("a"), dirs[0].path(), "same_id");
    assert_eq!(changes(dirs[0].path(), "shop.notes").await.len(), 2);
}

#[test]
fn two_readers_of_one_id_are_told_apart_on_mysql() {
    wait(same_id(&MYSQL.url(), "1"));
}

#[test]
fn two_readers_of_one_id_are_told_apart_on_mariadb() {
    wait(same_id(&MARIADB.url(), "1"));
}

#[test]
fn each_privilege_that_is_missing_is_named() {
    wait(async {
        let mut sql = notes(&MYSQL.url(), "poorly").await;
        let address = MYSQL.url().replace("mysql://root@", "");
        let all = ["REPLICATION SLAVE", "REPLICATION CLIENT", "SELECT"];
        for (number, missing) in all.into_iter().enumerate() {
            let given: Vec<&str> = all.into_iter().filter(|privilege| *privilege != missing).collect();
            sql.run(&format!("CREATE USER poor{number} IDENTIFIED BY 's3cret'")).await;
            sql.run(&format!("GRANT RELOAD, {} ON *.* TO poor{number}", given.join(", "))).await;
            let (dir, url) = (tempfile::tempdir().expect("a folder"), format!("mysql://poor{number}:s3cret@{address}"));
            let told = refused(
                &mut reader(&url, dir.path(), "poorly", &["--until-caught-up"]),
                2,
                &[&format!("lacks {missing}"), &format!("grant {missing} on *.*")],
            );
            for privilege in given {
                assert!(!told.contains(&format!("lacks {privilege}")), "{told}");
            }
            assert!(!told.contains("s3cret"), "{told}");
        }
        // A snapshot holds the tables for a moment: with either of two privileges.
        sql.all(&[
            "CREATE USER locker IDENTIFIED BY 's3cret'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO locker",
            "GRANT SELECT ON poorly.* TO locker",
        ])
        .await;
        let (dir, url) = (tempfile::tempdir().expect("a folder"), format!("mysql://locker:s3cret@{address}"));
        let words = ["a snapshot needs a lock for a moment", "grant RELOAD on *.*, or LOCK TABLES on"];
        refused(&mut reader(&url, dir.path(), "poorly", &["--until-caught-up"]), 2, &words);
        sql.run("GRANT LOCK TABLES ON poorly.* TO locker").await;
        catch_up(&url, dir.path(), "poorly");
    });
}

/// A table that could not be seen at the start is read once its rows change, and its rows of before are there.
#[test]
fn a_table_that_could_not_be_seen_is_read_when_it_changes() {
    wait(async {
        let mut sql = notes(&MYSQL.url(), "hidden").await;
        sql.all(&[
            "INSERT INTO hidden.notes VALUES (1, 'before', NULL)",
            "CREATE TABLE hidden.others (id INT PRIMARY KEY)",
            "CREATE USER half IDENTIFIED BY 's3cret'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.* TO half",
            "GRANT SELECT ON hidden.others TO half",
        ])
        .await;
        let dir = tempfile::tempdir().expect("a folder");
        let url = MYSQL.url().replace("root@", "half:s3cret@");
        let mut running = follow(&mut reader(&url, dir.path(), "hidden", &[]));
        sql.run("INSERT INTO hidden.notes VALUES (2, 'not to be read', NULL)").await;
        running.wait_for(DEADLINE, |line| line.contains("may not SELECT it") && line.contains("hidden.notes"));
        sql.run("GRANT SELECT ON hidden.notes TO half").await;
        ask(&url, dir.path(), "hidden", &["snapshot", "hidden.notes"]).succeeded();
        let has_before = async || records(dir.path(), "shop.notes").await.iter().any(|row| row.after()["id"] == 1);
        wait_until("the row of before", has_before).await;
        running.kill();
    });
}

#[test]
fn a_pattern_that_matches_nothing_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let finished = catch_up(&MYSQL.url(), dir.path(), "shopp");
    assert!(finished.stderr.contains("no table is followed"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("databases=\"shopp\"") || finished.stderr.contains("databases=shopp"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_server_that_logs_less_is_followed_with_a_word_about_it() {
    wait(async {
        let server = Mysql::start_with(&["--binlog-row-image=MINIMAL", "--binlog-row-metadata=MINIMAL"]);
        let mut sql = notes(&server.url(), "less").await;
        let dir = tempfile::tempdir().expect("a folder");
        let first = catch_up(&server.url(), dir.path(), "less");
        assert!(first.stderr.contains("binlog_row_image is not FULL"), "{}", first.stderr);
        assert!(first.stderr.contains("binlog_row_metadata is not FULL"), "{}", first.stderr);
        sql.all(&[
            "INSERT INTO less.notes VALUES (1, 'one', 'a')",
            "UPDATE less.notes SET note = 'two' WHERE id = 1",
            "DELETE FROM less.notes WHERE id = 1",
        ])
        .await;
        catch_up(&server.url(), dir.path(), "less");
        let changes = changes(dir.path(), "shop.notes").await;
        let told: Vec<String> = changes.iter().map(|c| format!("{} {} {}", c.op(), c.before(), c.after())).collect();
        assert_eq!(
            told,
            [r#"c null {"id":1,"more":"a","note":"one"}"#, r#"u {"id":1} {"id":1,"note":"two"}"#, r#"d {"id":1} null"#]
        );
    });
}

/// The binlog behind the position is gone: it stops, and a new snapshot heals it.
async fn purged(url: &str, words: &[&str]) {
    let mut sql = notes(url, "purged").await;
    let dir = tempfile::tempdir().expect("a folder");
    sql.run("INSERT INTO purged.notes VALUES (1, 'before', NULL)").await;
    catch_up(url, dir.path(), "purged");
    sql.run("INSERT INTO purged.notes VALUES (2, 'never read', NULL)").await;
    sql.all(&["FLUSH BINARY LOGS", "FLUSH BINARY LOGS"]).await;
    loop {
        // what a replica that is gone was sent last stays until the server has noticed
        sql.run("PURGE BINARY LOGS TO 'binlog.000003'").await;
        if sql.one("SHOW BINARY LOGS").await == "binlog.000003" {
            break;
        }
    }
    sql.run("INSERT INTO purged.notes VALUES (3, 'behind', NULL)").await;
    refused(&mut reader(url, dir.path(), "purged", &["--until-caught-up"]), 6, words);
    assert_eq!(records(dir.path(), "shop.notes").await.len(), 1, "nothing is published behind the gap");

    let would = ask(url, dir.path(), "purged", &["position", "reset", "--dry-run"]).succeeded();
    assert!(would.stdout.contains("\"done\":false"), "{would:?}");
    refused(&mut reader(url, dir.path(), "purged", &["--until-caught-up"]), 6, words);
    ask(url, dir.path(), "purged", &["position", "reset"]).succeeded();
    catch_up(url, dir.path(), "purged");
    sql.run("INSERT INTO purged.notes VALUES (4, 'followed', NULL)").await;
    catch_up(url, dir.path(), "purged");
    let records = records(dir.path(), "shop.notes").await;
    for id in 1..=4 {
        assert!(records.iter().any(|record| record.after()["id"] == id), "{id}");
    }
}

#[test]
fn a_purged_binlog_stops_the_reader_and_a_snapshot_heals_it_on_mysql() {
    wait(async {
        let mut server = Mysql::start();
        purged(&server.url(), &["is purged", "position reset"]).await;

        let dir = tempfile::tempdir().expect("a folder");
        server.run_with(&["--skip-log-bin"]).expect("MySQL starts without a binlog");
        let words = ["it writes no binlog", "--log-bin"];
        refused(&mut reader(&server.url(), dir.path(), "purged", &["--until-caught-up"]), 2, &words);
    });
}

#[test]
fn a_purged_binlog_stops_the_reader_and_a_snapshot_heals_it_on_mariadb() {
    wait(async {
        let server = MariaDb::start();
        purged(&server.url(), &["purged", "position reset"]).await;
    });
}
