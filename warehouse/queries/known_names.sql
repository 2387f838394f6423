-- What are the communities and categories called, and the SKUs sold since a day?
select toInt8(kind) as kind_number, id, name
from names final
where deleted = 0 and name != ''
    and (kind != 'sku' or id in (select sku_id from top_day where window_start >= fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')))
order by kind_number, id
