//! Migrations are applied once, in order, and never over another history.

use linli_warehouse::migrate::{MIGRATIONS, Migration, migrate_with};
use linli_warehouse::{ErrorKind, migrate};

use super::support::empty_database;

#[tokio::test(flavor = "multi_thread")]
async fn the_second_run_applies_nothing() {
    let warehouse = empty_database("migrations_twice").await;
    let first = migrate(&warehouse).await.expect("applies");
    assert_eq!((first.now.len(), first.before), (MIGRATIONS.len(), 0));
    let second = migrate(&warehouse).await.expect("applies nothing");
    assert_eq!((second.now.len(), second.before), (0, MIGRATIONS.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_cut_off_before_its_record_is_applied_again() {
    let warehouse = empty_database("migrations_cut").await;
    migrate(&warehouse).await.expect("applies");
    warehouse.execute("truncate table schema_migrations").await.expect("truncated");
    let again = migrate(&warehouse).await.expect("every statement can be repeated");
    assert_eq!(again.now.len(), MIGRATIONS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_migration_is_refused_with_the_remedy() {
    let warehouse = empty_database("migrations_altered").await;
    let original =
        [Migration { number: 1, name: "0001_t", sql: "create table t (a Int64) engine = MergeTree order by a" }];
    migrate_with(&warehouse, &original).await.expect("applies");
    let altered = [Migration { sql: "create table t (a Int32) engine = MergeTree order by a", ..original[0] }];
    let error = migrate_with(&warehouse, &altered).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.to_string().contains("0001_t"), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("--namespace")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused_with_the_remedy() {
    let warehouse = empty_database("migrations_newer").await;
    let newer = [
        Migration { number: 1, name: "0001_t", sql: "create table t (a Int64) engine = MergeTree order by a" },
        Migration { number: 2, name: "0002_u", sql: "create table u (a Int64) engine = MergeTree order by a" },
    ];
    migrate_with(&warehouse, &newer).await.expect("applies");
    let error = migrate_with(&warehouse, &newer[..1]).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.to_string().contains("newer version"), "{error}");
    assert!(error.hint.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_statement_names_its_migration() {
    let warehouse = empty_database("migrations_failing").await;
    let wrong = [Migration { number: 1, name: "0001_wrong", sql: "create tabel t" }];
    let error = migrate_with(&warehouse, &wrong).await.expect_err("no such statement");
    assert!(error.to_string().contains("0001_wrong"), "{error}");
}
