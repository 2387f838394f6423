//! The reader on the small shop, and what its topics hold.

use std::path::Path;
use std::process::Command;

use linli_tests::program::{self, Running};

use crate::DEADLINE;
use crate::fold::{Folded, fold};

pub const PARTITIONS: u32 = 4;
const TOPICS: [&str; 2] = ["shop.orders", "shop.stock"];

pub fn reader(url: &str, dir: &Path, more: &[&str]) -> Command {
    let partitions = PARTITIONS.to_string();
    let mut command = program::linli(["ingest", "cdc", "--shop", url, "--partitions", &partitions, "--data-dir"]);
    command.arg(dir).args(more);
    command
}

/// Runs the reader until everything is published that is committed now.
pub fn catch_up(url: &str, dir: &Path) {
    let (status, lines) = Running::start(&mut reader(url, dir, &["--until-caught-up"])).wait(DEADLINE);
    assert!(status.success(), "{lines:#?}");
}

pub async fn folded(dir: &Path) -> Folded {
    let key = |topic: &str| match topic {
        "shop.orders" => vec!["order_id"],
        _ => vec!["warehouse_id", "sku_id"],
    };
    fold(dir, &TOPICS, PARTITIONS, key).await
}
