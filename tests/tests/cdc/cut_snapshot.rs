//! A first snapshot that ends midway: rows that change before the next view are told as they were when it began.

use linli_tests::program::Running;
use serde_json::{Value, json};

use crate::topics::{MARIADB, Record, Sql, catch_up, reader, records};
use crate::{DEADLINE, wait};

const DB: &str = "cut";

/// `op`, before and after of each record of a row, in order.
fn told(records: &[Record], id: i64) -> Vec<(&str, Value, Value)> {
    let of = |record: &&Record| record.before()["id"] == id || record.after()["id"] == id;
    records.iter().filter(of).map(|record| (record.op(), record.before().clone(), record.after().clone())).collect()
}

/// Who counts payments takes an order that was read as paid for one of before, and one that became paid for a new one. That
/// takes what the row was, also where its table was not read yet when it changed.
#[test]
fn rows_that_change_before_they_are_read_are_told_as_they_were() {
    let url = MARIADB.url();
    let dir = tempfile::tempdir().expect("a folder");
    wait(async {
        let mut sql = Sql::connect(&url).await;
        sql.all(&[
            "CREATE DATABASE cut",
            "CREATE TABLE cut.items (id INT PRIMARY KEY, paid INT)",
            "INSERT INTO cut.items VALUES (1, 10), (2, NULL), (3, 30), (4, 40), (5, 50)",
        ])
        .await;
        // the view stands, and nothing can be read of it
        sql.run("LOCK TABLES cut.items WRITE").await;
        let mut running = Running::start(&mut reader(&url, dir.path(), DB, &[]));
        running
            .wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("snapshot") && line.contains("tables=1"));
        running.kill();
        sql.all(&[
            "UNLOCK TABLES",
            "UPDATE cut.items SET paid = 11 WHERE id = 1",
            "UPDATE cut.items SET paid = 12 WHERE id = 1",
            "UPDATE cut.items SET paid = 20 WHERE id = 2",
            "DELETE FROM cut.items WHERE id = 3",
            "UPDATE cut.items SET id = 44 WHERE id = 4",
            "INSERT INTO cut.items VALUES (6, 60)",
            "UPDATE cut.items SET paid = 61 WHERE id = 6",
        ])
        .await;
        catch_up(&url, dir.path(), DB);

        let records = records(dir.path(), "shop.items").await;
        let row = |id: i64, paid: Option<i64>| json!({"id": id, "paid": paid});
        let none = || Value::Null;
        for (id, said) in [
            (
                1,
                vec![
                    ("r", none(), row(1, Some(10))),
                    ("u", row(1, Some(10)), row(1, Some(11))),
                    ("u", row(1, Some(11)), row(1, Some(12))),
                ],
            ),
            (2, vec![("r", none(), row(2, None)), ("u", row(2, None), row(2, Some(20)))]),
            (3, vec![("r", none(), row(3, Some(30))), ("d", row(3, Some(30)), none())]),
            (4, vec![("r", none(), row(4, Some(40))), ("d", row(4, Some(40)), none())]),
            (44, vec![("c", none(), row(44, Some(40)))]),
            (5, vec![("r", none(), row(5, Some(50)))]),
            (6, vec![("c", none(), row(6, Some(60))), ("u", row(6, Some(60)), row(6, Some(61)))]),
        ] {
            assert_eq!(told(&records, id), said, "row {id}");
        }
        for read in records.iter().filter(|record| record.op() == "r") {
            assert_eq!((&read.source()["snapshot"], &read.value()["transaction"]), (&json!("true"), &Value::Null));
        }
    });
}
