-- Where does stock lie?
CREATE TABLE IF NOT EXISTS {table} (
  warehouse_id INT NOT NULL,
  name VARCHAR(80) NOT NULL,
  name_en VARCHAR(80) NOT NULL,
  latitude DECIMAL(9,6) NOT NULL,
  longitude DECIMAL(9,6) NOT NULL,
  coordinate_system VARCHAR(10) NOT NULL COMMENT '坐标系 WGS84, GCJ02, BD09',
  PRIMARY KEY (warehouse_id)
) CHARACTER SET utf8mb4 COMMENT '仓库 warehouses'
