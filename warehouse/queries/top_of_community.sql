-- What are the 100 best-selling SKUs of a range of payment times in one community?
select sku_id, sum(sales.quantity) as qty
from sales
where community_id = {community_id:Int64}
    and paid_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') and paid_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
group by sku_id
having qty > 0
order by qty desc, sku_id
limit 100
