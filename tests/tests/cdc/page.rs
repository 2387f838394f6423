//! A table that is held is on the Live page while it is, because figures made from it are behind.

use std::path::Path;
use std::process::Command;

use linli_tests::http::get;
use linli_tests::program::{self, Running};
use linli_tests::stack::MariaDb;

use crate::quarantine::{alter_silently, ask, change, shop, start, without_metadata};
use crate::runs::PARTITIONS;
use crate::shop::table_of;
use crate::{DEADLINE, wait};

/// The page on a data directory that a reader writes to.
fn serve(dir: &Path) -> (Running, String) {
    let partitions = PARTITIONS.to_string();
    let mut command = program::linli(["serve", "--listen", "127.0.0.1:0", "--zone", "Asia/Shanghai"]);
    let mut served = Running::start(command.args(["--partitions", &partitions, "--data-dir"]).arg(dir));
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
    let (served, url) = serve(dir);
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
