-- The runs that are there whole, and which of them readers are shown: the one that was named last. Read with FINAL.
create table if not exists restock_runs
(
    run String,
    business_date Date,
    policy String,
    series UInt64,
    lines UInt64,
    named_at DateTime64(3, 'UTC'),
    version UInt64
)
engine = ReplacingMergeTree(version)
order by run
