-- How much was paid in each minute of a range, by all or one community?
select toUnixTimestamp64Milli(window_start) as minute_ms, sum(gmv_min.gmv) as gmv, sum(gmv_min.orders) as orders
from gmv_min
where window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') and window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    and ({all:UInt8} = 1 or community_id = {community_id:Int64})
group by minute_ms
having orders > 0
order by minute_ms
