//! The job against a server that takes, delays, refuses and breaks off.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use linli_connectors::ErrorKind;
use linli_connectors::blobs::{BlobFaults, Blobs, FaultyBlobs, OpenOptions as BlobOptions, PutOutcome, SharedBlobs};
use linli_connectors::clock::Clock;
use linli_connectors::random::SeededRandom;
use linli_restock::mail::job::{Job, JobOptions, Report, RunOrders, Stay};
use linli_restock::mail::mailer::{self, OpenOptions, SharedMailer};
use linli_restock::mail::outbox::Outbox;
use linli_restock::mail::{Error, Problem, SupplierOrder};
use linli_schemas::forecast::RunId;
use linli_schemas::zone::Zone;
use mail_parser::MessageParser;

use crate::sample::{AT, CUT_OFF, RUN, line, order, sender};
use linli_tests::smtp::{Act, Mode, Server};

/// Time that passes by being slept.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn at(ms: i64) -> Arc<TestClock> {
        Arc::new(TestClock(AtomicI64::new(ms)))
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.fetch_add(duration.as_millis() as i64, Ordering::SeqCst);
        Box::pin(tokio::task::yield_now())
    }
}

pub async fn memory() -> SharedBlobs {
    linli_connectors::blobs::open("memory://", BlobOptions::default()).await.expect("opens")
}

pub fn job(url: &str, blobs: &SharedBlobs, clock: &Arc<TestClock>, stay: Stay) -> Job {
    let random = Arc::new(SeededRandom::new(7));
    Job::new(blobs.clone(), mailer(url), clock.clone(), random, options(stay))
}

fn mailer(url: &str) -> SharedMailer {
    let options = OpenOptions { timeout: Duration::from_secs(10), ..OpenOptions::default() };
    mailer::open(url, &options).expect("opens")
}

fn options(stay: Stay) -> JobOptions {
    JobOptions {
        namespace: String::new(),
        sender: sender(),
        zone: Zone::SHANGHAI,
        links: None,
        attempt_ms: 30_000,
        remind_before_ms: None,
        stay,
    }
}

pub fn orders(suppliers: i64) -> RunOrders {
    let of = |supplier_id| order(supplier_id, vec![line(supplier_id * 10), line(supplier_id * 10 + 1)]);
    RunOrders { run: RunId::parse(RUN).expect("a run"), orders: (1..=suppliers).map(of).collect() }
}

fn ids(server: &Server) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for got in server.received() {
        let mail = MessageParser::default().parse(&got.bytes).expect("a mail");
        ids.entry(got.to.clone()).or_default().insert(mail.message_id().expect("an id").to_owned());
    }
    ids
}

async fn delivered(server: &Server, suppliers: i64, stay: Stay) -> Report {
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    job(&server.url(), &blobs, &clock, stay).run(orders(suppliers)).await.expect("runs")
}

#[tokio::test]
async fn each_supplier_gets_its_own_lines_once() {
    let server = Server::start(Mode::StartTls).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    let first = job(&server.url(), &blobs, &clock, Stay::UntilSent).run(orders(3)).await.expect("runs");
    let received = server.received();
    assert_eq!(
        received.iter().map(|got| got.to.as_str()).collect::<Vec<_>>(),
        ["s1@example.com", "s2@example.com", "s3@example.com"]
    );
    for (supplier, got) in (1..).zip(&received) {
        assert_eq!((got.from.as_str(), got.secured, got.signed_in), ("orders@linli.example", true, true));
        let mail = MessageParser::default().parse(&got.bytes).expect("a mail");
        let text = mail.body_text(0).expect("text");
        for other in 1..=3 {
            assert_eq!(text.contains(&format!("A-{other}0 ")), other == supplier, "{text}");
        }
        let file = mail.attachment(0).expect("a file").contents().to_vec();
        let mut book: calamine::Xlsx<_> = calamine::Reader::new(std::io::Cursor::new(file)).expect("a workbook");
        let cells = calamine::Reader::worksheet_range(&mut book, "订货明细").expect("a sheet");
        let codes: Vec<String> = (1..=2).map(|row| cells.get_value((row, 0)).expect("a cell").to_string()).collect();
        assert_eq!(codes, [format!("A-{supplier}0"), format!("A-{supplier}1")]);
    }
    assert_eq!(
        first.sent.iter().map(|sent| (sent.supplier_id, sent.attempts)).collect::<Vec<_>>(),
        [(1, 1), (2, 1), (3, 1)]
    );
    assert!(first.sent[0].answer.starts_with("250 2.0.0 taken"), "{:?}", first.sent[0]);
    // Started again it sends nothing and says the same.
    let again = job(&server.url(), &blobs, &clock, Stay::UntilSent).run(orders(3)).await.expect("runs");
    assert_eq!((server.received().len(), again), (3, first));
}

#[tokio::test]
async fn what_is_put_off_is_tried_again_later() {
    for act in [
        Act::Recipient("451 4.7.1 greylisted"),
        Act::End("452 4.3.1 no space"),
        Act::Sender("450 later"),
        Act::Sender("421 4.3.2 shutting down"),
    ] {
        let server = Server::start(Mode::StartTls).await;
        // the second conversation of a pass is no retry
        server.script([Act::Take, act.clone(), act.clone()]);
        let (blobs, clock) = (memory().await, TestClock::at(AT));
        let once = job(&server.url(), &blobs, &clock, Stay::Once).run(orders(2)).await.expect("runs");
        assert_eq!((once.sent.len(), once.waiting.len()), (1, 1), "{act:?}: {once:?}");
        assert_eq!((once.waiting[0].supplier_id, once.waiting[0].next_at), (2, AT + 15_000), "{act:?}");
        let report = job(&server.url(), &blobs, &clock, Stay::UntilSent).run(orders(2)).await.expect("runs");
        assert_eq!((report.sent.len(), report.waiting.len(), report.problems.len()), (2, 0, 0), "{act:?}");
        assert!(report.sent[1].attempts >= 2 && report.sent[1].at >= AT + 15_000, "{act:?}: {report:?}");
        assert!(ids(&server).values().all(|ids| ids.len() == 1), "{act:?}");
        assert_eq!(server.received().len(), 2, "{act:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_told_and_not_tried_again() {
    let server = Server::start(Mode::StartTls).await;
    server.script([Act::Recipient("550 5.1.1 no such user"), Act::End("554 5.7.1 looks like\tspam")]);
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    for _ in 0..2 {
        let report = job(&server.url(), &blobs, &clock, Stay::UntilSent).run(orders(3)).await.expect("runs");
        assert_eq!(report.sent.iter().map(|sent| sent.supplier_id).collect::<Vec<_>>(), [3]);
        let [Problem::Refused { supplier_id: 1, answer: first }, Problem::Refused { supplier_id: 2, answer: second }] =
            &report.problems[..]
        else {
            panic!("{:?}", report.problems)
        };
        assert!(first.contains("550") && first.contains("no such user"), "{first}");
        assert!(second.contains("554") && second.contains("looks like spam"), "{second}");
    }
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_cut_before_the_answer_repeats_the_same_message_and_one_after_it_none() {
    let server = Server::start(Mode::Implicit).await;
    server.script([Act::CutBeforeAnswer, Act::CutAfterAnswer]);
    let report = delivered(&server, 3, Stay::UntilSent).await;
    assert_eq!((report.sent.len(), report.problems.len()), (3, 0), "{report:?}");
    let received = server.received();
    let of = |to: &str| received.iter().filter(|got| got.to == to).collect::<Vec<_>>();
    assert_eq!((of("s1@example.com").len(), of("s2@example.com").len(), of("s3@example.com").len()), (2, 1, 1));
    assert_eq!(of("s1@example.com")[0], of("s1@example.com")[1], "the repeat is the same message");
}

#[tokio::test]
async fn a_server_that_is_away_until_the_cut_off_is_missed_by_all() {
    let server = Server::start(Mode::StartTls).await;
    let url = server.url();
    drop(server);
    tokio::task::yield_now().await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    let report = job(&url, &blobs, &clock, Stay::UntilSent).run(orders(3)).await.expect("runs");
    assert!(report.sent.is_empty() && report.waiting.is_empty());
    assert_eq!(report.problems.len(), 3);
    for problem in &report.problems {
        let Problem::Missed { reason, attempts, .. } = problem else { panic!("{problem:?}") };
        assert!(*attempts <= 20 && (reason.contains("connecting") || *attempts == 0), "{problem:?}");
    }
    assert!((CUT_OFF..CUT_OFF + 120_000).contains(&clock.now_ms()), "it stayed until the cut-off: {}", clock.now_ms());
    // A run that comes after the cut-off is said to be too late, and not sent.
    let server = Server::start(Mode::StartTls).await;
    let late = job(&server.url(), &memory().await, &clock, Stay::UntilSent).run(orders(1)).await.expect("runs");
    assert!(matches!(&late.problems[..], [Problem::Missed { attempts: 0, .. }]), "{late:?}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn what_a_person_must_mend_stops_the_job_and_loses_nothing() {
    let server = Server::start(Mode::StartTls).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    let plain = Server::start(Mode::Plain).await;
    let wrong_password = server.url().replace("s3cr3t", "wr0ng");
    let no_authority = server.url().split('?').next().expect("a URL").to_owned();
    let other_name = server.url().replace("localhost", "127.0.0.1");
    let no_tls = format!("smtp://localhost:{}", plain.port());
    for (url, told) in
        [(&wrong_password, "535"), (&no_authority, "certificate"), (&other_name, "certificate"), (&no_tls, "STARTTLS")]
    {
        let error = job(url, &blobs, &clock, Stay::UntilSent).run(orders(2)).await.expect_err(url);
        let Error::Port(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind, ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(told) && error.hint.is_some(), "{error}");
        assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");
    }
    assert!(server.received().is_empty() && plain.received().is_empty());
    server.script([Act::Sender("553 5.7.1 not your address")]);
    let error = job(&server.url(), &blobs, &clock, Stay::UntilSent).run(orders(2)).await.expect_err("the sender");
    assert!(error.to_string().contains("553"), "{error}");
    // Mended, it goes on at once.
    let report = job(&server.url(), &blobs, &clock, Stay::Once).run(orders(2)).await.expect("runs");
    assert_eq!((report.sent.len(), server.received().len()), (2, 2));
}

#[tokio::test]
async fn jobs_at_the_same_time_send_each_mail_once() {
    let server = Server::start(Mode::StartTls).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    let jobs = (0..4).map(|seed| {
        // The test's clock runs ahead while others send.
        let options = JobOptions { attempt_ms: 3_600_000, ..options(Stay::UntilSent) };
        let random = Arc::new(SeededRandom::new(seed));
        let job = Job::new(blobs.clone(), mailer(&server.url()), clock.clone(), random, options);
        async move { job.run(orders(12)).await.expect("runs") }
    });
    let mut running: Vec<_> = jobs.map(tokio::spawn).collect();
    for job in running.drain(..) {
        job.await.expect("ends");
    }
    assert_eq!(server.received().len(), 12);
    assert_eq!(ids(&server).len(), 12);
}

#[tokio::test]
async fn a_blob_store_that_fails_now_and_then_makes_no_second_message() {
    for seed in 0..12 {
        let server = Server::start(Mode::Plain).await;
        let (inner, clock) = (memory().await, TestClock::at(AT));
        let faults = BlobFaults { before: 0.1, after: 0.1 };
        let blobs: SharedBlobs = Arc::new(FaultyBlobs::new(inner, seed, faults));
        let mut runs = 0;
        let report = loop {
            runs += 1;
            assert!(runs < 20, "seed {seed} does not end");
            match job(&server.url(), &blobs, &clock, Stay::UntilSent).run(orders(6)).await {
                Ok(report) => break report,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Retry, "{error}"),
            }
        };
        assert_eq!((report.sent.len(), report.problems.len()), (6, 0), "seed {seed}");
        let ids = ids(&server);
        assert!(ids.len() == 6 && ids.values().all(|ids| ids.len() == 1), "seed {seed}: {ids:?}");
    }
}

#[tokio::test]
async fn who_has_not_answered_is_reminded_once() {
    let server = Server::start(Mode::StartTls).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    server.script([Act::Take, Act::Take, Act::Recipient("550 no such user")]);
    let answered = format!("restock/answers/{RUN}/2/00000001");
    blobs.put(&answered, Bytes::from_static(b"{}")).await.expect("stored");
    let reminding = |stay| {
        let options = JobOptions { remind_before_ms: Some(3_600_000), ..options(stay) };
        Job::new(blobs.clone(), mailer(&server.url()), clock.clone(), Arc::new(SeededRandom::new(7)), options)
    };
    let early = reminding(Stay::UntilSent).run(orders(3)).await.expect("runs");
    assert_eq!((early.sent.len(), server.received().len()), (2, 2), "none before it is due");
    let report = reminding(Stay::UntilCutOff).run(orders(3)).await.expect("runs");
    let received = server.received();
    assert_eq!(received.len(), 3, "{report:?}");
    assert_eq!(received[2].to, "s1@example.com");
    let (first, second) = (&received[0].bytes, &received[2].bytes);
    let (first, second) = (
        MessageParser::default().parse(first).expect("a mail"),
        MessageParser::default().parse(second).expect("a mail"),
    );
    assert_eq!(second.in_reply_to().as_text(), first.message_id());
    assert_ne!(second.message_id(), first.message_id());
    assert!(second.subject().expect("a subject").starts_with("提醒"));
    let at = second.date().expect("a date").to_timestamp() * 1000;
    assert!((CUT_OFF - 3_600_000..CUT_OFF).contains(&at), "{at}");
    reminding(Stay::UntilCutOff).run(orders(3)).await.expect("runs");
    assert_eq!(server.received().len(), 3, "once");
}

#[tokio::test]
async fn who_got_an_order_that_was_withdrawn_is_told_once_and_nobody_else_is() {
    let server = Server::start(Mode::StartTls).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    let run = RunId::parse(RUN).expect("a run");
    let reminding = || {
        let options = JobOptions { remind_before_ms: Some(3_600_000), ..options(Stay::UntilCutOff) };
        Job::new(blobs.clone(), mailer(&server.url()), clock.clone(), Arc::new(SeededRandom::new(7)), options)
    };
    // the first gets its order, the second is refused, the third is put off
    server.script([Act::Take, Act::Recipient("550 5.1.1 no such user"), Act::Recipient("451 4.7.1 greylisted")]);
    job(&server.url(), &blobs, &clock, Stay::Once).run(orders(3)).await.expect("runs");
    assert_eq!(server.received().len(), 1);

    server.script([Act::End("452 4.3.1 no space"), Act::CutBeforeAnswer]);
    let told = job(&server.url(), &blobs, &clock, Stay::UntilSent).withdraw(&run).await.expect("runs");
    let sent: Vec<(i64, &str, u32)> =
        told.sent.iter().map(|sent| (sent.supplier_id, sent.kind.name(), sent.attempts)).collect();
    assert_eq!((sent, told.problems.len()), (vec![(1, "withdrawal", 3)], 0), "{told:?}");
    let received = server.received();
    assert_eq!(received.len(), 3, "one, and its repeat after the cut");
    assert_eq!(received[1], received[2]);
    let (order, withdrawal) = (
        MessageParser::default().parse(&received[0].bytes).expect("a mail"),
        MessageParser::default().parse(&received[2].bytes).expect("a mail"),
    );
    assert_eq!(withdrawal.in_reply_to().as_text(), order.message_id());
    assert_ne!(withdrawal.message_id(), order.message_id());

    // neither the order that waited nor a reminder goes out any more, also by a job that had begun before
    for _ in 0..2 {
        let error = reminding().run(orders(3)).await.expect_err("the run is withdrawn");
        assert!(matches!(&error, Error::Withdrawn { .. }) && error.hint().is_some(), "{error:?}");
        job(&server.url(), &blobs, &clock, Stay::UntilSent).withdraw(&run).await.expect("runs");
    }
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_job_that_waits_sends_nothing_of_a_run_that_is_withdrawn_meanwhile() {
    let server = Server::start(Mode::StartTls).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    let run = RunId::parse(RUN).expect("a run");
    server.script([Act::Take, Act::Recipient("451 4.7.1 greylisted")]);
    let withdrawing: SharedBlobs = Arc::new(WithdrawnAfter { inner: blobs.clone(), clock: clock.clone() });
    let options = JobOptions { remind_before_ms: Some(3_600_000), ..options(Stay::UntilCutOff) };
    let random = Arc::new(SeededRandom::new(7));
    let job = Job::new(withdrawing, mailer(&server.url()), clock.clone(), random, options);
    let report = job.run(orders(2)).await.expect("runs");
    assert_eq!(report.sent.iter().map(|sent| sent.supplier_id).collect::<Vec<_>>(), [1], "{report:?}");
    assert!(matches!(&report.problems[..], [Problem::Withdrawn { supplier_id: 2 }]), "{report:?}");
    assert_eq!(server.received().len(), 1, "no reminder either");
    assert!(Outbox::new(blobs).is_withdrawn(&run).await.expect("read"));
}

/// A blob store on which the run is withdrawn as soon as time has passed.
struct WithdrawnAfter {
    inner: SharedBlobs,
    clock: Arc<TestClock>,
}

#[async_trait]
impl Blobs for WithdrawnAfter {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> linli_connectors::Result<PutOutcome> {
        self.inner.put_if_absent(key, bytes).await
    }
    async fn put(&self, key: &str, bytes: Bytes) -> linli_connectors::Result<()> {
        self.inner.put(key, bytes).await
    }
    async fn get(&self, key: &str) -> linli_connectors::Result<Option<Bytes>> {
        if self.clock.now_ms() > AT {
            let run = RunId::parse(RUN).expect("a run");
            Outbox::new(self.inner.clone()).withdraw(&run, self.clock.now_ms()).await?;
        }
        self.inner.get(key).await
    }
    async fn list(&self, prefix: &str) -> linli_connectors::Result<Vec<String>> {
        self.inner.list(prefix).await
    }
    async fn delete(&self, key: &str) -> linli_connectors::Result<()> {
        self.inner.delete(key).await
    }
}

#[tokio::test]
async fn orders_that_were_stored_hold_for_the_whole_run() {
    let server = Server::start(Mode::Plain).await;
    let (blobs, clock) = (memory().await, TestClock::at(AT));
    server.script([Act::Recipient("451 later")]);
    job(&server.url(), &blobs, &clock, Stay::Once).run(orders(1)).await.expect("runs");
    let mut altered = orders(1);
    altered.orders[0].lines[0].quantity = 9_000;
    let report = job(&server.url(), &blobs, &clock, Stay::UntilSent).run(altered).await.expect("runs");
    assert_eq!(report.sent.len(), 1);
    let kept: SupplierOrder =
        Outbox::new(blobs).order(&RunId::parse(RUN).expect("a run"), 1).await.expect("read").expect("an order");
    assert_eq!(kept.lines[0].quantity, 24);
    let text = String::from_utf8_lossy(&server.received()[0].bytes).into_owned();
    assert!(!text.contains("9,000"));
}
