-- Which SKUs were sold since a day, and in which category?
select sku_id, max(top_day.category_id) as category_id
from top_day
where window_start >= fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
group by sku_id
order by sku_id
