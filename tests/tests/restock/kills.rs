//! Twenty kills of the publisher and twenty of the buyer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::Days;
use linli_schemas::forecast::{AnswerKind, SupplierAnswer};
use linli_tests::program::{self, Running};

use crate::readers::{Readers, whole};
use crate::runs::{Key, MadeRun, cost};
use crate::shop::{Server, Shop, now_ms, today};
use crate::{DEADLINE, topics};

const RUNS: usize = 5;
const KILLS_A_RUN: usize = 4;
const BUYER_KILLS: usize = 20;
/// Words of the program's log after which a publisher is killed, beside those that die by time alone.
const STAGES: [&str; 4] = ["run begun", "run counted", "run on the topics", "run named"];

#[test]
fn twenty_kills_of_publisher_and_buyer_leave_whole_runs_and_one_order_a_line() {
    let mut shop = Shop::open(Server::mysql());
    let old = MadeRun::new(100, today() - Days::new(3), now_ms());
    let made: Vec<MadeRun> = (0..RUNS as i64).map(|number| MadeRun::new(number, today(), now_ms())).collect();
    let bad = MadeRun::new(50, today(), now_ms());
    let all: Vec<&MadeRun> = made.iter().chain([&old, &bad]).collect();
    for run in &all {
        run.write(&shop.folder.path().join(run.id.as_str()));
    }
    let readers = Readers::start(&shop.server.url(), 3, &whole(&all));

    publish(&shop, &old);
    shop.buy();
    shop.wait_until(old.id.as_str(), "stale");
    assert!(shop.ordered().is_empty(), "nobody acts on a run of three days ago");

    let buyers = Buyers::start(&shop);
    let mut fell = Vec::new();
    for (number, run) in made.iter().enumerate() {
        for kill in 0..KILLS_A_RUN {
            fell.push(killed_publisher(&shop, run, number * KILLS_A_RUN + kill));
        }
        publish(&shop, run);
        assert_eq!(shop.shown().as_deref(), Some(run.id.as_str()));
        // a newer run would supersede it
        shop.wait_until(run.id.as_str(), "ordered");
    }
    let bought = buyers.end();
    println!("publishers were killed {} times: {fell:#?}", fell.len());
    println!("buyers were killed {} times: {bought:#?}", bought.values().sum::<usize>());
    assert_eq!(fell.len(), RUNS * KILLS_A_RUN);
    assert!(fell.iter().collect::<BTreeSet<_>>().len() >= STAGES.len(), "kills fell in various places");
    assert!(bought.contains_key("after purchase order drafted"), "a buyer died between two orders");

    take_back(&mut shop, &bad, &made[RUNS - 1]);
    hold_orders(&mut shop, &made);
    let log = shop.block_on(topics::open(&shop.kafka.url()));
    let repeated = shop.block_on(topics::hold(&log, &all));
    println!("{repeated} lines stand twice on the topic");
    assert!(repeated > 0, "a kill fell between the first record and the naming");

    let (looks, seen) = readers.end();
    println!("readers looked {looks} times");
    assert!(looks > 100 && seen.iter().collect::<BTreeSet<_>>().len() > RUNS);
    book_and_receive(&mut shop, &log, &made[RUNS - 1]);
}

fn publish(shop: &Shop, run: &MadeRun) {
    program::run(&mut shop.publisher(&shop.folder.path().join(run.id.as_str()))).succeeded();
}

/// Kills a publisher in the midst; where it fell: the last that it said.
fn killed_publisher(shop: &Shop, run: &MadeRun, kill: usize) -> String {
    let mut running = Running::start(&mut shop.publisher(&shop.folder.path().join(run.id.as_str())));
    // the first of a run by time alone, the others behind a stage: while rows are written, while records are published,
    // and at the naming
    let number = kill / KILLS_A_RUN;
    let (stage, spread) = match kill % KILLS_A_RUN {
        0 => (None, 60 + number * 31),
        1 => (Some(STAGES[0]), number * 23),
        2 => (Some(STAGES[1]), number * 11),
        _ => (Some(STAGES[2 + number % 2]), 0),
    };
    if let Some(stage) = stage {
        running.has_said(DEADLINE, |line| line.contains(stage) || line.contains("complete already"));
    }
    running.run_for(Duration::from_millis(spread as u64));
    let seen = running.kill();
    let said = |words: &str| seen.iter().any(|line| line.contains(words));
    let fell = STAGES.iter().rev().find(|words| said(words)).copied().unwrap_or("start");
    let fell = if said("\"state\"") { "end" } else { fell };
    println!("kill {kill} of a publisher of {}: after {fell}", run.id);
    fell.to_owned()
}

/// Buyers that are killed one after the other, and go on until they are told to end.
struct Buyers {
    stop: Arc<AtomicBool>,
    kills: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<BTreeMap<String, usize>>,
}

impl Buyers {
    fn start(shop: &Shop) -> Buyers {
        let (stop, kills) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&kills));
        let commands: Vec<_> = (0..400).map(|_| shop.buyer()).collect();
        let thread = std::thread::spawn(move || {
            let mut fell: BTreeMap<String, usize> = BTreeMap::new();
            for (kill, mut command) in commands.into_iter().enumerate() {
                if stopped.load(Ordering::Relaxed) && kill >= BUYER_KILLS {
                    break;
                }
                let mut running = Running::start(&mut command);
                let words = [None, Some("purchase order drafted"), Some("purchase orders sent")][kill % 3];
                for _ in 0..40 + kill % 7 {
                    assert!(!running.run_for(Duration::from_millis(30)), "a buyer ended: {:#?}", running.seen);
                    if words.is_some_and(|words| running.seen.iter().any(|line| line.contains(words))) {
                        break;
                    }
                }
                let seen = running.kill();
                let said = |words: &str| seen.iter().any(|line| line.contains(words));
                let words = ["purchase orders sent", "purchase order drafted"].into_iter().find(|words| said(words));
                *fell.entry(format!("after {}", words.unwrap_or("nothing was ordered"))).or_default() += 1;
                counted.fetch_add(1, Ordering::Relaxed);
            }
            fell
        });
        Buyers { stop, kills, thread }
    }

    fn end(self) -> BTreeMap<String, usize> {
        self.stop.store(true, Ordering::Relaxed);
        let fell = self.thread.join().expect("buyers run");
        let kills = self.kills.load(Ordering::Relaxed);
        assert!(kills >= BUYER_KILLS && fell.values().sum::<usize>() == kills, "{kills}");
        fell
    }
}

/// A run is withdrawn before anybody acts on it; the way back is killed, too.
fn take_back(shop: &mut Shop, bad: &MadeRun, good: &MadeRun) {
    publish(shop, bad);
    assert_eq!(shop.shown().as_deref(), Some(bad.id.as_str()));
    let back = ["forecast", "rollback", good.id.as_str()];
    for ms in [40, 90, 150] {
        let mut running = Running::start(&mut shop.linli(&back));
        running.run_for(Duration::from_millis(ms));
        running.kill();
    }
    program::run(&mut shop.linli(&back)).succeeded();
    assert_eq!(shop.shown().as_deref(), Some(good.id.as_str()));
    shop.buy();
    shop.wait_until(bad.id.as_str(), "withdrawn");
    let refused = program::run(&mut shop.publisher(&shop.folder.path().join(bad.id.as_str())));
    assert!(refused.code == Some(2) && refused.stderr.contains("is withdrawn"), "{refused:?}");
}

/// Exactly the lines that are ready, once each, with their quantities; amounts to the fen.
fn hold_orders(shop: &mut Shop, made: &[MadeRun]) {
    let expected: BTreeMap<String, BTreeMap<Key, i64>> =
        made.iter().map(|run| (run.id.to_string(), run.ordered())).collect();
    let ordered = shop.ordered();
    assert!(ordered == expected, "{}", difference(&ordered, &expected));
    let lines: usize = expected.values().map(BTreeMap::len).sum();
    let all: usize = made.iter().map(|run| run.lines.len()).sum();
    println!("{lines} lines are ordered, of {all}");
    assert!(lines > 1_000 && lines < all);

    let mut amounts: BTreeMap<(String, i64, i64), i64> = BTreeMap::new();
    for (run, lines) in &expected {
        for ((supplier, warehouse, _, sku), quantity) in lines {
            *amounts.entry((run.clone(), *supplier, *warehouse)).or_default() += quantity * cost(*sku);
        }
    }
    type Row = (String, i64, i64, i64, String);
    let rows: Vec<Row> = shop.query(
        "select restock_run, supplier_id, warehouse_id, cast(amount * 100 as signed), status from shop_0.purchase_orders",
    );
    assert_eq!(rows.len(), amounts.len());
    for (run, supplier, warehouse, fen, status) in rows {
        assert_eq!((Some(&fen), status.as_str()), (amounts.get(&(run, supplier, warehouse)), "sent"));
    }
}

fn difference(found: &BTreeMap<String, BTreeMap<Key, i64>>, expected: &BTreeMap<String, BTreeMap<Key, i64>>) -> String {
    let sizes = |of: &BTreeMap<String, BTreeMap<Key, i64>>| {
        of.iter().map(|(run, lines)| format!("{run}: {}", lines.len())).collect::<Vec<_>>()
    };
    format!("ordered {:?}, expected {:?}", sizes(found), sizes(expected))
}

/// Suppliers answer, the later answer holds in whatever order they come; goods come once.
fn book_and_receive(shop: &mut Shop, log: &linli_connectors::log::SharedLog, run: &MadeRun) {
    let ordered = run.ordered();
    let answer = |n: usize, key: &Key, quantity: i64, kind, version| SupplierAnswer {
        run: run.id.clone(),
        supplier_id: key.0,
        warehouse_id: key.1,
        community_id: key.2,
        sku_id: key.3,
        answer: kind,
        quantity,
        note: n.is_multiple_of(2).then(|| "明天送 tomorrow".to_owned()),
        answered_at: now_ms(),
        version,
    };
    let (mut answers, mut come) = (Vec::new(), BTreeMap::new());
    // supplier 1 answers all, the others a part
    for (n, (key, quantity)) in ordered.iter().enumerate().filter(|(n, (key, _))| key.0 == 1 || n % 3 == 0) {
        let (kind, confirmed) = match n % 4 {
            0 => (AnswerKind::Refused, 0),
            1 => (AnswerKind::Changed, quantity / 2),
            _ => (AnswerKind::Accepted, *quantity),
        };
        answers.push(answer(n, key, confirmed, kind, 2));
        answers.push(answer(n, key, 1, AnswerKind::Changed, 1));
        come.insert(*key, confirmed);
    }
    let nowhere = (1, 1, 0, 999_999);
    answers.push(answer(0, &nowhere, 5, AnswerKind::Accepted, 1));
    shop.block_on(topics::answer(log, &answers));
    shop.buy();
    shop.buy();
    type Row = (i64, i64, i64, i64, Option<i64>);
    let sql = format!(
        "select o.supplier_id, o.warehouse_id, l.community_id, l.sku_id, l.confirmed from shop_0.purchase_orders o \
         join shop_0.purchase_order_lines l using (purchase_order_id) where o.restock_run = '{}'",
        run.id
    );
    for (supplier, warehouse, community, sku, confirmed) in shop.query::<Row>(&sql) {
        let key = (supplier, warehouse, community, sku);
        assert_eq!(confirmed, come.get(&key).copied(), "{key:?}");
    }
    let states: Vec<(i64, String)> = shop.query(&format!(
        "select supplier_id, max(status) from shop_0.purchase_orders where restock_run = '{}' group by supplier_id, status",
        run.id
    ));
    for (supplier, status) in states {
        assert_eq!(status, if supplier == 1 { "confirmed" } else { "sent" });
    }
    let refused: u64 = shop.one("select count(*) from linli_buyer.answers where state = 'refused'");
    assert_eq!(refused, 1, "an answer to a line that is not there");

    let day = (run.business_date + Days::new(1)).to_string();
    let early = program::run(&mut shop.linli(&["simulate", "buyer", "--receive-on", &run.business_date.to_string()]));
    assert_eq!(early.succeeded().json()["received"], 0, "nothing is due yet");
    for _ in 0..4 {
        // one of several that are killed, and one that is not
        let mut running = Running::start(&mut shop.linli(&["simulate", "buyer", "--receive-on", &day]));
        running.run_for(Duration::from_millis(120));
        running.kill();
    }
    program::run(&mut shop.linli(&["simulate", "buyer", "--receive-on", &day])).succeeded();
    let mut expected: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for run in shop.ordered().into_iter() {
        for ((supplier, warehouse, community, sku), quantity) in run.1 {
            let key = (supplier, warehouse, community, sku);
            let pieces = if run.0 == answers[0].run.as_str() { *come.get(&key).unwrap_or(&quantity) } else { quantity };
            if pieces > 0 {
                *expected.entry((warehouse, sku)).or_default() += pieces;
            }
        }
    }
    for table in ["stock_batches", "stock_movements"] {
        let sql =
            format!("select warehouse_id, sku_id, cast(sum(quantity) as signed) from shop_0.{table} group by 1, 2");
        let rows: BTreeMap<(i64, i64), i64> =
            shop.query::<(i64, i64, i64)>(&sql).into_iter().map(|(w, s, pieces)| ((w, s), pieces)).collect();
        assert!(rows == expected, "{table}");
    }
    let stock = shop.query::<(i64, i64, i64)>("select warehouse_id, sku_id, on_hand from shop_0.stock");
    assert!(stock.into_iter().map(|(w, s, pieces)| ((w, s), pieces)).collect::<BTreeMap<_, _>>() == expected);
}
