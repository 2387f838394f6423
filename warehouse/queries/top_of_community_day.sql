-- What are the 100 best-selling SKUs of a day in one community?
select sku_id, sum(top_day_community.qty) as qty
from top_day_community
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC') and community_id = {community_id:Int64}
group by sku_id
having qty > 0
order by qty desc, sku_id
limit 100
