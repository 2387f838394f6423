//! XA transactions: what is prepared is published when it is committed, whatever happens between, and never when it is rolled back.

use linli_tests::program::Running;
use linli_tests::stack::{MariaDb, Mysql};

use crate::runs::{catch_up, folded, reader};
use crate::shop::{Server, Shop, table_of};
use crate::{DEADLINE, wait, wait_until};

/// Runs statements as an XA transaction up to its preparation. Nobody but who is told its name knows of it after.
async fn prepare(url: &str, xid: &str, statements: &[String]) {
    let mut shop = Shop::connect(url).await;
    shop.sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await; // locks rows alone
    shop.sql(&format!("XA START {xid}")).await;
    for statement in statements {
        shop.sql(statement).await;
    }
    shop.sql(&format!("XA END {xid}")).await;
    shop.sql(&format!("XA PREPARE {xid}")).await;
}

fn order(id: u64, community: u64, note: &str) -> String {
    let table = table_of(id);
    format!(
        "INSERT INTO {table} (order_id, community_id, amount, note, at) VALUES ({id}, {community}, 1.50, '{note}', '2026-03-01 08:00:00')"
    )
}

/// Some megabytes of rows in one table.
fn many(from: u64, rows: u64) -> Vec<String> {
    let row = |id: u64| format!("({id}, 3, 9.99, REPEAT('长', 60), '2026-03-01 08:00:00')");
    let statement = |start: u64| {
        let rows: Vec<String> = (0..1000).map(|i| row((start + i) * 4)).collect();
        format!("INSERT INTO shop_0.orders_0 (order_id, community_id, amount, note, at) VALUES {}", rows.join(","))
    };
    (from..from + rows).step_by(1000).map(statement).collect()
}

async fn decided(server: &mut dyn Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    let mut shop = Shop::connect(&url).await;
    shop.create().await;
    shop.add_column().await;
    shop.work(12).await;
    catch_up(&url, dir);
    shop.changes = 0;

    // Written to by nobody else: of the first orders, one is changed, one moves, one goes.
    let (changed, moved, gone) = (table_of(1), table_of(2), table_of(3));
    prepare(
        &url,
        "'group','one',7",
        &[
            order(500, 1, "prepared"),
            format!("UPDATE {changed} SET note = 'changed' WHERE order_id = 1"),
            format!("UPDATE {moved} SET community_id = 77 WHERE order_id = 2"),
            format!("DELETE FROM {gone} WHERE order_id = 3"),
            "INSERT INTO shop_0.stock VALUES (5, 1, 1)".to_owned(),
            "UPDATE shop_0.stock SET on_hand = 2 WHERE warehouse_id = 5".to_owned(),
        ],
    )
    .await;
    prepare(&url, "X'00ff27',X'',1", &[order(501, 2, "first decided")]).await;
    prepare(
        &url,
        "'undone'",
        &[order(502, 2, "rolled back"), "DELETE FROM shop_0.stock WHERE warehouse_id = 1 AND sku_id = 4".to_owned()],
    )
    .await;
    prepare(&url, "'many'", &many(1_000, 40_000)).await;
    prepare(&url, "'many undone'", &many(200_000, 40_000)).await;
    shop.order(5).await;

    // The reader has seen all of it, published none, and is killed.
    let mut running = Running::start(&mut reader(&url, dir, &[]));
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    let last = shop.last_order();
    wait_until("the last order is published", async || folded(dir).await.any_order(|id| id == last)).await;
    running.kill();
    assert!(!folded(dir).await.any_order(|id| (500..600).contains(&id) || id >= 4_000), "nothing is published before");

    // Again through all of it, over a rotation and a restart of the server.
    catch_up(&url, dir);
    shop.sql("FLUSH BINARY LOGS").await;
    server.restart();
    shop.reconnect(&url).await;
    let mut running = Running::start(&mut reader(&url, dir, &[]));
    running.wait_for(DEADLINE, |line| line.contains("INFO") && line.contains("following"));
    for (statement, changes) in [
        ("XA COMMIT X'00ff27',X'',1", 1),
        ("XA ROLLBACK 'undone'", 0),
        ("XA COMMIT 'group','one',7", 6),
        ("XA ROLLBACK 'many undone'", 0),
        ("XA COMMIT 'many'", 40_000),
    ] {
        shop.sql(statement).await;
        shop.changes += changes;
    }
    // Killed while the many are on their way, somewhere.
    running.run_for(std::time::Duration::from_millis(300));
    running.kill();
    let mut other = Shop::connect(&url).await;
    for statement in ["XA START 'once'", &order(503, 9, "one phase"), "XA END 'once'", "XA COMMIT 'once' ONE PHASE"] {
        other.sql(statement).await;
    }
    shop.changes += 1;
    shop.order(5).await;
    catch_up(&url, dir);

    let folded = folded(dir).await;
    assert_eq!(folded.problems, Vec::<String>::new());
    assert!(!folded.any_order(|id| id == 502 || id >= 800_000), "what was rolled back is not there");
    assert_eq!(folded.rows, shop.rows().await);
    assert_eq!(folded.changes as u64, shop.changes, "distinct changes; {} repeats", folded.repeats);
    let aside = std::fs::read_dir(dir.join("blobs/cdc")).expect("blobs").flatten();
    let left = aside.flat_map(|server| std::fs::read_dir(server.path().join("prepared")).into_iter().flatten());
    assert_eq!(left.flatten().flat_map(|one| std::fs::read_dir(one.path()).into_iter().flatten()).count(), 0);
}

/// Prepared before the reader's first start: its snapshot does not show the rows, and the log it follows begins behind them.
async fn prepared_before_the_start(server: &mut dyn Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    let mut shop = Shop::connect(&url).await;
    shop.create().await;
    shop.add_column().await;
    shop.work(12).await;
    prepare(&url, "'early'", &[order(600, 1, "early"), format!("DELETE FROM {} WHERE order_id = 3", table_of(3))])
        .await;
    catch_up(&url, dir);
    shop.order(3).await;
    catch_up(&url, dir);
    shop.sql("XA COMMIT 'early'").await;
    shop.order(3).await;
    catch_up(&url, dir);
    let folded = folded(dir).await;
    assert_eq!(folded.problems, Vec::<String>::new());
    assert_eq!(folded.rows, shop.rows().await);
}

#[test]
fn an_xa_transaction_is_published_when_it_is_decided_on_mysql() {
    let mut server = Mysql::start();
    wait(decided(&mut server));
}

#[test]
fn an_xa_transaction_is_published_when_it_is_decided_on_mariadb() {
    let mut server = MariaDb::start();
    wait(decided(&mut server));
}

#[test]
fn rows_prepared_before_the_first_start_are_not_lost() {
    wait(prepared_before_the_start(&mut Mysql::start()));
    wait(prepared_before_the_start(&mut MariaDb::start()));
}
