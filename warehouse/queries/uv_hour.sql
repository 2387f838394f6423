-- How many users were active in each hour in each community?
select toUnixTimestamp64Milli(window_start) as w_ms, community_id, uv
from uv_hour
where uv > 0
order by w_ms, community_id
