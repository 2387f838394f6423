use std::sync::{Arc, Mutex};

use bytes::Bytes;
use linli_connectors::ErrorKind;
use linli_connectors::serving::{self, MemoryServing, OpenOptions, SharedServing, Upsert, conformance};
use linli_tests::stack::Redis;

use crate::report;

fn options(namespace: &str) -> OpenOptions {
    OpenOptions { namespace: namespace.to_owned(), ..OpenOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    let redis = Arc::new(Redis::start());
    let (url, flushed) = (redis.url(), Arc::clone(&redis));
    let open = move || {
        let url = url.clone();
        Box::pin(async move { serving::open(&url, options("conformance")).await.expect("the store opens") }) as _
    };
    let lose = move || {
        assert!(flushed.flush());
        Box::pin(async {}) as _
    };
    let cases = conformance::run(conformance::Subject { open: Arc::new(open), lose: Arc::new(lose) }).await;
    report(&format!("redis {}", redis.version().expect("a version")), cases);
}

#[tokio::test]
async fn memory_serving() {
    let opened = Arc::new(MemoryServing::new(options("conformance")));
    let flushed = Arc::clone(&opened);
    let open = move || {
        let store: SharedServing = Arc::clone(&opened) as SharedServing;
        Box::pin(async move { store }) as _
    };
    let lose = move || {
        flushed.flush();
        Box::pin(async {}) as _
    };
    let subject = conformance::Subject { open: Arc::new(open), lose: Arc::new(lose) };
    report("memory serving", conformance::run(subject).await);
}

#[tokio::test]
async fn a_restarted_redis_is_met_again_as_another_incarnation() {
    let redis = Arc::new(Mutex::new(Redis::start()));
    let url = redis.lock().expect("no panic").url();
    let store = serving::open(&url, options("restart")).await.expect("the store opens");
    let before = store.incarnation().await.expect("an incarnation");
    redis.lock().expect("no panic").kill();
    let error = store.incarnation().await.expect_err("nobody answers");
    assert_eq!(error.kind, ErrorKind::Retry);
    redis.lock().expect("no panic").run().expect("Redis starts again");
    assert_ne!(store.incarnation().await.expect("the same handle goes on"), before);
}

#[tokio::test]
async fn namespaces_are_apart() {
    let redis = Redis::start();
    let open = async |namespace: &str| serving::open(&redis.url(), options(namespace)).await.expect("the store opens");
    let (one, other) = (open("one").await, open("other").await);
    let value =
        Upsert { key: "k".into(), field: "f".into(), version: 1, value: Bytes::from_static(b"v"), expire_after: None };
    one.upsert(&[value]).await.expect("an upsert succeeds");
    assert_eq!(one.keys("").await.expect("a listing"), ["k"]);
    assert!(other.keys("").await.expect("a listing").is_empty());
    assert_ne!(one.incarnation().await.expect("a mark"), other.incarnation().await.expect("a mark"));
}
