use std::collections::BTreeMap;

use linli_schemas::zone::Zone;
use linli_simulator::Table;
use linli_simulator::truth::Truth;

use super::{first_days, number, rows, shop};

#[test]
fn the_sums_of_orders_are_those_of_payments() {
    let shop = shop(5);
    let changes = first_days(&shop, 3);
    let mut truth = Truth::new(Zone::SHANGHAI);
    changes.iter().for_each(|change| truth.observe(change));
    let (mut received, mut returned) = (0, 0);
    let mut stock = BTreeMap::new();
    for (_, _, row) in rows(&changes) {
        let n = |name| number(row.table, &row.after, name).unwrap_or(0);
        match row.table {
            Table::Payments if row.before.is_none() => received += n("amount"),
            Table::Payments => returned += n("refunded"),
            Table::Stock => {
                stock.insert((n("warehouse_id"), n("sku_id")), (n("on_hand"), n("reserved")));
            }
            _ => {}
        }
    }
    assert_eq!(truth.sales_day.values().map(|s| s.gmv).sum::<i64>(), received);
    assert_eq!(truth.sales_min.values().map(|s| s.gmv).sum::<i64>(), received);
    assert_eq!(truth.refunds_day.values().map(|s| s.gmv).sum::<i64>(), returned);
    assert_eq!(truth.pieces_day.values().sum::<i64>(), truth.pieces_min.values().sum::<i64>());
    assert_eq!(truth.stock, stock);
}

#[test]
fn tables_have_the_form_of_an_imports_results() {
    let mut truth = Truth::new(Zone::SHANGHAI);
    first_days(&shop(5), 1).iter().for_each(|change| truth.observe(change));
    let heads: Vec<(&str, String)> =
        truth.tables().into_iter().map(|(name, csv)| (name, csv.lines().next().unwrap_or("").to_owned())).collect();
    for expected in [
        ("gmv_min.csv", "minute_ms,community_id,gmv"),
        ("gmv_day_total.csv", "day_ms,gmv"),
        ("uv_hour.csv", "w_ms,community_id,uv"),
        ("buyers_day.csv", "day_ms,community_id,buyers"),
        ("top_day.csv", "d,community_id,rn,sku_id,q"),
        ("top_hop.csv", "window_end_ms,rn,sku_id,qty"),
    ] {
        assert!(heads.iter().any(|(name, head)| (*name, head.as_str()) == expected), "{expected:?} in {heads:?}");
    }
}
