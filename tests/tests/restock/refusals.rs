//! What is refused, what is taken back, what is kept; and servers that go away.

use std::collections::BTreeMap;

use chrono::Days;
use linli_schemas::forecast::{Day, End, RestockRecord};
use linli_schemas::partition::partition_of;
use linli_tests::program::{self, Finished, Running};

use crate::runs::MadeRun;
use crate::shop::{Server, Shop, now_ms, refused, today};
use crate::{DEADLINE, PARTITIONS, topics};

fn file(shop: &Shop, name: &str, text: &str) -> std::path::PathBuf {
    let file = shop.folder.path().join(name);
    std::fs::write(&file, text).expect("the folder can be written");
    file
}

fn publish(shop: &Shop, run: &MadeRun, more: &[&str]) -> Finished {
    let file = shop.folder.path().join(run.id.as_str());
    run.write(&file);
    program::run(shop.publisher(&file).args(more))
}

fn count(shop: &mut Shop, sql: &str) -> u64 {
    shop.one(&format!("select count(*) from {sql}"))
}

#[test]
fn old_runs_are_removed_and_the_way_back_ends_where_their_rows_do_on_mysql() {
    old_runs(Server::mysql());
}

#[test]
fn old_runs_are_removed_and_the_way_back_ends_where_their_rows_do_on_mariadb() {
    old_runs(Server::mariadb());
}

fn old_runs(server: Server) {
    let mut shop = Shop::open(server);
    let runs: Vec<MadeRun> = (0..4).map(|n| MadeRun::new(n, today(), now_ms())).collect();
    for run in &runs {
        publish(&shop, run, &["--keep", "2"]).succeeded();
    }
    for (run, state) in runs.iter().zip(["removed", "removed", "complete", "complete"]) {
        let found: String = shop.one(&format!("select state from shop_0.restock_runs where run = '{}'", run.id));
        assert_eq!(found, state);
        let kept = state == "complete";
        let rows = |table: &str| format!("shop_0.{table} where run = '{}'", run.id);
        let lines = count(&mut shop, &rows("restock_suggestion_rows"));
        assert_eq!(lines, if kept { run.lines.len() as u64 } else { 0 });
        let steps = count(&mut shop, &rows("demand_forecast_rows"));
        assert_eq!(steps, if kept { run.steps.len() as u64 } else { 0 });
    }
    // a run that others were completed after
    let late = MadeRun::new(9, today() - Days::new(1), now_ms());
    refused(&publish(&shop, &late, &[]), 5, &["was overtaken", runs[3].id.as_str()]);
    // the same again is nothing; under the same id another date is refused
    let again = publish(&shop, &runs[3], &[]).succeeded().json();
    assert_eq!(again["state"], "complete already");
    let other = MadeRun { business_date: today() + Days::new(1), ..MadeRun::new(3, today(), now_ms()) };
    refused(&publish(&shop, &other, &[]), 4, &["was begun as one of"]);

    let back = |arguments: &[&str]| program::run(&mut shop.linli(arguments));
    let shown = back(&["forecast", "rollback"]).succeeded().json();
    assert_eq!(shown["run"], runs[2].id.as_str());
    refused(&back(&["forecast", "rollback"]), 2, &["no run before"]);
    refused(&back(&["forecast", "rollback", runs[0].id.as_str()]), 2, &["is removed", "make it anew"]);
    refused(&back(&["forecast", "rollback", "nowhere"]), 2, &["run nowhere is not there"]);
    assert_eq!(shop.shown().as_deref(), Some(runs[2].id.as_str()));

    let none = program::run(&mut shop.linli(&["forecast", "withdraw", runs[2].id.as_str()])).succeeded().json();
    assert!(none["shown"].is_null(), "{none}");
    assert_eq!((shop.shown(), count(&mut shop, "shop_0.restock_suggestion")), (None, 0));
    // a run of a day before may be shown now
    publish(&shop, &late, &[]).succeeded();
    assert_eq!(shop.shown().as_deref(), Some(late.id.as_str()));
}

#[test]
fn what_is_not_as_it_is_told_is_refused_and_nobody_sees_it() {
    let mut shop = Shop::open(Server::mysql());
    let run = MadeRun::new(1, today(), now_ms());
    let whole = shop.folder.path().join("whole");
    run.write(&whole);
    let text = std::fs::read_to_string(&whole).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    let (last, body) = lines.split_last().expect("lines");
    for (name, text, words) in [
        ("no-end", body.join("\n"), "the end of the run is missing"),
        ("short", [&body[1..body.len() - 1], &[last]].concat().join("\n"), "it tells of"),
        ("behind", [body, &[last], &body[..1]].concat().join("\n"), "it comes after the end"),
        ("other", text.replacen(run.id.as_str(), "another-run", 1), "the first line of run another-run"),
        ("bad", text.replacen("\"q10\":", "\"q11\":", 1), "line 1: not a record of forecast.demand"),
        ("below", text.replacen("\"quantity\":", "\"quantity\":-", 1), "not a record of forecast.restock"),
    ] {
        let file = file(&shop, name, &text);
        let finished = program::run(&mut shop.publisher(&file));
        assert!(finished.code == Some(4) && finished.stderr.contains(words), "{name}: {finished:?}");
    }
    assert_eq!(count(&mut shop, "shop_0.restock_runs"), 0, "nothing was begun");

    // rows of another try under the same id
    let _: Vec<u8> = shop.query(&format!(
        "insert into shop_0.restock_suggestion_rows values ('{}', 77, 1, 0, 1, 5, 'ready', '{{}}', now(), now())",
        run.id
    ));
    let counted = publish(&shop, &run, &[]);
    refused(&counted, 6, &[&format!("holds {} rows, not {}", run.lines.len() + 1, run.lines.len()), "withdraw it"]);
    assert_eq!(shop.shown(), None);
    program::run(&mut shop.linli(&["forecast", "withdraw", run.id.as_str()])).succeeded();
    refused(&publish(&shop, &run, &[]), 2, &["is withdrawn", "make a new run"]);

    let shown = shop.one::<u8>("select get_lock('linli.restock.shop_0', 1)");
    assert_eq!(shown, 1);
    let next = MadeRun::new(2, today(), now_ms());
    refused(&publish(&shop, &next, &[]), 3, &["somebody else publishes a run"]);
}

#[test]
fn of_runs_that_nobody_ordered_by_the_newest_counts_and_unknown_goods_are_listed() {
    let mut shop = Shop::open(Server::mysql());
    let runs: Vec<MadeRun> = (0..2).map(|n| MadeRun::new(n, today(), now_ms())).collect();
    let _: Vec<u8> = shop.query("delete from shop_0.skus where sku_id = 8");
    for run in &runs {
        publish(&shop, run, &[]).succeeded();
    }
    shop.buy();
    shop.wait_until(runs[0].id.as_str(), "superseded");
    shop.wait_until(runs[1].id.as_str(), "ordered");
    let mut expected = runs[1].ordered();
    let all = expected.len();
    expected.retain(|(_, _, _, sku), _| *sku != 8);
    let ordered = shop.ordered();
    assert_eq!(ordered.len(), 1);
    assert!(ordered[runs[1].id.as_str()] == expected);
    assert_eq!(count(&mut shop, "linli_buyer.refused where sku_id = 8"), (all - expected.len()) as u64);
    assert!(all > expected.len());
    assert_eq!(count(&mut shop, "linli_buyer.lines_in"), 0, "what is done with is removed");
}

#[test]
fn a_server_that_goes_away_is_named_and_the_run_goes_on_when_it_is_back() {
    let mut shop = Shop::open(Server::mysql());
    let run = MadeRun::new(1, today(), now_ms());
    let file = shop.folder.path().join(run.id.as_str());
    run.write(&file);
    let mut running = Running::start(&mut shop.publisher(&file));
    running.has_said(DEADLINE, |line| line.contains("run begun"));
    shop.server.kill();
    let (status, seen) = running.wait(DEADLINE);
    assert_eq!(status.code(), Some(3), "{seen:#?}");
    assert!(seen.iter().any(|line| line.contains("a run goes on where it stopped")), "{seen:#?}");
    shop.server.run();
    let done = program::run(&mut shop.publisher(&file)).succeeded().json();
    assert_eq!((&done["state"], &done["run"]), (&"published".into(), &run.id.as_str().into()));
}

/// Lines of a run, and its mark for each partition.
fn records(run: &MadeRun) -> (Vec<RestockRecord>, Vec<(u32, RestockRecord)>) {
    let lines: Vec<RestockRecord> = run.lines.iter().cloned().map(RestockRecord::Line).collect();
    let of = |record: &RestockRecord| partition_of(record.log_key().as_bytes(), PARTITIONS);
    let mark = |partition| {
        let own = lines.iter().filter(|line| of(line) == partition).count() as u64;
        let end = End {
            run: run.id.clone(),
            business_date: Day(run.business_date),
            published_at: now_ms(),
            lines: lines.len() as u64,
            lines_in_partition: own,
            orders_known: run.orders_known.clone(),
        };
        (partition, RestockRecord::End(end))
    };
    let marks = (0..PARTITIONS).map(mark).collect();
    (lines, marks)
}

#[test]
fn goods_are_not_ordered_again_by_a_run_that_does_not_know_of_their_orders_on_mysql() {
    orders_meanwhile(Server::mysql());
}

#[test]
fn goods_are_not_ordered_again_by_a_run_that_does_not_know_of_their_orders_on_mariadb() {
    orders_meanwhile(Server::mariadb());
}

fn orders_meanwhile(server: Server) {
    let mut shop = Shop::open(server);
    let mut runs: Vec<MadeRun> = (0..4).map(|n| MadeRun::new(n, today(), now_ms())).collect();
    runs.iter_mut().for_each(|run| run.orders_known = Some(BTreeMap::new()));
    publish(&shop, &runs[0], &[]).succeeded();
    shop.buy();
    let placed = count(&mut shop, "shop_0.purchase_orders");
    assert!(placed > 1);
    // made while the first was ordered by
    refused(&publish(&shop, &runs[1], &[]), 5, &["goods were ordered by run", runs[0].id.as_str(), "make a new run"]);
    assert_eq!(shop.shown().as_deref(), Some(runs[0].id.as_str()));
    // on the topics at the very moment, knowing of all but one
    runs[2].orders_known = Some(BTreeMap::from([(runs[0].id.to_string(), placed as u32 - 1)]));
    let log = shop.block_on(topics::open(&shop.kafka.url()));
    let (lines, marks) = records(&runs[2]);
    shop.block_on(topics::put(&log, &lines, &marks));
    shop.buy();
    shop.wait_until(runs[2].id.as_str(), "overtaken");
    assert_eq!(shop.ordered().into_keys().collect::<Vec<_>>(), [runs[0].id.to_string()]);
    // one that knows of all
    runs[3].orders_known = Some(BTreeMap::from([(runs[0].id.to_string(), placed as u32)]));
    publish(&shop, &runs[3], &[]).succeeded();
    shop.buy();
    shop.wait_until(runs[3].id.as_str(), "ordered");
    assert!(shop.ordered()[runs[3].id.as_str()] == runs[3].ordered());
}

#[test]
fn a_run_is_acted_on_when_the_last_of_it_is_there_and_not_before() {
    let mut shop = Shop::open(Server::mysql());
    shop.buy();
    let log = shop.block_on(topics::open(&shop.kafka.url()));
    let run = MadeRun::new(1, today(), now_ms());
    let (lines, marks) = records(&run);
    let (last, most) = lines.split_last().expect("lines");
    let (last_mark, most_marks) = marks.split_last().expect("marks");
    // in turn: an end is missing, a line is missing though one stands twice, and at last nothing
    let nothing: &[RestockRecord] = &[];
    for (records, marks) in [(most, most_marks), (&most[..1], std::slice::from_ref(last_mark)), (nothing, &marks[..])] {
        shop.block_on(topics::put(&log, records, marks));
        shop.buy();
        assert!(shop.ordered().is_empty(), "a part of a run is ordered by");
    }
    shop.block_on(topics::put(&log, std::slice::from_ref(last), &[]));
    shop.buy();
    assert!(shop.ordered()[run.id.as_str()] == run.ordered());
    // what is repeated after that is known
    shop.block_on(topics::put(&log, &lines, &marks));
    shop.buy();
    assert!(shop.ordered()[run.id.as_str()] == run.ordered());
}
