-- GMV (fen) and paid orders by minute and community: disjoint parts of the shards summed.
create or replace view gmv_min as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_gmv) as gmv,
    sum(part_orders) as orders
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_gmv, cell_2 as part_orders
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1, c2 as cell_2
    where metric = 'gmv_min'
)
group by window_start, biz_date, biz_hour, community_id;

-- GMV (fen), paid orders and buyers by local day and community.
create or replace view gmv_day as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_gmv) as gmv,
    sum(part_orders) as orders,
    sum(part_buyers) as buyers
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_gmv, cell_2 as part_orders, cell_3 as part_buyers
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1, c2 as cell_2, c3 as cell_3
    where metric = 'gmv_day'
)
group by window_start, biz_date, biz_hour, community_id;

-- Refunds (fen) by minute of the refund and community.
create or replace view refund_min as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_refund_amount) as refund_amount,
    sum(part_refunds) as refunds
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_refund_amount, cell_2 as part_refunds
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1, c2 as cell_2
    where metric = 'refund_min'
)
group by window_start, biz_date, biz_hour, community_id;

-- Refunds (fen) by local day of the refund and community.
create or replace view refund_day as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_refund_amount) as refund_amount,
    sum(part_refunds) as refunds
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_refund_amount, cell_2 as part_refunds
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1, c2 as cell_2
    where metric = 'refund_day'
)
group by window_start, biz_date, biz_hour, community_id;

-- Active users by minute and community; each user is in one shard.
create or replace view uv_min as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_uv) as uv
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_uv
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1
    where metric = 'uv_min'
)
group by window_start, biz_date, biz_hour, community_id;

-- Active users by hour and community; each user is in one shard.
create or replace view uv_hour as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_uv) as uv
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_uv
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1
    where metric = 'uv_hour'
)
group by window_start, biz_date, biz_hour, community_id;

-- Active users by local day and community; each user is in one shard.
create or replace view uv_day as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sum(part_uv) as uv
from
(
    select window_start, biz_date, biz_hour, cell_0 as community_id, cell_1 as part_uv
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1
    where metric = 'uv_day'
)
group by window_start, biz_date, biz_hour, community_id;

-- Active users of the whole shop by minute; each user is in one shard.
create or replace view uv_min_total as
select
    window_start,
    biz_date,
    biz_hour,
    sum(part_uv) as uv
from
(
    select window_start, biz_date, biz_hour, cell_0 as part_uv
    from metric_parts final
    array join c0 as cell_0
    where metric = 'uv_min_total'
)
group by window_start, biz_date, biz_hour;

-- Active users of the whole shop by hour; each user is in one shard.
create or replace view uv_hour_total as
select
    window_start,
    biz_date,
    biz_hour,
    sum(part_uv) as uv
from
(
    select window_start, biz_date, biz_hour, cell_0 as part_uv
    from metric_parts final
    array join c0 as cell_0
    where metric = 'uv_hour_total'
)
group by window_start, biz_date, biz_hour;

-- Active users of the whole shop by local day; each user is in one shard.
create or replace view uv_day_total as
select
    window_start,
    biz_date,
    biz_hour,
    sum(part_uv) as uv
from
(
    select window_start, biz_date, biz_hour, cell_0 as part_uv
    from metric_parts final
    array join c0 as cell_0
    where metric = 'uv_day_total'
)
group by window_start, biz_date, biz_hour;

-- Quantity in paid orders by minute and SKU, every SKU sold.
create or replace view top_min as
select
    window_start,
    biz_date,
    biz_hour,
    category_id,
    sku_id,
    sum(part_qty) as qty
from
(
    select window_start, biz_date, biz_hour, cell_0 as category_id, cell_1 as sku_id, cell_2 as part_qty
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1, c2 as cell_2
    where metric = 'top_min'
)
group by window_start, biz_date, biz_hour, category_id, sku_id;

-- Quantity in paid orders by local day and SKU, every SKU sold.
create or replace view top_day as
select
    window_start,
    biz_date,
    biz_hour,
    category_id,
    sku_id,
    sum(part_qty) as qty
from
(
    select window_start, biz_date, biz_hour, cell_0 as category_id, cell_1 as sku_id, cell_2 as part_qty
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1, c2 as cell_2
    where metric = 'top_day'
)
group by window_start, biz_date, biz_hour, category_id, sku_id;

-- Quantity in paid orders by local day, community and SKU: the first 100 of each; a community lies in one shard.
create or replace view top_day_community as
select
    window_start,
    biz_date,
    biz_hour,
    community_id,
    sku_id,
    sum(part_qty) as qty
from
(
    select window_start, biz_date, biz_hour, dimension as community_id, cell_0 as sku_id, cell_1 as part_qty
    from metric_parts final
    array join c0 as cell_0, c1 as cell_1
    where metric = 'top_day_community'
)
group by window_start, biz_date, biz_hour, community_id, sku_id;

-- Distinct buyers of the whole shop by local day; each user is in one shard.
create or replace view buyers_day_total as
select
    window_start,
    biz_date,
    biz_hour,
    sum(part_buyers) as buyers
from
(
    select window_start, biz_date, biz_hour, cell_0 as part_buyers
    from metric_parts final
    array join c0 as cell_0
    where metric = 'buyers_day_total'
)
group by window_start, biz_date, biz_hour;
