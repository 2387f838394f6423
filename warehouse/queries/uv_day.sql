-- How many users were active in each day in each community?
select toUnixTimestamp64Milli(window_start) as w_ms, community_id, uv
from uv_day
where uv > 0
order by w_ms, community_id
