-- What was forecast, ordered, sold, sold out and thrown away on a day, and what the other rules would have forecast.
-- Sums of pieces (of money: fen) over the SKUs of a supplier and category at a place; shares and ratios are made of sums.
-- Community 0 is the warehouse, at which stock is held: sold out, ordered and thrown away are told there alone. Read with FINAL.
create table if not exists ads_restock_value
(
    event_date Date,
    supplier_id Int64,
    category_id Int64,
    warehouse_id Int64,
    community_id Int64,
    series UInt64,
    sold Int64,
    forecast Float64,
    error Float64 comment 'of the forecast: sum of |forecast - sold|, days sold out left out',
    error_document Float64 comment 'of 1.2 times ARIMA(1,1,1) on seven days, without the factor',
    error_naive Float64 comment 'of the same weekday a week before',
    compared_sold Int64 comment 'sold by the series and days that the errors are of',
    compared_forecast Float64,
    ordered Int64,
    lost Float64 comment 'forecast less sold where the shelf was empty',
    sold_out UInt64 comment 'shelves that were empty for hours',
    thrown_away Int64,
    thrown_away_cost Int64 comment 'fen',
    version UInt64
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(event_date)
order by (event_date, supplier_id, category_id, warehouse_id, community_id)
settings non_replicated_deduplication_window = 100
