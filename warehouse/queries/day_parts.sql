-- What did each shard say last of each day, for one metric: the first value column, or the one of the cells, summed?
select
    toUnixTimestamp64Milli(window_start) as day_ms,
    shard,
    version,
    multiIf({column:UInt8} = 0, arraySum(c0), {column:UInt8} = 1, arraySum(c1), {column:UInt8} = 2, arraySum(c2), arraySum(c3)) as total,
    length(c0) as cells
from metric_parts final
where metric = {metric:String}
order by day_ms, shard
