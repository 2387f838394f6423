//! Where the binlog does not tell the names of columns, kills, a restart, rotation and a new column change nothing of
//! what is published. Where it does, `many_orders` shows it.

use std::time::Duration;

use linli_tests::program::Running;
use linli_tests::stack::{MariaDb, Mysql};

use crate::runs::{catch_up, folded, reader};
use crate::shop::{Server, Shop};
use crate::{DEADLINE, wait};

const KILLS: u32 = 10;

/// Works on the shop while the reader is killed; what the log holds then is held to the tables and to what was committed.
async fn survive(server: &mut dyn Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let url = server.url();
    let mut shop = Shop::connect(&url).await;
    shop.sql("SET GLOBAL binlog_row_metadata = MINIMAL").await;
    shop.create().await;
    shop.work(30).await;
    let before = shop.changes;
    let mut running = Running::start(&mut reader(&url, dir.path(), &[]));
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    shop.changes = 0;
    for kill in 0..KILLS {
        shop.work(20).await;
        match kill {
            2 => shop.sql("FLUSH BINARY LOGS").await,
            4 => shop.add_column().await,
            5 => {
                server.restart();
                shop.reconnect(&url).await;
            }
            7 => shop.big(30_000).await,
            _ => {}
        }
        // Spread over what a start takes and some time after, by a fixed pattern.
        let ended = running.run_for(Duration::from_millis(u64::from((kill * 137) % 500)));
        assert!(!ended, "{:#?}", running.seen);
        running.kill();
        running = Running::start(&mut reader(&url, dir.path(), &[]));
    }
    shop.work(20).await;
    running.kill();
    catch_up(&url, dir.path());

    let folded = folded(dir.path()).await;
    assert_eq!(folded.problems, Vec::<String>::new());
    assert!(before > 0 && folded.snapshot_rows > 0, "the snapshot held rows");
    assert_eq!(folded.changes as u64, shop.changes, "distinct changes; {} repeats", folded.repeats);
    let tables = shop.rows().await;
    for (key, row) in &tables {
        assert_eq!(folded.rows.get(key), Some(row), "{key:?}");
    }
    assert_eq!(folded.rows.len(), tables.len(), "no row is invented");
    println!("{} changes, {} repeats after {KILLS} kills", folded.changes, folded.repeats);
}

#[test]
fn definitions_are_followed_where_the_log_of_a_mysql_does_not_tell_them() {
    wait(survive(&mut Mysql::start()));
}

#[test]
fn definitions_are_followed_where_the_log_of_a_mariadb_does_not_tell_them() {
    wait(survive(&mut MariaDb::start()));
}
