-- What each run expected of each community (0: the whole warehouse) and SKU, day by day. Read with FINAL.
create table if not exists demand_forecasts
(
    run String,
    business_date Date comment 'the local day that had closed',
    warehouse_id Int64,
    community_id Int64,
    sku_id Int64,
    step_on Date,
    model LowCardinality(String),
    mean Float64 comment 'pieces',
    q10 Float64,
    q25 Float64,
    q50 Float64,
    q75 Float64,
    q80 Float64,
    q90 Float64,
    q95 Float64,
    q99 Float64,
    version UInt64
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(business_date)
order by (business_date, run, warehouse_id, community_id, sku_id, step_on)
ttl business_date + interval 400 day
settings non_replicated_deduplication_window = 100
