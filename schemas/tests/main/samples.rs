//! Old samples still decode, to the same thing.

use linli_schemas::Topic;
use linli_schemas::event::{Event, Kind, decode};
use linli_schemas::metric::{Metric, MetricRecord, PartKey, Version};
use linli_schemas::zone::Zone;
use proptest::prelude::*;

use crate::values::{SAMPLES, decoded};

#[test]
fn every_old_sample_still_decodes() {
    for (name, text) in SAMPLES {
        if let Some(topic) = Topic::from_name(name) {
            assert_eq!(decoded(topic, text.as_bytes()), Ok(()), "{text}");
        }
    }
}

#[test]
fn no_sample_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("events/samples");
    let mut files = 0;
    for version in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        for file in std::fs::read_dir(version.path()).expect("a folder a version").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("readable");
            assert!(SAMPLES.iter().any(|(_, sample)| *sample == text), "{} is not tested", file.path().display());
            files += 1;
        }
    }
    assert_eq!(files, SAMPLES.len());
}

fn sample(name: &str, holds: &str) -> linli_schemas::event::Record {
    let found = SAMPLES.iter().find(|(topic, text)| *topic == name && text.contains(holds));
    let (topic, text) = found.unwrap_or_else(|| panic!("{name}: {holds}"));
    decode(Topic::from_name(topic).expect("known"), text.as_bytes(), Zone::SHANGHAI).expect("decodes")
}

#[test]
fn an_order_that_is_paid_is_counted_at_that_time() {
    let paid = sample("shop.orders", ":23");
    // 00:01:00 on the wall in Shanghai, which is eight hours ahead.
    assert_eq!(paid.event_time.map(|at| at.0), Some(1_793_491_260_000 - 8 * 3_600_000));
    let Event::Order(order) = paid.event else { panic!("an order") };
    assert_eq!(
        (order.kind, order.pay_amount.0, order.was_paid, order.order_id.0),
        (Kind::Written, 2550, false, u64::MAX)
    );
    assert!(paid.snapshot_at.is_none() && paid.identity.is_some());
}

#[test]
fn what_counts_nothing_new_has_no_event_time() {
    for holds in ["\"op\": \"d\"", "\"moved\": true", "\"op\": \"t\"", "-77"] {
        assert_eq!(sample("shop.orders", holds).event_time, None, "{holds}");
    }
    assert!(sample("shop.orders", "\"snapshot\": \"first\"").snapshot_at.is_some());
}

fn metric_record() -> impl Strategy<Value = MetricRecord> {
    let metric = proptest::sample::select(Metric::ALL.to_vec());
    let key = (any::<i64>(), any::<i64>(), any::<u32>());
    let version = (any::<u32>(), any::<u64>(), any::<u32>());
    (metric, key, version, any::<(i64, i64)>(), 0..5_usize).prop_flat_map(|(metric, key, version, times, rows)| {
        let column = proptest::collection::vec(any::<i64>(), rows);
        proptest::collection::vec(column, metric.columns().len()).prop_map(move |columns| MetricRecord {
            key: PartKey { metric, window_start: key.0, dimension: key.1, shard: key.2 },
            version: Version::from(version),
            as_of: times.0,
            window_end: times.1,
            columns,
        })
    })
}

proptest! {
    #[test]
    fn a_metric_is_read_as_it_was_written(record in metric_record()) {
        let bytes = record.encode();
        prop_assert_eq!(MetricRecord::decode(&bytes).expect("decodes"), record.clone());
        let plain: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        prop_assert_eq!(plain, serde_json::to_value(&record).expect("JSON"));
    }
}

#[test]
fn versions_order_by_generation_then_epoch() {
    let version = |generation, epoch| Version { generation, epoch, sequence: 0 };
    let order = [version(0, 1), version(0, 2), version(1, 0), version(1, 7), version(2, 3)];
    assert!(order.windows(2).all(|pair| pair[0] < pair[1] && pair[0].as_u64() < pair[1].as_u64()));
}
