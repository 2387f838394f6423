-- How many users were active on a day so far in one community?
select sum(uv_day.uv) as total, count() as parts
from uv_day
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC') and community_id = {community_id:Int64}
