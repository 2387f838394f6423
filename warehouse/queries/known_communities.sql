-- Which communities had a paid order or a visitor since a day?
select distinct community_id
from
(
    select community_id from gmv_day where window_start >= fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
    union all
    select community_id from uv_day where window_start >= fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
)
order by community_id
