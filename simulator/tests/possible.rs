use std::collections::{BTreeMap, HashMap, HashSet};

use linli_simulator::{Body, Row, Table};

use super::{first_days, number, rows, shop};

#[test]
fn every_image_before_a_change_is_the_one_the_last_change_left() {
    let changes = first_days(&shop(5), 5);
    let mut images: HashMap<(u8, Table, Option<u8>, String), Row> = HashMap::new();
    for (change, server, row) in rows(&changes) {
        let key = format!("{:?}", &row.after[..row.table.key_columns()]);
        let last = images.insert((server, row.table, row.shard, key), row.after.clone());
        assert_eq!(last, row.before, "{:?} at {:?}: {:?}", row.table, change.position, row.after);
    }
    for table in Table::ALL {
        assert!(images.keys().any(|(_, t, _, _)| *t == table), "nothing in {table:?}");
    }
}

#[test]
fn rows_have_a_value_for_each_column() {
    for (_, _, row) in rows(&first_days(&shop(5), 2)) {
        assert_eq!(row.after.len(), row.table.columns().len(), "{:?}", row.table);
    }
}

#[test]
fn time_never_goes_back() {
    let changes = first_days(&shop(5), 3);
    assert!(changes.windows(2).all(|w| w[0].at <= w[1].at && w[0].position < w[1].position));
}

/// created → paid → accepted → sorted → delivered → refunded, or created → canceled.
#[test]
fn an_order_takes_its_steps_in_turn() {
    let changes = first_days(&shop(11), 4);
    let mut seen: BTreeMap<(Option<i64>, i64), u32> = BTreeMap::new();
    for (_, _, row) in rows(&changes).filter(|(_, _, row)| row.table == Table::Orders) {
        let status = |row: &Row| number(Table::Orders, row, "status");
        let from = row.before.as_ref().map(|b| status(b).expect("a status"));
        let to = status(&row.after).expect("a status");
        *seen.entry((from, to)).or_default() += 1;
        let times = ["created_at", "paid_at", "accepted_at", "sorted_at", "delivered_at"];
        let set: Vec<_> = times.iter().map(|name| number(Table::Orders, &row.after, name)).collect();
        assert!(set.windows(2).all(|w| w[0] < w[1] || w[1].is_none()), "{set:?}");
        let steps = set.iter().flatten().count();
        assert_eq!(steps, [1, 2, 3, 4, 5, 5, 1][to as usize], "status {to} with {set:?}");
    }
    let legal = [(None, 0), (Some(0), 1), (Some(1), 2), (Some(2), 3), (Some(3), 4), (Some(4), 5), (Some(0), 6)];
    assert!(seen.keys().all(|step| legal.contains(step)), "{seen:?}");
    assert!(legal.iter().all(|step| seen.contains_key(step)), "{seen:?}");
}

#[test]
fn stock_is_never_negative_and_movements_explain_it() {
    let changes = first_days(&shop(5), 5);
    let mut moved: HashMap<(i64, i64), i64> = HashMap::new();
    let mut on_hand: HashMap<(i64, i64), i64> = HashMap::new();
    let mut sold_out = 0;
    for (change, _, row) in rows(&changes) {
        let cell = || {
            let n = |name| number(row.table, &row.after, name).expect("a number");
            (n("warehouse_id"), n("sku_id"))
        };
        match row.table {
            Table::Stock => {
                let n = |name| number(row.table, &row.after, name).expect("a number");
                assert!(n("reserved") >= 0 && n("on_hand") >= n("reserved"), "{:?}: {:?}", change.position, row.after);
                sold_out += i64::from(n("on_hand") == n("reserved"));
                let first = *on_hand.entry(cell()).or_insert(n("on_hand"));
                if row.before.is_none() {
                    moved.insert(cell(), first);
                }
                on_hand.insert(cell(), n("on_hand"));
            }
            Table::StockMovements => {
                *moved.entry(cell()).or_default() += number(row.table, &row.after, "quantity").expect("a quantity");
            }
            _ => {}
        }
    }
    assert_eq!(moved, on_hand);
    assert!(sold_out > 0, "nothing ever runs out");
}

#[test]
fn an_order_is_paid_as_its_lines_and_its_coupon_say() {
    let changes = first_days(&shop(5), 4);
    let mut lines: HashMap<i64, i64> = HashMap::new();
    let mut paid: HashMap<i64, i64> = HashMap::new();
    let (mut discounted, mut partial) = (0, 0);
    for (_, _, row) in rows(&changes) {
        let n = |name| number(row.table, &row.after, name);
        let order = |name| n(name).expect("an order");
        match row.table {
            Table::OrderItems => {
                assert_eq!(n("amount"), Some(n("qty").expect("qty") * n("price").expect("price")));
                if row.before.is_none() {
                    *lines.entry(order("order_id")).or_default() += n("amount").expect("an amount");
                }
            }
            Table::Orders if row.before.is_none() => {
                discounted += i64::from(n("discount").is_some());
                paid.insert(order("order_id"), n("pay_amount").expect("an amount") + n("discount").unwrap_or(0));
            }
            Table::Refunds => {
                let amount = n("amount").expect("an amount");
                assert!(amount > 0 && amount <= paid[&order("order_id")], "{:?}", row.after);
                partial += i64::from(n("item_id").is_some());
            }
            _ => {}
        }
    }
    assert_eq!(lines, paid);
    assert!(discounted > 0 && partial > 0);
}

#[test]
fn what_is_counted_by_identity_has_one_of_its_own() {
    let changes = first_days(&shop(5), 3);
    let mut clicks = HashSet::new();
    for change in &changes {
        if let Body::Click(click) = &change.body {
            assert!(clicks.insert(click.event_id.clone()), "{} twice", click.event_id);
            assert!(click.ts <= click.received_at && click.received_at == change.at);
        }
    }
}
