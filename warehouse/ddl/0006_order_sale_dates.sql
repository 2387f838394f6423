-- Every date on which an order was ever seen as paid: what community_sales must be counted again for when the order changes.
create table if not exists order_sale_dates
(
    order_id UInt64,
    biz_date Date,
    index biz_date_range biz_date type minmax granularity 1
)
engine = ReplacingMergeTree
order by (order_id, biz_date)
