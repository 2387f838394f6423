-- What are the 100 best-selling SKUs of a day, of all or one category?
select sku_id, sum(top_day.qty) as qty
from top_day
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
    and ({all:UInt8} = 1 or category_id = {category_id:Int64})
group by sku_id
having qty > 0
order by qty desc, sku_id
limit 100
