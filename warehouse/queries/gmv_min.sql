-- How much was paid in each minute in each community?
select toUnixTimestamp64Milli(window_start) as minute_ms, community_id, gmv
from gmv_min
where orders > 0
order by minute_ms, community_id
