-- How many users were active on a day so far in the whole shop?
select sum(uv_day_total.uv) as total, count() as parts
from uv_day_total
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
