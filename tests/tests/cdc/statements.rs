//! Sessions that log statements instead of rows: what they may have changed is read from the tables, and nothing is lost.

use std::path::Path;

use linli_tests::program::Finished;
use linli_tests::stack::{MariaDb, Mysql};
use serde_json::{Value, json};

use crate::topics::{MARIADB, MYSQL, Sql, catch_up, last_rows, records};
use crate::wait;

const TABLES: [&str; 5] = ["items", "others", "audit", "bumped", "untouched"];

/// Told aloud, with the remedy.
fn is_told(finished: &Finished, tables: &[&str]) {
    let errors: Vec<&str> = finished.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.iter().all(|line| line.contains("binlog_format=ROW")), "{}", finished.stderr);
    for table in tables {
        assert!(errors.iter().any(|line| line.contains(table)), "{table} in {errors:#?}");
    }
}

/// Every topic ends with what its table holds.
async fn hold(sql: &mut Sql, dir: &Path) {
    for table in TABLES {
        let rows = sql.rows(&format!("SELECT id, a FROM {table} ORDER BY CAST(id AS CHAR)")).await;
        let number = |cell: &Option<String>| json!(cell.as_ref().and_then(|cell| cell.parse::<i64>().ok()));
        let want: Vec<Value> = rows.iter().map(|row| json!({"id": number(&row[0]), "a": number(&row[1])})).collect();
        assert_eq!(last_rows(dir, &format!("shop.{table}"), "id").await, want, "{table}");
    }
}

async fn prepare(url: &str) -> Sql {
    let mut sql = Sql::connect(url).await;
    sql.all(&["CREATE DATABASE spoken", "USE spoken"]).await;
    for table in TABLES {
        sql.run(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, a INT)")).await;
        sql.run(&format!("INSERT INTO {table} VALUES (1, 1), (2, 2)")).await;
    }
    sql
}

async fn changed_by_statements(url: &str, format: &str) {
    let mut sql = prepare(url).await;
    let dir = tempfile::tempdir().expect("a folder");
    catch_up(url, dir.path(), "spoken");
    sql.all(&[
        &format!("SET SESSION binlog_format = '{format}'"),
        "INSERT INTO items SELECT id + 10, a FROM others",
        "DELETE FROM items WHERE id = 2",
        // rows and statements in one transaction
        "BEGIN",
        "UPDATE others SET a = 20 WHERE id = 1",
        "INSERT INTO others VALUES (3, 3)",
        "COMMIT",
        "SET SESSION binlog_format = 'ROW'",
        "UPDATE items SET a = 7 WHERE id = 11",
    ])
    .await;
    let finished = catch_up(url, dir.path(), "spoken");
    is_told(&finished, &["spoken.items", "spoken.others"]);
    hold(&mut sql, dir.path()).await;
    let read = records(dir.path(), "shop.untouched").await;
    assert_eq!(read.len(), 2, "what is not changed is not read anew: {read:#?}");
    // told once: they are not read again when nothing of the kind happens
    sql.run("UPDATE items SET a = 8 WHERE id = 11").await;
    let finished = catch_up(url, dir.path(), "spoken");
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
    hold(&mut sql, dir.path()).await;
    sql.all(&["SET SESSION binlog_format = 'ROW'", "DROP DATABASE spoken"]).await;
}

#[test]
fn rows_changed_by_logged_statements_are_read_from_the_tables() {
    wait(async {
        let (mysql, mariadb) = (Mysql::start(), MariaDb::start());
        for format in ["STATEMENT", "MIXED"] {
            changed_by_statements(&mysql.url(), format).await;
            changed_by_statements(&mariadb.url(), format).await;
        }
    });
}

/// What a statement changes without naming it: by a view, a trigger, a function; and by LOAD DATA and XA.
async fn changed_unnamed(url: &str) {
    let mut sql = prepare(url).await;
    sql.all(&[
        "CREATE VIEW shown AS SELECT id, a FROM others",
        "CREATE TRIGGER noted AFTER INSERT ON items FOR EACH ROW INSERT INTO audit VALUES (NEW.id, NEW.a)",
        "CREATE FUNCTION bump(n INT) RETURNS INT DETERMINISTIC MODIFIES SQL DATA \
         BEGIN UPDATE bumped SET a = a + n; RETURN n; END",
    ])
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("rows.csv");
    std::fs::write(&file, "31\t310\n32\t320\n").expect("a file");
    let log = dir.path().join("log");
    catch_up(url, &log, "spoken");
    let load = format!("LOAD DATA INFILE '{}' INTO TABLE items", file.display());
    let steps: [(&[&str], &[&str]); 5] = [
        (&["INSERT INTO shown VALUES (5, 50)"], &["spoken.others"]),
        (&["INSERT INTO items VALUES (6, 60)"], &["spoken.items", "spoken.audit"]),
        (&["SELECT bump(3)"], &["spoken.bumped"]),
        (&[&load], &["spoken.items", "spoken.audit"]),
        (&["XA START 'x'", "DELETE FROM others WHERE id = 1", "XA END 'x'", "XA PREPARE 'x'"], &[]),
    ];
    for (statements, tables) in steps {
        sql.run("SET SESSION binlog_format = 'STATEMENT'").await;
        sql.all(statements).await;
        if statements.len() == 1 {
            sql.run("SET SESSION binlog_format = 'ROW'").await;
            let finished = catch_up(url, &log, "spoken");
            is_told(&finished, tables);
            assert!(!finished.stderr.contains("spoken.untouched"), "{}", finished.stderr);
            hold(&mut sql, &log).await;
        }
    }
    // What is prepared counts when it is committed, and the reader began anew in between.
    let finished = catch_up(url, &log, "spoken");
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
    assert_eq!(last_rows(&log, "shop.others", "id").await.len(), 3);
    sql.run("XA COMMIT 'x'").await;
    is_told(&catch_up(url, &log, "spoken"), &["spoken.others"]);
    hold(&mut sql, &log).await;
}

#[test]
fn what_statements_change_without_naming_it_is_found() {
    wait(async {
        let mysql = Mysql::start_with(&["--secure-file-priv="]);
        changed_unnamed(&mysql.url()).await;
        let mariadb = MariaDb::start();
        changed_unnamed(&mariadb.url()).await;
    });
}

/// No row of the table that refers is in the log when the server changes it by a foreign key.
async fn cascades(url: &str) {
    let mut sql = Sql::connect(url).await;
    sql.all(&[
        "CREATE DATABASE bound",
        "USE bound",
        "CREATE TABLE parents (id INT PRIMARY KEY)",
        "CREATE TABLE children (id INT PRIMARY KEY, parent_id INT, CONSTRAINT orphans FOREIGN KEY (parent_id) REFERENCES parents (id) ON DELETE CASCADE)",
        "CREATE TABLE kept (id INT PRIMARY KEY, parent_id INT, CONSTRAINT strict FOREIGN KEY (parent_id) REFERENCES parents (id))",
        "INSERT INTO parents VALUES (1)",
        "INSERT INTO children VALUES (1, 1)",
    ])
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    let told = catch_up(url, dir.path(), "bound").stderr;
    let line = told.lines().find(|line| line.contains("foreign keys")).expect("a warning");
    assert!(line.contains("bound.children (orphans)") && line.contains("snapshot"), "{line}");
    assert!(!line.contains("strict"), "{line}");
    sql.run("DELETE FROM parents").await;
    catch_up(url, dir.path(), "bound");
    assert_eq!(last_rows(dir.path(), "shop.children", "id").await.len(), 1, "the log does not tell");
    sql.run("DROP DATABASE bound").await;
}

#[test]
fn foreign_keys_that_change_rows_are_named_at_the_start() {
    wait(async {
        cascades(&MYSQL.url()).await;
        cascades(&MARIADB.url()).await;
    });
}
