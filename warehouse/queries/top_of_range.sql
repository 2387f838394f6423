-- What are the 100 best-selling SKUs of the minutes of a range, of all or one category?
select sku_id, sum(top_min.qty) as qty
from top_min
where window_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') and window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    and ({all:UInt8} = 1 or category_id = {category_id:Int64})
group by sku_id
having qty > 0
order by qty desc, sku_id
limit 100
