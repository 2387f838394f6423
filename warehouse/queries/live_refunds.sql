-- What was refunded on a day so far, to all or one community?
select sum(refund_day.refund_amount) as refund_amount, count() as communities
from refund_day
where window_start = fromUnixTimestamp64Milli({day_ms:Int64}, 'UTC')
    and ({all:UInt8} = 1 or community_id = {community_id:Int64})
