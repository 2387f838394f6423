//! A hundred thousand orders take every step on a real server while the reader of its binlog is killed, the server
//! restarts, its binlog rotates and a column is added: the topics tell the tables, and each change once.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use linli_connectors::clock::{Clock, SystemClock};
use linli_schemas::zone::Zone;
use linli_simulator::sql::{Applied, Server as ShopServer, SqlOptions, SqlShop};
use linli_simulator::{Body, ShopOptions};
use linli_tests::program::{self, Running};
use linli_tests::stack::{MariaDb, Mysql};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::oracle::topics::{Expected, Folded, log_in};
use crate::oracle::{Tables, binlog};
use crate::shop::Server;
use crate::wait;

const PARTITIONS: u32 = 4;
/// That take every step.
const ORDERS: u64 = 100_000;
/// The shop's days that are played: the orders of the last two are still on their way then.
const DAYS: i32 = 18;
/// Rows that the shop commits in these days, about.
const ROWS: u64 = 1_500_000;
/// Rows that are there before the reader comes.
const ROWS_BEFORE: u64 = 100_000;
/// Rows that a lane commits at once: few enough for a hundred thousand transactions.
const ROWS_AT_ONCE: usize = 30;
const DEADLINE: Duration = Duration::from_secs(600);
/// Room for what the shop touches, so that pages are not written again and again. How durable a commit is stays as it
/// is by default: one of the restarts is a crash.
const ROOM: [&str; 2] = ["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M"];
/// The column that is added midway.
const ADDED: &str = "shown";

/// What a reader is doing when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// So many ms after it began to read tables.
    Snapshot(u64),
    /// So many ms after its start.
    StartUp(u64),
    /// So many ms after the shop has come far enough.
    Following(u64),
}

const KILLS: [Phase; 20] = {
    use Phase::{Following, Snapshot, StartUp};
    [
        Snapshot(0),
        Snapshot(60),
        Snapshot(150),
        Snapshot(400),
        StartUp(2),
        StartUp(8),
        Following(0),
        Following(137),
        StartUp(4),
        Following(274),
        Following(11),
        Following(148),
        StartUp(15),
        Following(285),
        Following(22),
        Following(159),
        StartUp(40),
        Following(296),
        Following(33),
        Following(170),
    ]
};

/// What happens to the server before a kill, by the kill's number.
const ROTATE: usize = 7;
const SHUT_DOWN: [usize; 2] = [9, 15];
const CRASH: usize = 11;
const ADD_COLUMN: usize = 13;
const ALL_USERS: usize = 17;

/// Says something that is seen in every run: the test harness keeps what `println!` says to itself.
macro_rules! tell {
    ($($text:tt)*) => { let _ = writeln!(std::io::stderr(), $($text)*); };
}

/// The shop, committing in the background.
struct Writer {
    rows: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Applied>,
}

impl Writer {
    async fn start(url: &str) -> Writer {
        let shop = ShopOptions {
            seed: 5,
            communities: 60,
            users: 20_000,
            skus: 120,
            orders_per_day: 6_000,
            zone: Zone::SHANGHAI,
            opened_on: chrono::NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date"),
        };
        let options = SqlOptions {
            rows_max: ROWS_AT_ONCE,
            ..SqlOptions::new(shop, vec![ShopServer::parse(url).expect("an address")])
        };
        let mut sql = SqlShop::open(options, Arc::new(SystemClock), CancellationToken::new()).await.expect("a shop");
        let (rows, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (sender, mut days) = mpsc::channel(4);
        let (shop, start) = (sql.shop().clone(), sql.position());
        tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::new();
            for change in shop.changes(start).take_while(|change| change.position.day < start.day + DAYS) {
                if let Body::Transaction(transaction) = change.body {
                    chunk.push((change.position, transaction));
                }
                if chunk.len() == 200 && sender.blocking_send(std::mem::take(&mut chunk)).is_err() {
                    return;
                }
            }
            // the receiver is gone only when the test has failed
            let _ = sender.blocking_send(chunk);
        });
        let (seen, ended) = (Arc::clone(&rows), Arc::clone(&done));
        let task = tokio::spawn(async move {
            while let Some(chunk) = days.recv().await {
                for (position, transaction) in chunk {
                    sql.commit(position, transaction).await.expect("committed");
                }
                seen.store(sql.applied().rows, Ordering::Relaxed);
            }
            let applied = sql.close().await.expect("committed");
            ended.store(true, Ordering::Relaxed);
            applied
        });
        Writer { rows, done, task }
    }

    fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    async fn reaches(&self, rows: u64) {
        let until = SystemClock.now_ms() + DEADLINE.as_millis() as i64;
        while self.rows() < rows {
            assert!(!self.task.is_finished(), "the shop ended at {} rows of {rows}", self.rows());
            assert!(SystemClock.now_ms() < until, "the shop is at {} rows", self.rows());
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Other programs that write to the shop's tables: what the simulated shop never does.
struct Others {
    conn: Conn,
}

impl Others {
    async fn connect(url: &str) -> Others {
        Others { conn: Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers") }
    }

    async fn sql(&mut self, sql: &str) {
        const DEADLOCK: u16 = 1213;
        loop {
            match self.conn.query_drop(sql).await {
                Ok(()) => return,
                Err(mysql_async::Error::Server(error)) if error.code == DEADLOCK => {}
                Err(error) => panic!("{sql}: {error}"),
            }
        }
    }

    /// Rows that move to another key, change their primary key, go away, and nearly went away.
    async fn work(&mut self, round: usize) {
        for (database, table) in [(0, round % 8), (1, 8 + round % 8)] {
            self.sql(&format!(
                "UPDATE shop_{database}.orders_{table} SET community_id = community_id + 1 WHERE status >= 4 LIMIT 30"
            ))
            .await;
        }
        self.sql("DELETE FROM shop_0.stock_movements ORDER BY movement_id LIMIT 40").await;
        self.sql("UPDATE shop_0.stock_batches SET batch_id = batch_id + 1000000000000000 ORDER BY batch_id LIMIT 25")
            .await;
        self.sql("BEGIN").await;
        self.sql("DELETE FROM shop_0.users").await;
        self.sql("ROLLBACK").await;
    }

    async fn add_column(&mut self) {
        for table in 0..16 {
            let name = format!("shop_{}.orders_{table}", table / 8);
            self.sql(&format!("ALTER TABLE {name} ADD COLUMN {ADDED} BIGINT DEFAULT 7 AFTER community_id")).await;
        }
    }
}

fn reader(url: &str, dir: &Path, more: &[&str]) -> Command {
    let partitions = PARTITIONS.to_string();
    let mut command = program::linli(["ingest", "cdc", "--shop", url, "--partitions", &partitions, "--config"]);
    command.arg(dir.join("settings.toml")).arg("--data-dir").arg(dir).args(more);
    command
}

/// Of the table of the most rows.
fn ask_for_snapshot(url: &str, dir: &Path) {
    program::run(&mut reader(url, dir, &["snapshot", "shop_0.users"])).succeeded();
}

/// Nothing is masked, so that columns can be held to what they are; and a snapshot takes many steps.
const SETTINGS: &str = "[cdc]\nsnapshot_chunk_rows = 1000\n[[cdc.columns]]\ncolumn = '.*'\naction = \"keep\"\n";

/// A kill, and what was durable then.
struct Killed {
    at_ms: i64,
    phase: Phase,
    /// It had come so far as to follow the binlog.
    followed: bool,
    open_snapshots: usize,
    told: String,
}

/// Starts a reader, lets it come where the kill wants it, and kills it. `due` waits until the shop has come far enough.
async fn kill(running: Option<Running>, url: &str, dir: &Path, phase: Phase, writer: &Writer, due: u64) -> Killed {
    let following = |line: &str| line.contains("INFO") && line.contains(" following");
    let reading = |line: &str| {
        line.contains("INFO") && (line.contains(" snapshot ") || line.contains("a snapshot was asked for"))
    };
    let mut running = match running {
        Some(running) => running,
        None => {
            match phase {
                Phase::StartUp(_) => writer.reaches(due).await,
                // that of the first start may be done by now
                Phase::Snapshot(_) => ask_for_snapshot(url, dir),
                Phase::Following(_) => {}
            }
            Running::start(&mut reader(url, dir, &[]))
        }
    };
    let delay = match phase {
        Phase::StartUp(delay) => delay,
        Phase::Snapshot(delay) => {
            running.has_said(DEADLINE, reading);
            delay
        }
        Phase::Following(delay) => {
            running.has_said(DEADLINE, following);
            writer.reaches(due).await;
            delay
        }
    };
    let ended = running.run_for(Duration::from_millis(delay));
    assert!(!ended, "the reader ended by itself: {:#?}", running.seen);
    let lines = running.kill();
    let at_ms = SystemClock.now_ms();
    let shown = program::run(&mut reader(url, dir, &["position", "show", "--json"])).succeeded().json();
    let shown = &shown[0];
    let position = &shown["position"];
    let open_snapshots = shown["open_snapshots"].as_array().expect("a list").len();
    let told = format!(
        "{}:{}, {} bytes behind, {open_snapshots} snapshots open",
        position["file"].as_str().unwrap_or("nowhere"),
        position["pos"],
        shown["behind_bytes"],
    );
    Killed { at_ms, phase, followed: lines.iter().any(|line| following(line)), open_snapshots, told }
}

async fn survive(server: &mut dyn Server) {
    let started = SystemClock.now_ms();
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("settings.toml"), SETTINGS).expect("the folder can be written");
    let url = server.url();
    let writer = Writer::start(&url).await;
    writer.reaches(ROWS_BEFORE).await;
    let mut others = Others::connect(&url).await;
    others.work(0).await;

    let mut first = Running::start(&mut reader(&url, dir.path(), &[]));
    let snapshot = first.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains(" snapshot "));
    let mut running = Some(first);
    let mut killed = Vec::new();
    for (number, phase) in KILLS.into_iter().enumerate() {
        let due = ROWS_BEFORE + (ROWS - ROWS_BEFORE) * number as u64 / KILLS.len() as u64;
        // the first reader is killed at once, before its snapshot can end
        if number > 0 {
            others.work(number).await;
        }
        match number {
            ROTATE => others.sql("FLUSH BINARY LOGS").await,
            ADD_COLUMN => others.add_column().await,
            ALL_USERS => others.sql("UPDATE shop_0.users SET points = points + 1").await,
            _ if SHUT_DOWN.contains(&number) || number == CRASH => {
                // a reader that follows must come back to it by itself
                let mut following = Running::start(&mut reader(&url, dir.path(), &[]));
                following.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains(" following"));
                if number != CRASH {
                    server.shut_down();
                }
                server.restart();
                others = Others::connect(&url).await;
                running = Some(following);
            }
            _ => {}
        }
        killed.push(kill(running.take(), &url, dir.path(), phase, &writer, due).await);
        assert!(!writer.done.load(Ordering::Relaxed), "the shop writes during all kills");
    }
    let applied = writer.task.await.expect("no panic");
    others.work(KILLS.len()).await;
    let wrote_s = (SystemClock.now_ms() - started) / 1000;
    let (status, lines) = Running::start(&mut reader(&url, dir.path(), &["--until-caught-up"])).wait(DEADLINE);
    assert!(status.success(), "{lines:#?}");
    let place = place_of(&snapshot);
    hold(&url, dir.path(), &place, &killed).await;
    let all_s = (SystemClock.now_ms() - started) / 1000;
    tell!("{applied:?} in {wrote_s} s; caught up and held to the tables in {} s", all_s - wrote_s);
}

/// `… position=binlog.000001:154 …`
fn place_of(line: &str) -> (String, u64) {
    let place = line.split_once("position=").and_then(|(_, rest)| rest.split_whitespace().next()).expect("a position");
    let (file, pos) = place.rsplit_once(':').expect("a place");
    (file.to_owned(), pos.parse().expect("a byte"))
}

/// Holds what was published to the tables and to the binlog.
async fn hold(url: &str, dir: &Path, snapshot: &(String, u64), killed: &[Killed]) {
    orders_took_every_step(url).await;
    let (tables, mut held) = (Tables::read(url).await, Tables::read(url).await);
    let kills: Vec<i64> = killed.iter().map(|killed| killed.at_ms).collect();
    let expected = Expected { tables: &tables, added: &[ADDED], kills: &kills };
    let log = log_in(dir).await;
    let mut folded = Folded::default();
    for topic in tables.topics() {
        folded.topic(&log, &topic, PARTITIONS, &expected, &mut held).await;
    }
    folded.hold_orders();
    for (number, (killed, repeats)) in killed.iter().zip(&folded.repeats).enumerate() {
        tell!(
            "kill {number:2} {:?}: durable at {}; {repeats} changes published again after it",
            killed.phase,
            killed.told
        );
    }
    assert_eq!(folded.problems, Vec::<String>::new());
    let in_binlog = binlog::changes_since(url, &snapshot.0, snapshot.1).await;
    assert_eq!(folded.changes, in_binlog, "distinct changes of each table, against the binlog");
    let kinds = folded.changes.values().fold([0; 3], |sums, changes| {
        [sums[0] + changes.inserted, sums[1] + changes.updated, sums[2] + changes.deleted]
    });
    tell!("{kinds:?} rows inserted, updated, deleted; {} rows of snapshots", folded.snapshot_rows);
    assert!(kinds.iter().all(|kind| *kind > 100) && folded.snapshot_rows > ROWS_BEFORE / 4);
    let in_snapshot = killed.iter().filter(|killed| killed.open_snapshots > 0).count();
    let at_start = killed.iter().filter(|killed| !killed.followed).count();
    let following = killed.iter().filter(|killed| killed.followed && killed.open_snapshots == 0).count();
    tell!("{in_snapshot} kills during a snapshot, {at_start} at the start, {following} while following alone");
    // a snapshot that was asked for may last through kills meant for a reader that follows alone
    assert!(in_snapshot >= 2 && at_start >= 2 && following >= 4);
}

async fn orders_took_every_step(url: &str) {
    let mut conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
    let all: Vec<String> =
        (0..16).map(|table| format!("SELECT status FROM shop_{}.orders_{table}", table / 8)).collect();
    let sql = format!("SELECT status, COUNT(*) FROM ({}) AS every GROUP BY status ORDER BY 1", all.join(" UNION ALL "));
    let counts: Vec<(i64, u64)> = conn.query(sql).await.expect("counts");
    tell!("orders by status: {counts:?}");
    let ended: u64 = counts.iter().filter(|(status, _)| *status >= 4).map(|(_, count)| count).sum();
    assert!(ended >= ORDERS, "{counts:?}");
    assert!((4..=6).all(|status| counts.iter().any(|(found, _)| *found == status)), "{counts:?}");
}

#[test]
fn a_hundred_thousand_orders_survive_twenty_kills_on_mysql() {
    wait(survive(&mut Mysql::start_with(&ROOM)));
}

#[test]
fn a_hundred_thousand_orders_survive_twenty_kills_on_mariadb() {
    wait(survive(&mut MariaDb::start_with(&ROOM)));
}
