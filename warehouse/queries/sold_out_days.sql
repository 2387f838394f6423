-- On which local days of a closed range was a shelf empty for so long that its sales do not tell what was wanted?
-- A shelf is empty from a change that leaves nothing until the next one; only the hours in which people buy count.
with
    {zone:String} as zone,
    intervals as (
        select
            warehouse_id,
            sku_id,
            toUnixTimestamp(written_at) as empty_from,
            toUnixTimestamp(leadInFrame(written_at, 1, now64(3)) over shelf) as empty_to,
            available
        from stock_levels final
        window shelf as (
            partition by warehouse_id, sku_id
            order by written_at, version
            rows between current row and unbounded following
        )
    ),
    days as (
        select
            warehouse_id,
            sku_id,
            empty_from,
            empty_to,
            arrayJoin(arrayMap(
                day -> toDate(day),
                range(
                    toUInt32(toDate(fromUnixTimestamp(empty_from), zone)),
                    toUInt32(toDate(fromUnixTimestamp(empty_to), zone)) + 1
                )
            )) as event_date
        from intervals
        where available <= 0 and empty_to > empty_from
    )
select
    warehouse_id,
    sku_id,
    event_date
from days
where event_date between {from:Date} and {to:Date}
group by warehouse_id, sku_id, event_date
having sum(greatest(
    0,
    toInt64(least(empty_to, toUnixTimestamp(toDateTime(event_date, zone) + interval {close_hour:UInt8} hour)))
    - toInt64(greatest(empty_from, toUnixTimestamp(toDateTime(event_date, zone) + interval {open_hour:UInt8} hour)))
)) >= {seconds:UInt32}
order by warehouse_id, sku_id, event_date
