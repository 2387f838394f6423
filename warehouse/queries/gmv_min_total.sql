-- How much was paid in each minute in the whole shop?
select toUnixTimestamp64Milli(window_start) as minute_ms, sum(gmv_min.gmv) as gmv
from gmv_min
where orders > 0
group by minute_ms
order by minute_ms
