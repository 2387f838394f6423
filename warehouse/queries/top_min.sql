-- How much of each SKU was sold in each minute? Sums of 60 of them make the hopping lists.
select toUnixTimestamp64Milli(window_start) as minute_ms, sku_id, sum(top_min.qty) as qty
from top_min
where window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') and window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
group by minute_ms, sku_id
order by minute_ms
