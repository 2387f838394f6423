use std::collections::HashMap;

use linli_schemas::Topic;
use linli_schemas::event::{Event, Kind, decode};
use linli_schemas::identity::{BinlogPlace, Identity};
use linli_schemas::named::parse_named;
use linli_schemas::stock::parse_stock;
use linli_schemas::zone::Zone;
use linli_simulator::Table;
use linli_simulator::records::Records;

use super::{first_days, shop};

#[test]
fn every_record_is_decoded_and_has_a_place_of_its_own() {
    let shop = shop(5);
    let records = Records::new(Zone::SHANGHAI, 8);
    let mut places: HashMap<u64, BinlogPlace> = HashMap::new();
    let mut kinds: HashMap<&str, u32> = HashMap::new();
    let mut out = Vec::new();
    for change in first_days(&shop, 3) {
        records.write(&change, &mut out);
        for record in out.drain(..) {
            let value = record.value.expect("no tombstones");
            let Some(topic) = Topic::from_name(&record.topic) else {
                let json: serde_json::Value = serde_json::from_slice(&value).expect("JSON");
                assert!(json["source"]["pos"].is_u64(), "{json}");
                continue;
            };
            if Topic::NAMING.contains(&topic) {
                let named = parse_named(topic, &value).expect("a record as the contract says");
                assert!(named.is_some_and(|row| row.name.is_some_and(|name| !name.is_empty()) && !row.deleted));
                *kinds.entry("named").or_default() += 1;
                continue;
            }
            if topic == Topic::Stock {
                let level = parse_stock(&value).expect("a record as the contract says").expect("a row");
                assert!(level.available >= 0 && level.written_ms == change.at.0, "{level:?}");
                *kinds.entry("stock").or_default() += 1;
                continue;
            }
            let decoded = decode(topic, &value, Zone::SHANGHAI).expect("a record as the contract says");
            if let Some(Identity::Binlog { server, place }) = decoded.identity {
                let last = places.insert(server, place);
                assert!(last < Some(place), "{last:?} then {place:?}");
            }
            assert!(decoded.event_time.is_none_or(|at| at <= decoded.received_at));
            match decoded.event {
                Event::Order(order) => {
                    assert_eq!(order.kind, Kind::Written);
                    *kinds.entry(if order.paid_at.is_some() { "paid" } else { "unpaid" }).or_default() += 1;
                    if let Some(at) = order.paid_at.filter(|_| !order.was_paid) {
                        assert_eq!(at, change.at);
                    }
                }
                Event::Item(_) => *kinds.entry("item").or_default() += 1,
                Event::Refund(_) => *kinds.entry("refund").or_default() += 1,
                Event::Click(_) => *kinds.entry("click").or_default() += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    assert_eq!(places.len(), 2, "two servers");
}

#[test]
fn envelopes_are_those_of_change_data_capture() {
    let shop = shop(5);
    let records = Records::new(Zone::SHANGHAI, 8);
    let mut out = Vec::new();
    for change in first_days(&shop, 1) {
        records.write(&change, &mut out);
    }
    let paid = out
        .iter()
        .filter(|r| &*r.topic == "shop.orders")
        .map(|r| (r, serde_json::from_slice::<serde_json::Value>(r.value.as_deref().expect("a value")).expect("JSON")))
        .find(|(_, json)| json["op"] == "u" && json["after"]["status"] == 1)
        .expect("a paid order");
    let (record, json) = paid;
    let after = &json["after"];
    assert_eq!(record.key, after["community_id"].to_string());
    assert!(after["pay_amount"].as_str().is_some_and(|text| text.contains('.')));
    assert!(after["phone"].as_str().is_some_and(|phone| phone.contains("****")));
    assert_eq!(json["before"]["paid_at"], serde_json::Value::Null);
    // eight hours ahead of UTC, as if it were UTC
    let committed = json["source"]["ts_ms"].as_i64().expect("a number");
    assert_eq!(after["paid_at"].as_i64(), Some(committed + 8 * 3_600_000));
    let table = after["order_id"].as_u64().expect("a number") % 16;
    assert_eq!(json["source"]["table"], format!("orders_{table}"));
    assert_eq!(json["source"]["server"], format!("shop-{}", table / 8));
    assert_eq!(json["source"]["db"], format!("shop_{}", table / 8));
    assert_eq!(json["transaction"]["total_order"], 1);
}

#[test]
fn a_key_of_several_columns_is_an_object() {
    let shop = shop(5);
    let records = Records::new(Zone::SHANGHAI, 8);
    let mut out = Vec::new();
    for change in first_days(&shop, 1) {
        records.write(&change, &mut out);
    }
    for record in out.iter().filter(|record| &*record.topic == "shop.stock") {
        let value: serde_json::Value = serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON");
        let after = &value["after"];
        let key = format!("{{\"warehouse_id\":{},\"sku_id\":{}}}", after["warehouse_id"], after["sku_id"]);
        assert_eq!(record.key, key);
    }
}

#[test]
fn each_table_has_its_topic() {
    let specs = Records::new(Zone::UTC, 4).topics();
    assert_eq!(specs.len(), Table::ALL.len() + 1);
    for topic in [Topic::Orders, Topic::OrderItems, Topic::Refunds, Topic::Clicks] {
        assert!(specs.iter().any(|spec| spec.name == topic.name() && spec.partitions == 4 && !spec.compacted));
    }
}

#[test]
fn rows_have_the_columns_that_the_shops_tables_have() {
    let tables = linli_schemas::shop::TABLES;
    for table in Table::ALL {
        let theirs = tables.iter().find(|t| t.name == table.name()).expect("a table of the shop");
        let ours: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
        assert_eq!(ours, theirs.columns().collect::<Vec<_>>(), "{}", table.name());
    }
}

#[test]
fn no_person_is_named_on_the_log() {
    let shop = shop(5);
    let records = Records::new(Zone::SHANGHAI, 8);
    let mut out = Vec::new();
    for change in first_days(&shop, 1) {
        records.write(&change, &mut out);
    }
    let json = |topic: &str| -> serde_json::Value {
        let record = out.iter().find(|r| &*r.topic == topic).expect("a record");
        serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON")
    };
    let user = &json("shop.users")["after"];
    assert!(user["name"].as_str().is_some_and(|name| name.chars().nth(1) == Some('*')), "{user}");
    assert!(user["phone"].as_str().is_some_and(|phone| phone.contains("****")), "{user}");
    assert_eq!(json("shop.orders")["after"]["address"], serde_json::Value::Null);
}
