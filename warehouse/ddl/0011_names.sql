-- What the shop calls its communities, categories and SKUs.
create table if not exists names
(
    kind Enum8('community' = 1, 'category' = 2, 'sku' = 3),
    id Int64,
    name String,
    deleted UInt8,
    version UInt64,
    loaded_at DateTime64(3, 'UTC') default now64(3)
)
engine = ReplacingMergeTree(version)
order by (kind, id)
settings non_replicated_deduplication_window = 100
