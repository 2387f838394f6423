//! What cannot be right is refused with its remedy.

use linli_tests::program;
use linli_tests::stack::{MariaDb, Mysql};

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

        // With a right password of the newer kind: by the server's key, and then from its cache.
        for _ in 0..2 {
            let rich = format!("mysql://rich:s3cret@{address}?ssl-mode=DISABLED");
            let mut command = program::linli(["ingest", "cdc", "--until-caught-up", "--shop", &rich, "--data-dir"]);
            program::run(command.arg(dir.path())).succeeded();
        }

        // The log it stopped at is gone: it says so and does not go on behind the gap.
        shop.work(3).await;
        shop.sql("RESET MASTER").await;
        refused(&format!("mysql://rich:s3cret@{address}"), dir.path(), 6, &["position reset", "lacks transactions"]);
    });
}

#[test]
fn a_connection_is_secured_as_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let (key, certificate) = (dir.path().join("key.pem"), dir.path().join("certificate.pem"));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=shop",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let arguments = [format!("--ssl-key={}", key.display()), format!("--ssl-cert={}", certificate.display())];
    let server = MariaDb::try_start(&[&arguments[0], &arguments[1]]).unwrap_or_else(|error| panic!("{error}"));
    let url = server.url().replace("127.0.0.1", "localhost");
    wait(async {
        let mut shop = Shop::connect(&server.url()).await;
        shop.create().await;
        shop.sql("CREATE USER safe IDENTIFIED BY 's3cret' REQUIRE SSL").await;
        shop.sql("GRANT ALL ON *.* TO safe").await;
    });
    let safe = url.replace("root@", "safe:s3cret@");
    let ca = certificate.display();
    refused(&format!("{safe}?ssl-mode=DISABLED"), dir.path(), 2, &["1045"]);
    refused(&format!("{safe}?ssl-mode=VERIFY_CA"), dir.path(), 2, &["ssl-ca"]);
    for mode in ["REQUIRED".to_owned(), format!("VERIFY_IDENTITY&ssl-ca={ca}")] {
        let mut command = program::linli(["ingest", "cdc", "--until-caught-up", "--data-dir"]);
        command.arg(dir.path()).args(["--shop", &format!("{safe}?ssl-mode={mode}")]);
        program::run(&mut command).succeeded();
    }
}
