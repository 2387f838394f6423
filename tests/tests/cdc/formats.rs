//! What leaves: Canal's messages, tombstones, and columns that are masked, hashed and dropped.

use std::collections::BTreeMap;

use linli_tests::program;
use serde_json::{Value, json};

use crate::topics::{MARIADB, MYSQL, Record, Sql, catch_up, reader, records};
use crate::wait;

const TYPES: &str = "id BIGINT UNSIGNED PRIMARY KEY, tiny TINYINT, utiny TINYINT UNSIGNED, small SMALLINT, medium MEDIUMINT UNSIGNED, \
    whole INT(5), uwhole INT UNSIGNED, price DECIMAL(12,2), single FLOAT, double_ DOUBLE, flag BIT(1), bits BIT(12), born DATE, \
    length TIME(2), at DATETIME(3), stamp TIMESTAMP(6) NULL, year_ YEAR, name VARCHAR(20) CHARACTER SET utf8mb4, \
    code CHAR(3) CHARACTER SET latin1, note TEXT CHARACTER SET utf8mb4, fixed BINARY(4), bin VARBINARY(9), blob_ BLOB, \
    kind ENUM('a','b,c'), marks SET('x','y','z')";

const ROW: &str = "(18446744073709551615, -1, 255, -7, 16777215, -42, 4294967295, -1234567890.05, 1.5, -2.25, b'1', \
    b'101010101010', '2024-02-29', '-12:34:56.78', '2024-02-29 23:59:59.123', '2024-02-29 12:00:00.123456', 2024, \
    '邻里 \"x\"', 'äb', 'long\\ntext', x'01ff', x'00ff80', x'e982bb', 'b,c', 'x,z')";

/// As Canal's FlatMessage has it: all values are texts.
fn data() -> Value {
    json!({
        "id": "18446744073709551615", "tiny": "-1", "utiny": "255", "small": "-7", "medium": "16777215", "whole": "-42",
        "uwhole": "4294967295", "price": "-1234567890.05", "single": "1.5", "double_": "-2.25", "flag": "1", "bits": "2730",
        "born": "2024-02-29", "length": "-12:34:56.78", "at": "2024-02-29 23:59:59.123",
        // the session writes in UTC, the messages tell the shop's time
        "stamp": "2024-02-29 20:00:00.123456",
        "year_": "2024", "name": "邻里 \"x\"", "code": "äb", "note": "long\ntext", "fixed": "\u{1}ÿ\0\0", "bin": "\0ÿ\u{80}",
        "blob_": "é\u{82}»", "kind": "2", "marks": "5",
    })
}

fn mysql_type() -> Value {
    json!({
        "id": "bigint unsigned", "tiny": "tinyint", "utiny": "tinyint unsigned", "small": "smallint",
        "medium": "mediumint unsigned", "whole": "int", "uwhole": "int unsigned", "price": "decimal(12,2)", "single": "float",
        "double_": "double", "flag": "bit(1)", "bits": "bit(12)", "born": "date", "length": "time(2)", "at": "datetime(3)",
        "stamp": "timestamp(6)", "year_": "year", "name": "varchar(20)", "code": "char(3)", "note": "text",
        "fixed": "binary(4)", "bin": "varbinary(9)", "blob_": "blob", "kind": "enum('a','b,c')", "marks": "set('x','y','z')",
    })
}

/// Of java.sql.Types.
fn sql_type() -> Value {
    json!({
        "id": 3, "tiny": -6, "utiny": 5, "small": 5, "medium": 4, "whole": 4, "uwhole": -5, "price": 3, "single": 7,
        "double_": 8, "flag": -7, "bits": -7, "born": 91, "length": 92, "at": 93, "stamp": 93, "year_": 12, "name": 12,
        "code": 1, "note": 2005, "fixed": 2004, "bin": 2004, "blob_": 2004, "kind": 4, "marks": -7,
    })
}

async fn canal(url: &str) {
    let mut sql = Sql::connect(url).await;
    sql.all(&["CREATE DATABASE canal CHARACTER SET utf8mb4", "SET time_zone = '+00:00', NAMES utf8mb4"]).await;
    sql.run(&format!("CREATE TABLE canal.items ({TYPES})")).await;
    sql.run(&format!("INSERT INTO canal.items VALUES {ROW}")).await;
    let dir = tempfile::tempdir().expect("a folder");
    let read = || {
        let mut command = reader(url, dir.path(), "canal", &["--until-caught-up"]);
        command.env("LINLI__CDC__CANAL", r#"["shop.items"]"#).env("LINLI__CDC__TOMBSTONES", "true");
        program::run(&mut command).succeeded();
    };
    read();
    sql.run("DELETE FROM canal.items").await;
    sql.run(&format!("INSERT INTO canal.items VALUES {ROW}")).await;
    sql.run("UPDATE canal.items SET price = 1, note = NULL, stamp = NULL").await;
    sql.run("INSERT INTO canal.items (id) VALUES (1)").await;
    sql.run("UPDATE canal.items SET id = 2 WHERE id = 1").await;
    sql.run("TRUNCATE TABLE canal.items").await;
    read();
    let records = records(dir.path(), "shop.items").await;
    let of = |key: &str| records.iter().filter(|record| record.key == key).map(Record::value).collect::<Vec<_>>();
    let big = of("18446744073709551615");
    let kinds: Vec<&str> = big.iter().map(|message| message["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["INSERT", "DELETE", "INSERT", "UPDATE"], "the first is of the snapshot");
    for (index, message) in big.iter().enumerate() {
        let mut data = data();
        if index == 3 {
            data["price"] = "1.00".into();
            data["note"] = Value::Null;
            data["stamp"] = Value::Null;
        }
        assert_eq!(message["data"], json!([data]), "{index}");
        assert_eq!(message["mysqlType"], mysql_type(), "{index}");
        assert_eq!(message["sqlType"], sql_type(), "{index}");
        let plain = ["database", "table", "isDdl", "sql", "pkNames"].map(|name| &message[name]);
        assert_eq!(json!(plain), json!(["canal", "items", false, "", ["id"]]));
        assert!(message["es"].as_i64() > Some(1_700_000_000_000) && message["ts"].as_i64() >= message["es"].as_i64());
        assert!(message["id"].is_u64() && message["gtid"].is_string(), "{message}");
        let before = match index {
            3 => json!([{"price": "-1234567890.05", "note": "long\ntext", "stamp": "2024-02-29 20:00:00.123456"}]),
            _ => Value::Null,
        };
        assert_eq!(message["old"], before, "only what was changed");
        assert_eq!(message["source"]["snapshot"], if index == 0 { "true" } else { "false" });
        assert!(message["source"]["pos"].is_u64() && message["source"]["row"].is_u64());
    }
    // A row that gets another key is taken away under the old one.
    let moved: Vec<_> = [of("1"), of("2")].concat().iter().map(|message| message["type"].clone()).collect();
    assert_eq!(json!(moved), json!(["INSERT", "DELETE", "INSERT"]));
    let truncated: Vec<&Record> = records.iter().filter(|record| record.value()["type"] == "TRUNCATE").collect();
    assert_eq!(truncated.len(), 4, "each partition is told");
    assert_eq!(truncated[0].value()["isDdl"], true);
    assert_eq!(truncated[0].value()["sql"], "TRUNCATE TABLE `items`");
}

#[test]
fn messages_of_canal_hold_what_canal_would_say_on_mysql() {
    wait(canal(&MYSQL.url()));
}

#[test]
fn messages_of_canal_hold_what_canal_would_say_on_mariadb() {
    wait(canal(&MARIADB.url()));
}

const PERSONS: &str = "id INT PRIMARY KEY, phone VARCHAR(20), name VARCHAR(30), address VARCHAR(100), secret VARCHAR(50), \
                       open VARCHAR(20), mail VARCHAR(60), born DATE";

const RULES: [(&str, &str); 8] = [
    (r"persons\.phone", "mask-phone"),
    (r"persons\.name", "mask-name"),
    (r"persons\.address", "mask-address"),
    (r"persons\.secret", "mask-full"),
    (r"persons\.(mail|born)", "hash"),
    (r"persons\.open", "keep"),
    (r".*\.open", "drop"), // the first that matches holds
    (r"others\..*mail", "drop"),
];

const KEY: &str = "k3y-of-the-shop";

/// HMAC-SHA256 as the standard says it, apart from the program's.
fn hmac(text: &str) -> String {
    let made = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", KEY, "-hex"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            use std::io::Write as _;
            child.stdin.take().expect("its input").write_all(text.as_bytes())?;
            child.wait_with_output()
        })
        .expect("openssl runs");
    String::from_utf8_lossy(&made.stdout).trim().rsplit(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn personal_columns_never_leave_as_they_are() {
    wait(async {
        let mut sql = Sql::connect(&MYSQL.url()).await;
        sql.all(&["CREATE DATABASE persons CHARACTER SET utf8mb4", "SET NAMES utf8mb4"]).await;
        sql.run(&format!("CREATE TABLE persons.persons ({PERSONS})")).await;
        sql.run("CREATE TABLE persons.others (id INT PRIMARY KEY, open INT, e_mail VARCHAR(20), kept INT)").await;
        let values =
            "'13812345678', '张三丰', '湖北省武汉市洪山区1号', 'geheim', 'open', 'zhang@example.com', '1990-05-01'";
        sql.run(&format!("INSERT INTO persons.persons VALUES (1, {values})")).await;
        sql.run("INSERT INTO persons.others VALUES (1, 2, 'a@b', 3)").await;
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("hash.key");
        std::fs::write(&file, format!("{KEY}\n")).expect("a file");
        let settings = dir.path().join("linli.toml");
        let rule =
            |(column, action): (&str, &str)| format!("[[cdc.columns]]\ncolumn = '{column}'\naction = '{action}'\n");
        std::fs::write(&settings, RULES.map(rule).concat()).expect("a file");
        let read = |key: (&str, &str)| {
            let mut command = reader(&MYSQL.url(), dir.path(), "persons", &["--until-caught-up", "--config"]);
            command.arg(&settings).env(key.0, key.1).env("LINLI__CDC__TOMBSTONES", "true").env("LINLI_LOG", "debug");
            program::run(&mut command)
        };
        let without = read(("LINLI__CDC__HASH_KEY", ""));
        assert_eq!(without.code, Some(2), "{without:?}");
        assert!(
            without.stderr.contains("hashed without a key") && without.stderr.contains("hash_key_file"),
            "{without:?}"
        );

        // The snapshot with the key in a file, the changes with it in the environment: the same.
        let first = read(("LINLI__CDC__HASH_KEY_FILE", file.to_str().expect("a path"))).succeeded();
        sql.run(&format!("INSERT INTO persons.persons VALUES (2, {values})")).await;
        sql.run("INSERT INTO persons.persons (id) VALUES (3)").await;
        sql.run("UPDATE persons.persons SET phone = '02788881234', name = '李', born = NULL WHERE id = 2").await;
        sql.run("DELETE FROM persons.persons WHERE id = 2").await;
        sql.run("UPDATE persons.others SET open = 5").await;
        let second = read(("LINLI__CDC__HASH_KEY", KEY)).succeeded();
        let show = program::run(program::linli(["config", "show"]).env("LINLI__CDC__HASH_KEY", KEY)).succeeded();
        for finished in [&first, &second, &show] {
            assert!(!format!("{finished:?}").contains(KEY), "the key is not shown: {finished:?}");
        }

        let records = records(dir.path(), "shop.persons").await;
        let hidden = json!({"id": 1, "phone": "138****5678", "name": "张**", "address": "湖北省武汉****", "secret": "****",
            "open": "open", "mail": hmac("zhang@example.com"), "born": hmac("7425")});
        let with_id = |id: i32| {
            let mut row = hidden.clone();
            row["id"] = id.into();
            row
        };
        let of = |key: &str| records.iter().filter(|record| record.key == key).cloned().collect::<Vec<_>>();
        assert_eq!(of("1").iter().map(Record::after).collect::<Vec<_>>(), [&with_id(1)]);
        let two = of("2");
        assert_eq!(two[0].after(), &with_id(2));
        assert_eq!(two[1].before(), &with_id(2));
        let told = ["phone", "name", "born"].map(|column| two[1].after()[column].clone());
        assert_eq!(json!(told), json!(["027****1234", "*", null]));
        assert_eq!(
            (two[2].op(), two[2].after(), &two[3].value),
            ("d", &Value::Null, &None),
            "a delete and its tombstone"
        );
        assert_eq!(two.len(), 4);
        let nulls: BTreeMap<String, Value> = serde_json::from_value(of("3")[0].after().clone()).expect("an object");
        assert!(nulls.iter().all(|(name, value)| name == "id" || value.is_null()), "{nulls:?}");

        let others = crate::topics::records(dir.path(), "shop.others").await;
        let told: Vec<_> = others.iter().map(|record| (record.before().clone(), record.after().clone())).collect();
        assert_eq!(
            told,
            [(Value::Null, json!({"id": 1, "kept": 3})), (json!({"id": 1, "kept": 3}), json!({"id": 1, "kept": 3}))]
        );
        catch_up(&MYSQL.url(), tempfile::tempdir().expect("a folder").path(), "persons");
    });
}
