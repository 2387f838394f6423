-- What was paid on a day so far, by all or one community?
select sum(gmv_day.gmv) as gmv, sum(gmv_day.orders) as orders, sum(gmv_day.buyers) as buyers, count() as communities
from gmv_day
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
    and ({all:UInt8} = 1 or community_id = {community_id:Int64})
