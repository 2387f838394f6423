//! What is wrong is named, with a hint; what was accepted is kept.

use std::net::TcpListener;

use linli_tests::lines::Lines;
use linli_tests::oracle::Definitions;
use linli_tests::program::{self, Finished};

use crate::{Case, text};

fn refused(args: &[&str]) -> Finished {
    program::run(&mut program::linli(args))
}

#[test]
fn unreachable_endpoints_are_named_with_a_hint() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let data = text(data.path());
    for (flag, url) in [
        ("--log", "kafka://127.0.0.1:1"),
        ("--serving", "redis://127.0.0.1:1"),
        ("--warehouse", "clickhouse://127.0.0.1:1"),
        ("--shop", "mysql://linli:s3cret@127.0.0.1:1"),
    ] {
        let check = refused(&["check", flag, url, "--data-dir", &data]);
        assert_eq!(check.code, Some(3), "{check:?}");
        let printed = format!("{}{}", check.stdout, check.stderr);
        assert!(printed.contains("127.0.0.1:1") && printed.contains("hint:"), "{printed}");
        assert!(!printed.contains("s3cret"), "{printed}");
    }
    for (url, code, words) in
        [("smtp://orders:s3cret@127.0.0.1:1", 3, "127.0.0.1:1"), ("file:///proc/mails", 2, "/proc/mails")]
    {
        let check = program::run(program::linli(["check", "--data-dir", &data]).env("LINLI__MAIL__URL", url));
        let printed = format!("{}{}", check.stdout, check.stderr);
        assert!(check.code == Some(code) && printed.contains(words) && printed.contains("hint:"), "{check:?}");
        assert!(!printed.contains("s3cret"), "{printed}");
    }
    let check = refused(&["check", "--log", "carrier-pigeon://loft", "--data-dir", &data]);
    assert_eq!(check.code, Some(2), "{check:?}");
    let fine = refused(&["check", "--data-dir", &data]);
    assert_eq!(fine.code, Some(0), "{fine:?}");
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let data = tempfile::tempdir().expect("a temporary folder");
    for command in [["ingest", "collect"].as_slice(), &["serve"], &["demo"]] {
        let mut args = command.to_vec();
        let data = text(data.path());
        args.extend(["--listen", &address, "--data-dir", &data]);
        let failed = refused(&args);
        assert_eq!(failed.code, Some(2), "{command:?}: {failed:?}");
        assert!(failed.stderr.contains(&address) && failed.stderr.contains("hint:"), "{}", failed.stderr);
    }
}

#[test]
fn lines_that_cannot_be_read_go_to_the_dead_letter_and_the_others_count() {
    let mut case = Case::new(&Lines { seed: 51, count: 2_000, ..Lines::default() });
    let bad = [
        "{broken",
        "[]",
        r#"{"event_id":"b1","kind":"order"}"#,
        r#"{"event_id":"b2","kind":"click","user_id":"seven","community_id":1,"type":"view","sku_id":1,"ts":1743000000000}"#,
        r#"{"event_id":"b3","kind":"click","user_id":7,"community_id":1,"type":"teleport","sku_id":1,"ts":1743000000000}"#,
        r#"{"event_id":"b4","kind":"click","user_id":7,"community_id":1,"type":"view","sku_id":1,"ts":4070908800000}"#,
        r#"{"event_id":"b5","kind":"wish","user_id":7}"#,
    ];
    let mut mixed = case.lines.clone();
    for (i, line) in bad.iter().enumerate() {
        mixed.insert(i * 200, (*line).to_owned());
    }
    case.file = case.path("mixed.ndjson");
    std::fs::write(&case.file, mixed.join("\n")).expect("the folder can be written");
    let result = case.run(&["--zone", "UTC"]).json();
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());
    assert_eq!(result["dead_lettered"].as_u64(), Some(bad.len() as u64), "{result}");

    let data = text(&case.path("data"));
    let listed = refused(&["dead-letter", "list", "--json", "--zone", "UTC", "--data-dir", &data]).succeeded();
    for id in ["{broken", "b1", "b2", "b3", "b4", "b5"] {
        assert!(listed.stdout.contains(id), "{id} is listed with its original text: {}", listed.stdout);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let failed = refused(&["backfill", "/nowhere/history.ndjson", "--data-dir", &text(data.path())]);
    assert_eq!(failed.code, Some(4), "{failed:?}");
    assert!(failed.stderr.contains("/nowhere/history.ndjson"), "{}", failed.stderr);
}

/// A file-size limit stands in for a full disk: writing fails in the middle of an append.
#[test]
fn a_full_disk_is_named_and_the_run_after_it_ends_with_the_same_answers() {
    let case = Case::new(&Lines { seed: 52, count: 20_000, ..Lines::default() });
    let args: Vec<String> = case.backfill(&["--zone", "UTC", "--partitions", "1"]);
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let limited =
        format!("trap '' XFSZ; ulimit -f 4096; exec timeout 60 '{}' {}", text(&program::binary()), quoted.join(" "));
    let failed = program::run(std::process::Command::new("bash").args(["-c", &limited]));
    assert_ne!(failed.code, Some(0), "{failed:?}");
    assert!(failed.stderr.contains("data/log") || failed.stderr.contains("file:///"), "{}", failed.stderr);
    case.run(&["--zone", "UTC", "--partitions", "1"]);
    assert_eq!(case.differences(Definitions::of_zone(0)), Vec::<String>::new());
}
