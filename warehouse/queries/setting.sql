-- What is a setting of the warehouse?
select value from warehouse_settings final where name = {name:String}
