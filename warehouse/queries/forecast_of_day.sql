-- What did the newest run before a day expect of it, by community (0: the warehouse) and SKU?
with (
    select argMax(run, (business_date, named_at))
    from restock_runs final
    where business_date < {day:Date}
) as newest
select
    warehouse_id,
    community_id,
    sku_id,
    mean
from demand_forecasts final
where run = newest and step_on = {day:Date}
