//! A table that is held is on the Live page while it is, because figures made from it are behind.

use std::path::Path;
use std::process::Command;

use linli_connectors::log::{self, NewRecord, OpenOptions, TopicSpec};
use linli_schemas::Topic;
use linli_schemas::alert::{Alert, AlertState, QUARANTINE};
use linli_tests::http::get;
use linli_tests::program::{self, Running};
use linli_tests::stack::{Kafka, MariaDb};

use crate::quarantine::{alter_silently, ask, change, shop, start, without_metadata};
use crate::runs::PARTITIONS;
use crate::shop::table_of;
use crate::{DEADLINE, wait, wait_until};

/// The page on a data directory, and on a log elsewhere if one is named.
fn serve(dir: &Path, log: Option<&str>) -> (Running, String) {
    let partitions = PARTITIONS.to_string();
    let mut command = program::linli(["serve", "--listen", "127.0.0.1:0", "--zone", "Asia/Shanghai"]);
    let mut served = Running::start(
        command
            .args(["--partitions", &partitions, "--data-dir"])
            .arg(dir)
            .args(log.map(|log| ["--log", log]).iter().flatten()),
    );
    let line = served.wait_for(DEADLINE, |line| line.contains("the page is at http://"));
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    (served, url)
}

/// The script that looks at the page with a browser.
fn look(url: &str, table: &str) -> Running {
    let root = program::root();
    let seconds = DEADLINE.as_secs().to_string();
    let mut command = Command::new("node");
    command.arg(root.join("tests/browser/alerts.mjs")).args(["--url", url, "--table", table]);
    command.args(["--deadline-s", &seconds, "--out"]).arg(root.join("target/browser"));
    Running::start(&mut command)
}

async fn shown_until_it_is_cured(server: &MariaDb) {
    let dir = tempfile::tempdir().expect("a folder");
    let (server, dir) = (server.url(), dir.path());
    let mut shop = shop(&server, dir).await;
    let table = table_of(0);
    let running = start(&server, dir);
    let (served, url) = serve(dir, None);
    let mut browser = look(&url, &table);
    browser.wait_for(DEADLINE, |line| line == "calm");
    alter_silently(&server, &table, "MODIFY note VARCHAR(200) FIRST").await;
    change(&mut shop, 0, 2).await;
    browser.wait_for(DEADLINE, |line| line == "held");
    let alerts = get(&url, "/api/v1/alerts");
    assert_eq!((alerts["total"].as_u64(), alerts["tables"].as_u64()), (Some(1), Some(1)), "{alerts}");
    let firing = &alerts["firing"][0];
    assert_eq!(firing["held"]["table"].as_str(), Some(&*table), "{alerts}");
    assert!(
        firing["subject"].as_str().is_some_and(|subject| server.contains(subject.split('/').next().unwrap_or("?")))
    );
    assert!(firing["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{alerts}");
    ask(&server, dir, &["quarantine", "apply", &table, "--current-definition"]).succeeded();
    let (status, lines) = browser.wait(DEADLINE);
    assert!(status.success() && lines.iter().any(|line| line == "cured"), "{lines:#?}");
    assert_eq!(get(&url, "/api/v1/alerts")["total"].as_u64(), Some(0));
    running.kill();
    let (status, lines) = served.interrupt(DEADLINE);
    assert!(status.success(), "{lines:#?}");
}

#[test]
fn a_table_that_is_held_is_on_the_page_until_it_is_cured() {
    let mut server = MariaDb::start();
    without_metadata(&mut server, "NO_LOG");
    wait(shown_until_it_is_cured(&server));
}

/// Tells an alert as change capture does with `cdc.transactions`: the marker behind it takes an offset.
async fn tell(kafka: &Kafka, state: AlertState) {
    let url = format!("{}?transactional.id=reader", kafka.url());
    let log = log::open(&url, OpenOptions::default()).await.expect("the log opens");
    let name = Topic::Alerts.name();
    let spec = TopicSpec { name: name.to_owned(), partitions: PARTITIONS, compacted: false };
    log.create_topics(&[spec]).await.expect("a topic");
    let (rule, subject) = (QUARANTINE.to_owned(), "h:1/s.t".to_owned());
    let alert = Alert { rule, subject, state, value: 1.0, threshold: None, since: 5, reason: None };
    let (key, value) = (alert.log_key().into(), Some(alert.encode().into()));
    log.append(vec![NewRecord { topic: name.into(), partition: 1, timestamp_ms: 5, key, value }]).await.expect("told");
}

/// What the page says of its log, and how many alerts fire.
async fn says(url: &str, source: &str, total: u64) {
    let wanted = (Some(source), Some(total));
    wait_until(&format!("{source}, {total}"), async || {
        let alerts = get(url, "/api/v1/alerts");
        (alerts["source"].as_str(), alerts["total"].as_u64()) == wanted
    })
    .await;
}

async fn on_kafka(kafka: &mut Kafka) {
    let dir = tempfile::tempdir().expect("a folder");
    let (served, url) = serve(dir.path(), Some(&kafka.url()));
    says(&url, "ok", 0).await; // no topic yet
    tell(kafka, AlertState::Firing).await;
    says(&url, "ok", 1).await;
    kafka.kill();
    says(&url, "failing", 1).await;
    assert!(served.interrupt(DEADLINE).0.success());
    let (served, url) = serve(dir.path(), Some(&kafka.url()));
    says(&url, "failing", 0).await;
    assert!(get(&url, "/api/v1/live")["day_start"].is_i64(), "the page itself is served");
    kafka.run().expect("the broker comes back");
    says(&url, "ok", 1).await;
    tell(kafka, AlertState::Resolved).await;
    says(&url, "ok", 0).await;
    assert!(served.interrupt(DEADLINE).0.success());
}

#[test]
fn a_broker_that_is_away_is_told_as_that_and_the_page_goes_on() {
    wait(on_kafka(&mut Kafka::start()));
}
