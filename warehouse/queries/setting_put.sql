-- Remembers a setting of the warehouse.
insert into warehouse_settings (name, value, version) select {name:String}, {value:String}, 1
