-- How much was paid on each day in each community?
select toUnixTimestamp64Milli(window_start) as day_ms, community_id, gmv
from gmv_day
where orders > 0
order by day_ms, community_id
