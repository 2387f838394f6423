-- How far has every shard come that wrote a result of the day? 0 where none did.
select toUnixTimestamp64Milli(min(shard_as_of)) as as_of, count() as shards
from
(
    select shard, max(as_of) as shard_as_of
    from metric_parts final
    where metric in ('gmv_day', 'uv_day', 'uv_day_total')
        and window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
    group by shard
)
