//! The demo: one command, the page moves, Ctrl-C drains, and a second start goes on with the same totals.

use std::process::Command;

use linli_tests::http::get;
use linli_tests::program::{self, Running};

use crate::{DEADLINE, text};

fn start(data: &std::path::Path) -> (Running, String) {
    let args =
        ["demo", "--listen", "127.0.0.1:0", "--zone", "Asia/Shanghai", "--data-dir", &text(data)].map(str::to_owned);
    let mut demo = Running::start(&mut program::linli(args));
    let line = demo.wait_for(DEADLINE, |line| line.contains("http://127.0.0.1:"));
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    (demo, url.trim_end_matches('/').to_owned())
}

fn wait_until<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let tries = DEADLINE.as_millis() / 200;
    for _ in 0..tries {
        if let Some(found) = probe() {
            return found;
        }
        pause();
    }
    panic!("the awaited state did not come");
}

#[allow(clippy::disallowed_methods)] // between two looks at a real process
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(200));
}

#[test]
fn the_page_moves_in_both_languages_and_a_second_start_goes_on_with_the_same_totals() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let (demo, url) = start(data.path());
    let orders = |live: &serde_json::Value| live["today"]["orders"].as_i64();
    wait_until(|| orders(&get(&url, "/api/v1/live")).filter(|count| *count > 0));
    // late in the shop's day there are hours to catch up with, and until then the page rightly says that it is behind
    wait_until(|| {
        let live = get(&url, "/api/v1/live");
        let (now, as_of) = (live["server_time"].as_i64()?, live["as_of"].as_i64()?);
        (now - as_of < 60_000).then_some(())
    });

    let shots = program::root().join("target/browser");
    let browser = Command::new("node")
        .args([&text(&program::root().join("tests/browser/live.mjs")), "--url", &url, "--out", &text(&shots)])
        .output()
        .expect("node is installed");
    let printed = String::from_utf8_lossy(&browser.stdout).into_owned() + &String::from_utf8_lossy(&browser.stderr);
    assert!(browser.status.success(), "{printed}");

    let before = get(&url, "/api/v1/live");
    let (status, lines) = demo.interrupt(DEADLINE);
    assert!(status.success(), "{lines:#?}");

    let (demo, url) = start(data.path());
    let after = wait_until(|| Some(get(&url, "/api/v1/live")).filter(|live| orders(live) >= orders(&before)));
    for number in ["orders", "gmv"] {
        let value = |live: &serde_json::Value| live["today"][number].as_i64().expect("a number");
        assert!(value(&after) >= value(&before), "{number}: {before} then {after}");
    }
    let (status, lines) = demo.interrupt(DEADLINE);
    assert!(status.success(), "{lines:#?}");
}
