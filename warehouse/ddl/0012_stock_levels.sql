-- What could be sold of each SKU in each warehouse, from one change to the next. Read with FINAL.
-- Many changes of one millisecond come in order of their versions; what is loaded again is the same row.
create table if not exists stock_levels
(
    warehouse_id Int64,
    sku_id Int64,
    written_at DateTime64(3, 'UTC'),
    available Int64 comment 'on hand less reserved',
    version UInt64
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(written_at)
order by (warehouse_id, sku_id, written_at, version)
ttl toDateTime(written_at) + interval 150 day
settings non_replicated_deduplication_window = 100
