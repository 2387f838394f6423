-- What each run suggested to order, and each term of the sum. Read with FINAL.
create table if not exists restock_lines
(
    run String,
    business_date Date,
    supplier_id Int64,
    warehouse_id Int64,
    community_id Int64,
    sku_id Int64,
    quantity Int64 comment 'pieces',
    status Enum8('ready' = 1, 'held' = 2),
    must_order_by DateTime64(3, 'UTC'),
    needed_by Date,
    reason String comment 'JSON: terms, sum, conflicts, holds',
    version UInt64
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(business_date)
order by (business_date, run, supplier_id, warehouse_id, community_id, sku_id)
ttl business_date + interval 400 day
settings non_replicated_deduplication_window = 100
