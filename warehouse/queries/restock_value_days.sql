-- Per category and day of a closed range: what was forecast and what was sold, where both can be compared?
select
    category_id,
    event_date,
    sum(compared_forecast) as forecast,
    toFloat64(sum(compared_sold)) as sold
from ads_restock_value final
where community_id = 0 and event_date between {from:Date} and {to:Date}
group by category_id, event_date
order by category_id, event_date
