//! What every warehouse must do for us. Open it in a fresh namespace; a case panics where it does not conform.

use clickhouse::Row;
use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};

use super::Tables;
use crate::ErrorKind;

type Case = fn(Tables) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// The cases by name.
        pub fn cases() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), |tables| Box::pin($name(tables)) as BoxFuture<'static, ()>)),*]
        }
    };
}

cases![
    answers_and_tells_its_version,
    rows_of_every_type_come_back,
    data_that_looks_like_sql_or_ends_survives,
    values_are_bound_and_never_parsed,
    parameters_are_bound_by_name,
    final_keeps_the_newest_version,
    a_repeated_block_is_dropped,
    errors_say_what_to_do,
    a_refused_block_leaves_nothing,
    statements_run_side_by_side,
    databases_are_apart,
    settings_end_with_their_request,
];

/// Runs all cases one after another; returns how many.
pub async fn run(tables: Tables) -> usize {
    let cases = cases();
    for (name, case) in &cases {
        eprintln!("warehouse conformance: {name}");
        case(tables.clone()).await;
    }
    cases.len()
}

async fn execute(tables: &Tables, sql: &str) {
    if let Err(error) = tables.execute(sql).await {
        panic!("{error}\n{sql}");
    }
}

async fn count(tables: &Tables, table: &str) -> u64 {
    let counted: Vec<u64> = tables.fetch_all(&format!("SELECT count() FROM {table}")).await.expect("a count");
    counted[0]
}

async fn answers_and_tells_its_version(tables: Tables) {
    tables.ping().await.expect("a ping succeeds");
    let version = tables.version().await.expect("a version");
    assert!(version.split('.').count() >= 3 && version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
    let database: Vec<String> = tables.fetch_all("SELECT currentDatabase()").await.expect("a database");
    assert_eq!(database, [tables.database()]);
    let zone: Vec<String> =
        tables.fetch_all("SELECT toString(toUnixTimestamp(toDateTime('2026-11-01 00:00:00')))").await.expect("a time");
    assert_eq!(zone, ["1793491200"], "a time without a zone is UTC");
}

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Typed {
    id: u64,
    amount: i64,
    cells: Vec<i64>,
    names: Vec<String>,
    name: String,
    kind: String,
    maybe: Option<i64>,
    at_ms: i64,
    share: f64,
    small: u8,
}

fn typed() -> Vec<Typed> {
    let row = |id, amount, name: &str, maybe, at_ms| Typed {
        id,
        amount,
        cells: vec![i64::MIN, 0, amount],
        names: vec![name.to_owned(), String::new()],
        name: name.to_owned(),
        kind: "订单".to_owned(),
        maybe,
        at_ms,
        share: 0.1 + 0.2,
        small: u8::MAX,
    };
    vec![
        row(0, i64::MIN, "", None, 0),
        row(1, -1, "邻里团购", Some(-7), 1_793_980_799_999),
        row(u64::MAX, i64::MAX, "a\0b\tc\nd\\'`\u{1F34E}", Some(i64::MIN), -1),
    ]
}

async fn rows_of_every_type_come_back(tables: Tables) {
    execute(
        &tables,
        "CREATE TABLE typed (id UInt64, amount Int64, cells Array(Int64), names Array(String), name String,
         kind LowCardinality(String), maybe Nullable(Int64), at_ms DateTime64(3, 'UTC'), share Float64, small UInt8)
         ENGINE = MergeTree ORDER BY id",
    )
    .await;
    tables.insert("typed", "one", &typed()).await.expect("an insert succeeds");
    let rows: Vec<Typed> = tables
        .fetch_all("SELECT ?fields FROM typed ORDER BY id".replace("?fields", FIELDS).as_str())
        .await
        .expect("rows");
    assert_eq!(rows, typed());
    let text: Vec<String> = tables.fetch_all("SELECT toString(at_ms) FROM typed WHERE id = 1").await.expect("a text");
    assert_eq!(text, ["2026-11-06 15:59:59.999"]);
}

const FIELDS: &str = "id, amount, cells, names, name, kind, maybe, at_ms, share, small";

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Named {
    id: u64,
    name: String,
}

async fn data_that_looks_like_sql_or_ends_survives(tables: Tables) {
    execute(&tables, "CREATE TABLE named (id UInt64, name String) ENGINE = MergeTree ORDER BY id").await;
    // An engine that takes data from the SQL text would cut it at a blank line or a semicolon.
    let tricky =
        ["\n\n", "\r\n\r\n", ";", "; DROP TABLE named;\n\n", "FORMAT CSV\n\n1,2", "'", "\\N", "--", "/*", "\u{0}\u{0}"];
    let rows: Vec<Named> = (0..20_000_u64)
        .map(|id| Named { id, name: tricky[id as usize % tricky.len()].repeat(1 + id as usize % 5) })
        .collect();
    tables.insert("named", "tricky", &rows).await.expect("an insert succeeds");
    let read: Vec<Named> = tables.fetch_all("SELECT id, name FROM named ORDER BY id").await.expect("rows");
    assert!(read == rows, "{} of {} rows", read.len(), rows.len());
    execute(&tables, "INSERT INTO named VALUES (1000000, 'a\n\nb'), (1000001, 'c')").await;
    execute(&tables, "INSERT INTO named (name, id) FORMAT TSV\nx\t1000002\n\\n\t1000003\n").await;
    let late: Vec<Named> =
        tables.fetch_all("SELECT id, name FROM named WHERE id >= 1000000 ORDER BY id").await.expect("rows");
    let names: Vec<&str> = late.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["a\n\nb", "c", "x", "\n"]);
    execute(&tables, "INSERT INTO named SELECT id + 2000000, name FROM named WHERE id < 10").await;
    assert_eq!(count(&tables, "named WHERE id >= 2000000").await, 10);
}

async fn values_are_bound_and_never_parsed(tables: Tables) {
    for text in ["邻里", "'; DROP TABLE x; --", "\\", "a\nb\t", "", "?"] {
        let echoed: String = tables.client().query("SELECT ?").bind(text).fetch_one().await.expect("an echo");
        assert_eq!(echoed, text);
    }
    let (low, high): (i64, u64) = tables
        .client()
        .query("SELECT toInt64(?), toUInt64(?)")
        .bind(i64::MIN + 1)
        .bind(u64::MAX)
        .fetch_one()
        .await
        .expect("numbers");
    assert_eq!((low, high), (i64::MIN + 1, u64::MAX));
    let within: u64 = tables
        .client()
        .query("SELECT count() FROM numbers(10) WHERE number IN ?")
        .bind(vec![1_u64, 3, 99])
        .fetch_one()
        .await
        .expect("a count");
    assert_eq!(within, 2);
}

async fn parameters_are_bound_by_name(tables: Tables) {
    let echoed: String = tables
        .client()
        .query("SELECT concat({name:String}, toString({n:Int64}), toString(length({list:Array(Int64)})))")
        .param("name", "团'; --")
        .param("n", -5)
        .param("list", vec![1, 2, 3])
        .fetch_one()
        .await
        .expect("an echo");
    assert_eq!(echoed, "团'; ---53");
    let missing = tables
        .client()
        .query("SELECT {absent:String}")
        .fetch_one::<String>()
        .await
        .map_err(|error| tables.error(error));
    assert_eq!(missing.expect_err("a missing parameter is an error").kind, ErrorKind::Config);
}

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Versioned {
    id: u64,
    version: u64,
    value: i64,
}

async fn final_keeps_the_newest_version(tables: Tables) {
    execute(&tables, "CREATE TABLE versioned (id UInt64, version UInt64, value Int64) ENGINE = ReplacingMergeTree(version) ORDER BY id").await;
    for (block, version) in [3_u64, 9, 5].into_iter().enumerate() {
        let rows: Vec<Versioned> = (0..100).map(|id| Versioned { id, version, value: version as i64 * 10 }).collect();
        tables.insert("versioned", &format!("block {block}"), &rows).await.expect("an insert succeeds");
    }
    let sums: Vec<(u64, i64)> =
        tables.fetch_all("SELECT count(), sum(value) FROM versioned FINAL").await.expect("sums");
    assert_eq!(sums, [(100, 9_000)]);
}

async fn a_repeated_block_is_dropped(tables: Tables) {
    execute(
        &tables,
        "CREATE TABLE tokens (id UInt64, name String) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100",
    )
    .await;
    let rows: Vec<Named> = (0..10).map(|id| Named { id, name: "x".to_owned() }).collect();
    for token in ["a", "a", "b", "a"] {
        tables.insert("tokens", token, &rows).await.expect("an insert succeeds");
    }
    assert_eq!(count(&tables, "tokens").await, 20);
    tables.insert::<Named>("tokens", "c", &[]).await.expect("no rows are no error");
}

async fn errors_say_what_to_do(tables: Tables) {
    let fails = async |sql: &str| tables.execute(sql).await.err().unwrap_or_else(|| panic!("{sql} is an error"));
    for (sql, code) in [
        ("SELECT * FROM no_such_table", "Code: 60"),
        ("SELEC 1", "Code: 62"),
        ("SELECT no_such_function(1)", "Code: 46"),
        ("SELECT 1; SELECT 2", "Code: 62"),
        ("SELECT throwIf(1, '故意')", "Code: 395"),
    ] {
        let error = fails(sql).await;
        assert_eq!(error.kind, ErrorKind::Config, "{error}");
        assert!(error.cause.contains(code), "{sql}: {error}");
    }
    assert!(fails("SELECT * FROM no_such_table").await.hint.is_some_and(|hint| hint.contains("migrate")));
    let late = tables.client().query("SELECT throwIf(number = 3000000) FROM numbers(4000000)").fetch_all::<u8>().await;
    assert!(late.is_err(), "an error after the first rows is an error");
    tables.ping().await.expect("goes on after errors");
}

async fn a_refused_block_leaves_nothing(tables: Tables) {
    execute(&tables, "CREATE TABLE refused (id UInt64, name String, CONSTRAINT small CHECK id < 5000) ENGINE = MergeTree ORDER BY id").await;
    let rows: Vec<Named> = (0..10_000).map(|id| Named { id, name: "x".repeat(100) }).collect();
    let error = tables.insert("refused", "t", &rows).await.expect_err("the constraint holds");
    assert!(error.to_string().contains("refused") && !error.is_retry(), "{error}");
    assert_eq!(count(&tables, "refused").await, 0);
    tables.insert("refused", "t", &rows[..5_000]).await.expect("good rows go in");
    let missing = tables.insert("nowhere", "t", &rows).await.expect_err("there is no such table");
    assert_eq!(missing.kind, ErrorKind::Config, "{missing}");
}

async fn statements_run_side_by_side(tables: Tables) {
    execute(&tables, "CREATE TABLE busy (id UInt64, name String) ENGINE = MergeTree ORDER BY id").await;
    let work = (0..24_u64).map(|worker| {
        let tables = tables.clone();
        tokio::spawn(async move {
            let rows: Vec<Named> =
                (0..1_000).map(|i| Named { id: worker * 1_000 + i, name: worker.to_string() }).collect();
            tables.insert("busy", &worker.to_string(), &rows).await.expect("an insert succeeds");
            let sql = "SELECT toUInt64(number % 10), count() FROM numbers(100000) GROUP BY 1 ORDER BY 1";
            let groups: Vec<(u64, u64)> = tables.fetch_all(sql).await.expect("groups");
            assert_eq!(groups, (0..10).map(|group| (group, 10_000)).collect::<Vec<_>>());
        })
    });
    for worker in join_all(work).await {
        worker.expect("no panic");
    }
    assert_eq!(count(&tables, "busy").await, 24_000);
}

async fn databases_are_apart(tables: Tables) {
    execute(&tables, "CREATE TABLE apart (id UInt64) ENGINE = MergeTree ORDER BY id").await;
    let elsewhere = tables.client().clone().with_database("default");
    let error =
        elsewhere.query("SELECT count() FROM apart").fetch_one::<u64>().await.map_err(|error| tables.error(error));
    assert_eq!(error.expect_err("another database does not have it").kind, ErrorKind::Config);
    let qualified = format!("`{}`.apart", tables.database());
    assert_eq!(count(&tables, &qualified).await, 0);
    let missing = tables.client().clone().with_database("no_such_database");
    assert!(missing.query("SELECT 1").fetch_one::<u8>().await.is_err());
}

async fn settings_end_with_their_request(tables: Tables) {
    let limited = tables.client().clone().with_setting("max_result_rows", "10");
    assert!(limited.query("SELECT number FROM numbers(1000)").fetch_all::<u64>().await.is_err());
    let rows: Vec<u64> = tables.fetch_all("SELECT number FROM numbers(1000)").await.expect("no limit any more");
    assert_eq!(rows.len(), 1_000);
    let unknown = tables.client().clone().with_setting("no_such_setting", "1");
    assert!(unknown.query("SELECT 1").fetch_one::<u8>().await.is_err(), "a setting that is not known is an error");
    let slow = tables.client().clone().with_setting("max_execution_time", "0.2");
    let stopped =
        slow.query("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1").fetch_one::<u64>().await;
    let error = stopped.map_err(|error| tables.error(error)).expect_err("it is stopped");
    assert_eq!(error.kind, ErrorKind::Retry, "{error}");
}
