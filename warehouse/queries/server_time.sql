-- What time is it on the server, in epoch milliseconds?
select toUnixTimestamp64Milli(now64(3)) as now_ms
