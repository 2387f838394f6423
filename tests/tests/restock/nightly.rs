//! The nightly run, from the warehouse's sales and the books of a real server to what the shop reads back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use chrono::{Days, NaiveDate};
use linli_schemas::forecast::Reason;
use linli_schemas::zone::Zone;
use linli_tests::program::{self, Finished};
use mysql_async::Conn;
use mysql_async::prelude::{FromRow, Queryable};

use crate::shop::{Server, refused, today};

const DAYS: u64 = 40;
const COMMUNITIES: i64 = 3;
const SKUS: i64 = 4;
/// Without a cost.
const UNPRICED: i64 = 3;
/// Keeps two days.
const FRESH: i64 = 1;

struct Books {
    server: Server,
    runtime: tokio::runtime::Runtime,
    conn: Conn,
}

impl Books {
    fn open(server: Server) -> Books {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let conn = runtime.block_on(server.with_tables());
        let mut books = Books { server, runtime, conn };
        books.fill();
        // as a shop has it that was made before there were views
        books.execute("drop view shop_0.restock_suggestion");
        books.execute("create table shop_0.restock_suggestion (run varchar(40))");
        books
    }

    fn fill(&mut self) {
        let tomorrow = today() + Days::new(1);
        for sql in [
            "insert into shop_0.suppliers values (1, '东湖农场', 'East Lake Farm', 'orders@farm.example', 1), \
             (2, '长江粮油', 'Yangtze Grain', ' ', 2)"
                .to_owned(),
            "insert into shop_0.supplier_terms (supplier_id, cut_off, min_amount) values (1, '23:59:59', 0), \
             (2, '23:59:59', 99999.00)"
                .to_owned(),
            "insert into shop_0.supply_terms (sku_id, supplier_code, pack, min_order) values (2, 'YZ-2', 5, 10)".to_owned(),
            "insert into shop_0.skus (sku_id, category_id, supplier_id, title, title_en, spec, price, cost, shelf_days, \
             updated_at) values (1, 1, 1, '番茄', 'Tomatoes', '500g', 5.00, 3.20, 2, now(3)), \
             (2, 2, 2, '大米', 'Rice', '5kg', 39.90, 30.00, 365, now(3)), \
             (3, 1, 1, '黄瓜', 'Cucumber', '500g', 4.00, 0.00, 3, now(3)), \
             (4, 2, 2, '面条', 'Noodles', '1kg', 9.90, 7.00, 180, now(3))"
                .to_owned(),
            "insert into shop_0.communities select n, 'c', 'c', '武汉', 'Wuhan', '洪山', 'Hongshan', 30, 114, 'GCJ02', \
             100, 9000 + n, if(n < 3, 1, 2) from (select 1 n union select 2 union select 3) c"
                .to_owned(),
            "insert into shop_0.stock select w, s, if(s = 1, 300, 0), 0, 2, now(3) from \
             (select 1 w union select 2) w join (select 1 s union select 2 union select 3 union select 4) s"
                .to_owned(),
            format!(
                "insert into shop_0.stock_batches values (1, 1, 1, 1, 300, '{tomorrow}', '{tomorrow}', now(3)), \
                 (2, 2, 1, 1, 300, '{tomorrow}', '{tomorrow}', now(3))"
            ),
        ] {
            self.execute(&sql);
        }
    }

    fn execute(&mut self, sql: &str) {
        self.runtime.block_on(self.conn.query_drop(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn query<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Vec<T> {
        self.runtime.block_on(self.conn.query(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn night(&self, dir: &Path, date: NaiveDate) -> Command {
        let mut command = program::linli(["forecast", "run", "--json", "--date", &date.to_string()]);
        command.arg("--data-dir").arg(dir).args(["--shop", &self.server.url(), "--partitions", "3"]);
        command
    }
}

/// Orders of the days before today; the same weekday sells alike.
fn import(dir: &Path) {
    let (mut lines, mut number) = (String::new(), 0);
    for back in (1..=DAYS).rev() {
        let date = today() - Days::new(back);
        let noon = Zone::SHANGHAI.midnight(date).0 + 12 * 3_600_000;
        for community in 1..=COMMUNITIES {
            for sku in 1..=SKUS {
                number += 1;
                let qty = 2 + sku + community + (DAYS - back) as i64 % 7;
                writeln!(
                    lines,
                    "{{\"event_id\":\"e{number}\",\"kind\":\"order\",\"order_id\":{number},\"user_id\":{number},\
                     \"community_id\":{community},\"leader_id\":1,\"items\":[{{\"sku_id\":{sku},\"qty\":{qty},\
                     \"price_cents\":500}}],\"paid_at\":{},\"status\":\"PAID\"}}",
                    noon + number
                )
                .expect("memory");
            }
        }
    }
    let file = dir.join("history.ndjson");
    std::fs::write(&file, lines).expect("written");
    let mut backfill = program::linli(["backfill", file.to_str().expect("UTF-8"), "--partitions", "3", "--data-dir"]);
    program::run(backfill.arg(dir)).succeeded();
}

/// Quantity and the run's own words of it, by warehouse and SKU.
type Lines = BTreeMap<(i64, i64), (i64, String, Reason)>;

fn shown(books: &mut Books) -> Lines {
    let sql = "select warehouse_id, sku_id, quantity, status, cast(reason as char) from shop_0.restock_suggestion";
    let rows: Vec<(i64, i64, i64, String, String)> = books.query(sql);
    let of = |(warehouse, sku, quantity, status, reason): (i64, i64, i64, String, String)| {
        let reason: Reason = serde_json::from_str(&reason).expect("a reason");
        ((warehouse, sku), (quantity, status, reason))
    };
    rows.into_iter().map(of).collect()
}

fn query(dir: &Path, name: &str, params: &[String]) -> String {
    let mut command = program::linli(["warehouse", "query", name, "--data-dir"]);
    command.arg(dir);
    params.iter().for_each(|param| {
        command.args(["--param", param]);
    });
    program::run(&mut command).succeeded().stdout
}

#[test]
fn a_night_makes_forecasts_and_lines_that_the_shop_reads_back_from_mysql() {
    night(Server::mysql());
}

#[test]
fn a_night_makes_forecasts_and_lines_that_the_shop_reads_back_from_mariadb() {
    night(Server::mariadb());
}

fn night(server: Server) {
    let mut books = Books::open(server);
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    refused(&program::run(&mut books.night(dir, today())), 4, &["holds no sale"]);
    import(dir);

    // two evenings ago; the suppliers' time is over
    let before = program::run(&mut books.night(dir, today() - Days::new(2))).succeeded().json();
    assert!(before["held"].as_u64() > Some(0), "{before}");
    assert!(before["problems"].to_string().contains("cut_off_missed"), "{before}");

    let report = program::run(&mut books.night(dir, today())).succeeded().json();
    let run = report["run"].as_str().expect("a run").to_owned();
    assert_eq!(report["series"], COMMUNITIES * SKUS + 2 * SKUS, "{report}");
    let problems = report["problems"].to_string();
    for word in ["supplier_without_address", "sku_without_cost", "below_minimum_amount"] {
        assert!(problems.contains(word), "{word}: {problems}");
    }
    let current: Vec<String> = books.query("select cast(run as char) from shop_0.restock_current");
    assert_eq!(current, [run.as_str()]);
    let lines = shown(&mut books);
    assert_eq!(lines.len(), 2 * SKUS as usize);
    for ((warehouse, sku), (quantity, status, reason)) in &lines {
        let pieces: i64 = reason.sum.iter().map(|addend| addend.pieces).sum();
        assert_eq!(pieces, *quantity, "warehouse {warehouse}, SKU {sku}: {reason:?}");
        assert_eq!(status == "held", *sku == UNPRICED, "warehouse {warehouse}, SKU {sku}: {reason:?}");
    }
    let rice = lines[&(1, 2)].0;
    assert!(rice > 0 && rice % 5 == 0, "packs of five: {rice}");

    // what is expected of communities adds up to what is expected of their warehouse
    type Sum = (i64, i64, f64, f64);
    let sums: Vec<Sum> = books.query(
        "select warehouse_id, sku_id, sum(if(community_id = 0, mean, 0)), sum(if(community_id = 0, 0, mean)) \
         from shop_0.demand_forecast group by warehouse_id, sku_id, step_on",
    );
    assert_eq!(sums.len(), 2 * SKUS as usize * 3);
    for (warehouse, sku, whole, parts) in sums {
        assert!(whole > 1.0 && (whole - parts).abs() < 1e-6, "warehouse {warehouse}, SKU {sku}: {whole}, {parts}");
    }

    // started again on the same books it is the same run, and what is on order is not ordered again
    let again = program::run(&mut books.night(dir, today())).succeeded().json();
    assert_eq!(again["run"], run.as_str());
    books.execute(
        "insert into shop_0.purchase_orders values (7, 2, 1, 'sent', null, 0, now(3), now(3), null, null, now(3))",
    );
    books.execute(&format!(
        "insert into shop_0.purchase_order_lines (purchase_order_id, line, sku_id, quantity, cost) values (7, 1, 2, {rice}, 0)"
    ));
    let after = program::run(&mut books.night(dir, today())).succeeded().json();
    assert_ne!(after["run"], run.as_str());
    let now = shown(&mut books);
    assert_eq!(now[&(1, 2)].0, 0, "{:?}", now[&(1, 2)].2);
    assert_eq!(now[&(2, 2)].0, lines[&(2, 2)].0);

    judged(dir);
    released(&mut books, dir, &after);
    others(&mut books, dir);
}

/// What waits is listed, and ordered when somebody says so.
fn released(books: &mut Books, dir: &Path, before: &serde_json::Value) {
    let waiting = before["waiting"].as_array().expect("a list");
    let of_sku = |line: &serde_json::Value| line["sku_id"] == UNPRICED && line["holds"][0]["hold"] == "no_cost";
    assert!(waiting.len() == 2 && waiting.iter().all(of_sku), "{before}");
    let run = |more: &[&str]| program::run(books.night(dir, today()).args(more));
    refused(&run(&["--release", "9/9", "--by", "李伟"]), 4, &["has no such line"]);
    refused(&run(&["--release", "1-3", "--by", "李伟"]), 2, &["names no line"]);
    assert_eq!(run(&["--release", "1/3"]).code, Some(2), "somebody has to say so");
    let report = run(&["--release", "1/3", "--release", "2/3=17", "--by", "李伟"]).succeeded().json();
    assert_eq!((&report["held"], &report["released"]), (&0.into(), &2.into()), "{report}");
    let lines = shown(books);
    let (first, second) = (&lines[&(1, UNPRICED)], &lines[&(2, UNPRICED)]);
    assert_eq!((first.1.as_str(), second.1.as_str(), second.0), ("ready", "ready", 17));
    assert_eq!(second.2.sum.last().map(|addend| addend.term.as_str()), Some("release"), "{:?}", second.2);
    assert_eq!(second.2.terms["released"]["by"], "李伟");
    assert_eq!(first.2.terms["released"]["holds"][0]["hold"], "no_cost");
}

/// How good the first evening's forecast of yesterday was, and what will spoil.
fn judged(dir: &Path) {
    let day = today() - Days::new(1);
    let value = query(dir, "restock_value", &[format!("from={day}"), format!("to={day}")]);
    let mut rows = value.lines();
    let header: Vec<&str> = rows.next().expect("a header").split(',').collect();
    let sold = header.iter().position(|name| name.trim_matches('"') == "sold").expect("a column");
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.len(), 2, "two suppliers, each with one category: {value}");
    // 2 + SKU + community + 39 % 7
    let wanted: i64 = (1..=COMMUNITIES).flat_map(|c| [1, 3].map(|sku| 2 + sku + c + 4)).sum();
    assert_eq!(rows[0][sold], wanted.to_string(), "{value}");
    let near = query(dir, "near_expiry", &[]);
    assert_eq!(near.lines().count(), 1 + 2, "{near}");
    assert!(near.contains("markdown") && near.contains(&format!(",{FRESH},")), "{near}");
}

/// The shop's first rule runs on the same path; and what cannot be is refused.
fn others(books: &mut Books, dir: &Path) {
    let file = dir.join("document.ndjson");
    let text = file.to_str().expect("UTF-8");
    program::run(books.night(dir, today()).args(["--policy", "document", "--out", text])).succeeded();
    let before = shown(books);
    let mut publish = program::linli(["forecast", "publish", text, "--shop", &books.server.url(), "--partitions", "3"]);
    program::run(publish.arg("--data-dir").arg(dir)).succeeded();
    let rule = shown(books);
    let policy = |lines: &Lines| lines[&(2, 2)].2.terms["policy"].as_str().map(str::to_owned);
    assert_eq!((policy(&before).as_deref(), policy(&rule).as_deref()), (Some("newsvendor"), Some("document")));
    // back to the last good run
    let mut back = program::linli(["forecast", "rollback", "--shop", &books.server.url(), "--partitions", "3"]);
    program::run(back.arg("--data-dir").arg(dir)).succeeded();
    assert_eq!(policy(&shown(books)).as_deref(), Some("newsvendor"));

    // a shop that has agreed on nothing yet
    books.execute("drop table shop_0.supplier_terms, shop_0.supply_terms");
    program::run(&mut books.night(dir, today())).succeeded();
    assert_eq!(books.query::<u64>("select count(*) from shop_0.supplier_terms"), [0]);
    assert_eq!(books.query::<u64>("select count(*) from shop_0.supply_terms"), [0]);

    days_off(books, dir);

    refused(&program::run(&mut books.night(dir, today() + Days::new(1))), 2, &["has not closed"]);
    let mut nowhere = program::linli(["forecast", "run", "--shop", "mysql://127.0.0.1:1", "--data-dir"]);
    refused(&program::run(nowhere.arg(dir)), 3, &["127.0.0.1:1"]);
    let mut simulated = program::linli(["forecast", "run", "--data-dir"]);
    refused(&program::run(simulated.arg(dir)), 2, &["shop://"]);
}

/// There is never a history without a public holiday, so that a night that knows of none is another run.
fn days_off(books: &Books, dir: &Path) {
    let night = |settings: &[(&str, &str)]| {
        let mut command = books.night(dir, today());
        program::run(command.envs(settings.iter().copied()))
    };
    let run = |finished: Finished| finished.succeeded().json()["run"].as_str().expect("a run").to_owned();
    let none = ("LINLI__FORECAST__HOLIDAY_CALENDAR", "none");
    let (known, unknown) = (run(night(&[])), run(night(&[none])));
    assert_ne!(known, unknown, "the calendar's days off are seen");
    let yesterday = format!("[\"{}\"]", today() - Days::new(1));
    let named = run(night(&[none, ("LINLI__FORECAST__HOLIDAYS", &yesterday)]));
    assert!(named != unknown && named != known, "so are those that the settings name");
    refused(&night(&[("LINLI__FORECAST__HOLIDAYS", "[\"2026-13-01\"]")]), 2, &["forecast.holidays: \"2026-13-01\""]);
}
