//! Tables that are renamed, swapped, altered and emptied, and rows that move.

use serde_json::{Value, json};

use crate::topics::{MARIADB, Record, Sql, catch_up, changes, follow, last_rows, reader, records, wait_until};
use crate::wait;
use linli_tests::stack::{MariaDb, Mysql};

fn told(changes: &[Record]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {} {}", change.op(), change.before(), change.after())).collect()
}

/// A change of the table while its rows are written, as gh-ost makes it: a copy with another shape takes its place.
async fn swapped(url: &str, metadata: &str) {
    let mut sql = Sql::connect(url).await;
    sql.run(&format!("SET GLOBAL binlog_row_metadata = {metadata}")).await;
    sql.all(&[
        "CREATE DATABASE swap CHARACTER SET utf8mb4",
        "CREATE TABLE swap.orders_1 (order_id BIGINT PRIMARY KEY, community_id INT, note VARCHAR(20))",
        "INSERT INTO swap.orders_1 VALUES (1, 7, 'old')",
    ])
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    catch_up(url, dir.path(), "swap");
    sql.all(&[
        "INSERT INTO swap.orders_1 VALUES (2, 7, 'old')",
        "CREATE TABLE swap._orders_1_gho LIKE swap.orders_1",
        "ALTER TABLE swap._orders_1_gho ADD COLUMN amount DECIMAL(10,2) NOT NULL DEFAULT 5 AFTER order_id, MODIFY note VARCHAR(99)",
        "INSERT INTO swap._orders_1_gho (order_id, community_id, note) SELECT order_id, community_id, note FROM swap.orders_1",
        "UPDATE swap.orders_1 SET note = 'meanwhile' WHERE order_id = 1",
        "UPDATE swap._orders_1_gho SET note = 'meanwhile' WHERE order_id = 1",
        "RENAME TABLE swap.orders_1 TO swap._orders_1_del, swap._orders_1_gho TO swap.orders_1",
        "UPDATE swap.orders_1 SET amount = 9.5 WHERE order_id = 2",
        "INSERT INTO swap.orders_1 VALUES (3, 1.25, 7, 'new')",
        "DROP TABLE swap._orders_1_del",
    ])
    .await;
    catch_up(url, dir.path(), "swap");
    let want = [
        json!({"order_id": 1, "amount": "5.00", "community_id": 7, "note": "meanwhile"}),
        json!({"order_id": 2, "amount": "9.50", "community_id": 7, "note": "old"}),
        json!({"order_id": 3, "amount": "1.25", "community_id": 7, "note": "new"}),
    ];
    assert_eq!(last_rows(dir.path(), "shop.orders", "order_id").await, want);
    assert!(records(dir.path(), "alerts").await.is_empty());
    assert!(records(dir.path(), "shop._orders_1_gho").await.is_empty(), "the copy is not followed");
    // The changes after the swap have the new shape, those before the old one.
    let changes = changes(dir.path(), "shop.orders").await;
    let shapes: Vec<usize> = changes.iter().map(|change| change.after().as_object().expect("a row").len()).collect();
    assert_eq!(shapes, [3, 3, 4, 4], "{:#?}", told(&changes));
}

/// Names, order and types of columns that change between changes.
async fn altered(url: &str, metadata: &str) {
    let mut sql = Sql::connect(url).await;
    sql.run(&format!("SET GLOBAL binlog_row_metadata = {metadata}")).await;
    sql.all(&[
        "CREATE DATABASE shapes CHARACTER SET utf8mb4",
        "CREATE TABLE shapes.items (id INT PRIMARY KEY, a INT, b VARCHAR(10), c DATE)",
        "INSERT INTO shapes.items VALUES (1, 1, 'x', '2024-01-01'), (2, 2, 'y', NULL)",
    ])
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    catch_up(url, dir.path(), "shapes");
    sql.all(&[
        "ALTER TABLE shapes.items MODIFY COLUMN c DATE FIRST, MODIFY COLUMN b VARCHAR(10) AFTER c",
        "INSERT INTO shapes.items VALUES ('2024-01-03', 'reordered', 3, 3)",
        "ALTER TABLE shapes.items CHANGE a number BIGINT UNSIGNED",
        "INSERT INTO shapes.items VALUES (NULL, 'renamed', 4, 18446744073709551615)",
        "ALTER TABLE shapes.items MODIFY number VARCHAR(30)",
        "INSERT INTO shapes.items VALUES (NULL, 'retyped', 5, 'five')",
        "RENAME TABLE shapes.items TO shapes.things",
        "INSERT INTO shapes.things VALUES (NULL, 'moved', 6, 'six')",
        "ALTER TABLE shapes.things DROP COLUMN c",
        "UPDATE shapes.things SET b = 'slim' WHERE id = 6",
    ])
    .await;
    catch_up(url, dir.path(), "shapes");
    assert!(records(dir.path(), "alerts").await.is_empty(), "{:#?}", records(dir.path(), "alerts").await);
    let items: Vec<String> = told(&changes(dir.path(), "shop.items").await);
    let has = |all: &[String], text: &str| assert!(all.iter().any(|one| one == text), "{text} in {all:#?}");
    has(&items, r#"c null {"a":3,"b":"reordered","c":19725,"id":3}"#);
    has(&items, r#"c null {"b":"renamed","c":null,"id":4,"number":18446744073709551615}"#);
    has(&items, r#"c null {"b":"retyped","c":null,"id":5,"number":"five"}"#);
    let things = told(&changes(dir.path(), "shop.things").await);
    has(&things, r#"c null {"b":"moved","c":null,"id":6,"number":"six"}"#);
    has(&things, r#"u {"b":"moved","id":6,"number":"six"} {"b":"slim","id":6,"number":"six"}"#);
    // A rename makes the table's rows rows of another topic: all of them are there.
    let want: Vec<Value> = sql
        .rows("SELECT b, id, number FROM shapes.things ORDER BY id")
        .await
        .into_iter()
        .map(|row| json!({"b": row[0], "id": row[1].as_ref().and_then(|id| id.parse::<i64>().ok()), "number": row[2]}))
        .collect();
    assert_eq!(last_rows(dir.path(), "shop.things", "id").await, want);
}

#[test]
fn a_copy_takes_the_place_of_a_table_and_columns_change_on_mysql() {
    wait(async {
        let server = Mysql::start();
        swapped(&server.url(), "FULL").await;
        altered(&server.url(), "FULL").await;
        let mut sql = Sql::connect(&server.url()).await;
        sql.all(&["DROP DATABASE swap", "DROP DATABASE shapes"]).await;
        swapped(&server.url(), "MINIMAL").await;
        altered(&server.url(), "MINIMAL").await;
    });
}

#[test]
fn a_copy_takes_the_place_of_a_table_and_columns_change_on_mariadb() {
    wait(async {
        let server = MariaDb::start();
        swapped(&server.url(), "FULL").await;
        altered(&server.url(), "FULL").await;
        let mut sql = Sql::connect(&server.url()).await;
        sql.all(&["DROP DATABASE swap", "DROP DATABASE shapes"]).await;
        swapped(&server.url(), "MINIMAL").await;
        altered(&server.url(), "MINIMAL").await;
    });
}

/// A row that gets another community, or another primary key, goes from its old key before it comes to the new one.
#[test]
fn rows_that_move_and_tables_that_are_emptied_are_told() {
    wait(async {
        let url = MARIADB.url();
        let mut sql = Sql::connect(&url).await;
        sql.all(&[
            "CREATE DATABASE moves",
            "CREATE TABLE moves.orders_1 (order_id BIGINT PRIMARY KEY, community_id INT, note VARCHAR(20))",
        ])
        .await;
        let dir = tempfile::tempdir().expect("a folder");
        let running = follow(&mut reader(&url, dir.path(), "moves", &[]));
        sql.all(&[
            "INSERT INTO moves.orders_1 VALUES (1, 7, 'a'), (2, 7, 'b'), (3, NULL, 'c')",
            "UPDATE moves.orders_1 SET community_id = 8, note = 'moved' WHERE order_id < 3",
            "UPDATE moves.orders_1 SET order_id = 9 WHERE order_id = 1",
            "UPDATE moves.orders_1 SET community_id = 8 WHERE order_id = 3",
            "DELETE FROM moves.orders_1 WHERE order_id = 2",
            "TRUNCATE TABLE moves.orders_1",
            "INSERT INTO moves.orders_1 VALUES (4, 8, 'behind')",
        ])
        .await;
        let is_there = async || records(dir.path(), "shop.orders").await.iter().any(|r| r.after()["note"] == "behind");
        wait_until("the last row", is_there).await;
        running.kill();
        let records = records(dir.path(), "shop.orders").await;
        let of = |key: &str| {
            let text = |record: &&Record| {
                let row = if record.op() == "d" { record.before() } else { record.after() };
                let moved = if record.value()["moved"] == true { " moved" } else { "" };
                format!("{}{} {}{moved}", record.op(), row["order_id"], row["note"])
            };
            records.iter().filter(|record| record.key == key).map(|record| text(&record)).collect::<Vec<_>>()
        };
        assert_eq!(of("7"), [r#"c1 "a""#, r#"c2 "b""#, r#"d1 "a" moved"#, r#"d2 "b" moved"#]);
        assert_eq!(
            of("8"),
            [
                r#"c1 "moved" moved"#,
                r#"c2 "moved" moved"#,
                r#"d1 "moved" moved"#,
                r#"c9 "moved" moved"#,
                r#"c3 "c" moved"#,
                r#"d2 "moved""#,
                r#"c4 "behind""#
            ]
        );
        assert_eq!(of(r#"{"community_id":null}"#), [r#"c3 "c""#, r#"d3 "c" moved"#]);
        // The delete stands before the create, by their place in the transaction.
        let order = |op: &str, id: i64| {
            let is = |record: &&Record| {
                let row = if op == "d" { record.before() } else { record.after() };
                record.op() == op && record.value()["moved"] == true && row["order_id"] == id
            };
            records.iter().find(is).and_then(|record| record.value()["transaction"]["total_order"].as_u64())
        };
        assert!(order("d", 2) < order("c", 2) && order("d", 2).is_some(), "{:?} {:?}", order("d", 2), order("c", 2));
        let emptied: Vec<&Record> = records.iter().filter(|record| record.op() == "t").collect();
        let partitions: Vec<usize> = emptied.iter().map(|record| record.partition).collect();
        assert_eq!(partitions, [0, 1, 2, 3], "each partition is told once");
        assert!(emptied.iter().all(|record| record.source()["table"] == "orders_1"));
        assert_eq!(last_rows(dir.path(), "shop.orders", "order_id").await.len(), 1);
    });
}
