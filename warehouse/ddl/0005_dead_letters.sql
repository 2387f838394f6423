-- Records that could not be used, with why. Identity: topic, partition, offset;
-- where the collector refused it before it had an offset, a hash of the bytes stands in.
create table if not exists dead_letters
(
    topic LowCardinality(String),
    partition Int32 comment '-1: none',
    offset Int64 comment '-1: none',
    body_key UInt64 comment '0 where there is an offset',
    code LowCardinality(String),
    reason String,
    at DateTime64(3, 'UTC'),
    key String,
    value String,
    version UInt64,
    loaded_at DateTime64(3, 'UTC') default now64(3)
)
engine = ReplacingMergeTree(version)
order by (topic, partition, offset, body_key)
settings non_replicated_deduplication_window = 100
