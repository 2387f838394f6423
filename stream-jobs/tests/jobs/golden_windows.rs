//! What the windows and lists come to, as scripts; see `golden`.

use expect_test::expect;
use linli_schemas::zone::Zone;

use crate::golden::{Partitions, check};

#[test]
fn buyers_are_distinct_by_community_and_in_all() {
    check(
        "> order 1 c7 u5 1.00 @10:00
         > order 2 c7 u5 1.00 @11:00
         > order 3 c8 u5 1.00 @12:00
         > order 4 c8 u6 1.00 @13:00
         > epoch
         > order 5 c9 u5 1.00 @14:00
         > order 6 c7 u5 1.00 @11-03T00:00
         > order 7 c7 u6 1.00 @11-03T23:59:59
         > order 8 c7 u6 1.00 @11-04T00:00:05
         > epoch",
        Zone::SHANGHAI,
        Partitions::Apart,
        expect![[r#"
            > order 1 c7 u5 1.00 @10:00
            > order 2 c7 u5 1.00 @11:00
            > order 3 c8 u5 1.00 @12:00
            > order 4 c8 u6 1.00 @13:00
            > epoch
            < gmv_min 11-02T10:00 community_id=7 gmv=100 orders=1
            < gmv_min 11-02T11:00 community_id=7 gmv=100 orders=1
            < gmv_min 11-02T12:00 community_id=8 gmv=100 orders=1
            < gmv_min 11-02T13:00 community_id=8 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=200 orders=2 buyers=1
            < gmv_day 11-02T00:00 community_id=8 gmv=200 orders=2 buyers=2
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793509195000,"day_start":1793548800000,"day_end":1793635200000,"users":[5,6]}
            > order 5 c9 u5 1.00 @14:00
            > order 6 c7 u5 1.00 @11-03T00:00
            > order 7 c7 u6 1.00 @11-03T23:59:59
            > order 8 c7 u6 1.00 @11-04T00:00:05
            > epoch
            < gmv_min 11-02T14:00 community_id=9 gmv=100 orders=1
            < gmv_min 11-03T00:00 community_id=7 gmv=100 orders=1
            < gmv_min 11-03T23:59 community_id=7 gmv=100 orders=1
            < gmv_min 11-04T00:00 community_id=7 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=200 orders=2 buyers=1
            < gmv_day 11-02T00:00 community_id=8 gmv=200 orders=2 buyers=2
            < gmv_day 11-02T00:00 community_id=9 gmv=100 orders=1 buyers=1
            < gmv_day 11-03T00:00 community_id=7 gmv=200 orders=2 buyers=2
            < gmv_day 11-04T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793635200000,"day_start":1793635200000,"day_end":1793721600000,"users":[5,6]}
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793635200000,"day_start":1793721600000,"day_end":1793808000000,"users":[6]}
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793635200000,"day_start":1793548800000,"day_end":1793635200000,"users":[]}
            < buyers_day_total 11-02T00:00 buyers=2
            (drained)
            < buyers_day_total 11-03T00:00 buyers=2
            < buyers_day_total 11-04T00:00 buyers=1
            = buyers gmv.buyers-repartition: received 8 = applied 8
            = gmv shop.orders: received 8 = applied 8
            = top_n shop.orders: received 8 = applied 8
        "#]],
    );
}

#[test]
fn active_users_are_distinct_in_every_window() {
    check(
        "> click e1 u5 c7 @10:00:00
         > click e2 u5 c7 @10:00:59
         > click e3 u5 c7 @10:01
         > click e4 u5 c8 @10:01
         > click e5 u5 c8 @11:00
         > click e6 anonymous=x1 c7 @10:00
         > click e7 anonymous=5 c7 @10:00
         > click e8 u5 c9 @10:30
         > click e9 u5 c10 @10:30
         > click e10 u5 c11 @10:30
         > click e11 u5 c12 @10:00
         > click e12 u5 c12 @11-03T00:00",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > click e1 u5 c7 @10:00:00
            > click e2 u5 c7 @10:00:59
            > click e3 u5 c7 @10:01
            > click e4 u5 c8 @10:01
            > click e5 u5 c8 @11:00
            > click e6 anonymous=x1 c7 @10:00
            > click e7 anonymous=5 c7 @10:00
            > click e8 u5 c9 @10:30
            > click e9 u5 c10 @10:30
            > click e10 u5 c11 @10:30
            > click e11 u5 c12 @10:00
            > click e12 u5 c12 @11-03T00:00
            (drained)
            < uv_min 11-02T10:00 community_id=7 uv=3
            < uv_min 11-02T10:00 community_id=12 uv=1
            < uv_min 11-02T10:01 community_id=7 uv=1
            < uv_min 11-02T10:01 community_id=8 uv=1
            < uv_min 11-02T10:30 community_id=9 uv=1
            < uv_min 11-02T10:30 community_id=10 uv=1
            < uv_min 11-02T10:30 community_id=11 uv=1
            < uv_min 11-02T11:00 community_id=8 uv=1
            < uv_min 11-03T00:00 community_id=12 uv=1
            < uv_hour 11-02T10:00 community_id=7 uv=3
            < uv_hour 11-02T10:00 community_id=8 uv=1
            < uv_hour 11-02T10:00 community_id=9 uv=1
            < uv_hour 11-02T10:00 community_id=10 uv=1
            < uv_hour 11-02T10:00 community_id=11 uv=1
            < uv_hour 11-02T10:00 community_id=12 uv=1
            < uv_hour 11-02T11:00 community_id=8 uv=1
            < uv_hour 11-03T00:00 community_id=12 uv=1
            < uv_day 11-02T00:00 community_id=7 uv=3
            < uv_day 11-02T00:00 community_id=8 uv=1
            < uv_day 11-02T00:00 community_id=9 uv=1
            < uv_day 11-02T00:00 community_id=10 uv=1
            < uv_day 11-02T00:00 community_id=11 uv=1
            < uv_day 11-02T00:00 community_id=12 uv=1
            < uv_day 11-03T00:00 community_id=12 uv=1
            < uv_min_total 11-02T10:00 uv=3
            < uv_min_total 11-02T10:01 uv=1
            < uv_min_total 11-02T10:30 uv=1
            < uv_min_total 11-02T11:00 uv=1
            < uv_min_total 11-03T00:00 uv=1
            < uv_hour_total 11-02T10:00 uv=3
            < uv_hour_total 11-02T11:00 uv=1
            < uv_hour_total 11-03T00:00 uv=1
            < uv_day_total 11-02T00:00 uv=3
            < uv_day_total 11-03T00:00 uv=1
            = activity clicks: received 12 = applied 12
        "#]],
    );
}

/// Ties go by the lower SKU id; minutes leave the hour one by one, and a community that sold nothing in it has no list.
#[test]
fn the_top_list_of_the_last_hour_slides() {
    check(
        "> order 1 c7 u5 1.00 @10:00
         > item 1 1 c7 s200 k0 x2 @10:00
         > item 1 2 c7 s100 k1 x1 @10:00
         > item 1 3 c7 s100 k2 x1 @10:00
         > order 2 c8 u5 1.00 @10:30
         > item 2 1 c8 s100 k1 x1 @10:30
         > epoch
         > order 3 c8 u5 1.00 @10:59:59
         > epoch
         > order 4 c8 u5 1.00 @11:00
         > epoch
         > item 3 1 c8 s300 k1 x5 @11:00
         > epoch
         > item 1 4 c7 s300 k1 x5 @11:00",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 1.00 @10:00
            > item 1 1 c7 s200 k0 x2 @10:00
            > item 1 2 c7 s100 k1 x1 @10:00
            > item 1 3 c7 s100 k2 x1 @10:00
            > order 2 c8 u5 1.00 @10:30
            > item 2 1 c8 s100 k1 x1 @10:30
            > epoch
            < gmv_min 11-02T10:00 community_id=7 gmv=100 orders=1
            < gmv_min 11-02T10:30 community_id=8 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < gmv_day 11-02T00:00 community_id=8 gmv=100 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793500195000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            < top_min 11-02T10:00 category_id=0 sku_id=200 qty=2
            < top_min 11-02T10:00 category_id=1 sku_id=100 qty=1
            < top_min 11-02T10:00 category_id=2 sku_id=100 qty=1
            < top_min 11-02T10:30 category_id=1 sku_id=100 qty=1
            < top_day 11-02T00:00 of 8 category_id=0 sku_id=200 qty=2
            < top_day 11-02T00:00 of 36 category_id=1 sku_id=100 qty=2
            < top_day 11-02T00:00 of 36 category_id=2 sku_id=100 qty=1
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=2
            < top_day_community 11-02T00:00 of 7 sku_id=200 qty=2
            < top_day_community 11-02T00:00 of 8 sku_id=100 qty=1
            < top_hop_community ..11-02T10:31 of 7 sku_id=100 qty=2
            < top_hop_community ..11-02T10:31 of 7 sku_id=200 qty=2
            < top_hop_community ..11-02T10:31 of 8 sku_id=100 qty=1
            > order 3 c8 u5 1.00 @10:59:59
            > epoch
            < gmv_min 11-02T10:59 community_id=8 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < gmv_day 11-02T00:00 community_id=8 gmv=200 orders=2 buyers=1
            < top_hop_community ..11-02T11:00 of 7 sku_id=100 qty=2
            < top_hop_community ..11-02T11:00 of 7 sku_id=200 qty=2
            < top_hop_community ..11-02T11:00 of 8 sku_id=100 qty=1
            < buyers_day_total 11-02T00:00 buyers=1
            > order 4 c8 u5 1.00 @11:00
            > epoch
            < gmv_min 11-02T11:00 community_id=8 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < gmv_day 11-02T00:00 community_id=8 gmv=300 orders=3 buyers=1
            < top_hop_community ..11-02T11:01 of 7 (nothing)
            < top_hop_community ..11-02T11:01 of 8 sku_id=100 qty=1
            > item 3 1 c8 s300 k1 x5 @11:00
            > epoch
            < top_min 11-02T10:59 category_id=1 sku_id=300 qty=5
            < top_day 11-02T00:00 of 44 category_id=1 sku_id=300 qty=5
            < top_day_community 11-02T00:00 of 8 sku_id=300 qty=5
            < top_day_community 11-02T00:00 of 8 sku_id=100 qty=1
            < top_hop_community ..11-02T11:01 of 8 sku_id=300 qty=5
            < top_hop_community ..11-02T11:01 of 8 sku_id=100 qty=1
            > item 1 4 c7 s300 k1 x5 @11:00
            (drained)
            < top_min 11-02T10:00 category_id=0 sku_id=200 qty=2
            < top_min 11-02T10:00 category_id=1 sku_id=100 qty=1
            < top_min 11-02T10:00 category_id=1 sku_id=300 qty=5
            < top_min 11-02T10:00 category_id=2 sku_id=100 qty=1
            < top_day 11-02T00:00 of 44 category_id=1 sku_id=300 qty=10
            < top_day_community 11-02T00:00 of 7 sku_id=300 qty=5
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=2
            < top_day_community 11-02T00:00 of 7 sku_id=200 qty=2
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 4 = applied 4
            = top_n shop.order_items: received 6 = applied 6
            = top_n shop.orders: received 4 = applied 4
        "#]],
    );
}

/// An imported line repeats with its event id; a failover may bring GTIDs out of order.
#[test]
fn repetitions_are_told_by_identity() {
    check(
        "> order 1 c7 u5 1.00 @10:00 event=o-1
         > item 1 1 c7 s100 k0 x1 @10:00 event=o-1
         > order 1 c7 u5 1.00 @10:00 event=o-1
         > item 1 1 c7 s100 k0 x1 @10:00 event=o-1
         > order 2 c7 u5 1.00 unpaid @10:00 event=o-2
         > order 2 c7 u5 1.00 unpaid @10:00 event=o-2
         > item-update 1 1 c7 s100 k0 x4 @10:02 gtid=8
         > item 1 2 c7 s100 k0 x2 @10:01 gtid=7
         > click e1 u5 c7 @10:00
         > click e1 u5 c7 @10:00",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 1.00 @10:00 event=o-1
            > item 1 1 c7 s100 k0 x1 @10:00 event=o-1
            > order 1 c7 u5 1.00 @10:00 event=o-1
            > item 1 1 c7 s100 k0 x1 @10:00 event=o-1
            > order 2 c7 u5 1.00 unpaid @10:00 event=o-2
            > order 2 c7 u5 1.00 unpaid @10:00 event=o-2
            > item-update 1 1 c7 s100 k0 x4 @10:02 gtid=8
            > item 1 2 c7 s100 k0 x2 @10:01 gtid=7
            > click e1 u5 c7 @10:00
            > click e1 u5 c7 @10:00
            (drained)
            < gmv_min 11-02T10:00 community_id=7 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            < uv_min 11-02T10:00 community_id=7 uv=1
            < uv_hour 11-02T10:00 community_id=7 uv=1
            < uv_day 11-02T00:00 community_id=7 uv=1
            < uv_min_total 11-02T10:00 uv=1
            < uv_hour_total 11-02T10:00 uv=1
            < uv_day_total 11-02T00:00 uv=1
            < top_min 11-02T10:00 category_id=0 sku_id=100 qty=6
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=6
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=6
            < top_hop_community ..11-02T10:01 of 7 sku_id=100 qty=6
            < buyers_day_total 11-02T00:00 buyers=1
            = activity clicks: received 2 = applied 1 + duplicate 1
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 4 = applied 2 + duplicate 2
            = top_n shop.order_items: received 4 = applied 3 + duplicate 1
            = top_n shop.orders: received 4 = applied 2 + duplicate 2
        "#]],
    );
}

/// A store that lost its data gets every open window; an import's end says how far the results have come.
#[test]
fn windows_are_delivered_again() {
    check(
        "> order 1 c7 u5 1.00 @10:00
         > item 1 1 c7 s100 k0 x1 @10:00
         > click e1 u5 c7 @10:00
         > epoch
         > redeliver
         > epoch
         > watermark @11:00
         > epoch",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 1.00 @10:00
            > item 1 1 c7 s100 k0 x1 @10:00
            > click e1 u5 c7 @10:00
            > epoch
            < gmv_min 11-02T10:00 community_id=7 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1793548800000,"day_end":1793635200000,"users":[5]}
            < uv_min 11-02T10:00 community_id=7 uv=1
            < uv_hour 11-02T10:00 community_id=7 uv=1
            < uv_day 11-02T00:00 community_id=7 uv=1
            < uv_min_total 11-02T10:00 uv=1
            < uv_hour_total 11-02T10:00 uv=1
            < uv_day_total 11-02T00:00 uv=1
            < top_min 11-02T10:00 category_id=0 sku_id=100 qty=1
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=1
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=1
            < top_hop_community ..11-02T10:01 of 7 sku_id=100 qty=1
            > redeliver
            > epoch
            < gmv_min 11-02T10:00 community_id=7 gmv=100 orders=1
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < uv_min 11-02T10:00 community_id=7 uv=1
            < uv_hour 11-02T10:00 community_id=7 uv=1
            < uv_day 11-02T00:00 community_id=7 uv=1
            < uv_min_total 11-02T10:00 uv=1
            < uv_hour_total 11-02T10:00 uv=1
            < uv_day_total 11-02T00:00 uv=1
            < top_min 11-02T10:00 category_id=0 sku_id=100 qty=1
            < top_day 11-02T00:00 (nothing)
            < top_day 11-02T00:00 of 1 (nothing)
            < top_day 11-02T00:00 of 2 (nothing)
            < top_day 11-02T00:00 of 3 (nothing)
            < top_day 11-02T00:00 of 4 (nothing)
            < top_day 11-02T00:00 of 5 (nothing)
            < top_day 11-02T00:00 of 6 (nothing)
            < top_day 11-02T00:00 of 7 (nothing)
            < top_day 11-02T00:00 of 8 (nothing)
            < top_day 11-02T00:00 of 9 (nothing)
            < top_day 11-02T00:00 of 10 (nothing)
            < top_day 11-02T00:00 of 11 (nothing)
            < top_day 11-02T00:00 of 12 (nothing)
            < top_day 11-02T00:00 of 13 (nothing)
            < top_day 11-02T00:00 of 14 (nothing)
            < top_day 11-02T00:00 of 15 (nothing)
            < top_day 11-02T00:00 of 16 (nothing)
            < top_day 11-02T00:00 of 17 (nothing)
            < top_day 11-02T00:00 of 18 (nothing)
            < top_day 11-02T00:00 of 19 (nothing)
            < top_day 11-02T00:00 of 20 (nothing)
            < top_day 11-02T00:00 of 21 (nothing)
            < top_day 11-02T00:00 of 22 (nothing)
            < top_day 11-02T00:00 of 23 (nothing)
            < top_day 11-02T00:00 of 24 (nothing)
            < top_day 11-02T00:00 of 25 (nothing)
            < top_day 11-02T00:00 of 26 (nothing)
            < top_day 11-02T00:00 of 27 (nothing)
            < top_day 11-02T00:00 of 28 (nothing)
            < top_day 11-02T00:00 of 29 (nothing)
            < top_day 11-02T00:00 of 30 (nothing)
            < top_day 11-02T00:00 of 31 (nothing)
            < top_day 11-02T00:00 of 32 (nothing)
            < top_day 11-02T00:00 of 33 (nothing)
            < top_day 11-02T00:00 of 34 (nothing)
            < top_day 11-02T00:00 of 35 (nothing)
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=1
            < top_day 11-02T00:00 of 37 (nothing)
            < top_day 11-02T00:00 of 38 (nothing)
            < top_day 11-02T00:00 of 39 (nothing)
            < top_day 11-02T00:00 of 40 (nothing)
            < top_day 11-02T00:00 of 41 (nothing)
            < top_day 11-02T00:00 of 42 (nothing)
            < top_day 11-02T00:00 of 43 (nothing)
            < top_day 11-02T00:00 of 44 (nothing)
            < top_day 11-02T00:00 of 45 (nothing)
            < top_day 11-02T00:00 of 46 (nothing)
            < top_day 11-02T00:00 of 47 (nothing)
            < top_day 11-02T00:00 of 48 (nothing)
            < top_day 11-02T00:00 of 49 (nothing)
            < top_day 11-02T00:00 of 50 (nothing)
            < top_day 11-02T00:00 of 51 (nothing)
            < top_day 11-02T00:00 of 52 (nothing)
            < top_day 11-02T00:00 of 53 (nothing)
            < top_day 11-02T00:00 of 54 (nothing)
            < top_day 11-02T00:00 of 55 (nothing)
            < top_day 11-02T00:00 of 56 (nothing)
            < top_day 11-02T00:00 of 57 (nothing)
            < top_day 11-02T00:00 of 58 (nothing)
            < top_day 11-02T00:00 of 59 (nothing)
            < top_day 11-02T00:00 of 60 (nothing)
            < top_day 11-02T00:00 of 61 (nothing)
            < top_day 11-02T00:00 of 62 (nothing)
            < top_day 11-02T00:00 of 63 (nothing)
            < top_day_community 11-02T00:00 of 7 sku_id=100 qty=1
            < top_hop_community ..11-02T10:01 of 7 sku_id=100 qty=1
            < buyers_day_total 11-02T00:00 buyers=1
            > watermark @11:00
            > epoch
            < gmv_day 11-02T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < uv_day 11-02T00:00 community_id=7 uv=1
            < uv_day_total 11-02T00:00 uv=1
            = activity clicks: received 1 = applied 1
            = buyers gmv.buyers-repartition: received 2 = applied 2
            = gmv shop.orders: received 1 = applied 1
            = top_n shop.order_items: received 1 = applied 1
            = top_n shop.orders: received 1 = applied 1
        "#]],
    );
}

#[test]
fn a_backlog_of_weeks_is_read_in_any_order() {
    check(
        "> order 1 c7 u5 1.00 @09-20T10:00
         > order 2 c7 u5 2.00 @10-10T10:00
         > order 3 c8 u6 3.00 @11-02T10:00
         > epoch
         > item 1 1 c7 s100 k0 x2 @09-20T10:00
         > epoch
         > item 2 1 c7 s100 k0 x3 @10-10T10:00
         > item 3 1 c8 s100 k0 x4 @11-02T10:00
         > epoch",
        Zone::SHANGHAI,
        Partitions::Alike,
        expect![[r#"
            > order 1 c7 u5 1.00 @09-20T10:00
            > order 2 c7 u5 2.00 @10-10T10:00
            > order 3 c8 u6 3.00 @11-02T10:00
            > epoch
            < gmv_min 09-20T10:00 community_id=7 gmv=100 orders=1
            < gmv_min 10-10T10:00 community_id=7 gmv=200 orders=1
            < gmv_min 11-02T10:00 community_id=8 gmv=300 orders=1
            < gmv_day 09-20T00:00 community_id=7 gmv=100 orders=1 buyers=1
            < gmv_day 10-10T00:00 community_id=7 gmv=200 orders=1 buyers=1
            < gmv_day 11-02T00:00 community_id=8 gmv=300 orders=1 buyers=1
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1789833600000,"day_end":1789920000000,"users":[5]}
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1791561600000,"day_end":1791648000000,"users":[5]}
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1793548800000,"day_end":1793635200000,"users":[6]}
            < forward gmv.buyers-repartition/0 {"shard":0,"closed_before":1793498395000,"day_start":1791561600000,"day_end":1791648000000,"users":[]}
            > item 1 1 c7 s100 k0 x2 @09-20T10:00
            > epoch
            < top_min 09-20T10:00 category_id=0 sku_id=100 qty=2
            < top_day 09-20T00:00 of 36 category_id=0 sku_id=100 qty=2
            < top_day_community 09-20T00:00 of 7 sku_id=100 qty=2
            < buyers_day_total 09-20T00:00 buyers=1
            < buyers_day_total 10-10T00:00 buyers=1
            < buyers_day_total 11-02T00:00 buyers=1
            > item 2 1 c7 s100 k0 x3 @10-10T10:00
            > item 3 1 c8 s100 k0 x4 @11-02T10:00
            > epoch
            < top_min 10-10T10:00 category_id=0 sku_id=100 qty=3
            < top_min 11-02T10:00 category_id=0 sku_id=100 qty=4
            < top_day 10-10T00:00 of 36 category_id=0 sku_id=100 qty=3
            < top_day_community 10-10T00:00 of 7 sku_id=100 qty=3
            < top_day 11-02T00:00 of 36 category_id=0 sku_id=100 qty=4
            < top_day_community 11-02T00:00 of 8 sku_id=100 qty=4
            < top_hop_community ..11-02T10:01 of 8 sku_id=100 qty=4
            = buyers gmv.buyers-repartition: received 8 = applied 8
            = gmv shop.orders: received 3 = applied 3
            = top_n shop.order_items: received 3 = applied 3
            = top_n shop.orders: received 3 = applied 3
        "#]],
    );
}
