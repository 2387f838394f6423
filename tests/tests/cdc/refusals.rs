//! What cannot be right is refused with its remedy.

use linli_tests::program;
use linli_tests::stack::Mysql;

use crate::shop::Shop;
use crate::wait;

fn refused(url: &str, dir: &std::path::Path, exit: i32, words: &[&str]) {
    let mut command = program::linli(["ingest", "cdc", "--until-caught-up", "--shop", url, "--data-dir"]);
    let finished = program::run(command.arg(dir));
    assert_eq!(finished.code, Some(exit), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word:?} in {}", finished.stderr);
    }
    assert!(!finished.stderr.contains("s3cret"), "no password is shown: {}", finished.stderr);
}

#[test]
fn a_server_that_cannot_be_followed_is_refused_with_the_remedy() {
    let server = Mysql::start();
    let dir = tempfile::tempdir().expect("a folder");
    let (url, address) = (server.url(), server.url().replace("mysql://root@", ""));
    wait(async {
        let mut shop = Shop::connect(&url).await;
        shop.create().await;
        shop.sql("CREATE USER poor IDENTIFIED WITH mysql_native_password BY 's3cret'").await;
        shop.sql("CREATE USER rich IDENTIFIED WITH caching_sha2_password BY 's3cret'").await;
        shop.sql("GRANT ALL ON *.* TO rich").await;
        refused(&format!("mysql://poor:wrong-s3cret@{address}"), dir.path(), 2, &["1045", "password"]);
        let lacks = ["lacks REPLICATION SLAVE", "lacks REPLICATION CLIENT", "lacks SELECT"];
        refused(&format!("mysql://poor:s3cret@{address}"), dir.path(), 2, &lacks);
        shop.sql("SET GLOBAL binlog_format = 'STATEMENT'").await;
        refused(&url, dir.path(), 2, &["binlog_format is STATEMENT", "set global binlog_format"]);
        shop.sql("SET GLOBAL binlog_format = 'ROW'").await;

        // With a right password of the newer kind: by TLS, by the server's key, and from its cache.
        for mode in ["REQUIRED", "DISABLED", "DISABLED"] {
            let rich = format!("mysql://rich:s3cret@{address}?ssl-mode={mode}");
            let mut command = program::linli(["ingest", "cdc", "--until-caught-up", "--shop", &rich, "--data-dir"]);
            program::run(command.arg(dir.path())).succeeded();
            shop.sql("FLUSH PRIVILEGES").await;
        }

        // The log it stopped at is gone: it says so and does not go on behind the gap.
        shop.work(3).await;
        shop.sql("RESET MASTER").await;
        refused(&format!("mysql://rich:s3cret@{address}"), dir.path(), 6, &["position reset", "lacks transactions"]);
    });
}
