-- How many users bought on each day in each community?
select toUnixTimestamp64Milli(window_start) as day_ms, community_id, buyers
from gmv_day
where buyers > 0
order by day_ms, community_id
