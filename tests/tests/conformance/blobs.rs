use std::sync::Arc;

use linli_connectors::blobs::{self, OpenOptions, SharedBlobs, conformance};

use crate::report;

fn options() -> OpenOptions {
    OpenOptions { namespace: "conformance".to_owned(), ..OpenOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_blobs() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("file://{}", directory.path().display());
    let open = move || {
        let url = url.clone();
        Box::pin(async move { blobs::open(&url, options()).await.expect("the store opens") }) as _
    };
    report("file blobs", conformance::run(Arc::new(open)).await);
}

#[tokio::test]
async fn memory_blobs() {
    let shared: SharedBlobs = blobs::open("memory://", options()).await.expect("the store opens");
    let open = move || {
        let blobs = Arc::clone(&shared);
        Box::pin(async move { blobs }) as _
    };
    report("memory blobs", conformance::run(Arc::new(open)).await);
}
