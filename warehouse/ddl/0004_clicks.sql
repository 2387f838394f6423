-- Tracked events. Identity: event_key, a 128-bit hash of event_id, within its date and community, which a repetition shares.
-- Of repetitions the first received stays: their version falls with received_at.
create table if not exists clicks
(
    event_key UInt128,
    event_type Enum8('view' = 1, 'cart' = 2, 'order' = 3, 'pay' = 4, 'search' = 5, 'share' = 6, 'login' = 7),
    user_id Nullable(Int64),
    anonymous_id String,
    session_id String,
    community_id Int64,
    sku_id Nullable(Int64),
    platform LowCardinality(String),
    ts DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    biz_date Date comment 'local date of ts',
    biz_hour UInt8,
    is_weekend UInt8 comment '1 on Saturday and Sunday of the local calendar',
    version UInt64,
    loaded_at DateTime64(3, 'UTC') default now64(3)
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(biz_date)
order by (biz_date, community_id, event_key)
settings non_replicated_deduplication_window = 100
