-- Which batches will not be sold before they expire, what that costs, and what can be done. Read with FINAL.
create table if not exists ads_near_expiry
(
    business_date Date,
    warehouse_id Int64,
    sku_id Int64,
    batch_id UInt64,
    expires_on Date,
    days_left UInt32,
    quantity Int64 comment 'pieces left of the batch',
    sellable Int64,
    at_risk Int64,
    loss Int64 comment 'fen',
    actions String comment 'JSON',
    version UInt64
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(business_date)
order by (business_date, warehouse_id, sku_id, batch_id)
ttl business_date + interval 400 day
settings non_replicated_deduplication_window = 100
