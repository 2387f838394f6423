//! What every blob store must do. Open it in a fresh namespace; a case panics where the store does not conform.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};

use super::{Blobs, PutOutcome, SharedBlobs};
use crate::ErrorKind;

/// Opens the store under test: the same objects each time, by another handle (for memory a clone).
pub type Opener = Arc<dyn Fn() -> BoxFuture<'static, SharedBlobs> + Send + Sync>;

type Case = fn(Opener) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// The cases by name.
        pub fn cases() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), |open| Box::pin($name(open)) as BoxFuture<'static, ()>)),*]
        }
    };
}

cases![
    one_of_many_racers_creates,
    objects_survive_reopening,
    lists_are_sorted_and_by_whole_segments,
    a_put_overwrites,
    what_is_missing_is_none,
    deleting_twice_is_no_error,
    a_deleted_key_is_free,
    large_and_empty_objects,
    bad_keys_are_rejected,
];

/// Runs all cases one after another; returns how many.
pub async fn run(open: Opener) -> usize {
    let cases = cases();
    for (name, case) in &cases {
        eprintln!("blob conformance: {name}");
        case(Arc::clone(&open)).await;
    }
    cases.len()
}

async fn put(blobs: &dyn Blobs, key: &str, value: &'static str) {
    blobs.put(key, Bytes::from_static(value.as_bytes())).await.expect("a put succeeds");
}

async fn one_of_many_racers_creates(open: Opener) {
    for round in 0..10 {
        let key = format!("race/{round:012}");
        let mut racers = Vec::new();
        for racer in 0..16 {
            let (blobs, key) = (open().await, key.clone());
            racers.push(tokio::spawn(async move {
                (
                    racer,
                    blobs
                        .put_if_absent(&key, Bytes::from(format!("{racer}")))
                        .await
                        .expect("a conditional put succeeds"),
                )
            }));
        }
        let outcomes: Vec<_> = join_all(racers).await.into_iter().map(|racer| racer.expect("a racer ends")).collect();
        let winners: Vec<i32> =
            outcomes.iter().filter(|(_, outcome)| *outcome == PutOutcome::Created).map(|(racer, _)| *racer).collect();
        assert_eq!(winners.len(), 1, "racers that created {key}: {winners:?}");
        let found = open().await.get(&key).await.expect("a get succeeds");
        assert_eq!(found, Some(Bytes::from(format!("{}", winners[0]))), "another's bytes stand at {key}");
    }
}

async fn objects_survive_reopening(open: Opener) {
    put(&*open().await, "survive/a", "1").await;
    assert_eq!(open().await.put_if_absent("survive/b", "2".into()).await.expect("put"), PutOutcome::Created);
    let blobs = open().await;
    assert_eq!(blobs.list("survive").await.expect("list"), ["survive/a", "survive/b"]);
    assert_eq!(blobs.get("survive/b").await.expect("get"), Some("2".into()));
    assert_eq!(blobs.put_if_absent("survive/a", "3".into()).await.expect("put"), PutOutcome::Exists);
    assert_eq!(blobs.get("survive/a").await.expect("get"), Some("1".into()));
}

async fn lists_are_sorted_and_by_whole_segments(open: Opener) {
    let blobs = open().await;
    let keys = ["list/b/10", "list/b/9", "list/a", "list/bb/1", "list/b/2/x", "list/B", "other"];
    for key in keys {
        put(&*blobs, key, "v").await;
    }
    let list = async |prefix: &str| blobs.list(prefix).await.expect("a list succeeds");
    assert_eq!(list("list").await, ["list/B", "list/a", "list/b/10", "list/b/2/x", "list/b/9", "list/bb/1"]);
    assert_eq!(list("list/b").await, ["list/b/10", "list/b/2/x", "list/b/9"]);
    assert_eq!(list("list/b/").await, ["list/b/10", "list/b/2/x", "list/b/9"]);
    assert!(list("list/nothing").await.is_empty());
    let everything = list("").await;
    assert!(keys.iter().all(|key| everything.iter().any(|found| found == key)), "{everything:?}");
}

async fn a_put_overwrites(open: Opener) {
    let blobs = open().await;
    put(&*blobs, "overwrite", "a longer value").await;
    put(&*blobs, "overwrite", "short").await;
    assert_eq!(blobs.get("overwrite").await.expect("get"), Some("short".into()));
}

async fn what_is_missing_is_none(open: Opener) {
    let blobs = open().await;
    assert_eq!(blobs.get("missing/deep/down").await.expect("missing is no error"), None);
    put(&*blobs, "missing/folder/object", "v").await;
    assert_eq!(blobs.get("missing").await.expect("a folder is no object"), None);
}

async fn deleting_twice_is_no_error(open: Opener) {
    let blobs = open().await;
    put(&*blobs, "delete/one", "v").await;
    for _ in 0..2 {
        blobs.delete("delete/one").await.expect("deleting succeeds");
    }
    assert_eq!(blobs.get("delete/one").await.expect("get"), None);
    blobs.delete("delete/never/was").await.expect("deleting what never was succeeds");
}

async fn a_deleted_key_is_free(open: Opener) {
    let blobs = open().await;
    for _ in 0..2 {
        assert_eq!(blobs.put_if_absent("free/again", "v".into()).await.expect("put"), PutOutcome::Created);
        blobs.delete("free/again").await.expect("deleting succeeds");
    }
}

async fn large_and_empty_objects(open: Opener) {
    let blobs = open().await;
    let large: Bytes =
        (0..5_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>().into();
    blobs.put("size/large", large.clone()).await.expect("put");
    blobs.put("size/empty", Bytes::new()).await.expect("put");
    assert!(blobs.get("size/large").await.expect("get") == Some(large), "a large object came back otherwise");
    assert_eq!(blobs.get("size/empty").await.expect("get"), Some(Bytes::new()));
}

async fn bad_keys_are_rejected(open: Opener) {
    let blobs = open().await;
    for key in ["a//b", "../up", "a/../b"] {
        let error = blobs.put(key, "v".into()).await.expect_err("it is no key");
        assert_eq!(error.kind, ErrorKind::Reject, "{key}: {error}");
    }
}
