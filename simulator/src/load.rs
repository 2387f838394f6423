//! Rows for measuring: a table of their own on a real server, each row with the time at which it was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linli_connectors::clock::SharedClock;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::sql::Server;
use crate::{Error, Result};

/// The database that [`Load::create`] makes and [`Load::drop_database`] drops.
pub const DATABASE: &str = "linli_bench";
/// The table that is written to while it is followed; `sent_ms` is when a row's transaction was sent, epoch ms.
pub const TICKS: &str = "ticks";
/// The table that is read in a snapshot.
pub const LINES: &str = "lines";

/// How often the writers look at the clock.
const TURN: Duration = Duration::from_millis(2);
const FIRST_LINES: u64 = 1_000;

const TICKS_SQL: &str = "create table linli_bench.ticks (
    id bigint unsigned not null auto_increment primary key, sent_ms bigint not null, community_id bigint not null,
    sku_id bigint not null, qty int not null, amount decimal(12,2) not null, title varchar(120) not null) character set utf8mb4";
const LINES_SQL: &str = "create table linli_bench.lines (
    item_id bigint unsigned not null auto_increment primary key, order_id bigint unsigned not null, community_id bigint not null,
    sku_id bigint not null, category_id int, supplier_id int, qty int not null, price decimal(12,2) not null,
    amount decimal(12,2) not null, title varchar(120) not null, weight_kg decimal(8,3), created_at datetime(3) not null)
    character set utf8mb4";

/// A load on one server.
#[derive(Clone)]
pub struct Load {
    server: Server,
    clock: SharedClock,
    committed: Arc<AtomicU64>,
}

/// How fast to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Transactions of one row, so many a second over all writers.
    RowsPerSecond(u32),
    /// Transactions of ten rows, as fast as the server commits them.
    Unbounded,
}

impl Load {
    /// Makes the database and its tables anew; the server's user must be allowed to.
    pub async fn create(server: Server, clock: SharedClock) -> Result<Load> {
        let load = Load { server, clock, committed: Arc::default() };
        load.run(&[
            "drop database if exists linli_bench",
            "create database linli_bench character set utf8mb4",
            TICKS_SQL,
            LINES_SQL,
        ])
        .await?;
        Ok(load)
    }

    pub async fn drop_database(&self) -> Result<()> {
        self.run(&["drop database if exists linli_bench"]).await
    }

    /// Rows of [`TICKS`] committed so far.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Fills [`LINES`] up to `rows`, doubling what is there.
    pub async fn fill_lines(&self, rows: u64) -> Result<()> {
        let mut conn = self.connect().await?;
        let values: Vec<String> = (0..FIRST_LINES.min(rows)).map(line).collect();
        let first = format!("insert into linli_bench.lines values {}", values.join(","));
        run(&mut conn, &first).await?;
        let mut there = FIRST_LINES.min(rows);
        while there < rows {
            let more = there.min(rows - there);
            run(
                &mut conn,
                &format!(
                    "insert into linli_bench.lines select null, order_id + {there}, community_id, sku_id, category_id, \
                     supplier_id, qty, price, amount, title, weight_kg, created_at from linli_bench.lines limit {more}"
                ),
            )
            .await?;
            there += more;
        }
        conn.disconnect().await.map_err(|source| failed("disconnect", source))
    }

    /// Writes to [`TICKS`] over `writers` connections until `stop`. Returns the rows that were committed.
    pub async fn write(&self, writers: u32, pace: Pace, stop: CancellationToken) -> Result<u64> {
        let before = self.committed();
        let mut tasks = JoinSet::new();
        for number in 0..writers.max(1) {
            let (load, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move {
                match pace {
                    Pace::Unbounded => load.write_unbounded(number, stop).await,
                    Pace::RowsPerSecond(rate) => {
                        load.write_paced(f64::from(rate) / f64::from(writers.max(1)), stop).await
                    }
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(self.committed() - before)
    }

    async fn write_paced(&self, rows_per_second: f64, stop: CancellationToken) -> Result<()> {
        let mut conn = self.connect().await?;
        let (started_ms, mut written) = (self.clock.now_ms(), 0u64);
        while !stop.is_cancelled() {
            let now_ms = self.clock.now_ms();
            let due = ((now_ms - started_ms) as f64 / 1000.0 * rows_per_second) as u64;
            if written >= due {
                self.clock.sleep(TURN).await;
                continue;
            }
            run(&mut conn, &insert(now_ms, written, 1)).await?;
            self.committed.fetch_add(1, Ordering::Relaxed);
            written += 1;
        }
        Ok(())
    }

    async fn write_unbounded(&self, number: u32, stop: CancellationToken) -> Result<()> {
        const ROWS: u64 = 10;
        let mut conn = self.connect().await?;
        let mut written = u64::from(number);
        while !stop.is_cancelled() {
            run(&mut conn, &insert(self.clock.now_ms(), written, ROWS)).await?;
            self.committed.fetch_add(ROWS, Ordering::Relaxed);
            written += ROWS;
        }
        Ok(())
    }

    async fn run(&self, statements: &[&str]) -> Result<()> {
        let mut conn = self.connect().await?;
        for sql in statements {
            run(&mut conn, sql).await?;
        }
        conn.disconnect().await.map_err(|source| failed("disconnect", source))
    }

    async fn connect(&self) -> Result<Conn> {
        self.server.connect().await.map_err(|source| failed("connect", source))
    }
}

async fn run(conn: &mut Conn, sql: &str) -> Result<()> {
    let shown: String = sql.chars().take(80).collect();
    conn.query_drop(sql).await.map_err(|source| failed(&shown, source))
}

fn failed(action: &str, source: mysql_async::Error) -> Error {
    Error::Sql { server: format!("database {DATABASE}"), action: action.to_owned(), source }
}

/// `rows` rows of [`TICKS`], sent at `sent_ms`; `seed` varies what they hold.
fn insert(sent_ms: i64, seed: u64, rows: u64) -> String {
    let values: Vec<String> = (seed..seed + rows)
        .map(|n| {
            format!(
                "({sent_ms},{},{},{},{}.{:02},'山东红富士苹果 {}斤')",
                n % 2_000,
                n % 5_000,
                1 + n % 5,
                n % 900,
                n % 100,
                1 + n % 9
            )
        })
        .collect();
    format!(
        "insert into linli_bench.ticks (sent_ms, community_id, sku_id, qty, amount, title) values {}",
        values.join(",")
    )
}

/// A row of [`LINES`].
fn line(n: u64) -> String {
    let supplier = if n.is_multiple_of(10) { "null".to_owned() } else { (n % 300).to_string() };
    format!(
        "(null,{n},{},{},{},{supplier},{},{}.{:02},{}.{:02},'云南高山娃娃菜 {n}号',{}.{:03},'2026-03-{:02} 08:15:{:02}.{:03}')",
        n % 2_000,
        n * 7 % 5_000,
        n % 40,
        1 + n % 5,
        n % 300,
        n % 100,
        n % 1500,
        n * 3 % 100,
        n % 9,
        n % 1000,
        1 + n % 28,
        n % 60,
        n % 1000
    )
}
