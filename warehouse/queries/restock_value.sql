-- How good were forecasts and orders of a closed range of days, by supplier and category?
select
    supplier_id,
    category_id,
    sum(value.sold) as sold,
    round(1 - sum(value.lost) / nullIf(sum(value.sold) + sum(value.lost), 0), 4) as fill_rate,
    round(sum(value.thrown_away) / nullIf(sum(value.sold) + sum(value.thrown_away), 0), 4) as waste,
    sum(value.thrown_away_cost) as thrown_away_cost,
    round((sum(value.compared_forecast) - sum(value.compared_sold)) / nullIf(sum(value.compared_sold), 0), 4) as bias,
    round(sum(value.error) / nullIf(sum(value.compared_sold), 0), 4) as error,
    round(1 - sum(value.error) / nullIf(sum(value.error_document), 0), 4) as value_added_to_document_rule,
    round(1 - sum(value.error) / nullIf(sum(value.error_naive), 0), 4) as value_added_to_naive
from ads_restock_value as value final
where community_id = 0 and event_date between {from:Date} and {to:Date}
group by supplier_id, category_id
order by supplier_id, category_id
