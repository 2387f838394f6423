use std::path::Path;
use std::time::Duration;

use linli_connectors::ErrorKind;
use linli_connectors::tables::{self, EngineCommand, OpenOptions, Tables};
use linli_tests::stack::Chdb;

use crate::report;

fn options(namespace: &str) -> OpenOptions {
    Chdb::library().expect("the engine can be fetched");
    let engine = EngineCommand { program: env!("CARGO_BIN_EXE_engine").into(), args: Vec::new() };
    OpenOptions { namespace: namespace.to_owned(), data_dir: None, engine: Some(engine) }
}

async fn open(directory: &Path, namespace: &str) -> Tables {
    let url = format!("chdb://{}", directory.display());
    tables::open(&url, options(namespace)).await.unwrap_or_else(|error| panic!("{error} ({:?})", error.hint))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chdb() {
    let directory = tempfile::tempdir().expect("a directory");
    let tables = open(directory.path(), "conform-1").await;
    let cases = tables::conformance::run(tables.clone()).await;
    report(&format!("chdb {}", tables.version().await.expect("a version")), cases);
    tables.close().await.expect("the engine ends by itself");
}

#[tokio::test]
async fn what_is_written_survives_the_end_and_the_death_of_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let tables = open(directory.path(), "").await;
    assert_eq!(tables.database(), "linli");
    tables.execute("CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n").await.expect("a table");
    tables.execute("INSERT INTO kept VALUES (1), (2)").await.expect("an insert");
    tables.close().await.expect("the engine ends by itself");

    let tables = open(directory.path(), "").await;
    assert_eq!(tables.fetch_all::<u64>("SELECT n FROM kept ORDER BY n").await.expect("rows"), [1, 2]);
    tables.execute("INSERT INTO kept VALUES (3)").await.expect("an insert");
    kill(tables.engine_pid().expect("a process of its own"));
    let error = tables.ping().await.expect_err("nobody answers");
    assert_eq!(error.kind, ErrorKind::Retry, "{error}");
    drop(tables);

    let tables = open(directory.path(), "").await;
    assert_eq!(tables.fetch_all::<u64>("SELECT n FROM kept ORDER BY n").await.expect("rows"), [1, 2, 3]);
    tables.close().await.expect("the engine ends by itself");
}

#[tokio::test]
async fn a_second_process_uses_the_first_ones_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let (owner, guest) = (open(directory.path(), "a").await, open(directory.path(), "b").await);
    assert_eq!(owner.engine_pid(), guest.engine_pid());
    guest.close().await.expect("leaves the engine alone");
    owner.ping().await.expect("still answers");
    // The owner goes without closing: the engine sees its standard input end.
    let pid = owner.engine_pid().expect("a process");
    drop((owner, guest));
    let next = open(directory.path(), "a").await;
    assert_ne!(next.engine_pid(), Some(pid));
    next.close().await.expect("the engine ends by itself");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_to_retry() {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let error =
        tables::open(&format!("clickhouse://127.0.0.1:{port}"), OpenOptions::default()).await.err().expect("no server");
    assert_eq!(error.kind, ErrorKind::Retry);
    assert!(error.hint.is_some());
}

fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    // It is this process's child: gone from its own point of view once its memory is.
    let gone = || !std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains("VmRSS"));
    for _ in 0..1_000 {
        if gone() {
            return;
        }
        #[allow(clippy::disallowed_methods)] // waits for the operating system
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} is still there");
}
