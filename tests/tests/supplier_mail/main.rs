//! `linli forecast mail` as it is started: orders from MySQL, mails over SMTP with TLS, killed while it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use linli_schemas::EventTime;
use linli_schemas::shop::{Shards, statements};
use linli_schemas::zone::Zone;
use linli_tests::program;
use linli_tests::smtp::{Act, Mode, Received, Server};
use linli_tests::stack::Mysql;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

const RUN: &str = "2026-03-02-1a2b3c4d5e6f";
const SUPPLIERS: i64 = 30;
const KILLS: usize = 20;

fn now_ms() -> i64 {
    use linli_connectors::clock::{Clock as _, SystemClock};
    SystemClock.now_ms()
}

/// A shop with `SUPPLIERS` suppliers that get two lines each, one without an address, and one whose only line is held.
async fn shop(server: &Mysql, minutes_left: i64) {
    let mut conn = Conn::from_url(server.url()).await.expect("connects");
    for statement in statements(&Shards::default()) {
        conn.query_drop(statement.sql).await.expect("made");
    }
    conn.query_drop("USE shop_0").await.expect("there");
    let by = Zone::SHANGHAI.wall_text(EventTime(now_ms() + minutes_left * 60_000));
    let mut sql = vec![
        "INSERT INTO warehouses VALUES (1, '武汉一仓', 'Wuhan 1', 30.5, 114.3, 'WGS84')".to_owned(),
        format!(
            "INSERT INTO restock_runs (run, business_date, state, policy, policy_version, started_at) VALUES ('{RUN}', '2026-03-02', 'complete', 'p', '1', NOW(3))"
        ),
        format!(
            "INSERT INTO restock_runs (run, business_date, state, policy, policy_version, started_at) VALUES ('bad', '2026-03-01', 'withdrawn', 'p', '1', NOW(3))"
        ),
        format!("INSERT INTO restock_current (run, named_at) VALUES ('{RUN}', NOW(3))"),
        "INSERT INTO supplier_terms (supplier_id, language) VALUES (2, 'en')".to_owned(),
        "INSERT INTO supply_terms (sku_id, supplier_code, pack) VALUES (10, 'A-10', 12)".to_owned(),
    ];
    for supplier in 1..=SUPPLIERS + 2 {
        let email = if supplier == SUPPLIERS + 1 { String::new() } else { format!("s{supplier}@example.com") };
        let status = if supplier == SUPPLIERS + 2 { "held" } else { "ready" };
        sql.push(format!(
            "INSERT INTO suppliers VALUES ({supplier}, '供应商{supplier}', 'Supplier {supplier}', '{email}', 1)"
        ));
        for sku in [supplier * 10, supplier * 10 + 1] {
            sql.push(format!(
                "INSERT INTO skus VALUES ({sku}, NULL, 1, NULL, {supplier}, '苹果{sku}', 'Apples {sku}', '500g', 5.00, 3.35, 7, NOW(3))"
            ));
            sql.push(format!(
                "INSERT INTO restock_suggestion_rows (run, supplier_id, warehouse_id, community_id, sku_id, quantity, status, reason, must_order_by, needed_by) \
                 VALUES ('{RUN}', {supplier}, 1, 0, {sku}, 24, '{status}', '{{}}', '{by}', '2026-03-04')"
            ));
        }
    }
    for statement in sql {
        conn.query_drop(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    conn.disconnect().await.expect("farewell");
}

fn mail(mysql: &Mysql, smtp: &str, dir: &Path) -> Command {
    let mut command = program::linli(["forecast", "mail", "--json"]);
    command.args(["--shop", &mysql.url(), "--mail", smtp, "--data-dir"]).arg(dir);
    command.env("LINLI__MAIL__FROM", "邻里 <orders@linli.example>");
    // After a kill the same mail is tried again this much later.
    command.env("LINLI__MAIL__TIMEOUT", "5s").env("LINLI__MAIL__LINK", "https://orders.example.com");
    command
}

/// The result: the first line, before the failure that says that suppliers are missing.
fn result(finished: &program::Finished) -> Value {
    let line = finished.stdout.lines().next().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

fn header<'a>(got: &'a Received, name: &str) -> &'a str {
    let text = std::str::from_utf8(&got.bytes).expect("a mail is ASCII");
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_every_supplier_gets_one_message() {
    let mysql = Mysql::start();
    shop(&mysql, 120).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(Mode::StartTls).await;

    let mut dry = mail(&mysql, &server.url(), dir.path());
    let plan = program::run(dry.arg("--dry-run")).succeeded().json();
    assert_eq!(plan["mails"].as_array().map(Vec::len), Some(SUPPLIERS as usize), "{plan}");
    assert_eq!(plan["mails"][0]["amount_fen"], json!(2 * 24 * 335), "{plan}");
    assert!(server.received().is_empty(), "a dry run sends nothing");

    let mut check = program::linli(["check", "--json", "--data-dir"]);
    check.arg(dir.path()).args(["--shop", &mysql.url()]).env("LINLI__MAIL__URL", server.url());
    let checked = program::run(&mut check).succeeded().json();
    let endpoints: Vec<&Value> = checked.as_array().expect("a list").iter().map(|of| &of["endpoint"]).collect();
    assert_eq!(endpoints[4..], [&json!("shop"), &json!("mail")], "{checked}");

    for round in 0..KILLS {
        server.script((0..round % 2).map(|_| Act::Take).chain([if round % 2 == 0 { Act::Hang } else { Act::Tell }]));
        let mut running = mail(&mysql, &server.url(), dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        let told = tokio::time::timeout(Duration::from_secs(60), server.told.recv()).await;
        running.kill().expect("killed");
        running.wait().expect("ended");
        told.unwrap_or_else(|_| panic!("round {round}: nothing was sent")).expect("told");
    }
    let mut last = mail(&mysql, &server.url(), dir.path());
    let finished = tokio::task::spawn_blocking(move || program::run(&mut last)).await.expect("ran");
    let report = result(&finished);
    assert_eq!(finished.code, Some(4), "one supplier cannot be reached: {finished:?}");
    assert_eq!(report["sent"].as_array().map(Vec::len), Some(SUPPLIERS as usize), "{report}");
    assert_eq!(
        report["problems"],
        json!([
            {"problem": "no_address", "supplier_id": SUPPLIERS + 1, "name": format!("供应商{}", SUPPLIERS + 1), "lines": 2},
            {"problem": "held_lines", "supplier_id": SUPPLIERS + 2, "lines": 2},
        ])
    );
    assert_eq!(report["empty"], json!([SUPPLIERS + 2]));

    let mut copies: BTreeMap<String, Vec<Received>> = BTreeMap::new();
    for got in server.received() {
        copies.entry(got.to.clone()).or_default().push(got);
    }
    assert_eq!(copies.len() as i64, SUPPLIERS);
    let mut ids = BTreeSet::new();
    for (to, copies) in &copies {
        assert!(copies.iter().all(|copy| copy == &copies[0]), "{to} got two messages");
        assert!(ids.insert(header(&copies[0], "Message-ID:").to_owned()), "{to} has another's id");
        assert!(copies[0].secured && copies[0].signed_in);
    }
    let repeats: usize = copies.values().map(|copies| copies.len() - 1).sum();
    assert!((KILLS / 2..=KILLS).contains(&repeats), "{repeats} repeats after {KILLS} kills");
    assert!(header(&copies["s2@example.com"][0], "Subject:").starts_with("Order of 2026-03-02: 2 lines"));
}

#[test]
fn what_cannot_be_done_is_told_with_its_remedy() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let mysql = Mysql::start();
    runtime.block_on(shop(&mysql, -5));
    let dir = tempfile::tempdir().expect("a folder");
    let refused = |command: &mut Command, code: i32, told: &[&str]| {
        let finished = program::run(command);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(told.iter().all(|text| finished.stderr.contains(text)), "{told:?}: {finished:?}");
        assert!(!finished.stderr.contains("s3cret") && !finished.stdout.contains("s3cret"), "{finished:?}");
    };
    refused(mail(&mysql, "", dir.path()).args(["--run", "bad"]), 4, &["is withdrawn", "hint:"]);
    refused(mail(&mysql, "", dir.path()).args(["--run", "2020-01-01-0"]), 4, &["is not there"]);
    refused(mail(&mysql, "", dir.path()).args(["--run", "a b"]), 2, &["not the id of a run"]);
    refused(&mut mail(&mysql, "smtp://u:s3cret@127.0.0.1:1?tls=none", dir.path()), 2, &["without TLS"]);
    refused(mail(&mysql, "", dir.path()).args(["--from", "nobody"]), 2, &["is no address"]);
    let mut nowhere = program::linli(["forecast", "mail", "--from", "a@b.example", "--shop", &mysql.url()]);
    refused(&mut nowhere, 2, &["not be remembered", "--data-dir"]);
    // After the cut-off nothing is sent, and every supplier is listed.
    let late = program::run(&mut mail(&mysql, "", dir.path()));
    assert_eq!(late.code, Some(4), "{late:?}");
    let problems = result(&late)["problems"].as_array().cloned().unwrap_or_default();
    let missed = problems.iter().filter(|problem| problem["problem"] == "missed").count();
    assert_eq!(missed as i64, SUPPLIERS, "{late:?}");
    assert_eq!(std::fs::read_dir(dir.path().join("outbox")).expect("the outbox").count(), 0);
}

/// The subjects in the outbox, sorted.
fn subjects(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir.join("outbox")).expect("the outbox");
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("it can be read");
        let mail = mail_parser::MessageParser::default().parse(&bytes).expect("a mail");
        mail.subject().expect("a subject").to_owned()
    };
    let mut subjects: Vec<String> = files.map(of).collect();
    subjects.sort();
    subjects
}

/// A later run of the same day replaces one that led to no purchase order, and withdraws it from the suppliers; one that
/// did stands, and the later one adds to it.
#[test]
fn suppliers_are_told_of_orders_that_do_not_hold_any_more() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let mysql = Mysql::start();
    runtime.block_on(shop(&mysql, 120));
    let run_sql = |statements: &[String]| {
        runtime.block_on(async {
            let mut conn = Conn::from_url(mysql.url()).await.expect("connects");
            conn.query_drop("USE shop_0").await.expect("there");
            for sql in statements {
                conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        });
    };
    // suppliers 1 and 2 alone, who can all be reached
    run_sql(&["DELETE FROM restock_suggestion_rows WHERE supplier_id > 2".to_owned()]);
    let next = |run: &str, minute: u32, supplier: i64| {
        run_sql(&[
            format!(
                "INSERT INTO restock_runs (run, business_date, state, policy, policy_version, started_at) \
                 VALUES ('{run}', '2026-03-02', 'complete', 'p', '1', NOW(3) + INTERVAL {minute} MINUTE)"
            ),
            format!(
                "INSERT INTO restock_suggestion_rows SELECT '{run}', supplier_id, warehouse_id, community_id, sku_id, \
                 quantity, status, reason, must_order_by, needed_by FROM restock_suggestion_rows \
                 WHERE run = '{RUN}' AND supplier_id = {supplier}"
            ),
            format!("UPDATE restock_current SET run = '{run}'"),
            // the goods come after today, whenever this is run
            "UPDATE restock_suggestion_rows SET needed_by = CURDATE() + INTERVAL 3 DAY".to_owned(),
        ]);
    };
    run_sql(&["UPDATE restock_suggestion_rows SET needed_by = CURDATE() + INTERVAL 3 DAY".to_owned()]);
    let dir = tempfile::tempdir().expect("a folder");
    let mails = |more: &[&str]| program::run(mail(&mysql, "", dir.path()).args(more));
    let (order, withdrawn) = ("订货单 2026-03-02：2 行", "作废：订货单 2026-03-02");
    mails(&[]).succeeded();
    assert_eq!(subjects(dir.path()).len(), 2);

    // nothing was ordered by the first: the second holds instead, and asks the first supplier alone
    next("2026-03-02-000000000002", 1, 1);
    let dry = mails(&["--dry-run"]).succeeded().json();
    assert_eq!(dry["withdrawn"], json!([RUN]));
    let report = mails(&[]).succeeded().json();
    assert_eq!(report["withdrawn"][0]["run"], RUN);
    assert_eq!(report["withdrawn"][0]["sent"].as_array().map(Vec::len), Some(2), "{report}");
    let found = subjects(dir.path());
    let count = |found: &[String], begin: &str| found.iter().filter(|subject| subject.starts_with(begin)).count();
    assert_eq!((found.len(), count(&found, order), count(&found, withdrawn)), (5, 2, 1), "{found:?}");
    assert!(found.contains(&"Withdrawn: order of 2026-03-02, please do not deliver".to_owned()), "{found:?}");
    mails(&[]).succeeded();
    assert_eq!(subjects(dir.path()), found, "once");

    // by the second something was ordered: it stands beside the third
    run_sql(&[
        "INSERT INTO purchase_orders (purchase_order_id, supplier_id, warehouse_id, status, restock_run, amount, \
               created_at, updated_at) VALUES (1, 1, 1, 'sent', '2026-03-02-000000000002', 1, NOW(3), NOW(3))"
            .to_owned(),
    ]);
    next("2026-03-02-000000000003", 2, 1);
    mails(&[]).succeeded();
    let found = subjects(dir.path());
    assert_eq!((found.len(), count(&found, order), count(&found, withdrawn)), (6, 3, 1), "{found:?}");

    // the third is withdrawn by hand; the first may be shown again, but not to suppliers
    run_sql(&[
        "UPDATE restock_runs SET state = 'withdrawn' WHERE run = '2026-03-02-000000000003'".to_owned(),
        format!("UPDATE restock_current SET run = '{RUN}'"),
    ]);
    let told = mails(&["--run", "2026-03-02-000000000003"]).succeeded().json();
    assert_eq!(told["withdrawn"][0]["sent"].as_array().map(Vec::len), Some(1), "{told}");
    let refused = mails(&[]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("suppliers were told that run") && refused.stderr.contains("make a new run"));
}
