//! What each rule does, as scripts. `UPDATE_EXPECT=1 cargo test -p linli-stream-jobs` writes what came out into them.

use expect_test::{Expect, expect};
use linli_schemas::metric::Metric;
use linli_schemas::zone::Zone;

use crate::script::{Plan, letters, run};
use crate::shop::{Shop, Table};

/// Whether the rules of a script tell partitions apart: lateness and the newest hour are a partition's own.
#[derive(PartialEq)]
pub enum Partitions {
    Alike,
    Apart,
}

/// Runs the script as it stands, and then in every way that must not change the final results: with a crash after
/// each command, with an epoch and a crash after each, with each record published twice, over three partitions.
pub fn check(script: &str, zone: Zone, partitions: Partitions, expected: Expect) {
    let plain = Plan { partitions: 1, ..Plan::default() };
    let (shop, text) = run(script, zone, plain);
    expected.assert_eq(&text);
    let same = |plan: Plan, what: &str| {
        let (other, _) = run(script, zone, plan);
        assert_eq!(other.table(), shop.table(), "{what}");
        other
    };
    let conserves = |other: &Shop| {
        assert_eq!(other.counts(), shop.counts());
        assert_eq!(letters(other), letters(&shop));
    };
    conserves(&same(Plan { crash: true, ..plain }, "a crash after each command"));
    same(Plan { crash: true, epoch: true, ..plain }, "an epoch and a crash after each command");
    same(Plan { twice: true, ..plain }, "each record twice");
    same(Plan { twice: true, epoch: true, crash: true, ..plain }, "twice, with crashes");
    if partitions == Partitions::Alike {
        for plan in [plain, Plan { crash: true, epoch: true, ..plain }] {
            let (three, _) = run(script, zone, Plan { partitions: 3, ..plan });
            assert_eq!(without_hop(three.table()), without_hop(shop.table()), "three partitions");
        }
    }
}

/// The newest hour is a partition's own: where its last order stands.
fn without_hop(mut table: Table) -> Table {
    table.retain(|(metric, ..), _| *metric != Metric::TopHopCommunity);
    table
}

#[test]
fn one_order_end_to_end() {
    check(
        "> order 1 c7 u5 12.50 @10:00:03
         > item 1 1 c7 s100 k3 x2 @10:00:03
         > item 1 2 c7 s100 k3 x1 @10:00:03
         > item 1 3 c7 s90 k4 x1 @10:00:03
         > click e1 u5 c7 @10:00:03
         > refund 1 c7 2.50 @10:01
         > epoch",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 12.50 @10:00:03
            > item 1 1 c7 s100 k3 x2 @10:00:03
            > item 1 2 c7 s100 k3 x1 @10:00:03
            > item 1 3 c7 s90 k4 x1 @10:00:03
            > click e1 u5 c7 @10:00:03
            > refund 1 c7 2.50 @10:01
            > epoch
            < gmv_min 11-02T10:00 community_id=7 gmv=1250 orders=1
            < refund_min 11-02T10:01 community_id=7 refund_amount=250 refunds=1
            < refund_day 11-02T00:00 community_id=7 refund_amount=250 refunds=1
            < gmv_day 11-02T00:00 community_id=7 gmv=1250 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498398000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            < uv_min 11-02T10:00 community_id=7 uv=1
            < uv_hour 11-02T10:00 community_id=7 uv=1
            < uv_day 11-02T00:00 community_id=7 uv=1
            < uv_min_total 11-02T10:00 uv=1
            < uv_hour_total 11-02T10:00 uv=1
            < uv_day_total 11-02T00:00 uv=1
            < top_min 11-02T10:00 category_id=3 sku_id=100 qty=3
            < top_min 11-02T10:00 category_id=4 sku_id=90 qty=1
            < top_day 11-02T00:00 of 26 category_id=4 sku_id=90 qty=1
            < top_day 11-02T00:00 of 36 category_id=3 sku_id=100 qty=3
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=3
            < top_day_community 11-02T00:00 of 7 sku_id=90 qty=1
            < top_hop_community ..11-02T10:01 of 7 sku_id=100 qty=3
            < top_hop_community ..11-02T10:01 of 7 sku_id=90 qty=1
            (drained)
            < buyers_day_total 11-02T00:00 buyers=1
            = activity clicks: received 1 = applied 1
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 1 = applied 1
            = gmv shop.refunds: received 1 = applied 1
            = top_n shop.order_items: received 3 = applied 3
            = top_n shop.orders: received 1 = applied 1
        "#]],
    );
}

/// Lines wait for their order and orders for their lines; a line counts with its newest quantity.
#[test]
fn orders_and_lines_meet_in_any_order() {
    check(
        "> item 1 1 c7 s100 k0 x2 @10:00
         > order 1 c7 u5 20.00 unpaid @10:00
         > item 2 1 c7 s100 k0 x9 @10:00
         > epoch
         > order-pay 1 c7 u5 20.00 @10:05
         > item 1 2 c7 s200 k0 x1 @10:00
         > epoch
         > item-update 1 1 c7 s100 k0 x5 @10:06
         > item-delete 1 2 c7 s200 k0 x1 @10:06
         > item-update 2 1 c7 s100 k0 x8 @10:06
         > epoch",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > item 1 1 c7 s100 k0 x2 @10:00
            > order 1 c7 u5 20.00 unpaid @10:00
            > item 2 1 c7 s100 k0 x9 @10:00
            > epoch
            > order-pay 1 c7 u5 20.00 @10:05
            > item 1 2 c7 s200 k0 x1 @10:00
            > epoch
            < gmv_min 11-02T10:05 community_id=7 gmv=2000 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=2000 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498695000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            < top_min 11-02T10:05 category_id=0 sku_id=100 qty=2
            < top_min 11-02T10:05 category_id=0 sku_id=200 qty=1
            < top_day 11-02T00:00 of 8 category_id=0 sku_id=200 qty=1
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=2
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=2
            < top_day_community 11-02T00:00 of 7 sku_id=200 qty=1
            < top_hop_community ..11-02T10:06 of 7 sku_id=100 qty=2
            < top_hop_community ..11-02T10:06 of 7 sku_id=200 qty=1
            > item-update 1 1 c7 s100 k0 x5 @10:06
            > item-delete 1 2 c7 s200 k0 x1 @10:06
            > item-update 2 1 c7 s100 k0 x8 @10:06
            > epoch
            < top_min 11-02T10:05 category_id=0 sku_id=100 qty=5
            < top_day 11-02T00:00 of 8 (nothing)
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=5
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=5
            < top_hop_community ..11-02T10:06 of 7 sku_id=100 qty=5
            < buyers_day_total 11-02T00:00 buyers=1
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 2 = applied 2
            = top_n shop.order_items: received 6 = applied 6
            = top_n shop.orders: received 2 = applied 2
        "#]],
    );
}

/// Later changes of a paid order, its move to another key, and its row in a snapshot pay nothing again.
#[test]
fn an_order_is_paid_once() {
    check(
        "> order 1 c7 u5 12.50 unpaid @10:00
         > order-pay 1 c7 u5 12.50 @10:01
         > order-update 1 c7 u5 12.50 @10:01 written=11-05T10:00
         > order-delete 1 c7 u5 12.50 @10:01 moved
         > order-create 1 c7 u5 12.50 @10:01 moved
         > order-read 1 c7 u5 12.50 @10:01 written=10:30
         > order 2 c7 u6 0.00 @10:02",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 12.50 unpaid @10:00
            > order-pay 1 c7 u5 12.50 @10:01
            > order-update 1 c7 u5 12.50 @10:01 written=11-05T10:00
            > order-delete 1 c7 u5 12.50 @10:01 moved
            > order-create 1 c7 u5 12.50 @10:01 moved
            > order-read 1 c7 u5 12.50 @10:01 written=10:30
            > order 2 c7 u6 0.00 @10:02
            (drained)
            < gmv_min 11-02T10:01 community_id=7 gmv=1250 orders=1
            < gmv_min 11-02T10:02 community_id=7 gmv=0 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=1250 orders=2 buyers=2
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498515000,"day_start":1793548800000,"day_end":1793635200000,"users":[5,6]}
            < buyers_day_total 11-02T00:00 buyers=2
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 7 = applied 6 + duplicate 1
            = top_n shop.orders: received 7 = applied 6 + duplicate 1
        "#]],
    );
}

/// A line that moves with its unpaid order counts where the order is paid.
#[test]
fn an_unpaid_order_moves() {
    check(
        "> order 1 c7 u5 10.00 unpaid @10:00
         > item 1 1 c7 s100 k0 x2 @10:00
         > item-delete 1 1 c7 s100 k0 x2 @10:01 moved
         > item 1 1 c8 s100 k0 x2 @10:01 moved
         > order-pay 1 c8 u5 10.00 @10:02",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 10.00 unpaid @10:00
            > item 1 1 c7 s100 k0 x2 @10:00
            > item-delete 1 1 c7 s100 k0 x2 @10:01 moved
            > item 1 1 c8 s100 k0 x2 @10:01 moved
            > order-pay 1 c8 u5 10.00 @10:02
            (drained)
            < gmv_min 11-02T10:02 community_id=8 gmv=1000 orders=1
            < gmv_day 11-02T00:00 community_id=8 gmv=1000 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498515000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            < top_min 11-02T10:02 category_id=0 sku_id=100 qty=2
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=2
            < top_day_community 11-02T00:00 of 8 sku_id=100 qty=2
            < top_hop_community ..11-02T10:03 of 8 sku_id=100 qty=2
            < buyers_day_total 11-02T00:00 buyers=1
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 2 = applied 2
            = top_n shop.order_items: received 3 = applied 3
            = top_n shop.orders: received 2 = applied 2
        "#]],
    );
}

/// 24 hours and 5 seconds behind the highest event time is in time, a millisecond more is late.
#[test]
fn late_records_correct_or_are_put_aside() {
    check(
        "> order 1 c7 u5 1.00 @10:00:00
         > epoch
         > order 2 c7 u5 1.00 @11-03T10:00:05
         > epoch
         > order 3 c7 u6 1.00 @10:00:00
         > order 4 c7 u7 1.00 @09:59:59
         > order 1 c7 u5 1.00 @10:00:00
         > order 4 c7 u7 1.00 @09:59:59
         > click e1 u5 c7 @09:00
         > click e2 u5 c7 @11-04T09:00
         > click e1 u5 c7 @09:00
         > epoch",
        Zone::SHANGHAI,
        Partitions::Apart,
        expect![[r#"
            > order 1 c7 u5 1.00 @10:00:00
            > epoch
            < gmv_min 11-02T10:00 community_id=7 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            > order 2 c7 u5 1.00 @11-03T10:00:05
            > epoch
            < gmv_min 11-03T10:00 community_id=7 gmv=100 orders=1
            < gmv_day 11-03T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793584800000,"day_start":1793635200000,"day_end":1793721600000,"users":[5]}
            < buyers_day_total 11-02T00:00 buyers=1
            > order 3 c7 u6 1.00 @10:00:00
            > order 4 c7 u7 1.00 @09:59:59
            > order 1 c7 u5 1.00 @10:00:00
            > order 4 c7 u7 1.00 @09:59:59
            > click e1 u5 c7 @09:00
            > click e2 u5 c7 @11-04T09:00
            > click e1 u5 c7 @09:00
            > epoch
            < dead-letter shop.orders late: late by 1000 ms past the allowed lateness
            < dead-letter shop.orders late: late by 1000 ms past the allowed lateness
            < dead-letter clicks late: late by 86395000 ms past the allowed lateness
            < gmv_min 11-02T10:00 community_id=7 gmv=200 orders=2
            < gmv_day 11-02T00:00 community_id=7 gmv=200 orders=2 buyers=2
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793584800000,"day_start":1793548800000,"day_end":1793635200000,"users":[6]}
            < uv_min 11-02T09:00 community_id=7 uv=1
            < uv_min 11-04T09:00 community_id=7 uv=1
            < uv_hour 11-02T09:00 community_id=7 uv=1
            < uv_hour 11-04T09:00 community_id=7 uv=1
            < uv_day 11-02T00:00 community_id=7 uv=1
            < uv_day 11-04T00:00 community_id=7 uv=1
            < uv_min_total 11-02T09:00 uv=1
            < uv_min_total 11-04T09:00 uv=1
            < uv_hour_total 11-02T09:00 uv=1
            < uv_hour_total 11-04T09:00 uv=1
            < uv_day_total 11-02T00:00 uv=1
            < uv_day_total 11-04T00:00 uv=1
            < buyers_day_total 11-03T00:00 buyers=1
            (drained)
            < buyers_day_total 11-02T00:00 buyers=2
            = activity clicks: received 3 = applied 2 + late 1
            = buyers gmv.buyers-repartition: received 6 = applied 6
            = gmv shop.orders: received 6 = applied 3 + duplicate 1 + late 2
            = top_n shop.orders: received 6 = applied 3 + duplicate 1 + late 2
        "#]],
    );
}

/// Rejected records do not move the watermark.
#[test]
fn the_future_and_garbage_are_put_aside() {
    check(
        "> click e1 u5 c7 @10:00
         > click e2 u5 c7 @2027-01-01T00:00
         > order 1 c7 u5 1.00 @2027-01-01T00:00
         > order 2 c7 u5 1.00 @10:00 written=2027-01-01T00:00
         > item 1 1 c7 s1 k0 x3000000000 @10:00
         > garbage
         > tombstone
         > click e3 u6 c7 @10:01",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > click e1 u5 c7 @10:00
            > click e2 u5 c7 @2027-01-01T00:00
            > order 1 c7 u5 1.00 @2027-01-01T00:00
            > order 2 c7 u5 1.00 @10:00 written=2027-01-01T00:00
            > item 1 1 c7 s1 k0 x3000000000 @10:00
            > garbage
            > tombstone
            > click e3 u6 c7 @10:01
            (drained)
            < dead-letter clicks future: event time 1798732800000 is more than 600000 ms ahead of the time it was received, 1794009600000
            < dead-letter shop.orders future: event time 1798732800000 is more than 600000 ms ahead of the time it was received, 1794009600000
            < dead-letter shop.orders future: event time 1798732800000 is more than 600000 ms ahead of the time it was received, 1794009600000
            < dead-letter shop.order_items malformed: not a valid record of topic "shop.order_items": invalid value: integer `3000000000`, expected an integer of 32 bits at line 1 column 109
            < dead-letter clicks malformed: not a valid record of topic "clicks": EOF while parsing at line 1 column 6
            < uv_min 11-02T10:00 community_id=7 uv=1
            < uv_min 11-02T10:01 community_id=7 uv=1
            < uv_hour 11-02T10:00 community_id=7 uv=2
            < uv_day 11-02T00:00 community_id=7 uv=2
            < uv_min_total 11-02T10:00 uv=1
            < uv_min_total 11-02T10:01 uv=1
            < uv_hour_total 11-02T10:00 uv=2
            < uv_day_total 11-02T00:00 uv=2
            = activity clicks: received 4 = applied 2 + dead_lettered 2
            = gmv shop.orders: received 3 = applied 1 + dead_lettered 2
            = top_n shop.order_items: received 1 = dead_lettered 1
            = top_n shop.orders: received 3 = applied 1 + dead_lettered 2
        "#]],
    );
}

/// Snapshot rows enter the days that are open, older ones are history, and none moves the watermark.
#[test]
fn a_snapshot_is_history() {
    check(
        "> order-read 1 c7 u5 1.00 @10-30T23:59 written=11-02T12:00
         > order-read 2 c7 u5 2.00 @11-01T00:00 written=11-02T12:00
         > order-read 3 c7 u6 4.00 @11-02T11:00 written=11-02T12:00
         > order-read 4 c7 u7 8.00 @11-02T11:30 unpaid written=11-02T12:00
         > item-read 2 1 c7 s100 k0 x2 @11-02T12:00
         > item-read 3 2 c7 s100 k0 x3 @11-02T12:00
         > item-read 3 2 c7 s100 k0 x3 @11-02T12:00
         > epoch
         > order-pay 4 c7 u7 8.00 @11-02T12:01
         > epoch
         > order-update 3 c7 u6 4.00 @11-02T11:00 written=11-02T12:02",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order-read 1 c7 u5 1.00 @10-30T23:59 written=11-02T12:00
            > order-read 2 c7 u5 2.00 @11-01T00:00 written=11-02T12:00
            > order-read 3 c7 u6 4.00 @11-02T11:00 written=11-02T12:00
            > order-read 4 c7 u7 8.00 @11-02T11:30 unpaid written=11-02T12:00
            > item-read 2 1 c7 s100 k0 x2 @11-02T12:00
            > item-read 3 2 c7 s100 k0 x3 @11-02T12:00
            > item-read 3 2 c7 s100 k0 x3 @11-02T12:00
            > epoch
            < gmv_min 11-01T00:00 community_id=7 gmv=200 orders=1
            < gmv_min 11-02T11:00 community_id=7 gmv=400 orders=1
            < gmv_day 11-01T00:00 community_id=7 gmv=200 orders=1 buyers=1
            < gmv_day 11-02T00:00 community_id=7 gmv=400 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":0,"day_start":1793462400000,"day_end":1793548800000,"users":[5]}
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":0,"day_start":1793548800000,"day_end":1793635200000,"users":[6]}
            < top_min 11-01T00:00 category_id=0 sku_id=100 qty=2
            < top_min 11-02T11:00 category_id=0 sku_id=100 qty=3
            < top_day 11-01T00:00 of 36 category_id=0 sku_id=100 qty=2
            < top_day_community 11-01T00:00 of 7 sku_id=100 qty=2
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=3
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=3
            < top_hop_community ..11-02T11:01 of 7 sku_id=100 qty=3
            > order-pay 4 c7 u7 8.00 @11-02T12:01
            > epoch
            < gmv_min 11-02T12:01 community_id=7 gmv=800 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=1200 orders=2 buyers=2
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793505655000,"day_start":1793548800000,"day_end":1793635200000,"users":[7]}
            < top_hop_community ..11-02T12:02 of 7 (nothing)
            < buyers_day_total 11-01T00:00 buyers=1
            < buyers_day_total 11-02T00:00 buyers=1
            > order-update 3 c7 u6 4.00 @11-02T11:00 written=11-02T12:02
            (drained)
            < buyers_day_total 11-02T00:00 buyers=2
            = buyers gmv.buyers-repartition: received 6 = applied 6
            = gmv shop.orders: received 6 = applied 5 + history 1
            = top_n shop.order_items: received 3 = applied 2 + duplicate 1
            = top_n shop.orders: received 6 = applied 5 + history 1
        "#]],
    );
}
