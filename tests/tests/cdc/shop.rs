//! A small shop that writes by SQL, and what its tables hold in the end.

use std::collections::BTreeMap;

use linli_tests::stack::{MariaDb, Mysql};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row};
use serde_json::{Value, json};

pub const TABLES: u64 = 4;

/// A server of either kind.
pub trait Server {
    fn url(&self) -> String;
    /// Kills it, unless it was shut down, and starts it again.
    fn restart(&mut self);
    fn shut_down(&mut self);
}

impl Server for Mysql {
    fn url(&self) -> String {
        Mysql::url(self)
    }
    fn restart(&mut self) {
        self.run().expect("MySQL starts again");
    }
    fn shut_down(&mut self) {
        Mysql::shut_down(self).expect("MySQL ends");
    }
}

impl Server for MariaDb {
    fn url(&self) -> String {
        MariaDb::url(self)
    }
    fn restart(&mut self) {
        self.run().expect("MariaDB starts again");
    }
    fn shut_down(&mut self) {
        MariaDb::shut_down(self).expect("MariaDB ends");
    }
}

pub struct Shop {
    conn: Conn,
    /// Rows changed by what was committed.
    pub changes: u64,
    next: u64,
    random: u64,
}

pub fn table_of(order: u64) -> String {
    let table = order % TABLES;
    format!("shop_{}.orders_{table}", table / 2)
}

impl Shop {
    pub async fn connect(url: &str) -> Shop {
        let conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
        Shop { conn, changes: 0, next: 1, random: 7 }
    }

    /// After a restart of the server.
    pub async fn reconnect(&mut self, url: &str) {
        self.conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
    }

    pub async fn sql(&mut self, sql: &str) {
        self.conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub async fn change(&mut self, sql: &str) {
        self.sql(sql).await;
        self.changes += self.conn.affected_rows();
    }

    pub async fn create(&mut self) {
        for db in 0..2 {
            self.sql(&format!("CREATE DATABASE shop_{db} CHARACTER SET utf8mb4")).await;
        }
        for table in 0..TABLES {
            self.sql(&format!(
                "CREATE TABLE {} (order_id BIGINT UNSIGNED PRIMARY KEY, community_id INT NOT NULL, amount DECIMAL(12,2), \
                 note VARCHAR(200), at DATETIME(3) NOT NULL)",
                table_of(table)
            ))
            .await;
        }
        self.sql("CREATE TABLE shop_0.stock (warehouse_id INT, sku_id BIGINT, on_hand INT NOT NULL, PRIMARY KEY (warehouse_id, sku_id))")
            .await;
    }

    pub async fn add_column(&mut self) {
        for table in (0..TABLES).map(table_of) {
            self.sql(&format!("ALTER TABLE {table} ADD COLUMN shown BIGINT DEFAULT 7 AFTER community_id")).await;
        }
    }

    /// Inserts orders and nothing else.
    pub async fn order(&mut self, orders: u64) {
        for _ in 0..orders {
            let (order, table) = (self.next, table_of(self.next));
            self.next += 1;
            self.change(&format!(
                "INSERT INTO {table} (order_id, community_id, amount, at) VALUES ({order}, 4, 2.50, '2026-03-02 09:00:00')"
            ))
            .await;
        }
    }

    /// A number that no order has.
    pub fn take_id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// A cell of the first row.
    pub async fn text(&mut self, sql: &str, column: usize) -> String {
        let row: Option<Row> = self.conn.query_first(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.and_then(|row| row.get(column)).expect("a row")
    }

    /// The order that was inserted last.
    pub fn last_order(&self) -> u64 {
        self.next - 1
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// Transactions of every kind: inserts, updates, moves to another key, changes of the primary key, deletes, rollbacks.
    pub async fn work(&mut self, transactions: u64) {
        for _ in 0..transactions {
            let (order, what, community) = (self.next, self.draw(10), self.draw(50));
            self.next += 1;
            let table = table_of(order);
            self.sql("BEGIN").await;
            self.change(&format!(
                "INSERT INTO {table} (order_id, community_id, amount, note, at) VALUES ({order}, {community}, -{order}.05, \
                 '备注 \\'{order}\\'', '2026-02-28 23:59:59.{:03}')",
                order % 1000
            ))
            .await;
            self.change(&format!("INSERT INTO shop_0.stock VALUES (1, {order}, 5)")).await;
            self.change(&format!(
                "UPDATE shop_0.stock SET on_hand = on_hand + 1 WHERE warehouse_id = 1 AND sku_id > {order} - 3"
            ))
            .await;
            self.sql("COMMIT").await;
            let old = order.saturating_sub(TABLES * 3);
            let table = table_of(old);
            match what {
                0 => self.change(&format!("DELETE FROM {table} WHERE order_id = {old}")).await,
                1 => {
                    self.change(&format!("UPDATE {table} SET community_id = community_id + 1 WHERE order_id = {old}"))
                        .await
                }
                2 => {
                    let new = old + TABLES * 1_000_000;
                    self.change(&format!("UPDATE {table} SET order_id = {new} WHERE order_id = {old}")).await;
                }
                3 => {
                    self.sql("BEGIN").await;
                    self.sql(&format!("DELETE FROM {table}")).await;
                    self.sql("ROLLBACK").await;
                }
                _ => {
                    self.change(&format!(
                        "UPDATE {table} SET note = NULL, amount = amount + 0.01 WHERE order_id = {old}"
                    ))
                    .await
                }
            }
        }
    }

    /// One transaction of `rows` inserts and as many updates.
    pub async fn big(&mut self, rows: u64) {
        self.sql("BEGIN").await;
        for from in (0..rows).step_by(1000) {
            let values: Vec<String> = (from..rows.min(from + 1000)).map(|sku| format!("(9, {sku}, 1)")).collect();
            self.change(&format!("INSERT INTO shop_0.stock VALUES {}", values.join(","))).await;
        }
        self.change("UPDATE shop_0.stock SET on_hand = on_hand + 1 WHERE warehouse_id = 9").await;
        self.sql("COMMIT").await;
    }

    /// What the tables hold, as the topics should tell it.
    pub async fn rows(&mut self) -> BTreeMap<(String, String), Value> {
        let mut found = BTreeMap::new();
        for table in (0..TABLES).map(table_of) {
            let sql = format!(
                "SELECT order_id, community_id, CAST(amount AS CHAR), note, \
                 CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at) DIV 1000 AS SIGNED), shown FROM {table}"
            );
            for row in self.conn.query::<Row, _>(sql).await.expect("rows") {
                type Columns = (u64, i64, Option<String>, Option<String>, i64, Option<i64>);
                let (id, community, amount, note, at, shown): Columns = mysql_async::from_row(row);
                let row = json!({
                    "order_id": id, "community_id": community, "shown": shown, "amount": amount, "note": note, "at": at,
                });
                found.insert((table.clone(), id.to_string()), row);
            }
        }
        for row in self.conn.query::<(i64, i64, i64), _>("SELECT * FROM shop_0.stock").await.expect("rows") {
            let (warehouse, sku, on_hand) = row;
            let key = ("shop_0.stock".to_owned(), format!("{warehouse}/{sku}"));
            found.insert(key, json!({"warehouse_id": warehouse, "sku_id": sku, "on_hand": on_hand}));
        }
        found
    }
}
