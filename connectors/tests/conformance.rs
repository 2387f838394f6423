//! Both suites on the implementations that need no server.

use std::sync::Arc;

use linli_connectors::blobs::{self, SharedBlobs};
use linli_connectors::log::{self, MemoryLog, SharedLog};

fn namespaced() -> log::OpenOptions {
    log::OpenOptions { namespace: "conformance".to_owned(), ..log::OpenOptions::default() }
}

#[tokio::test]
async fn memory_log() {
    let shared = MemoryLog::new(namespaced());
    let open = move || {
        let log: SharedLog = Arc::new(shared.clone());
        Box::pin(async move { log }) as _
    };
    assert!(log::conformance::run(Arc::new(open)).await > 0);
}

async fn run_file_log(settings: &'static str) {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("file://{}{settings}", directory.path().display());
    let open = move || {
        let url = url.clone();
        Box::pin(async move { log::open(&url, namespaced()).await.expect("the log opens") }) as _
    };
    assert!(log::conformance::run(Arc::new(open)).await > 0);
}

#[tokio::test]
async fn file_log() {
    run_file_log("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_log_with_short_segments() {
    run_file_log("?sync=off&segment_bytes=65536").await;
}

#[tokio::test]
async fn memory_blobs() {
    let options = blobs::OpenOptions { namespace: "conformance".to_owned(), ..blobs::OpenOptions::default() };
    let shared: SharedBlobs = blobs::open("memory://", options).await.expect("the store opens");
    let open = move || {
        let blobs = Arc::clone(&shared);
        Box::pin(async move { blobs }) as _
    };
    assert!(blobs::conformance::run(Arc::new(open)).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_blobs() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("file://{}", directory.path().display());
    let open = move || {
        let url = url.clone();
        let options = blobs::OpenOptions { namespace: "conformance".to_owned(), ..blobs::OpenOptions::default() };
        Box::pin(async move { blobs::open(&url, options).await.expect("the store opens") }) as _
    };
    assert!(blobs::conformance::run(Arc::new(open)).await > 0);
}
