-- Quantity and amount (fen) sold by local day of payment, community and SKU. Read with FINAL.
-- Days are counted again from the facts whenever one of their orders or items changes, so duplicates, late rows and repeated
-- loads leave it exact; a cell that went away is written once more as deleted, and FINAL drops it.
-- The day is part of the order: without it the days of a month would be merged into one row. Fen, not Float64: no cent is lost.
create table if not exists community_sales
(
    event_date Date,
    community_id Int64,
    sku_id Int64,
    quantity Int64,
    amount Int64 comment 'fen',
    deleted UInt8,
    version UInt64
)
engine = ReplacingMergeTree(version, deleted)
partition by toYYYYMM(event_date)
order by (community_id, sku_id, event_date)
