//! What every serving store must do. Open it in a fresh namespace; a case panics where the store does not conform.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};

use super::{INCARNATION_KEY, SharedServing, Stored, Upsert, VALUE_BYTES_MAX};
use crate::ErrorKind;
use crate::clock::{Clock, SystemClock};

/// The store under test.
#[derive(Clone)]
pub struct Subject {
    /// Opens it: the same values each time, by another handle (for memory a clone).
    pub open: Arc<dyn Fn() -> BoxFuture<'static, SharedServing> + Send + Sync>,
    /// Makes it lose all data.
    pub lose: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

type Case = fn(Subject) -> BoxFuture<'static, ()>;

/// A step that takes longer is a failure.
const STEPS_MAX: usize = 3_000;
const STEP: Duration = Duration::from_millis(10);

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// The cases by name.
        pub fn cases() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), |subject| Box::pin($name(subject)) as BoxFuture<'static, ()>)),*]
        }
    };
}

cases![
    a_newer_version_replaces_and_an_older_never,
    the_same_version_replaces,
    versions_are_compared_as_unsigned_numbers,
    one_batch_may_hold_a_field_twice,
    values_of_any_bytes_come_back,
    many_fields_in_one_batch,
    reads_keep_the_order_of_the_keys,
    keys_are_sorted_and_taken_literally,
    a_key_expires_and_a_write_renews_it,
    a_loss_changes_the_incarnation,
    handles_share_the_data,
    racing_writers_leave_the_newest,
    what_cannot_be_kept_is_rejected,
];

/// Runs all cases one after another; returns how many.
pub async fn run(subject: Subject) -> usize {
    let cases = cases();
    for (name, case) in &cases {
        eprintln!("serving conformance: {name}");
        case(subject.clone()).await;
    }
    cases.len()
}

fn upsert(key: &str, field: &str, version: u64, value: &'static str) -> Upsert {
    Upsert {
        key: key.into(),
        field: field.into(),
        version,
        value: Bytes::from_static(value.as_bytes()),
        expire_after: None,
    }
}

fn stored(field: &str, version: u64, value: &'static str) -> Stored {
    Stored { field: field.into(), version, value: Bytes::from_static(value.as_bytes()) }
}

async fn write(store: &SharedServing, values: &[Upsert]) {
    store.upsert(values).await.expect("an upsert succeeds");
}

async fn read(store: &SharedServing, key: &str) -> Vec<Stored> {
    let mut read = store.read(&[key.to_owned()]).await.expect("a read succeeds");
    assert_eq!(read.len(), 1, "one answer for each key");
    read.remove(0)
}

async fn a_newer_version_replaces_and_an_older_never(subject: Subject) {
    let store = (subject.open)().await;
    write(&store, &[upsert("newer", "f", 5, "five")]).await;
    write(&store, &[upsert("newer", "f", 4, "four"), upsert("newer", "g", 1, "one")]).await;
    assert_eq!(read(&store, "newer").await, [stored("f", 5, "five"), stored("g", 1, "one")]);
    write(&store, &[upsert("newer", "f", 6, "six")]).await;
    assert_eq!(read(&store, "newer").await, [stored("f", 6, "six"), stored("g", 1, "one")]);
}

async fn the_same_version_replaces(subject: Subject) {
    let store = (subject.open)().await;
    write(&store, &[upsert("same", "f", 5, "five")]).await;
    write(&store, &[upsert("same", "f", 5, "five again")]).await;
    assert_eq!(read(&store, "same").await, [stored("f", 5, "five again")]);
}

async fn versions_are_compared_as_unsigned_numbers(subject: Subject) {
    let store = (subject.open)().await;
    // Each is greater than the one before; neighbours differ where doubles, signs or text orders go wrong.
    let rising = [
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0x100,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0001,
        (1 << 53) - 1,
        1 << 53,
        (1 << 53) + 1,
        u64::MAX / 2,
        u64::MAX / 2 + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    for version in rising {
        write(&store, &[upsert("unsigned", "f", version, "v")]).await;
        assert_eq!(read(&store, "unsigned").await, [stored("f", version, "v")]);
        if let Some(older) = version.checked_sub(1) {
            write(&store, &[upsert("unsigned", "f", older, "older")]).await;
            assert_eq!(read(&store, "unsigned").await, [stored("f", version, "v")], "{older} came after {version}");
        }
    }
}

async fn one_batch_may_hold_a_field_twice(subject: Subject) {
    let store = (subject.open)().await;
    write(&store, &[upsert("twice", "f", 1, "a"), upsert("twice", "f", 3, "c"), upsert("twice", "f", 2, "b")]).await;
    write(&store, &[upsert("twice", "g", 1, "first"), upsert("other", "x", 1, "x"), upsert("twice", "g", 1, "last")])
        .await;
    assert_eq!(read(&store, "twice").await, [stored("f", 3, "c"), stored("g", 1, "last")]);
}

async fn values_of_any_bytes_come_back(subject: Subject) {
    let store = (subject.open)().await;
    let all: Vec<u8> = (0..=255).collect();
    let long: Vec<u8> = (0..5_000_000_u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    for (field, value) in [("空", Vec::new()), ("all", all), ("long", long), ("chinese", "邻里团购 \r\n\0".into())]
    {
        let value = Bytes::from(value);
        let upsert = Upsert { value: value.clone(), ..upsert("bytes", field, 7, "") };
        write(&store, &[upsert]).await;
        let fields = read(&store, "bytes").await;
        let found = fields.iter().find(|stored| stored.field == field).expect("the field is there");
        assert!(found.value == value && found.version == 7, "{field}");
    }
}

async fn many_fields_in_one_batch(subject: Subject) {
    let store = (subject.open)().await;
    let values: Vec<Upsert> = (0..10_000).map(|i| upsert("many", &format!("f{i:05}"), i, "value")).collect();
    write(&store, &values).await;
    let fields = read(&store, "many").await;
    assert_eq!(fields.len(), values.len());
    assert!(
        fields.iter().zip(&values).all(|(found, value)| found.field == value.field && found.version == value.version)
    );
}

async fn reads_keep_the_order_of_the_keys(subject: Subject) {
    let store = (subject.open)().await;
    let values: Vec<Upsert> = (0..300).map(|i| upsert(&format!("order/{i}"), "f", i, "v")).collect();
    write(&store, &values).await;
    let mut keys: Vec<String> = (0..300).rev().map(|i| format!("order/{i}")).collect();
    keys.insert(100, "order/missing".to_owned());
    keys.push("order/7".to_owned());
    let read = store.read(&keys).await.expect("a read succeeds");
    assert_eq!(read.len(), keys.len());
    for (key, fields) in keys.iter().zip(&read) {
        let version = key.strip_prefix("order/").and_then(|i| i.parse().ok());
        assert_eq!(fields.first().map(|stored| stored.version), version, "{key}");
    }
    assert!(store.read(&[]).await.expect("an empty read succeeds").is_empty());
}

async fn keys_are_sorted_and_taken_literally(subject: Subject) {
    let store = (subject.open)().await;
    let names =
        ["glob*", "glob*a", "glob**", "globa", "glob[b]c", "globbc", "glob?x", "globx", "glob\\y", "glob中", "other"];
    let values: Vec<Upsert> = names.iter().map(|name| upsert(name, "f", 1, "v")).collect();
    write(&store, &values).await;
    for prefix in ["glob", "glob*", "glob[", "glob?", "glob\\", "glob中", "none"] {
        let mut expected: Vec<&str> = names.iter().copied().filter(|name| name.starts_with(prefix)).collect();
        expected.sort_unstable();
        assert_eq!(store.keys(prefix).await.expect("a listing succeeds"), expected, "{prefix}");
    }
    assert!(
        store.keys(INCARNATION_KEY).await.expect("a listing succeeds").is_empty(),
        "the store's own key stays inside"
    );
}

async fn a_key_expires_and_a_write_renews_it(subject: Subject) {
    let store = (subject.open)().await;
    let lasting = |key, ms| Upsert { expire_after: Some(Duration::from_millis(ms)), ..upsert(key, "f", 1, "v") };
    write(
        &store,
        &[lasting("expires", 50), lasting("renewed", 50), lasting("stays", 3_600_000), upsert("never", "f", 1, "v")],
    )
    .await;
    // An older version renews as well: the key is in use.
    write(&store, &[Upsert { version: 0, ..lasting("renewed", 3_600_000) }]).await;
    for _ in 0..STEPS_MAX {
        if read(&store, "expires").await.is_empty() {
            break;
        }
        SystemClock.sleep(STEP).await;
    }
    assert!(read(&store, "expires").await.is_empty(), "an expired key is empty");
    assert!(store.keys("expires").await.expect("a listing succeeds").is_empty());
    for key in ["renewed", "stays", "never"] {
        assert_eq!(read(&store, key).await, [stored("f", 1, "v")], "{key}");
    }
}

async fn a_loss_changes_the_incarnation(subject: Subject) {
    let store = (subject.open)().await;
    let before = store.incarnation().await.expect("an incarnation");
    assert_eq!(store.upsert(&[upsert("lost", "f", 9, "v")]).await.expect("an upsert succeeds"), before);
    assert_eq!(store.upsert(&[]).await.expect("an empty upsert succeeds"), before);
    assert_eq!(
        (subject.open)().await.incarnation().await.expect("an incarnation"),
        before,
        "another handle sees the same"
    );
    (subject.lose)().await;
    let after = store.upsert(&[upsert("lost", "g", 1, "v")]).await.expect("an upsert succeeds");
    assert_ne!(after, before, "the writer learns of the loss");
    assert_eq!(store.incarnation().await.expect("an incarnation"), after);
    assert_eq!(read(&store, "lost").await, [stored("g", 1, "v")], "an old version may come back after a loss");
}

async fn handles_share_the_data(subject: Subject) {
    let (one, other) = ((subject.open)().await, (subject.open)().await);
    write(&one, &[upsert("shared", "f", 1, "v")]).await;
    assert_eq!(read(&other, "shared").await, [stored("f", 1, "v")]);
}

async fn racing_writers_leave_the_newest(subject: Subject) {
    let writers = (0..8_u64).map(|writer| {
        let subject = subject.clone();
        tokio::spawn(async move {
            let store = (subject.open)().await;
            let mut incarnations = BTreeSet::new();
            for round in 0..40_u64 {
                // Each writer has versions of its own, in an order of its own.
                let version = (round * 17 + writer * 5) % 40 * 8 + writer;
                let values: Vec<Upsert> =
                    (0..20).map(|field| upsert("race", &format!("f{field:02}"), version, "v")).collect();
                incarnations.insert(store.upsert(&values).await.expect("an upsert succeeds").0);
            }
            incarnations
        })
    });
    let incarnations: BTreeSet<String> =
        join_all(writers).await.into_iter().flat_map(|seen| seen.expect("no panic")).collect();
    assert_eq!(incarnations.len(), 1);
    let store = (subject.open)().await;
    let fields = read(&store, "race").await;
    assert_eq!(fields.len(), 20);
    assert!(fields.iter().all(|stored| stored.version == 39 * 8 + 7), "{fields:?}");
}

async fn what_cannot_be_kept_is_rejected(subject: Subject) {
    let store = (subject.open)().await;
    let too_long = Upsert { value: vec![0; VALUE_BYTES_MAX + 1].into(), ..upsert("rejected", "f", 1, "") };
    for refused in [too_long, upsert(INCARNATION_KEY, "f", 1, "v")] {
        let error = store.upsert(&[upsert("rejected", "g", 1, "v"), refused]).await.expect_err("it is refused");
        assert_eq!(error.kind, ErrorKind::Reject);
    }
    assert!(read(&store, "rejected").await.is_empty(), "nothing of a refused batch is written");
}
