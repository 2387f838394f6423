//! Over a real socket: draining, a port in use, a log that cannot be reached.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use linli_connectors::ErrorKind;
use linli_connectors::clock::SystemClock;
use linli_connectors::log::{EventLog, LogFaults, TopicSpec};
use linli_connectors::random::SystemRandom;
use linli_ingest::collect::{CollectOptions, Collector};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::GatedLog;

const DEADLINE: Duration = Duration::from_secs(60);

async fn bind(log: &GatedLog, listen: &str) -> linli_connectors::Result<Collector> {
    let options = CollectOptions { listen: listen.to_owned(), ..CollectOptions::default() };
    Collector::bind(Arc::new(log.clone()), Arc::new(SystemClock), Arc::new(SystemRandom::new()), options).await
}

async fn start(log: &GatedLog) -> (SocketAddr, CancellationToken, JoinHandle<linli_connectors::Result<()>>) {
    let collector = bind(log, "127.0.0.1:0").await.expect("a free port");
    let address = collector.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(collector.run(shutdown.clone()));
    (address, shutdown, running)
}

/// Sends one click on a connection of its own; the status, or `None` when the connection ended without an answer.
async fn post(address: SocketAddr, id: &str) -> Option<u16> {
    let body = format!(r#"{{"event_id":"{id}","type":"view","user_id":7,"community_id":12}}"#);
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!(
        "POST /v1/clicks HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_and_while_draining_is_on_the_log() {
    let log = GatedLog::new();
    let (address, shutdown, running) = start(&log).await;
    let senders: Vec<JoinHandle<BTreeSet<String>>> = (0..8)
        .map(|sender| {
            tokio::spawn(async move {
                let mut acknowledged = BTreeSet::new();
                for i in 0.. {
                    let id = format!("{sender}-{i}");
                    match post(address, &id).await {
                        Some(202) => acknowledged.insert(id),
                        Some(429 | 503) => false,
                        Some(other) => panic!("{other}"),
                        None => break, // it stopped listening
                    };
                }
                acknowledged
            })
        })
        .collect();
    let enough = async {
        while log.clicks().await.len() < 500 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, enough).await.expect("clicks arrive");
    shutdown.cancel();
    tokio::time::timeout(DEADLINE, running).await.expect("it drains").expect("no panic").expect("no error");
    let there: BTreeSet<String> =
        log.clicks().await.iter().filter_map(|click| click["event_id"].as_str().map(str::to_owned)).collect();
    let mut acknowledged = 0;
    for sender in senders {
        let ids = sender.await.expect("no panic");
        acknowledged += ids.len();
        assert!(ids.is_subset(&there));
    }
    assert!(acknowledged >= 400, "{acknowledged}");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_remedy() {
    let log = GatedLog::new();
    let first = bind(&log, "127.0.0.1:0").await.expect("a free port");
    let address = first.local_addr().expect("bound").to_string();
    let error = bind(&log, &address).await.err().expect("the port is taken");
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.to_string().contains(&address), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("another program has this port")));
    assert_eq!(bind(&log, "nonsense").await.err().expect("no address").kind, ErrorKind::Config);
}

#[tokio::test]
async fn a_log_that_comes_later_is_waited_for() {
    let log = GatedLog::new();
    log.inner.set_faults(LogFaults { other_calls_fail: 1.0, ..LogFaults::default() });
    let (address, shutdown, running) = start(&log).await;
    let first = tokio::spawn(async move { post(address, "a").await });
    log.inner.set_faults(LogFaults::default());
    assert_eq!(tokio::time::timeout(DEADLINE, first).await.expect("an answer").expect("no panic"), Some(202));
    shutdown.cancel();
    running.await.expect("no panic").expect("drained");
}

#[tokio::test]
async fn another_partition_count_stops_it() {
    let log = GatedLog::new();
    let topic = TopicSpec { name: "clicks".to_owned(), partitions: 3, compacted: false };
    log.create_topics(&[topic]).await.expect("made");
    let (_, _, running) = start(&log).await;
    let error =
        tokio::time::timeout(DEADLINE, running).await.expect("it ends").expect("no panic").expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.hint.is_some_and(|hint| hint.contains("--partitions 3")));
}
