-- Which batches were at risk when the newest day closed, the dearest first?
select
    business_date,
    warehouse_id,
    sku_id,
    batch_id,
    expires_on,
    days_left,
    quantity,
    sellable,
    at_risk,
    loss,
    actions
from ads_near_expiry final
where business_date = (select max(business_date) from ads_near_expiry)
order by loss desc, expires_on, warehouse_id, sku_id, batch_id
limit 10000
