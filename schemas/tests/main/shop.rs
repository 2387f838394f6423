//! The shop's tables: complete, split as told, and what the decoders read is there.

use std::collections::BTreeSet;

use linli_schemas::shop::{Owner, Place, Shards, TABLES, VIEWS, statements};

#[test]
fn orders_are_split_over_the_databases_and_the_rest_lies_once_or_beside_them() {
    let all = statements(&Shards::default());
    let made = |name: &str| all.iter().filter(|s| s.sql.contains(name)).map(|s| s.database).collect::<Vec<_>>();
    assert_eq!(made("`shop_0`.`orders_7`"), [0]);
    assert_eq!(made("`shop_1`.`orders_8`"), [1]);
    assert_eq!(made("`shop_1`.`order_items_15`"), [1]);
    assert_eq!(made(".`payments`"), [0, 1]);
    assert_eq!(made(".`stock`"), [0]);
    assert_eq!(all.iter().filter(|s| s.sql.contains(".`orders_")).count(), 16);
    let names: BTreeSet<&String> = all.iter().map(|s| &s.sql).collect();
    assert_eq!(names.len(), all.len(), "nothing is made twice");
    assert!(all.iter().all(|s| s.sql.starts_with("CREATE ") && !s.sql.contains('{') && !s.sql.contains(';')));
    let one = statements(&Shards { prefix: "t".to_owned(), databases: 1, tables: 1 });
    assert_eq!(one.len(), 1 + TABLES.len() + VIEWS.len());
}

#[test]
fn every_table_of_the_business_is_there_with_the_columns_that_are_read() {
    let columns = |name: &str| -> Vec<&str> {
        let table = TABLES.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("{name}"));
        table.columns().collect()
    };
    for name in "communities leaders suppliers warehouses categories brands products skus users orders order_items payments refunds \
        stock stock_movements stock_batches deliveries complaints coupons coupon_grants promotions purchase_orders \
        purchase_order_lines supplier_terms supply_terms restock_runs restock_current demand_forecast_rows \
        restock_suggestion_rows community_profile user_segment"
        .split_whitespace()
    {
        assert!(!columns(name).is_empty(), "{name}");
    }
    for (name, read) in [
        ("orders", "order_id user_id community_id leader_id status pay_amount created_at paid_at"),
        ("order_items", "item_id order_id community_id sku_id category_id supplier_id qty price amount"),
        ("refunds", "refund_id order_id community_id amount refunded_at"),
    ] {
        let there: BTreeSet<&str> = columns(name).into_iter().collect();
        assert!(read.split(' ').all(|column| there.contains(column)), "{name}: {there:?}");
    }
    for table in TABLES.iter().filter(|table| table.place != Place::First) {
        assert!(table.columns().any(|column| column == "community_id"), "{} is routed by community", table.name);
    }
}

#[test]
fn what_the_shop_reads_back_is_told_apart_and_views_come_after_their_tables() {
    let of =
        |owner| TABLES.iter().filter(move |table| table.owner == owner).map(|table| table.name).collect::<Vec<_>>();
    assert_eq!(
        of(Owner::Linli),
        [
            "restock_runs",
            "restock_current",
            "demand_forecast_rows",
            "restock_suggestion_rows",
            "community_profile",
            "user_segment"
        ]
    );
    assert!(of(Owner::Shop).contains(&"supplier_terms") && of(Owner::Shop).contains(&"purchase_orders"));
    let all = statements(&Shards::default());
    let views: Vec<_> = all.iter().filter(|s| s.sql.starts_with("CREATE OR REPLACE VIEW")).collect();
    assert_eq!(views.len(), VIEWS.len());
    assert!(all.ends_with(&views.iter().map(|view| (*view).clone()).collect::<Vec<_>>()));
    assert!(views[0].sql.contains("VIEW `shop_0`.`demand_forecast` AS") && views[0].database == 0);
    assert!(views[1].sql.contains("JOIN `shop_0`.restock_suggestion_rows"));
}
