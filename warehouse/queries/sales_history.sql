-- What did each community buy of each SKU on each day of a closed range?
select
    community_id,
    sku_id,
    event_date,
    quantity
from community_sales final
where event_date between {from:Date} and {to:Date}
