-- How good were forecasts and orders of a closed range of days, by supplier and category?
select
    supplier_id,
    category_id,
    sum(sold) as sold,
    round(1 - sum(lost) / nullIf(sum(sold) + sum(lost), 0), 4) as fill_rate,
    round(sum(thrown_away) / nullIf(sum(sold) + sum(thrown_away), 0), 4) as waste,
    sum(thrown_away_cost) as thrown_away_cost,
    round((sum(compared_forecast) - sum(compared_sold)) / nullIf(sum(compared_sold), 0), 4) as bias,
    round(sum(error) / nullIf(sum(compared_sold), 0), 4) as error,
    round(1 - sum(error) / nullIf(sum(error_document), 0), 4) as value_added_to_document_rule,
    round(1 - sum(error) / nullIf(sum(error_naive), 0), 4) as value_added_to_naive
from ads_restock_value final
where community_id = 0 and event_date between {from:Date} and {to:Date}
group by supplier_id, category_id
order by supplier_id, category_id
