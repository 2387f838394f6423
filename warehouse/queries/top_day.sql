-- What are the 100 best-selling SKUs of each day and community, by quantity, ties by lower SKU id?
select d, community_id, rn, sku_id, q
from
(
    select
        toUnixTimestamp64Milli(window_start) as d,
        community_id,
        sku_id,
        qty as q,
        row_number() over (partition by window_start, community_id order by qty desc, sku_id) as rn
    from top_day_community
)
where rn <= 100
order by d, community_id, rn
