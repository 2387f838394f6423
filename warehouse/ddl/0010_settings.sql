-- What the rows were computed with and must not change under them: the business zone of biz_date and biz_hour.
create table if not exists warehouse_settings
(
    name String,
    value String,
    version UInt64
)
engine = ReplacingMergeTree(version)
order by name
