//! Row images that are not full: what an insert leaves out is what a SELECT shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use linli_connectors::log::{Batch, OpenOptions, TopicPartition, open};
use linli_tests::stack::{MariaDb, Mysql};
use serde_json::Value;

use crate::runs::{PARTITIONS, catch_up};
use crate::shop::{Server, Shop};
use crate::wait;

/// Literals of every kind, NULLs, zeros of types, and what the server computes.
const COLUMNS: &str = "id INT AUTO_INCREMENT PRIMARY KEY, a INT DEFAULT 7, a2 BIGINT DEFAULT -5, a3 INT UNSIGNED ZEROFILL DEFAULT 42, \
    b VARCHAR(20) DEFAULT 'x''y\\\\z', b2 VARCHAR(20) DEFAULT '', b3 VARCHAR(20) DEFAULT 'NULL', b4 VARCHAR(9) CHARACTER SET gbk DEFAULT '中文', \
    b5 VARCHAR(9) NOT NULL, c DATETIME(3) DEFAULT '2020-01-02 03:04:05', c2 DATETIME DEFAULT CURRENT_TIMESTAMP, \
    c3 DATETIME(6) DEFAULT NOW(6) ON UPDATE NOW(6), c4 DATETIME DEFAULT 0, c5 DATETIME NOT NULL, d TIMESTAMP(2) DEFAULT '2020-01-02 03:04:05.6', \
    d2 TIMESTAMP NULL, e INT, f INT NOT NULL, f2 TINYINT DEFAULT '9', f3 BOOL DEFAULT TRUE, g DECIMAL(10,2) DEFAULT 1.5, \
    g2 DECIMAL(10,3) DEFAULT '-0.5', g3 DECIMAL(5,1) NOT NULL, h BIT(11) DEFAULT b'101', h2 BIT(1) DEFAULT 1, h3 BIT(4) NOT NULL, \
    i ENUM('p','q''r') DEFAULT 'q''r', i2 ENUM('x','y') NOT NULL, j SET('m','n') DEFAULT 'm,n', j2 SET('m','n') NOT NULL, \
    k DATE DEFAULT '2020-01-02', k2 DATE NOT NULL, l TIME(1) DEFAULT '-01:02:03', l2 TIME NOT NULL, m YEAR DEFAULT 2020, m2 YEAR DEFAULT '70', \
    m3 YEAR NOT NULL, n DOUBLE DEFAULT 1e3, n2 FLOAT DEFAULT 1.1, n3 FLOAT DEFAULT 0.1, o VARBINARY(5) DEFAULT 'ab', \
    o2 VARBINARY(5) DEFAULT X'00ff', o3 BINARY(3) DEFAULT 'a', o4 BINARY(3) NOT NULL, p CHAR(5) DEFAULT 'ab ', p2 CHAR(2) NOT NULL, \
    q TEXT, q2 BLOB, q3 BLOB NOT NULL, r JSON, s INT GENERATED ALWAYS AS (a + 1) STORED, phone VARCHAR(20) DEFAULT '13812345678'";

/// Of the records of a topic, those with this operation, by their order id or key.
async fn after_images(dir: &Path, topic: &str, op: &str) -> BTreeMap<u64, Value> {
    let log = open(&format!("file://{}", dir.join("log").display()), OpenOptions::default()).await.expect("the log");
    let places: Vec<TopicPartition> =
        (0..PARTITIONS).map(|partition| TopicPartition { topic: topic.into(), partition }).collect();
    let mut left: u64 = log.ends(&places).await.expect("ends").iter().sum();
    let mut reader = log.reader(places.into_iter().map(|place| (place, 0)).collect()).await.expect("a reader");
    let (mut batch, mut found) = (Batch::default(), BTreeMap::new());
    while left > 0 {
        reader.poll(&mut batch, 1000, Duration::from_secs(5)).await.expect("records");
        assert!(!batch.is_empty(), "{left} records of {topic} do not come");
        left = left.saturating_sub(batch.len() as u64);
        for record in batch.iter() {
            let value: Value = serde_json::from_slice(record.value.expect("a value")).expect("JSON");
            if value["op"] == op {
                found.insert(value["after"]["id"].as_u64().expect("an id"), value["after"].clone());
            }
        }
    }
    found
}

async fn inserts(server: &mut dyn Server, image: &str, metadata: &str) {
    let (dir, again) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let url = server.url();
    let mut shop = Shop::connect(&url).await;
    let case = format!("{image} {metadata}");
    shop.sql(&format!("SET GLOBAL binlog_row_image = {image}, GLOBAL binlog_row_metadata = {metadata}")).await;
    let mut shop = {
        shop.sql("CREATE DATABASE IF NOT EXISTS shop_0 CHARACTER SET utf8mb4").await;
        shop.sql("DROP TABLE IF EXISTS shop_0.given").await;
        Shop::connect(&url).await
    };
    for sql in ["SET NAMES utf8mb4", "SET time_zone = '+08:00'", "SET sql_mode = ''"] {
        shop.sql(sql).await;
    }
    shop.sql(&format!("CREATE TABLE shop_0.given ({COLUMNS}) CHARACTER SET utf8mb4")).await;
    catch_up(&url, dir.path());
    shop.sql("INSERT INTO shop_0.given () VALUES ()").await;
    shop.sql("INSERT INTO shop_0.given (a, b, n2) VALUES (1, 'given', 2.5), (NULL, NULL, NULL)").await;
    catch_up(&url, dir.path());
    // Followed by the DDL in the log, with what it takes to read it.
    shop.sql("ALTER TABLE shop_0.given ADD t INT NOT NULL DEFAULT 3 AFTER id, ADD u VARCHAR(9) DEFAULT 'é', ADD v DECIMAL(6,2) DEFAULT -1.5").await;
    shop.sql("ALTER TABLE shop_0.given ALTER COLUMN a SET DEFAULT 8, ALTER a2 DROP DEFAULT, MODIFY f2 TINYINT NOT NULL DEFAULT b'11'").await;
    shop.sql("INSERT INTO shop_0.given (f) VALUES (1), (2)").await;
    catch_up(&url, dir.path());
    catch_up(&url, again.path());
    let (changes, snapshot) =
        (after_images(dir.path(), "shop.given", "c").await, after_images(again.path(), "shop.given", "r").await);
    assert_eq!(changes.len(), 5, "{case}");
    for (id, row) in &changes {
        let shown = snapshot.get(id).expect("it is there");
        for (column, value) in shown.as_object().expect("a row") {
            // Columns that were added later got a value by no change of the row.
            if *id > 3 || !["t", "u", "v"].contains(&column.as_str()) {
                assert_eq!(row.get(column), Some(value), "{case}: {column} of {id}");
            }
        }
    }
}

#[test]
fn an_insert_holds_the_defaults_that_the_log_leaves_out_on_mysql() {
    let mut server = Mysql::start();
    for (image, metadata) in [("MINIMAL", "FULL"), ("MINIMAL", "MINIMAL"), ("NOBLOB", "MINIMAL")] {
        wait(inserts(&mut server, image, metadata));
    }
}

#[test]
fn an_insert_holds_the_defaults_that_the_log_leaves_out_on_mariadb() {
    let mut server = MariaDb::start();
    for (image, metadata) in [("MINIMAL", "FULL"), ("MINIMAL", "MINIMAL"), ("NOBLOB", "MINIMAL")] {
        wait(inserts(&mut server, image, metadata));
    }
}
