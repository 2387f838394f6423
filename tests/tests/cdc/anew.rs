//! Begun anew: what the topics tell in the end is what the tables hold.

use linli_tests::program;
use linli_tests::stack::Mysql;

use crate::runs::{catch_up, folded, reader};
use crate::shop::{Shop, table_of};
use crate::wait;

#[test]
fn rows_that_went_before_a_snapshot_is_taken_anew_are_gone() {
    let server = Mysql::start();
    let dir = tempfile::tempdir().expect("a folder");
    let (url, dir) = (server.url(), dir.path());
    wait(async {
        let mut shop = Shop::connect(&url).await;
        shop.create().await;
        shop.add_column().await;
        shop.work(20).await;
        catch_up(&url, dir);
        program::run(&mut reader(&url, dir, &["position", "reset"])).succeeded();
        shop.sql(&format!("DELETE FROM {}", table_of(1))).await;
        shop.sql("DELETE FROM shop_0.stock WHERE sku_id < 10").await;
        shop.sql("FLUSH BINARY LOGS").await;
        shop.work(3).await;
        catch_up(&url, dir);
        shop.work(3).await;
        catch_up(&url, dir);
        let (rows, tables) = (folded(dir).await.rows, shop.rows().await);
        assert_eq!(rows, tables);
    });
}
