-- The newest state of every line of an order. Identity: order_id, item_id. Amounts in fen.
create table if not exists order_items
(
    order_id UInt64,
    item_id UInt64,
    community_id Int64,
    sku_id Int64,
    category_id Nullable(Int64) comment 'as of the sale',
    supplier_id Nullable(Int64) comment 'as of the sale',
    quantity Int64,
    price Nullable(Int64) comment 'fen',
    amount Nullable(Int64) comment 'fen; quantity times price where the shop writes none',
    written_at DateTime64(3, 'UTC') comment 'when the shop wrote this state',
    deleted UInt8 comment '1: the row left the shop; the other columns are its last ones',
    version UInt64,
    loaded_at DateTime64(3, 'UTC') default now64(3),
    index loaded_at_range loaded_at type minmax granularity 1
)
engine = ReplacingMergeTree(version)
order by (order_id, item_id)
settings non_replicated_deduplication_window = 100
