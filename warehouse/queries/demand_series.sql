-- Which series of daily demand are there? One for each community and SKU that ever sold.
select
    concat(toString(community_id), '/', toString(sku_id)) as series_id,
    'community_sku' as level,
    toString(community_id) as community,
    toString(sku_id) as sku
from community_sales final
group by community_id, sku_id
order by community_id, sku_id
