//! What MariaDB alone writes to its log, and statements instead of rows on both servers.

use linli_tests::stack::MariaDb;
use serde_json::json;

use crate::topics::{MARIADB, Record, Sql, catch_up, changes, last_rows, records};
use crate::wait;

fn told(changes: &[Record]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {} {}", change.op(), change.before(), change.after())).collect()
}

/// Compressed statements and rows, large enough to be; with annotations, and without checksums too.
#[test]
fn compressed_events_are_read() {
    wait(async {
        let server = MariaDb::start_with(&["--log-bin-compress=ON", "--log-bin-compress-min-len=10"]);
        let mut sql = Sql::connect(&server.url()).await;
        sql.run("CREATE DATABASE small CHARACTER SET utf8mb4").await;
        sql.run("CREATE TABLE small.items (id INT PRIMARY KEY, note TEXT, at DATETIME(3))").await;
        let dir = tempfile::tempdir().expect("a folder");
        catch_up(&server.url(), dir.path(), "small");
        let note = "邻里".repeat(3000);
        sql.run(&format!("INSERT INTO small.items VALUES (1, '{note}', '2024-02-29 01:02:03.004'), (2, NULL, NULL)"))
            .await;
        sql.run("UPDATE small.items SET note = CONCAT(note, '!') WHERE id = 1").await;
        // the statement itself is compressed
        sql.run(&format!("ALTER TABLE small.items ADD COLUMN more MEDIUMTEXT COMMENT '{}'", "x".repeat(900))).await;
        sql.run("SET GLOBAL binlog_checksum = NONE").await;
        sql.run("INSERT INTO small.items VALUES (3, REPEAT('y', 5000), NULL, 'more')").await;
        sql.run("SET GLOBAL binlog_checksum = CRC32").await;
        sql.run("INSERT INTO small.items VALUES (4, NULL, NULL, REPEAT('z', 5000000))").await;
        sql.run("DELETE FROM small.items WHERE id = 2").await;
        catch_up(&server.url(), dir.path(), "small");
        let changes = changes(dir.path(), "shop.items").await;
        let of = |id: i64| {
            changes.iter().filter(move |c| c.after()["id"] == id || c.before()["id"] == id).collect::<Vec<_>>()
        };
        assert_eq!(of(1)[0].after(), &json!({"id": 1, "note": note, "at": 1_709_168_523_004i64}));
        assert_eq!(of(1)[1].after()["note"], format!("{note}!"));
        assert_eq!(of(3)[0].after(), &json!({"id": 3, "note": "y".repeat(5000), "at": null, "more": "more"}));
        assert_eq!(of(4)[0].after()["more"].as_str().map(str::len), Some(5_000_000));
        assert_eq!(of(2).iter().map(|change| change.op()).collect::<Vec<_>>(), ["c", "d"]);
        assert!(records(dir.path(), "cdc.quarantine").await.is_empty());
        let log = sql.rows("SHOW BINLOG EVENTS IN 'binlog.000001' LIMIT 1000").await;
        let kinds: Vec<&str> = log.iter().filter_map(|row| row[2].as_deref()).collect();
        for kind in ["Query_compressed", "Write_rows_compressed_v1", "Update_rows_compressed_v1", "Annotate_rows"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
    });
}

#[test]
fn types_of_mariadb_alone_are_texts() {
    wait(async {
        let url = MARIADB.url();
        let mut sql = Sql::connect(&url).await;
        sql.all(&[
            "CREATE DATABASE kinds",
            "CREATE TABLE kinds.items (id UUID PRIMARY KEY, four INET4, six INET6, doc JSON)",
            "INSERT INTO kinds.items VALUES ('123e4567-e89b-12d3-a456-426655440000', '10.0.0.255', '2001:db8::ff00:42:8329', '{\"a\": [1, \"b\"]}')",
        ])
        .await;
        let dir = tempfile::tempdir().expect("a folder");
        catch_up(&url, dir.path(), "kinds");
        sql.all(&[
            "INSERT INTO kinds.items VALUES ('00000000-0000-0000-0000-000000000000', '0.0.0.0', '::', NULL)",
            "INSERT INTO kinds.items VALUES ('ffffffff-ffff-ffff-ffff-ffffffffff00', '1.2.3.0', '::ffff:1.2.3.0', '[]')",
            "UPDATE kinds.items SET four = NULL WHERE six = '::'",
        ])
        .await;
        catch_up(&url, dir.path(), "kinds");
        let records = records(dir.path(), "shop.items").await;
        let of = |key: &str| records.iter().filter(|record| record.key == key).map(Record::after).collect::<Vec<_>>();
        assert_eq!(
            of("123e4567-e89b-12d3-a456-426655440000"),
            [
                &json!({"id": "123e4567-e89b-12d3-a456-426655440000", "four": "10.0.0.255", "six": "2001:db8::ff00:42:8329",
                "doc": "{\"a\": [1, \"b\"]}"})
            ]
        );
        let zero = "00000000-0000-0000-0000-000000000000";
        assert_eq!(
            of(zero),
            [
                &json!({"id": zero, "four": "0.0.0.0", "six": "::", "doc": null}),
                &json!({"id": zero, "four": null, "six": "::", "doc": null}),
            ]
        );
        let last = "ffffffff-ffff-ffff-ffff-ffffffffff00";
        assert_eq!(of(last), [&json!({"id": last, "four": "1.2.3.0", "six": "::ffff:1.2.3.0", "doc": "[]"})]);
    });
}

/// Sequences are no tables; a table that keeps its old rows is what it holds now.
async fn versions(server: &MariaDb, metadata: &str, db: &str) {
    let url = server.url();
    let mut sql = Sql::connect(&url).await;
    sql.run(&format!("SET GLOBAL binlog_row_metadata = {metadata}")).await;
    sql.run(&format!("CREATE DATABASE {db}")).await;
    sql.run(&format!("USE {db}")).await;
    sql.all(&[
        "SET system_versioning_alter_history = KEEP",
        "CREATE SEQUENCE before_start",
        "CREATE TABLE quiet (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
        "CREATE TABLE named (id INT PRIMARY KEY, a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, \
         e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
        "CREATE TABLE numbered (id INT PRIMARY KEY, a INT, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, \
         e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
        "INSERT INTO numbered (id, a) VALUES (1, 1), (2, 2)",
        "UPDATE numbered SET a = 10 WHERE id = 1",
        "CREATE TABLE late (id INT PRIMARY KEY, a INT)",
        "INSERT INTO quiet VALUES (1, 1), (2, 2)",
        "UPDATE quiet SET a = 10 WHERE id = 1",
        "INSERT INTO named (id, a) VALUES (1, 1)",
        "INSERT INTO late VALUES (1, 1)",
    ])
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    catch_up(&url, dir.path(), db);
    sql.all(&[
        "SELECT NEXTVAL(before_start)",
        "CREATE SEQUENCE behind_start",
        "SELECT NEXTVAL(behind_start)",
        "INSERT INTO quiet VALUES (3, 3)",
        "UPDATE quiet SET a = 11 WHERE id = 1",
        "DELETE FROM quiet WHERE id = 2",
        "DELETE HISTORY FROM quiet",
        "ALTER TABLE quiet ADD COLUMN b INT DEFAULT 5",
        "UPDATE quiet SET b = 6 WHERE id = 3",
        "UPDATE named SET a = 2",
        "INSERT INTO named (id, a) VALUES (2, 2)",
        "DELETE FROM named WHERE id = 2",
        "UPDATE numbered SET a = 11 WHERE id = 1",
        "DELETE FROM numbered WHERE id = 2",
        "INSERT INTO numbered (id, a) VALUES (3, 3)",
        "ALTER TABLE late ADD SYSTEM VERSIONING",
        "UPDATE late SET a = 2",
        "INSERT INTO late VALUES (2, 2)",
        "DELETE FROM late WHERE id = 2",
        "ALTER TABLE late DROP SYSTEM VERSIONING",
        "UPDATE late SET a = 3",
        "CREATE TABLE fresh (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
        "INSERT INTO fresh VALUES (1, 1)",
        "UPDATE fresh SET a = 2",
    ])
    .await;
    catch_up(&url, dir.path(), db);
    let quarantined: Vec<Record> = records(dir.path(), "cdc.quarantine").await;
    assert!(quarantined.is_empty(), "{quarantined:#?}");
    let quiet =
        told(&changes(dir.path(), "shop.quiet").await.into_iter().filter(|c| c.op() != "t").collect::<Vec<_>>());
    let all = [
        r#"c null {"a":3,"id":3}"#,
        r#"u {"a":10,"id":1} {"a":11,"id":1}"#,
        r#"d {"a":2,"id":2} null"#,
        r#"u {"a":3,"b":5,"id":3} {"a":3,"b":6,"id":3}"#,
    ];
    let mut sorted = quiet.clone();
    sorted.sort();
    assert_eq!(sorted.len(), all.len(), "{quiet:#?}");
    for one in all {
        assert!(quiet.iter().any(|told| told == one), "{one} in {quiet:#?}");
    }
    assert_eq!(
        last_rows(dir.path(), "shop.quiet", "id").await,
        [json!({"id": 1, "a": 11, "b": 5}), json!({"id": 3, "a": 3, "b": 6})]
    );
    let named = last_rows(dir.path(), "shop.named", "id").await;
    assert_eq!(named.len(), 1, "{named:#?}");
    assert_eq!((&named[0]["a"], &named[0]["e"]), (&json!(2), &json!("2038-01-19T03:14:07.999999Z")));
    let numbered = last_rows(dir.path(), "shop.numbered", "id").await;
    let told: Vec<String> = numbered.iter().map(|row| format!("{} {} {}", row["id"], row["a"], row["e"])).collect();
    assert_eq!(told, ["1 11 18446744073709551615", "3 3 18446744073709551615"]);
    assert_eq!(last_rows(dir.path(), "shop.late", "id").await, [json!({"id": 1, "a": 3})]);
    assert_eq!(last_rows(dir.path(), "shop.fresh", "id").await, [json!({"id": 1, "a": 2})]);
    for sequence in ["shop.before_start", "shop.behind_start"] {
        assert!(records(dir.path(), sequence).await.is_empty(), "{sequence}");
    }
    let keys: Vec<String> = records(dir.path(), "shop.quiet").await.into_iter().map(|record| record.key).collect();
    assert!(keys.iter().all(|key| !key.contains("row_end")), "{keys:?}");
}

#[test]
fn old_rows_that_are_kept_and_sequences_are_not_rows_of_tables() {
    wait(async {
        let server = MariaDb::start();
        versions(&server, "FULL", "versions_full").await;
        versions(&server, "MINIMAL", "versions_minimal").await;
    });
}
