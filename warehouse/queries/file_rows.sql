-- What does a file in the format Parquet hold?
select * from file({path:String}, 'Parquet')
