//! The job in a process of its own, killed while it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::blobs::{self, OpenOptions as BlobOptions};
use linli_connectors::clock::{Clock, SystemClock};
use linli_connectors::random::SystemRandom;
use linli_restock::mail::job::{Job, JobOptions, Stay};
use linli_restock::mail::mailer::{self, OpenOptions};
use linli_schemas::zone::Zone;
use mail_parser::MessageParser;

use crate::delivery::orders;
use crate::sample::sender;
use linli_tests::smtp::{Act, Mode, Received, Server};

const KILLS: usize = 20;
const SUPPLIERS: i64 = 45;
/// Set for the process that is killed: the blob store's directory and the mail server.
const DIRECTORY: &str = "LINLI_TEST_MAIL_DIRECTORY";
const SERVER: &str = "LINLI_TEST_MAIL_SERVER";

/// Not a test but what is killed: this binary, started again with the two variables.
#[test]
fn child_that_mails() {
    let (Ok(directory), Ok(url)) = (std::env::var(DIRECTORY), std::env::var(SERVER)) else { return };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let blobs = blobs::open(&format!("file://{directory}"), BlobOptions::default()).await.expect("opens");
        let options = JobOptions {
            namespace: String::new(),
            sender: sender(),
            zone: Zone::SHANGHAI,
            links: None,
            attempt_ms: 300,
            remind_before_ms: None,
            stay: Stay::UntilSent,
        };
        let mailer = mailer::open(&url, &OpenOptions::default()).expect("opens");
        let job = Job::new(blobs, mailer, Arc::new(SystemClock), Arc::new(SystemRandom::new()), options);
        let mut run = orders(SUPPLIERS);
        // The first child's order is stored and holds.
        let cut_off = SystemClock.now_ms() + 3_600_000;
        run.orders.iter_mut().for_each(|order| order.must_order_by = cut_off);
        let report = job.run(run).await.expect("runs");
        assert_eq!((report.sent.len() as i64, report.problems.len()), (SUPPLIERS, 0), "{report:?}");
    });
}

fn start(directory: &Path, url: &str) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "kills::child_that_mails", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(SERVER, url)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_every_supplier_gets_one_message() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(Mode::StartTls).await;
    for round in 0..KILLS {
        // Killed before the answer, after it, and somewhere on the way to the next.
        let taken = round % 3;
        let last = if round % 2 == 0 { Act::Hang } else { Act::Tell };
        server.script((0..taken).map(|_| Act::Take).chain([last]));
        let mut child = start(directory.path(), &server.url());
        tokio::time::timeout(Duration::from_secs(60), server.told.recv()).await.expect("in time").expect("told");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let mut child = start(directory.path(), &server.url());
    let ended = tokio::task::spawn_blocking(move || child.wait().expect("ended"));
    assert!(tokio::time::timeout(Duration::from_secs(120), ended).await.expect("in time").expect("waited").success());

    let mut by_supplier: BTreeMap<String, Vec<Received>> = BTreeMap::new();
    for got in server.received() {
        by_supplier.entry(got.to.clone()).or_default().push(got);
    }
    assert_eq!(by_supplier.len() as i64, SUPPLIERS, "every supplier got its mail");
    let mut every = BTreeSet::new();
    for (to, copies) in &by_supplier {
        let mail = MessageParser::default().parse(&copies[0].bytes).expect("a mail");
        assert!(every.insert(mail.message_id().expect("an id").to_owned()), "{to} has another's id");
        assert!(copies.iter().all(|copy| copy.bytes == copies[0].bytes), "{to} got two messages");
    }
    let repeats: usize = by_supplier.values().map(|copies| copies.len() - 1).sum();
    // A kill before the answer repeats its message; one behind it may, if the answer was not written down yet.
    assert!((KILLS / 2..=KILLS).contains(&repeats), "{repeats} repeats after {KILLS} kills");
}
