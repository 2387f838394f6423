//! The shop's server, and the commands that work on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use linli_connectors::clock::{Clock, SystemClock};
use linli_schemas::EventTime;
use linli_schemas::shop::{Shards, statements};
use linli_schemas::zone::Zone;
use linli_tests::program::{self, Finished};
use linli_tests::stack::{Kafka, MariaDb, Mysql};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};

use crate::runs::{Key, SKUS, SUPPLIERS, cost};
use crate::{DEADLINE, PARTITIONS};

/// A server of either kind.
pub enum Server {
    Mysql(Mysql),
    MariaDb(MariaDb),
}

impl Server {
    pub fn mysql() -> Server {
        Server::Mysql(Mysql::start())
    }

    pub fn mariadb() -> Server {
        Server::MariaDb(MariaDb::start())
    }

    pub fn url(&self) -> String {
        match self {
            Server::Mysql(server) => server.url(),
            Server::MariaDb(server) => server.url(),
        }
    }

    pub fn kill(&mut self) {
        match self {
            Server::Mysql(server) => server.kill(),
            Server::MariaDb(server) => server.kill(),
        }
    }

    /// Starts it again.
    pub fn run(&mut self) {
        let started = match self {
            Server::Mysql(server) => server.run(),
            Server::MariaDb(server) => server.run(),
        };
        started.expect("the server starts again");
    }

    /// A connection to it, with the shop's tables made.
    pub async fn with_tables(&self) -> Conn {
        let mut conn = Conn::new(Opts::from_url(&self.url()).expect("a URL")).await.expect("the server answers");
        for statement in statements(&Shards::default()) {
            conn.query_drop(&statement.sql).await.unwrap_or_else(|error| panic!("{}: {error}", statement.sql));
        }
        conn
    }
}

pub struct Shop {
    pub server: Server,
    pub kafka: Kafka,
    pub folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    conn: Conn,
}

impl Shop {
    pub fn open(server: Server) -> Shop {
        let kafka = Kafka::start();
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let conn = runtime.block_on(async {
            let mut conn = server.with_tables().await;
            let sku = |sku: i64| {
                let (supplier, fen) = (sku % SUPPLIERS + 1, cost(sku));
                format!("({sku}, 1, {supplier}, 't', 't', 's', 99, {fen} / 100, {}, now(3))", 1 + sku % 9)
            };
            let skus: Vec<String> = (1..=SKUS).map(sku).collect();
            let sql = format!(
                "insert into shop_0.skus (sku_id, category_id, supplier_id, title, title_en, spec, price, cost, \
                 shelf_days, updated_at) values {}",
                skus.join(",")
            );
            conn.query_drop(sql).await.expect("skus");
            conn
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        Shop { server, kafka, folder, runtime, conn }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn query<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Vec<T> {
        let rows = self.runtime.block_on(self.conn.query(sql));
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub fn one<T: FromRow + Send + 'static>(&mut self, sql: &str) -> T {
        self.query(sql).pop().unwrap_or_else(|| panic!("{sql}: no row"))
    }

    pub fn linli(&self, arguments: &[&str]) -> Command {
        let mut command = program::linli(arguments);
        let (shop, log) = (self.server.url(), self.kafka.url());
        command.args(["--shop", &shop, "--log", &log, "--json", "--verbosity", "info"]);
        command.args(["--partitions", &PARTITIONS.to_string()]);
        command
    }

    pub fn publisher(&self, file: &Path) -> Command {
        self.linli(&["forecast", "publish", file.to_str().expect("temporary paths are UTF-8")])
    }

    pub fn buyer(&self) -> Command {
        self.linli(&["simulate", "buyer"])
    }

    /// Lets a buyer do all that is to be done now.
    pub fn buy(&self) {
        program::run(self.buyer().arg("--until-caught-up")).succeeded();
    }

    /// The run that readers see.
    pub fn shown(&mut self) -> Option<String> {
        self.query("select cast(run as char) from shop_0.restock_current").pop()
    }

    /// Waits until the buyer has done with a run, as it says.
    pub fn wait_until(&mut self, run: &str, state: &str) {
        let sql = format!("select state from linli_buyer.runs where run = '{run}'");
        let until = now_ms() + DEADLINE.as_millis() as i64;
        loop {
            let made =
                self.one::<u8>("select count(*) from information_schema.schemata where schema_name = 'linli_buyer'");
            let tables = self.one::<u8>(
                "select count(*) from information_schema.tables where table_schema = 'linli_buyer' and table_name = 'runs'",
            );
            let found = if made + tables == 2 { self.query::<String>(&sql).pop() } else { None };
            if found.as_deref() == Some(state) {
                return;
            }
            assert!(now_ms() < until, "run {run} is {found:?}, not {state}");
            std::thread::yield_now();
        }
    }

    /// The lines of purchase orders by run, with their quantities. A line that is there twice is a failure.
    pub fn ordered(&mut self) -> BTreeMap<String, BTreeMap<Key, i64>> {
        type Row = (String, i64, i64, i64, i64, i64);
        let rows: Vec<Row> = self.query(
            "select o.restock_run, o.supplier_id, o.warehouse_id, l.community_id, l.sku_id, l.quantity \
             from shop_0.purchase_orders o join shop_0.purchase_order_lines l using (purchase_order_id) \
             where o.status <> 'canceled'",
        );
        let mut ordered: BTreeMap<String, BTreeMap<Key, i64>> = BTreeMap::new();
        for (run, supplier, warehouse, community, sku, quantity) in rows {
            let key = (supplier, warehouse, community, sku);
            let before = ordered.entry(run.clone()).or_default().insert(key, quantity);
            assert_eq!(before, None, "run {run} ordered {key:?} twice");
        }
        ordered
    }
}

pub fn now_ms() -> i64 {
    SystemClock.now_ms()
}

/// Today in the shop.
pub fn today() -> chrono::NaiveDate {
    Zone::SHANGHAI.date_of(EventTime(now_ms()))
}

/// The command ended with this code, and told these words and a remedy.
pub fn refused(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    for words in words.iter().chain(&["hint: "]) {
        assert!(finished.stderr.contains(words), "\"{words}\" is not in {}", finished.stderr);
    }
}
