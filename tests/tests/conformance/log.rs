use std::sync::Arc;

use linli_connectors::log::{self, MemoryLog, OpenOptions, SharedLog, conformance};
use linli_tests::stack::Kafka;

use crate::report;

fn options() -> OpenOptions {
    OpenOptions { namespace: "conformance".to_owned(), ..OpenOptions::default() }
}

fn opener(url: String) -> conformance::Opener {
    Arc::new(move || {
        let url = url.clone();
        Box::pin(async move { log::open(&url, options()).await.expect("the log opens") })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka() {
    let kafka = Kafka::start();
    let cases = conformance::run(opener(kafka.url())).await;
    report(&format!("kafka {}", kafka.version().expect("a version")), cases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let cases = conformance::run(opener(format!("file://{}", directory.path().display()))).await;
    report("file log", cases);
}

#[tokio::test]
async fn memory_log() {
    let shared = MemoryLog::new(options());
    let open = move || {
        let log: SharedLog = Arc::new(shared.clone());
        Box::pin(async move { log }) as _
    };
    report("memory log", conformance::run(Arc::new(open)).await);
}
