-- What do forecasts in CSV look like in the format Parquet?
insert into function file({path:String}, 'Parquet')
select *
from file({csv:String}, 'CSVWithNames', 'series_id String, origin Int64, step Int64, mean Float64, q10 Float64, q25 Float64, q50 Float64, q75 Float64, q90 Float64, q95 Float64, q99 Float64, model String')
