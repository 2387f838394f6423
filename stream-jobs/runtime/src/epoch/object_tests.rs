use linli_schemas::dead_letter::DeadLetter;
use linli_schemas::metric::{Metric, MetricRecord, PartKey, Version};
use linli_stream_jobs::effect::Effect;
use proptest::prelude::*;

use super::super::OutboxItem;
use super::*;

fn record() -> MetricRecord {
    MetricRecord {
        key: PartKey { metric: Metric::GmvMin, window_start: -60_000, dimension: 3, shard: 2 },
        version: Version { generation: 2, epoch: 9, sequence: 1 },
        as_of: 5,
        window_end: 0,
        columns: vec![vec![1, 2], vec![250, -3], vec![1, 1]],
    }
}

fn effects() -> Vec<Effect> {
    let letter = DeadLetter {
        topic: "clicks".to_owned(),
        partition: Some(2),
        offset: Some(7),
        code: "late".to_owned(),
        reason: "late by 3 ms past the allowed lateness".to_owned(),
        at: 11,
        key: String::new(),
        value: "e30=".to_owned(),
    };
    vec![
        Effect::Metric(record()),
        Effect::Forward { topic: Topic::Buyers, partition: 1, key: b"k".to_vec(), value: b"{}".to_vec() },
        Effect::DeadLetter { key: b"u1".to_vec(), letter },
    ]
}

fn object() -> EpochObject {
    let counts = Counts { received: 10, applied: 4, duplicate: 3, late: 2, history: 1, dead_lettered: 0 };
    let topics = BTreeMap::from([("clicks".to_owned(), counts)]);
    EpochObject {
        header: EpochHeader {
            task: 2,
            generation: Generation(2),
            epoch: Epoch(9),
            writer: WriterNonce(u128::MAX - 5),
            partitions: 8,
            state_version: 1,
            zone: "Asia/Shanghai".to_owned(),
            base: Some(BaseRef { epoch: Epoch(4), key: "tasks/2/bases/4".to_owned(), bytes: 17 }),
            base_before: Some(Epoch(2)),
            deltas_bytes: 300,
            positions: Positions([1, 2, 3, 4, u64::MAX]),
            import_watermark: Some(EventTime(-1)),
            as_of: None,
            unfinished: false,
            incarnation: Some(Incarnation("abc".to_owned())),
            claims: vec![Epoch(1), Epoch(8)],
            conservation: BTreeMap::from([("activity".to_owned(), topics)]),
        },
        delta: Bytes::from_static(b"delta"),
        outbox: Outbox::from_effects(&effects()),
    }
}

#[test]
fn an_epoch_comes_back_as_it_was() {
    let object = object();
    let decoded = EpochObject::decode("k", object.encode()).unwrap();
    assert_eq!(decoded, object);
    let items: Vec<OutboxItem> = decoded.outbox.iter().collect();
    assert_eq!(items.len(), 3);
    let OutboxItem::Metric { key, version, value } = &items[0] else { panic!("{:?}", items[0]) };
    assert_eq!((*key, *version), (record().key, record().version));
    assert_eq!(MetricRecord::decode(value).unwrap(), record());
}

#[test]
fn a_changed_or_cut_epoch_is_refused_by_name() {
    let whole = object().encode();
    for at in 0..whole.len() {
        let mut changed = whole.to_vec();
        changed[at] ^= 0x10;
        let error = EpochObject::decode("tasks/2/epochs/9", changed.into()).unwrap_err();
        assert!(error.to_string().starts_with("blob \"tasks/2/epochs/9\" is damaged"), "{error}");
        assert!(EpochObject::decode("k", whole.slice(..at)).is_err(), "cut at {at}");
    }
}

proptest! {
    /// With a checksum that fits, so that the parser itself is met.
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200), keep in 0usize..300) {
        let whole = object().encode();
        let mut bytes = whole[..keep.min(whole.len() - CRC_BYTES)].to_vec();
        bytes.extend_from_slice(&body);
        if bytes.len() >= MAGIC.len() { bytes[..MAGIC.len()].copy_from_slice(MAGIC); }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let _ = EpochObject::decode("k", bytes.into());
    }
}
