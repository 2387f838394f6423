-- Of which days must community_sales be counted again, because an order or an item of theirs was loaded since?
select distinct toUInt16(biz_date) as day
from order_sale_dates
where order_id in
(
    select order_id from orders where loaded_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
    union distinct
    select order_id from order_items where loaded_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
)
order by day
