use std::collections::HashMap;

use linli_simulator::Table;

use super::{first_days, number, rows, shop};

const HOUR: i64 = 3_600_000;

/// Orders placed by (local day since the opening, hour).
fn placed(days: i32) -> HashMap<(i32, i64), u32> {
    let shop = shop(9);
    let mut hours = HashMap::new();
    let changes = first_days(&shop, days);
    for (change, _, row) in rows(&changes).filter(|(_, _, r)| r.table == Table::Orders && r.before.is_none()) {
        let hour = (change.at.0 + 8 * HOUR).rem_euclid(24 * HOUR) / HOUR;
        assert!(number(row.table, &row.after, "status") == Some(0));
        *hours.entry((change.position.day - shop.start().day, hour)).or_default() += 1;
    }
    hours
}

#[test]
fn days_and_weeks_have_their_shape() {
    // Thursday to Wednesday
    let hours = placed(7);
    let at = |days: &[i32], wanted: &[i64]| -> f64 {
        let sum: u32 =
            days.iter().flat_map(|d| wanted.iter().map(|h| hours.get(&(*d, *h)).copied().unwrap_or(0))).sum();
        f64::from(sum) / (days.len() * wanted.len()) as f64
    };
    let (weekdays, weekend) = ([0, 1, 4, 5, 6], [2, 3]);
    assert!(at(&weekdays, &[19, 20, 21]) > 8.0 * at(&weekdays, &[2, 3, 4]), "evening against night");
    assert!(at(&weekdays, &[12]) > 1.2 * at(&weekdays, &[15, 16]), "lunch against afternoon");
    assert!(at(&weekend, &[14, 15]) > 1.4 * at(&weekdays, &[14, 15]), "the weekend's afternoon");
    let all: Vec<i64> = (0..24).collect();
    assert!(at(&weekend, &all) > 1.1 * at(&weekdays, &all), "the weekend against the week");
}

#[test]
fn a_promotion_sells_its_goods() {
    let shop = shop(9);
    let changes = first_days(&shop, 6);
    // (promotion's from, until, its goods)
    let mut offers: HashMap<i64, (i64, i64, Vec<i64>)> = HashMap::new();
    let (mut during, mut without) = (0.0, 0.0);
    for (change, _, row) in rows(&changes) {
        let n = |name| number(row.table, &row.after, name).unwrap_or(0);
        match row.table {
            Table::Promotions if row.before.is_none() => {
                offers.insert(n("promotion_id"), (n("starts_at"), n("ends_at"), Vec::new()));
            }
            Table::PromotionSkus => offers.get_mut(&n("promotion_id")).expect("announced").2.push(n("sku_id")),
            Table::OrderItems if row.before.is_none() => {
                for (from, until, skus) in offers.values() {
                    if !skus.contains(&n("sku_id")) {
                        continue;
                    }
                    let hours = (until - from) as f64 / HOUR as f64;
                    if (*from..*until).contains(&change.at.0) {
                        during += 1.0 / hours;
                    } else if (until - HOUR * 5..from - HOUR).contains(&change.at.0)
                        || (until + HOUR..until + HOUR * 2).contains(&change.at.0)
                    {
                        without += 0.25;
                    }
                }
            }
            _ => {}
        }
    }
    assert!(during > 1.3 * without, "{during} lines an hour during offers, {without} at other times");
}

#[test]
fn slow_leaders_are_slow() {
    let shop = shop(9);
    let changes = first_days(&shop, 4);
    let mut accepting: HashMap<i64, (i64, i64)> = HashMap::new();
    for (_, _, row) in rows(&changes).filter(|(_, _, r)| r.table == Table::Orders) {
        let n = |name| number(row.table, &row.after, name);
        if let (Some(2), Some(paid), Some(accepted), Some(leader)) =
            (n("status"), n("paid_at"), n("accepted_at"), n("leader_id"))
        {
            let sum = accepting.entry(leader).or_default();
            *sum = (sum.0 + accepted - paid, sum.1 + 1);
        }
    }
    let mean = |leader: &i64| accepting[leader].0 / accepting[leader].1;
    let mut leaders: Vec<_> = shop.city().leaders.iter().collect();
    leaders.sort_by(|a, b| a.pace.total_cmp(&b.pace));
    let (fastest, slowest) = (leaders[0], leaders[leaders.len() - 1]);
    assert!(slowest.pace > 1.5 * fastest.pace);
    assert!(mean(&slowest.leader_id) > mean(&fastest.leader_id) * 13 / 10);
}

#[test]
fn names_are_told_apart() {
    let shop = shop(9);
    let mut names: Vec<_> = shop.city().communities.iter().map(|c| c.name.clone()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), shop.city().communities.len());
    let mut titles: Vec<_> = shop.catalog().skus.iter().map(|s| s.title.clone()).collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), shop.catalog().skus.len());
    assert!(shop.catalog().skus.iter().all(|s| 0 < s.cost && s.cost < s.price));
}
