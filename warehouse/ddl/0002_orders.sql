-- The newest state of every order. Identity: order_id. Amounts in fen; instants in UTC; biz_* in the business zone.
-- Not partitioned by time: the business date of an order changes when it is paid, and partition pruning under FINAL
-- must never hide the newer of two rows. The skip index on biz_date prunes instead; it is exact under FINAL.
create table if not exists orders
(
    order_id UInt64,
    user_id Int64,
    community_id Int64,
    leader_id Nullable(Int64),
    status Nullable(Int64),
    pay_amount Nullable(Int64) comment 'fen',
    created_at Nullable(DateTime64(3, 'UTC')),
    paid_at Nullable(DateTime64(3, 'UTC')),
    written_at DateTime64(3, 'UTC') comment 'when the shop wrote this state',
    biz_date Date comment 'local date of paid_at, else created_at, else written_at',
    biz_hour UInt8,
    is_weekend UInt8 comment '1 on Saturday and Sunday of the local calendar',
    deleted UInt8 comment '1: the row left the shop; the other columns are its last ones',
    version UInt64,
    loaded_at DateTime64(3, 'UTC') default now64(3),
    index biz_date_range biz_date type minmax granularity 1,
    index loaded_at_range loaded_at type minmax granularity 1
)
engine = ReplacingMergeTree(version)
order by order_id
settings non_replicated_deduplication_window = 100
