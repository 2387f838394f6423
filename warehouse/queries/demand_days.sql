-- What did each community buy of each SKU on each day? Days are counted from the first on which anything was sold.
with (select min(event_date) from community_sales final) as first_day
select
    concat(toString(community_id), '/', toString(sku_id)) as series_id,
    toUInt16(event_date) - toUInt16(first_day) as day,
    greatest(quantity, 0) as units
from community_sales final
order by community_id, sku_id, event_date
