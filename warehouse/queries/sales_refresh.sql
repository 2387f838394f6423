-- Counts the sales of some days again from the facts; cells that went away are written as deleted.
insert into community_sales (event_date, community_id, sku_id, quantity, amount, deleted, version)
select
    event_date,
    community_id,
    sku_id,
    sum(part_quantity) as quantity,
    sum(part_amount) as amount,
    max(sold) = 0 as deleted,
    toUInt64(toUnixTimestamp64Micro(now64(6))) as version
from
(
    select paid.biz_date as event_date, paid.community_id as community_id, sku_id,
        quantity as part_quantity, ifNull(item.amount, 0) as part_amount, 1 as sold
    from
    (
        select order_id, sku_id, quantity, amount, deleted, written_at
        from order_items final
        where order_id in (select order_id from order_sale_dates where biz_date >= {first:Date} and biz_date <= {last:Date})
    ) as item
    inner join
    (
        select order_id, biz_date, community_id, paid_at
        from orders final
        where biz_date >= {first:Date} and biz_date <= {last:Date} and paid_at is not null
    ) as paid on item.order_id = paid.order_id
    where item.deleted = 0 or item.written_at >= paid.paid_at
    union all
    select event_date, community_id, sku_id, 0 as part_quantity, 0 as part_amount, 0 as sold
    from community_sales final
    where event_date >= {first:Date} and event_date <= {last:Date}
)
group by event_date, community_id, sku_id
