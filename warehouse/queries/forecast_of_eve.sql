-- What did the run of the evening before a day expect of it, on some shelves: the warehouse (0) and its communities?
select
    warehouse_id,
    community_id,
    sku_id,
    mean,
    q10,
    q25,
    q50,
    q75,
    q90,
    q95,
    q99
from demand_forecasts final
where business_date = {eve:Date}
    and step_on = {day:Date}
    and (warehouse_id, sku_id) in {shelves:Array(Tuple(Int64, Int64))}
    and run = (select argMax(run, named_at) from restock_runs final where business_date = {eve:Date})
