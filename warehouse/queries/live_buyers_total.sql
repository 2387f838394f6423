-- How many users bought on a day so far in the whole shop?
select sum(buyers_day_total.buyers) as total, count() as parts
from buyers_day_total
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
