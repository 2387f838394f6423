-- Results of the stream jobs as they were delivered: one packed record a metric, window, dimension and shard.
-- A record replaces its predecessor whole, so a cell that vanished from it vanishes here. Read through the views, or with FINAL.
-- c0 to c3 hold the metric's columns in the order of the catalogue; times of windows are their starts and ends, half-open.
create table if not exists metric_parts
(
    metric LowCardinality(String),
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    biz_date Date comment 'local date of window_start in the business zone',
    biz_hour UInt8 comment 'local hour of window_start',
    dimension Int64 comment 'community, bucket, or 0',
    shard UInt32,
    version UInt64 comment 'generation and epoch of the task',
    as_of DateTime64(3, 'UTC') comment 'watermark of the shard when it wrote',
    c0 Array(Int64),
    c1 Array(Int64),
    c2 Array(Int64),
    c3 Array(Int64)
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(window_start)
order by (metric, window_start, dimension, shard)
settings non_replicated_deduplication_window = 100, index_granularity = 256
